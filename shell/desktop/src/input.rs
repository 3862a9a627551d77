//! Mouse and keyboard of the technician on the end user's desktop.

mod keysym;
mod usage;
mod x11;

pub(crate) use keysym::{BREAK, PAUSE};
pub use x11::Input;
