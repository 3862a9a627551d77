//! The model: what was said is known from its number alone, so two counters for each speaker and class are enough.

use crate::Speaker;
use belay_wire::link::Class;
use std::collections::HashMap;

/// Who said and heard how much.
#[derive(Default)]
pub(crate) struct Ledger(HashMap<(Speaker, Class), Count>);

#[derive(Default)]
struct Count {
    said: u64,
    /// The number of the message that may be heard next.
    next: u64,
}

impl Ledger {
    /// The speaker's next message.
    pub(crate) fn say(&mut self, speaker: Speaker, class: Class) -> Vec<u8> {
        let count = self.0.entry((speaker, class)).or_default();
        count.said += 1;
        message(speaker, class, count.said - 1)
    }

    /// Somebody who listens to `speaker` heard this: of a stream it must be the next message, of a state a newer one.
    pub(crate) fn hear(&mut self, speaker: Speaker, class: Class, heard: &[u8]) {
        let count = self.0.entry((speaker, class)).or_default();
        let number = heard.last_chunk().map(|number| u64::from_be_bytes(*number));
        let number = number.expect("a message without a number");
        assert!(number < count.said, "{speaker:?} {class:?} never said {number}");
        if class.is_stream() {
            assert_eq!(number, count.next, "{speaker:?} {class:?} lost, repeated or out of order");
        } else {
            assert!(number >= count.next, "{speaker:?} {class:?} went back to {number}");
        }
        assert!(heard == message(speaker, class, number), "{speaker:?} {class:?} {number} has other bytes");
        count.next = number + 1;
    }

    /// Everything was heard that this speaker said: of a state the newest.
    pub(crate) fn assert_all_heard(&self, speaker: Speaker) {
        for class in Class::ALL {
            if let Some(count) = self.0.get(&(speaker, class)) {
                assert_eq!(count.next, count.said, "{speaker:?} {class:?} was not heard to the end");
            }
        }
    }
}

/// Bytes that nobody else says.
fn message(speaker: Speaker, class: Class, number: u64) -> Vec<u8> {
    let Speaker { session, pairing, end } = speaker;
    let seed = (session as u64) << 60 ^ u64::from(pairing) << 40 ^ (end as u64) << 39 ^ (class as u64) << 36;
    let mut rng = fastrand::Rng::with_seed(seed ^ number);
    let len = match (class, rng.u8(..)) {
        (Class::Screen, ..32) => rng.usize(..100_000),
        (Class::Ordered, ..8) => rng.usize(..20_000),
        (Class::Screen | Class::Ordered | Class::Input | Class::Cursor | Class::Seen, _) => rng.usize(..50),
    };
    let mut bytes = vec![0; len];
    rng.fill(&mut bytes);
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes
}
