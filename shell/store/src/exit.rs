//! A decent end of the process.
//!
//! SQLCipher frees what all connections share in exit handlers of its own, without asking whether a connection is just
//! being closed in its thread; a process that ends at that moment dies of a segmentation fault with its work done.
//! Exit handlers run in reverse order, so one that is registered after SQLCipher's own can wait for those threads first.

use std::sync::Once;
use std::time::{Duration, Instant};

/// What the threads of connections are called; short, because Linux keeps only 15 characters.
pub(crate) const THREAD_NAME: &str = "store-";
/// Threads of connections that nobody closed stay idle, which does no harm: they are not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Registers the wait, once. Call it when a connection has been opened, so that SQLCipher has registered its own.
#[allow(unsafe_code)]
pub(crate) fn wait_for_connections_at_exit() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler is a plain function of this program that takes nothing and never unwinds.
        let failed = unsafe { libc::atexit(wait_for_connections) };
        if failed != 0 {
            tracing::warn!("the exit handler of the store could not be registered");
        }
    });
}

extern "C" fn wait_for_connections() {
    let deadline = Instant::now() + PATIENCE;
    while connection_threads() > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// How many threads of connections there are; none where the system does not say.
fn connection_threads() -> usize {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return 0 };
    let is_ours = |path: std::path::PathBuf| {
        std::fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with(THREAD_NAME))
    };
    tasks.filter_map(Result::ok).filter(|task| is_ours(task.path())).count()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::{Create, Store};

    #[tokio::test]
    async fn threads_of_connections_are_seen_and_gone_after_closing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Create::IfAbsent).await.unwrap();
        assert!(connection_threads() > 0);
        store.close().await.unwrap();
        let began = Instant::now();
        wait_for_connections();
        assert!(connection_threads() == 0 || began.elapsed() >= PATIENCE);
    }
}
