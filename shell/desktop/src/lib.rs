//! The end user's desktop: what it shows, and mouse and keyboard on it. The only crate with code for operating systems.
//!
//! Each concern has a file with what callers see and a folder with one file for each window system. Whatever looks at the screen or
//! touches it takes an [`belay_permission::Admitted`], which only the end user's grant makes.
#![cfg_attr(test, allow(clippy::unwrap_used))]

#[cfg(not(target_os = "linux"))]
compile_error!("belay-desktop knows X11 on Linux only; other systems come with issues of their own");

mod allocator;
mod capture;
mod connection;
mod error;
mod feed;
mod input;
mod memory;
mod monitors;
mod own_windows;
mod panic_key;
mod pixels;
mod wake;

pub use allocator::keep_little_memory;
pub use capture::{Capture, Changes, Picture, ReadyCapture};
pub use error::DesktopError;
pub use feed::{Feed, ReadyFeed};
pub use input::Input;
pub use monitors::{Screen, WHOLE_DESKTOP};
pub use panic_key::PanicKey;
pub use wake::Waker;

use belay_permission::Admitted;
use belay_wire::Right;

/// Uses an admission up, or says that it is for something else.
fn spend(admitted: Admitted, needed: Right) -> Result<(), DesktopError> {
    let given = admitted.right();
    if given == needed { Ok(()) } else { Err(DesktopError::WrongRight { needed, given }) }
}
