//! Sending: messages are kept until they are acknowledged, and sent again when a lossy path lost them.

use belay_wire::Moment;
use std::collections::VecDeque;
use std::time::Duration;

/// Most messages of a class that may wait for acknowledgement.
const MAX_MESSAGES: usize = 4096;
/// Most bytes of a class that may wait for acknowledgement.
const MAX_BYTES: usize = 4 << 20;
const RESEND_AT_LEAST: Duration = Duration::from_millis(100);
const RESEND_AT_MOST: Duration = Duration::from_secs(2);

struct Kept {
    message: Vec<u8>,
    sent: Option<Moment>,
    tries: u32,
}

/// What was sent and is not acknowledged.
#[derive(Default)]
pub(crate) struct Outbox {
    first: u64,
    kept: VecDeque<Kept>,
    bytes: usize,
    /// Smoothed round trip (RFC 6298, without the variance: three of them are waited for).
    round_trip: Option<Duration>,
}

impl Outbox {
    /// Keeps a message; its number, or `None` when too much is waiting.
    pub(crate) fn push(&mut self, message: Vec<u8>) -> Option<u64> {
        if self.kept.len() >= MAX_MESSAGES || self.bytes + message.len() > MAX_BYTES {
            return None;
        }
        self.bytes += message.len();
        self.kept.push_back(Kept { message, sent: None, tries: 0 });
        Some(self.first + self.kept.len() as u64 - 1)
    }

    /// How many are kept.
    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    /// The numbers of all that are kept.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        (self.first..self.first + self.kept.len() as u64).collect()
    }

    /// Notes that a kept message is being sent; its bytes.
    pub(crate) fn sending(&mut self, number: u64, now: Moment) -> Option<&[u8]> {
        let kept = self.kept.get_mut(usize::try_from(number.checked_sub(self.first)?).ok()?)?;
        kept.sent = Some(now);
        kept.tries += 1;
        Some(&kept.message)
    }

    /// Everything before `next` has arrived. A number never sent is ignored.
    pub(crate) fn acknowledged(&mut self, next: u64, now: Moment) {
        if next > self.first + self.kept.len() as u64 {
            return;
        }
        while self.first < next {
            let Some(kept) = self.kept.pop_front() else { return };
            self.first += 1;
            self.bytes -= kept.message.len();
            // Only messages sent once tell the round trip (Karn's rule).
            if let (1, Some(sent)) = (kept.tries, kept.sent) {
                let sample = now.since(sent);
                self.round_trip = Some(self.round_trip.map_or(sample, |rtt| (rtt * 7 + sample) / 8));
            }
        }
    }

    /// The numbers of messages that should have been acknowledged by now.
    pub(crate) fn overdue(&self, now: Moment) -> Vec<u64> {
        let due = |kept: &Kept| self.due(kept).is_some_and(|at| at <= now);
        (self.first..).zip(&self.kept).filter(|(_, kept)| due(kept)).map(|(number, _)| number).collect()
    }

    /// When the first message becomes overdue.
    pub(crate) fn next_overdue(&self) -> Option<Moment> {
        self.kept.iter().filter_map(|kept| self.due(kept)).min()
    }

    fn due(&self, kept: &Kept) -> Option<Moment> {
        let wait = self.round_trip.map_or(RESEND_AT_LEAST, |rtt| rtt * 3);
        let wait = wait.clamp(RESEND_AT_LEAST, RESEND_AT_MOST) * (1 << kept.tries.saturating_sub(1).min(5));
        kept.sent.map(|sent| sent + wait.min(RESEND_AT_MOST))
    }
}
