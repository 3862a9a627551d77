//! Waiting for the X server and for other threads at once.
#![allow(unsafe_code)] // poll(2) is not in the standard library

use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use crate::DesktopError;

/// Ends the wait of the thread that sleeps; can be copied and sent to any thread.
#[derive(Clone, Debug)]
pub struct Waker(Arc<UnixStream>);

impl Waker {
    /// Wakes the sleeper, or keeps it from falling asleep the next time.
    pub fn wake(&self) {
        // A full pipe means that a wake is already waiting; a closed one that nobody sleeps any more.
        let _ = (&*self.0).write(&[1]);
    }
}

/// The sleeper's end.
#[derive(Debug)]
pub(crate) struct Sleeper(UnixStream);

/// Why a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The time is up.
    Time,
    /// The descriptor can be read.
    Readable,
    /// Another thread called.
    Called,
}

/// A sleeper and what wakes it.
pub(crate) fn pair() -> Result<(Sleeper, Waker), DesktopError> {
    let refused = |source| DesktopError::System { what: "a pair of sockets", source };
    let (sleeper, waker) = UnixStream::pair().map_err(refused)?;
    sleeper.set_nonblocking(true).map_err(refused)?;
    waker.set_nonblocking(true).map_err(refused)?;
    Ok((Sleeper(sleeper), Waker(Arc::new(waker))))
}

impl Sleeper {
    /// Sleeps until `other` can be read, somebody calls, or the time is up (`None`: never).
    pub fn sleep(&self, other: BorrowedFd<'_>, time: Option<Duration>) -> Result<Woken, DesktopError> {
        // Rounded up, so that nobody wakes a moment too early and spins.
        let milliseconds =
            time.map_or(-1, |time| i32::try_from(time.as_micros().div_ceil(1000)).unwrap_or(i32::MAX));
        let watch =
            |fd: BorrowedFd<'_>| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let mut watched = [watch(self.0.as_fd()), watch(other)];
        // SAFETY: the pointer and length are those of a live array, and both descriptors are borrowed for the call.
        let ready = unsafe { libc::poll(watched.as_mut_ptr(), 2, milliseconds) };
        if ready < 0 {
            let source = std::io::Error::last_os_error();
            if source.kind() == std::io::ErrorKind::Interrupted {
                return Ok(Woken::Time);
            }
            return Err(DesktopError::System { what: "waiting for events", source });
        }
        if watched[0].revents != 0 {
            let mut calls = [0; 64];
            while matches!((&self.0).read(&mut calls), Ok(count) if count > 0) {}
            return Ok(Woken::Called);
        }
        Ok(if watched[1].revents != 0 { Woken::Readable } else { Woken::Time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_ends_the_sleep_once() {
        let (sleeper, waker) = pair().unwrap();
        let (silent, _other) = UnixStream::pair().unwrap();
        let short = Some(Duration::from_millis(1));
        assert_eq!(sleeper.sleep(silent.as_fd(), short).unwrap(), Woken::Time);
        for _ in 0..100_000 {
            waker.wake();
        }
        assert_eq!(sleeper.sleep(silent.as_fd(), None).unwrap(), Woken::Called);
        assert_eq!(sleeper.sleep(silent.as_fd(), short).unwrap(), Woken::Time);
        (&_other).write_all(b"x").unwrap();
        assert_eq!(sleeper.sleep(silent.as_fd(), None).unwrap(), Woken::Readable);
    }
}
