//! Sending: a stream is kept until it is acknowledged, a state until it is acknowledged or superseded.

use belay_wire::WireError;
use belay_wire::link::Ack;
use std::collections::VecDeque;

use crate::ranges::Ranges;

/// Ranges remembered as acknowledged beyond the first gap; what else is said to have come is sent again.
const MAX_ACKED: usize = 2048;

/// One stream on its way out.
pub(crate) struct OutStream {
    /// What is not acknowledged, and what waits to be sent.
    kept: VecDeque<u8>,
    /// Most bytes of it.
    limit: usize,
    /// Offset of the first byte kept.
    base: u64,
    /// The first byte never sent.
    sent: u64,
    /// INVARIANT: between `base` and `sent`, never with `base` itself.
    acked: Ranges,
    /// To be sent again. INVARIANT: between `base` and `sent`, nothing of `acked`.
    lost: Ranges,
}

/// A part of a stream that is to go now.
pub(crate) struct Part<'a> {
    /// Where it begins.
    pub(crate) offset: u64,
    /// The bytes, at least one.
    pub(crate) bytes: &'a [u8],
    /// Whether it goes for the first time.
    pub(crate) once: bool,
}

impl OutStream {
    /// An empty stream that keeps at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> OutStream {
        OutStream {
            kept: VecDeque::new(),
            limit,
            base: 0,
            sent: 0,
            acked: Ranges::default(),
            lost: Ranges::default(),
        }
    }

    /// Appends a message; whether there was room for it.
    pub(crate) fn push(&mut self, message: &[u8]) -> bool {
        let fits = self.kept.len() + 4 + message.len() <= self.limit;
        if fits {
            self.kept.extend((message.len() as u32).to_be_bytes());
            self.kept.extend(message);
        }
        fits
    }

    /// Bytes that are not acknowledged.
    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether something waits to be sent.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.lost.is_empty() || self.sent < self.base + self.kept.len() as u64
    }

    /// The next part to send, at most `size` bytes of it; it counts as sent.
    pub(crate) fn next(&mut self, size: usize) -> Option<Part<'_>> {
        let (from, to, once) = match self.lost.first() {
            Some((from, to)) => (from, to, false),
            None => (self.sent, self.base + self.kept.len() as u64, true),
        };
        if from >= to {
            return None;
        }
        let (head, tail) = self.kept.as_slices();
        let at = (from - self.base) as usize;
        // A part ends where the ring's memory does, so that nothing is copied.
        let slice = if at < head.len() { &head[at..] } else { &tail[at - head.len()..] };
        let len = slice.len().min(size).min((to - from) as usize);
        let to = from + len as u64;
        if once {
            self.sent = to;
        } else {
            self.lost.remove(from, to);
        }
        Some(Part { offset: from, bytes: &slice[..len], once })
    }

    /// The other end has this; whether it is news.
    pub(crate) fn acknowledged(&mut self, ack: &Ack) -> Result<bool, WireError> {
        let highest = ack.ranges.last().map_or(ack.next, |(_, to)| *to);
        if highest > self.sent {
            return Err(WireError::Invalid("an acknowledgement of bytes never sent"));
        }
        let mut news = false;
        for (from, to) in &ack.ranges {
            if *to > self.base && self.acked.len() < MAX_ACKED {
                news |= self.acked.insert((*from).max(self.base + 1), *to);
                self.lost.remove(*from, *to);
            }
        }
        let mut base = ack.next.max(self.base);
        while let Some((from, to)) = self.acked.first()
            && from <= base
        {
            self.acked.remove(from, to);
            base = base.max(to);
        }
        if base > self.base {
            news = true;
            self.kept.drain(..(base - self.base) as usize);
            self.lost.remove(self.base, base);
            self.base = base;
        }
        Ok(news)
    }

    /// Whether all of this has arrived.
    pub(crate) fn has_arrived(&self, from: u64, to: u64) -> bool {
        to <= self.base || self.acked.contains(from.max(self.base), to)
    }

    /// This was lost on its way: what has not arrived is sent again.
    pub(crate) fn lost(&mut self, from: u64, to: u64) {
        for (from, to) in self.acked.missing(from.max(self.base), to) {
            self.lost.insert(from, to);
        }
    }

    /// Everything that has not arrived is sent again.
    pub(crate) fn all_lost(&mut self) {
        self.lost(self.base, self.sent);
    }
}

/// The newest message of a state class.
#[derive(Default)]
pub(crate) struct OutState {
    /// How many were said; the number of the newest is one less.
    said: u64,
    /// The newest, until it is acknowledged.
    newest: Option<Vec<u8>>,
    waiting: bool,
}

impl OutState {
    /// A newer message takes the place of the one before.
    pub(crate) fn push(&mut self, message: Vec<u8>) {
        self.said += 1;
        self.newest = Some(message);
        self.waiting = true;
    }

    /// Whether it is kept.
    pub(crate) fn is_kept(&self) -> bool {
        self.newest.is_some()
    }

    /// Whether it waits to be sent.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Number and message to send now; they count as sent.
    pub(crate) fn next(&mut self) -> Option<(u64, &[u8])> {
        if !std::mem::take(&mut self.waiting) {
            return None;
        }
        self.newest.as_deref().map(|message| (self.said - 1, message))
    }

    /// The other end has received this many numbers.
    pub(crate) fn acknowledged(&mut self, next: u64) -> Result<bool, WireError> {
        if next > self.said {
            return Err(WireError::Invalid("an acknowledgement of a state never sent"));
        }
        let news = next == self.said && self.newest.is_some();
        if news {
            self.newest = None;
            self.waiting = false;
        }
        Ok(news)
    }

    /// Whether this number has arrived, or does not matter any more.
    pub(crate) fn has_arrived(&self, number: u64) -> bool {
        self.newest.is_none() || number + 1 < self.said
    }

    /// This number was lost on its way.
    pub(crate) fn lost(&mut self, number: u64) {
        self.waiting |= !self.has_arrived(number);
    }

    /// The newest is sent again if it has not arrived.
    pub(crate) fn all_lost(&mut self) {
        self.waiting = self.newest.is_some();
    }
}
