//! Memory shared with the X server, into which it puts pictures.
#![allow(unsafe_code)] // memory that another process writes cannot be had otherwise

use std::ffi::c_void;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr::NonNull;

use crate::DesktopError;

/// A piece of anonymous memory with a descriptor to hand to the server.
pub(crate) struct SharedMemory {
    start: NonNull<u32>,
    bytes: usize,
    descriptor: OwnedFd,
}

// SAFETY: the mapping belongs to this value alone within the process, and `mmap`ed memory may be used from any thread.
unsafe impl Send for SharedMemory {}

impl SharedMemory {
    /// So many 32-bit words, all zero; at least one.
    pub fn new(words: usize) -> Result<SharedMemory, DesktopError> {
        let refused =
            || DesktopError::System { what: "shared memory", source: std::io::Error::last_os_error() };
        let bytes = words.max(1) * size_of::<u32>();
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
                libc::MAP_SHARED,
                descriptor.as_raw_fd(),
                0,
            );
            if start == libc::MAP_FAILED {
                return Err(refused());
            }
            start
        };
        let start = NonNull::new(start.cast::<u32>()).ok_or_else(refused)?;
        Ok(SharedMemory { start, bytes, descriptor })
    }

    /// A second descriptor of the same memory, for the server.
    pub fn share(&self) -> Result<OwnedFd, DesktopError> {
        self.descriptor.try_clone().map_err(|source| DesktopError::System { what: "shared memory", source })
    }

    /// Copies the words from `offset` on into `to`, keeping the lower 24 bits of each.
    ///
    /// The server writes only between a request and its reply, and no request is open here.
    pub fn read(&self, offset: usize, to: &mut [u32]) {
        assert!(offset + to.len() <= self.bytes / size_of::<u32>(), "reads lie inside the shared memory");
        // SAFETY: inside the mapping by the assertion, aligned because the mapping starts at a page. Words are read as volatile
        // memory of another process would be: the value is whatever is there, and any bit pattern is a u32.
        let words = unsafe { std::slice::from_raw_parts(self.start.as_ptr().add(offset), to.len()) };
        for (to, word) in to.iter_mut().zip(words) {
            *to = word & 0x00ff_ffff;
        }
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
        let memory = SharedMemory::new(4).unwrap();
        let mut other = std::fs::File::from(memory.share().unwrap());
        other.seek(SeekFrom::Start(4)).unwrap();
        other.write_all(&0xff12_3456_u32.to_ne_bytes()).unwrap();
        let mut words = [9; 2];
        memory.read(1, &mut words);
        assert_eq!(words, [0x0012_3456, 0]);
    }
}
