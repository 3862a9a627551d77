//! The wish that files be looked at again: SIGHUP, where that exists.

use std::io;

/// The wishes since this value was made. While there is one, SIGHUP does not end the program.
#[derive(Debug)]
pub struct Wishes {
    #[cfg(unix)]
    hangups: tokio::signal::unix::Signal,
}

impl Wishes {
    /// Listens from now on. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// When the system refuses to tell the program about signals.
    pub fn new() -> io::Result<Wishes> {
        Ok(Wishes {
            #[cfg(unix)]
            hangups: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?,
        })
    }

    /// Ends at the next wish; never where there is no such signal.
    pub async fn next(&mut self) {
        #[cfg(unix)]
        if self.hangups.recv().await.is_some() {
            return;
        }
        std::future::pending().await
    }
}
