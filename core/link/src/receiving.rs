//! Receiving: the bytes of a stream are put in order and cut into messages.

use belay_wire::WireError;
use belay_wire::link::{Ack, Class, MAX_MESSAGE, MAX_RANGES};
use std::collections::{BTreeMap, VecDeque};

/// Parts held beyond a gap; more are ignored and come again.
const MAX_PARTS: usize = 1024;

/// One stream on its way in.
pub(crate) struct InStream {
    /// The first byte that has not arrived.
    next: u64,
    /// Most bytes beyond `next`.
    window: u64,
    /// What has arrived beyond. INVARIANT: every start is above `next`; parts do not overlap.
    parts: BTreeMap<u64, Vec<u8>>,
    /// Where something arrived lately beyond `next`, the newest last.
    lately: VecDeque<u64>,
    message: Assembler,
}

impl InStream {
    /// A stream of which nothing has come.
    pub(crate) fn new(window: u64) -> InStream {
        InStream {
            next: 0,
            window,
            parts: BTreeMap::new(),
            lately: VecDeque::new(),
            message: Assembler::default(),
        }
    }

    /// Takes bytes, gives the messages that are complete now. The answer tells whether there was or is a gap.
    pub(crate) fn received(
        &mut self,
        offset: u64,
        bytes: &[u8],
        deliver: &mut impl FnMut(Vec<u8>),
    ) -> Result<bool, WireError> {
        let had_gap = !self.parts.is_empty();
        let end = (offset + bytes.len() as u64).min(self.next + self.window);
        let mut from = offset.max(self.next);
        let part = |from: u64, to: u64| &bytes[(from - offset) as usize..(to - offset) as usize];
        if from < end && from == self.next {
            let to = self.parts.keys().next().map_or(end, |start| end.min(*start));
            self.message.take(part(from, to), deliver)?;
            self.next = to;
            from = to;
        }
        while from < end {
            let before = self.parts.range(..=from).next_back();
            let covered = before.map_or(from, |(start, part)| *start + part.len() as u64);
            if covered > from {
                from = covered;
                continue;
            }
            let to = self.parts_from(from).map_or(end, |start| end.min(start));
            let touching = self.parts.range_mut(..=from).next_back();
            let touching = touching.filter(|(start, part)| **start + part.len() as u64 == from);
            if let Some((_, before)) = touching {
                before.extend_from_slice(part(from, to));
            } else if self.parts.len() < MAX_PARTS {
                self.parts.insert(from, part(from, to).to_vec());
            } else {
                break;
            }
            self.touched(from);
            from = to;
        }
        while let Some(entry) = self.parts.first_entry()
            && *entry.key() == self.next
        {
            let part = entry.remove();
            self.message.take(&part, deliver)?;
            self.next += part.len() as u64;
        }
        Ok(had_gap || !self.parts.is_empty())
    }

    /// Whether anything has come.
    pub(crate) fn has_received(&self) -> bool {
        self.next > 0 || !self.parts.is_empty()
    }

    /// What has arrived; with too many ranges those that changed lately, then the lowest.
    pub(crate) fn ack(&self, class: Class) -> Ack {
        let mut all: Vec<(u64, u64)> = Vec::new();
        for (start, part) in &self.parts {
            let end = *start + part.len() as u64;
            match all.last_mut() {
                Some((_, before)) if *before == *start => *before = end,
                Some(_) | None => all.push((*start, end)),
            }
        }
        if all.len() > MAX_RANGES {
            let holding = |at: &u64| all.partition_point(|(_, to)| to <= at);
            let mut chosen: Vec<usize> = Vec::new();
            for at in self.lately.iter().rev().map(holding).chain(0..all.len()) {
                if chosen.len() < MAX_RANGES && at < all.len() && !chosen.contains(&at) {
                    chosen.push(at);
                }
            }
            chosen.sort_unstable();
            all = chosen.into_iter().map(|at| all[at]).collect();
        }
        Ack { class, next: self.next, ranges: all }
    }

    fn parts_from(&self, from: u64) -> Option<u64> {
        self.parts.range(from..).next().map(|(start, _)| *start)
    }

    fn touched(&mut self, at: u64) {
        if self.lately.len() >= MAX_RANGES {
            self.lately.pop_front();
        }
        self.lately.push_back(at);
    }
}

/// Cuts a stream into its messages.
#[derive(Default)]
struct Assembler {
    /// The length before the message, as far as it has come.
    header: Vec<u8>,
    /// The message, as far as it has come.
    message: Vec<u8>,
}

impl Assembler {
    fn take(&mut self, mut bytes: &[u8], deliver: &mut impl FnMut(Vec<u8>)) -> Result<(), WireError> {
        while !bytes.is_empty() {
            if self.header.len() < 4 {
                let (head, rest) = bytes.split_at(bytes.len().min(4 - self.header.len()));
                self.header.extend_from_slice(head);
                bytes = rest;
            }
            let Ok(header) = <[u8; 4]>::try_from(self.header.as_slice()) else { return Ok(()) };
            let len = u32::from_be_bytes(header) as usize;
            if len == 0 {
                return Err(WireError::Invalid("an empty message"));
            }
            if len > MAX_MESSAGE {
                return Err(WireError::TooLong { what: "message", limit: MAX_MESSAGE });
            }
            if self.message.is_empty() {
                // What comes may be a stranger's claim: room is made for what is there, and grows with it.
                self.message.reserve_exact(len.min(bytes.len()));
            }
            let (head, rest) = bytes.split_at(bytes.len().min(len - self.message.len()));
            self.message.extend_from_slice(head);
            bytes = rest;
            if self.message.len() == len {
                self.header.clear();
                deliver(std::mem::take(&mut self.message));
            }
        }
        Ok(())
    }
}

/// Lets only messages through that are newer than all before.
#[derive(Default)]
pub(crate) struct InState {
    next: u64,
}

impl InState {
    /// Whether this number is newer; then it becomes the newest.
    pub(crate) fn is_newer(&mut self, number: u64) -> bool {
        let newer = number >= self.next;
        if newer {
            self.next = number + 1;
        }
        newer
    }

    /// What has arrived.
    pub(crate) fn ack(&self, class: Class) -> Ack {
        Ack { class, next: self.next, ranges: Vec::new() }
    }

    /// Whether anything has come.
    pub(crate) fn has_received(&self) -> bool {
        self.next > 0
    }
}
