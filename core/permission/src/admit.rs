//! The one way to the end user's computer: a message is admitted, or denied with the right it lacks.

use belay_wire::input::Input;
use belay_wire::{Message, Right};

use crate::machine::Permission;

/// Proof that the right for one thing was there when it was asked for. It is used up by doing the thing.
///
/// ```compile_fail
/// let forged = belay_permission::Admitted { right: belay_wire::Right::RemoteControl };
/// ```
/// ```compile_fail
/// fn twice(once: belay_permission::Admitted) -> [belay_permission::Admitted; 2] {
///     [once.clone(), once]
/// }
/// ```
// INVARIANT: private field, neither Clone nor Copy nor Default: only `Permission::admit` makes one.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an admission is there to be used up by the deed it admits"]
pub struct Admitted {
    right: Right,
}

impl Admitted {
    /// The right that was there.
    pub const fn right(&self) -> Right {
        self.right
    }
}

/// A message that may be acted upon.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a message that needs a right must be done with its admission"]
pub enum Admission {
    /// It does nothing to the computer and needs no right.
    Free,
    /// It needs a right, and the right is there.
    With(Admitted),
}

/// A message that may not be acted upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The right that is missing.
    pub right: Right,
    /// The kind byte of the refused message.
    pub kind: u8,
}

/// The right a message needs. Every message stands here by name: whoever adds one must decide.
pub const fn needs(message: &Message) -> Option<Right> {
    match message {
        Message::Charter { .. }
        | Message::Chat { .. }
        | Message::Typing(_)
        | Message::End(_)
        | Message::Request { .. }
        | Message::Cancel { .. }
        | Message::Release(_)
        | Message::Decision { .. }
        | Message::Withdrawn { .. }
        | Message::Denied { .. }
        | Message::CharterChecked(_)
        | Message::LinkProof(_)
        | Message::LinkProved(_)
        | Message::NoLinkSecret
        | Message::Welcome { .. }
        | Message::ScreenClose
        | Message::ScreenWanted(_)
        | Message::Monitors { .. }
        | Message::CursorShape(_)
        | Message::ScreenUpdate(_)
        | Message::CursorPosition { .. }
        | Message::ScreenSeen { .. }
        | Message::ScreenWatch(_)
        | Message::ScreenTimings(_)
        | Message::PathOffer { .. }
        | Message::PathAnswer { .. }
        | Message::PathCandidate { .. }
        | Message::PathGone { .. } => None,
        Message::ScreenOpen(_) | Message::ScreenResync => Some(Right::DesktopView),
        Message::Input(input) => match input {
            Input::Move(_)
            | Input::MoveBy { .. }
            | Input::Press { .. }
            | Input::Wheel { .. }
            | Input::Key { .. }
            | Input::Text(_)
            | Input::Combination(_)
            | Input::ReleaseAll => Some(Right::RemoteControl),
        },
    }
}

impl Permission {
    /// Admits a message of the console, or says which right it lacks. While the way is interrupted every right lacks.
    pub fn admit(&self, message: &Message) -> Result<Admission, Denied> {
        match needs(message) {
            None => Ok(Admission::Free),
            Some(right) if self.usable().contains(right) => Ok(Admission::With(Admitted { right })),
            Some(right) => Err(Denied { right, kind: message.kind() }),
        }
    }
}
