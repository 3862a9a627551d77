//! The program removes its own file: it works for one session only, and a file that does nothing any more only worries people.

use std::io;

/// Removes the running program's file.
///
/// # Errors
/// When the system does not allow it.
pub fn remove() -> io::Result<()> {
    self_replace::self_delete()
}
