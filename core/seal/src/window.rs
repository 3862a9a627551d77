//! Which packet numbers were seen: a sliding window, so that paths may reorder but nobody can replay.

const SIZE: u64 = 1024;
const WORDS: usize = (SIZE / 64) as usize;

/// The last 1024 numbers up to the highest seen.
#[derive(Default)]
pub(crate) struct Window {
    /// One more than the highest number seen.
    next: u64,
    /// Bit n % 1024 is set when number n was seen; valid for `next - 1024 .. next`.
    seen: [u64; WORDS],
}

/// How a number stands to those seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It was not seen.
    New,
    /// It was seen.
    Seen,
    /// It is too old to tell; or it is the last of all numbers, which nobody sends.
    Old,
}

impl Window {
    /// Whether this number was seen.
    pub(crate) fn standing(&self, number: u64) -> Standing {
        if number >= self.next {
            return if number == u64::MAX { Standing::Old } else { Standing::New };
        }
        match self.seen[word(number)] & bit(number) {
            _ if self.next - number > SIZE => Standing::Old,
            0 => Standing::New,
            _ => Standing::Seen,
        }
    }

    /// Notes a number that is [`Standing::New`].
    pub(crate) fn note(&mut self, number: u64) {
        if number >= self.next {
            let forgotten = (number - self.next).min(SIZE - 1);
            for n in number - forgotten..=number {
                self.seen[word(n)] &= !bit(n);
            }
            self.next = number + 1;
        }
        self.seen[word(number)] |= bit(number);
    }
}

fn word(number: u64) -> usize {
    (number % SIZE / 64) as usize
}

fn bit(number: u64) -> u64 {
    1 << (number % 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn agrees_with_a_set_on_random_histories() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let (mut window, mut set, mut highest) = (Window::default(), BTreeSet::new(), 0u64);
            for _ in 0..2000 {
                let number = match rng.u8(..10) {
                    0 => highest + rng.u64(..3000),
                    1..=3 => highest.saturating_sub(rng.u64(..2000)),
                    _ => highest + rng.u64(..3),
                };
                let expected = match (set.contains(&number), number + SIZE > highest) {
                    (_, false) => Standing::Old,
                    (true, true) => Standing::Seen,
                    (false, true) => Standing::New,
                };
                assert_eq!(window.standing(number), expected, "{number} with highest {highest}");
                if expected == Standing::New {
                    window.note(number);
                    set.insert(number);
                    highest = highest.max(number);
                }
            }
        }
    }

    #[test]
    fn the_last_number_of_all_is_refused() {
        assert_eq!(Window::default().standing(u64::MAX), Standing::Old);
    }
}
