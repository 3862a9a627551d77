//! What the desktop shows: pictures when something was painted, the pointer apart from them, and nothing while nothing changes.

mod x11;

use belay_screen::{Frame, Rect};
use belay_wire::message::{CursorShape, Monitor};

pub use x11::{Capture, ReadyCapture};

/// What happened while [`Capture::wait`] waited. The first wait reports everything once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Something was painted: [`Capture::fetch`] has a picture.
    pub picture: bool,
    /// The pointer looks different.
    pub shape: Option<CursorShape>,
    /// The pointer is elsewhere, in pixels of the picture; at its edge when it is on another monitor.
    pub pointer: Option<(u16, u16)>,
    /// The monitors changed: the one that is shown now, and all there are.
    pub monitors: Option<(u8, Vec<Monitor>)>,
    /// Somebody called [`crate::Waker::wake`].
    pub called: bool,
}

impl Changes {
    /// Whether nothing happened: the time was up.
    pub fn is_empty(&self) -> bool {
        *self == Changes::default()
    }
}

/// The picture now, and where it may differ from the one fetched before.
#[derive(Debug)]
pub struct Picture<'a> {
    /// All of it.
    pub frame: Frame<'a>,
    /// What was painted since.
    pub damage: Vec<Rect>,
}
