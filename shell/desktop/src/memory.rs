//! Memory shared with the X server, into which it puts pictures.
#![allow(unsafe_code)] // memory that another process writes cannot be had otherwise

use std::ffi::c_void;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr::NonNull;

use crate::DesktopError;

/// A piece of anonymous memory with a descriptor to hand to the server.
pub(crate) struct SharedMemory {
    start: NonNull<u8>,
    bytes: usize,
    descriptor: OwnedFd,
}

// SAFETY: the mapping belongs to this value alone within the process, and `mmap`ed memory may be used from any thread.
unsafe impl Send for SharedMemory {}

impl SharedMemory {
    /// So many bytes, all zero; at least one. The system gives them at once, not when they are touched.
    pub fn new(bytes: usize) -> Result<SharedMemory, DesktopError> {
        let refused =
            || DesktopError::System { what: "shared memory", source: std::io::Error::last_os_error() };
        let bytes = bytes.max(1);
        // SAFETY: the name is a C string; the result is checked before it is used as a descriptor that is ours alone.
        let descriptor = unsafe {
            let descriptor = libc::memfd_create(c"belay picture".as_ptr(), libc::MFD_CLOEXEC);
            if descriptor < 0 {
                return Err(refused());
            }
            OwnedFd::from_raw_fd(descriptor)
        };
        let length = libc::off_t::try_from(bytes).unwrap_or(libc::off_t::MAX);
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a fresh mapping of our own descriptor at an address the kernel chooses; the result is checked.
        let start = unsafe {
            if libc::ftruncate(descriptor.as_raw_fd(), length) != 0 {
                return Err(refused());
            }
            let start = libc::mmap(
                std::ptr::null_mut(),
                bytes,
                protection,
                libc::MAP_SHARED | libc::MAP_POPULATE,
                descriptor.as_raw_fd(),
                0,
            );
            if start == libc::MAP_FAILED {
                return Err(refused());
            }
            start
        };
        let start = NonNull::new(start.cast::<u8>()).ok_or_else(refused)?;
        Ok(SharedMemory { start, bytes, descriptor })
    }

    /// A second descriptor of the same memory, for the server.
    pub fn share(&self) -> Result<OwnedFd, DesktopError> {
        self.descriptor.try_clone().map_err(|source| DesktopError::System { what: "shared memory", source })
    }

    /// The bytes from `offset` on.
    ///
    /// The server writes only between a request and its reply, and no request is open while they are looked at.
    pub fn bytes(&self, offset: usize, count: usize) -> &[u8] {
        assert!(offset + count <= self.bytes, "reads lie inside the shared memory");
        // SAFETY: inside the mapping by the assertion, and any bit pattern is a byte; nobody writes by the rule above.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().add(offset), count) }
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping made in `new`, which nobody borrows any more.
        unsafe { libc::munmap(self.start.as_ptr().cast::<c_void>(), self.bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek as _, SeekFrom, Write as _};

    #[test]
    fn what_the_other_side_writes_is_read() {
        let memory = SharedMemory::new(16).unwrap();
        let mut other = std::fs::File::from(memory.share().unwrap());
        other.seek(SeekFrom::Start(4)).unwrap();
        other.write_all(&[1, 2, 3]).unwrap();
        assert_eq!(memory.bytes(3, 6), [0, 1, 2, 3, 0, 0]);
    }
}
