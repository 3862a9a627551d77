//! When updates of the picture were handed to the network, for whoever wants to know how long that took.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Updates that are remembered if nobody asks.
const KEPT: usize = 32;

/// The newest updates that are sealed and on their way: their numbers, and when. Copies share what they hold.
#[derive(Clone, Debug, Default)]
pub struct Departures(Arc<Mutex<VecDeque<(u32, Instant)>>>);

impl Departures {
    pub(super) fn note(&self, number: u32) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if left.len() == KEPT {
            left.pop_front();
        }
        left.push_back((number, Instant::now()));
    }

    /// Those that were not told yet.
    pub fn take(&self) -> Vec<(u32, Instant)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_once_and_only_the_newest_are_kept() {
        let departures = Departures::default();
        (1..=100).for_each(|number| departures.clone().note(number));
        let told: Vec<u32> = departures.take().into_iter().map(|(number, _)| number).collect();
        assert_eq!(told, (69..=100).collect::<Vec<_>>());
        assert!(departures.take().is_empty());
    }
}
