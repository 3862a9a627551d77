//! The wish to stop: one future that ends when the operating system asks the program to.

/// Ends when the program is asked to stop (Ctrl-C, or SIGTERM where that exists).
///
/// # Errors
/// When the system refuses to tell the program about signals.
pub async fn requested() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    }
    #[cfg(not(unix))]
    {
        tokio::signal::ctrl_c().await
    }
}
