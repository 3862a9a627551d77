//! Receiving: what must arrive in order, and what only the newest of matters.

use std::collections::BTreeMap;

/// How many messages may wait for an earlier one.
const EARLY: usize = 256;

/// Delivers each message of a reliable class once, in order.
#[derive(Default)]
pub(crate) struct Inbox {
    next: u64,
    /// INVARIANT: every key is above `next`.
    early: BTreeMap<u64, Vec<u8>>,
}

impl Inbox {
    /// The next number expected: everything before it was delivered.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Whether anything was delivered yet.
    pub(crate) fn has_received(&self) -> bool {
        self.next > 0
    }

    /// Takes a message; gives those that can be delivered now.
    pub(crate) fn received(&mut self, number: u64, message: &[u8]) -> Vec<Vec<u8>> {
        if number > self.next {
            if self.early.len() < EARLY && number - self.next <= EARLY as u64 {
                self.early.entry(number).or_insert_with(|| message.to_vec());
            }
            return Vec::new();
        }
        if number < self.next {
            return Vec::new();
        }
        let mut ready = vec![message.to_vec()];
        self.next += 1;
        while let Some(message) = self.early.remove(&self.next) {
            ready.push(message);
            self.next += 1;
        }
        ready
    }
}

/// Lets only messages through that are newer than all before.
#[derive(Default)]
pub(crate) struct Newest {
    next: u64,
}

impl Newest {
    /// Whether this number is newer; then it becomes the newest.
    pub(crate) fn is_newer(&mut self, number: u64) -> bool {
        let newer = number >= self.next && number != u64::MAX;
        if newer {
            self.next = number + 1;
        }
        newer
    }
}
