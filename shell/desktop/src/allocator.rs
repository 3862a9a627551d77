//! How the C library's allocator keeps memory.
#![allow(unsafe_code)] // mallopt(3) is not in the standard library

/// From this size on a buffer is the system's again as soon as it is freed.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 256 * 1024;
/// Heaps of threads; each keeps what its threads have freed.
#[cfg(target_env = "gnu")]
const HEAPS: libc::c_int = 2;

/// Has the allocator keep little. By itself it learns from the first freed picture that eight megabytes are a small buffer, and
/// then keeps such buffers, with gaps, in a heap for each thread. To be called before any other thread is started.
pub fn keep_little_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: `mallopt` takes two numbers and changes nothing but the allocator's own settings. It refuses none of these.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_ARENA_MAX, HEAPS);
    }
}
