//! Chat lines that were shown already: a console whose pairing broke says again what it cannot know to have arrived.

use std::collections::{HashSet, VecDeque};

/// Ids that are remembered; a console never repeats more than it had waiting.
const MOST: usize = 4096;

/// The ids of the newest lines.
#[derive(Default)]
pub struct KnownLines {
    order: VecDeque<[u8; 16]>,
    known: HashSet<[u8; 16]>,
}

impl KnownLines {
    /// Whether this line was not there before; from now on it was.
    pub fn is_new(&mut self, line: [u8; 16]) -> bool {
        if !self.known.insert(line) {
            return false;
        }
        self.order.push_back(line);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_new_once_and_only_so_many_are_remembered() {
        let mut lines = KnownLines::default();
        for n in 0..2 * MOST {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&n.to_be_bytes());
            assert!(lines.is_new(id));
            assert!(!lines.is_new(id));
        }
        assert_eq!(lines.known.len(), MOST);
    }
}
