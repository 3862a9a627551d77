//! Back-pressure: who sends more than the other end takes, or more than the session's share, is not read from for a while.

use crate::{Leg, LegId, Output, Pair, Relay, State};
use belay_wire::{Moment, SessionId};

/// What a message costs beside its bytes, in memory and in work, so that many small ones are bounded too.
const OVERHEAD: usize = 64;

/// What messages count while they wait.
pub(crate) fn weight(messages: usize, bytes: usize) -> usize {
    bytes + messages * OVERHEAD
}

impl Relay {
    /// The connection of a leg has taken so many messages with so many bytes in all.
    pub fn taken(&mut self, leg: LegId, messages: usize, bytes: usize, now: Moment) {
        let low = self.limits.waiting_bytes / 4;
        let Some(known) = self.legs.get_mut(&leg) else { return };
        known.waiting = known.waiting.saturating_sub(weight(messages, bytes));
        if known.waiting <= low
            && let Some(partner) = self.partner(leg)
        {
            self.release(partner, now);
        }
    }

    /// What waits for a leg, in bytes.
    pub fn waiting(&self, leg: LegId) -> usize {
        self.legs.get(&leg).map_or(0, |leg| leg.waiting)
    }

    /// Sends a frame to the partner as it came.
    pub(crate) fn forward(&mut self, leg: LegId, bytes: Vec<u8>) {
        // Without a partner it is dropped: the partner may have left while the frame was under way.
        let Some(partner) = self.partner(leg) else { return };
        self.queue(partner, bytes);
        let full = self.waiting(partner) > self.limits.waiting_bytes;
        if full
            && let Some(sender) = self.legs.get_mut(&leg)
            && !sender.held
        {
            sender.held = true;
            self.outputs.push_back(Output::Hold(leg));
        }
    }

    /// Takes what a message costs from the session's share.
    pub(crate) fn charge(&mut self, leg: LegId, session: SessionId, bytes: &[u8], now: Moment) {
        let rate = self.limits.session_bytes;
        let Some(Pair { budget, .. }) = self.pairs.get_mut(&session) else { return };
        if let Some(until) = budget.spend(weight(1, bytes.len()), rate, now) {
            self.outputs.push_back(Output::Rest(leg, until));
            if let Some(Leg { heard, .. }) = self.legs.get_mut(&leg) {
                // Until then it cannot be heard.
                *heard = until.max(*heard);
            }
        }
    }

    /// The leg is read from again, if it was held.
    pub(crate) fn release(&mut self, leg: LegId, now: Moment) {
        if let Some(known) = self.legs.get_mut(&leg)
            && known.held
        {
            known.held = false;
            known.heard = now.max(known.heard);
            self.outputs.push_back(Output::Go(leg));
        }
    }

    pub(crate) fn queue(&mut self, leg: LegId, bytes: Vec<u8>) {
        if let Some(Leg { waiting, state: State::In { .. }, .. }) = self.legs.get_mut(&leg) {
            *waiting += weight(1, bytes.len());
        }
        self.outputs.push_back(Output::Send(leg, bytes));
    }
}
