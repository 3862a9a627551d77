//! Where updates leave the encoder, one by one: the first is on its way while the next is being packed.

use belay_wire::message::ScreenUpdate;

/// Hands updates on in order, the newest being kept back until it is known whether another follows.
pub(super) struct Outlet<'a> {
    held: Option<ScreenUpdate>,
    hand_on: &'a mut dyn FnMut(ScreenUpdate),
}

impl<'a> Outlet<'a> {
    /// Nothing has come yet.
    pub(super) fn new(hand_on: &'a mut dyn FnMut(ScreenUpdate)) -> Outlet<'a> {
        Outlet { held: None, hand_on }
    }

    /// Whether nothing has come yet.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_none()
    }

    /// Another update of the same capture.
    pub(super) fn push(&mut self, update: ScreenUpdate) {
        if let Some(before) = self.held.replace(update) {
            (self.hand_on)(before);
        }
    }

    /// That was the last one.
    pub(super) fn finish(mut self) {
        if let Some(mut last) = self.held.take() {
            last.more = false;
            (self.hand_on)(last);
        }
    }
}
