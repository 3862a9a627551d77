//! TAP devices: an Ethernet card whose cable ends in this program, and poll(2) over several of them.
//!
//! The only file of this crate with `unsafe`: the standard library has neither `ioctl` nor `poll`.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

/// One device. It is gone when this is dropped.
pub struct Tap(File);

impl Tap {
    /// Makes the device `name` (at most 15 letters) where this program runs.
    ///
    /// Without offloading, so that the kernel fills in every checksum and cuts segments before they come here.
    pub fn make(name: &str) -> io::Result<Self> {
        let file =
            OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
        // SAFETY: an ifreq of zeroes is a valid one.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        if name.len() >= request.ifr_name.len() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the name {name} is too long for a device"),
            ));
        }
        for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
            *to = from as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
        // SAFETY: the descriptor is open and `request` is a whole ifreq that outlives the call.
        if unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(file))
    }

    /// The next frame that the host sent, if there is one: its length in `buffer`.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self.0.read(buffer) {
            Ok(length) => Ok(Some(length)),
            Err(error) if passing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Hands a frame to the host. A card that is down or full loses it, as a real one does.
    pub fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        match self.0.write(frame) {
            Ok(_) => Ok(()),
            Err(error) if passing(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Whether an error says no more than "not now": nothing there, no room, or the card is down (EIO) or between two namespaces (EBADFD).
fn passing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.kind() == io::ErrorKind::Interrupted
        || matches!(error.raw_os_error(), Some(libc::EIO | libc::ENOBUFS | libc::EBADFD))
}

/// What there is to do.
pub struct Ready {
    /// Standard input has something, or has ended.
    pub commands: bool,
}

/// Waits until a device has a frame, standard input has a command, or `patience` is over.
pub fn wait(taps: &[Tap], patience: Duration) -> io::Result<Ready> {
    let of = |fd: RawFd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let mut watched: Vec<libc::pollfd> = taps.iter().map(|tap| of(tap.0.as_raw_fd())).collect();
    watched.push(of(libc::STDIN_FILENO));
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(patience.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(patience.subsec_nanos() as i32),
    };
    // SAFETY: `watched` holds as many entries as are named, `time` outlives the call, and no signal mask is given.
    let done = unsafe {
        libc::ppoll(watched.as_mut_ptr(), watched.len() as libc::nfds_t, &raw const time, std::ptr::null())
    };
    if done < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(Ready { commands: watched.last().is_some_and(|input| input.revents != 0) })
}
