//! Sets of byte offsets, kept as ranges from the first to before the last.

use std::collections::BTreeMap;

/// A set of offsets.
#[derive(Default)]
pub(crate) struct Ranges {
    /// INVARIANT: first → end, ascending, with at least one offset between one range and the next.
    ranges: BTreeMap<u64, u64>,
}

impl Ranges {
    /// How many ranges there are.
    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether nothing is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The lowest range.
    pub(crate) fn first(&self) -> Option<(u64, u64)> {
        self.ranges.first_key_value().map(|(from, to)| (*from, *to))
    }

    /// Puts in a range; whether anything of it is new.
    pub(crate) fn insert(&mut self, mut from: u64, mut to: u64) -> bool {
        if from >= to || self.contains(from, to) {
            return false;
        }
        while let Some((&first, &end)) = self.ranges.range(..=to).next_back()
            && end >= from
        {
            self.ranges.remove(&first);
            from = from.min(first);
            to = to.max(end);
        }
        self.ranges.insert(from, to);
        true
    }

    /// Takes out a range.
    pub(crate) fn remove(&mut self, from: u64, to: u64) {
        while from < to
            && let Some((&first, &end)) = self.ranges.range(..to).next_back()
            && end > from
        {
            self.ranges.remove(&first);
            if end > to {
                self.ranges.insert(to, end);
            }
            if first < from {
                self.ranges.insert(first, from);
            }
        }
    }

    /// Whether all of a range is in.
    pub(crate) fn contains(&self, from: u64, to: u64) -> bool {
        self.ranges.range(..=from).next_back().is_some_and(|(_, end)| *end >= to)
    }

    /// What of a range is not in.
    pub(crate) fn missing(&self, from: u64, to: u64) -> Vec<(u64, u64)> {
        let (mut missing, mut at) = (Vec::new(), from);
        if let Some((_, end)) = self.ranges.range(..=from).next_back() {
            at = at.max(*end);
        }
        for (first, end) in self.ranges.range(at..) {
            if *first >= to {
                break;
            }
            if at < *first {
                missing.push((at, *first));
            }
            at = *end;
        }
        if at < to {
            missing.push((at, to));
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ranges_behave_like_a_set_of_numbers() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..300 {
            let (mut ranges, mut model) = (Ranges::default(), BTreeSet::new());
            for _ in 0..40 {
                let from = rng.u64(0..60);
                let to = from + rng.u64(0..12);
                if rng.bool() {
                    let news = (from..to).any(|at| model.insert(at));
                    (from..to).for_each(|at| {
                        model.insert(at);
                    });
                    assert_eq!(ranges.insert(from, to), news);
                } else {
                    ranges.remove(from, to);
                    (from..to).for_each(|at| {
                        model.remove(&at);
                    });
                }
                let flat: Vec<u64> = ranges.ranges.iter().flat_map(|(from, to)| *from..*to).collect();
                assert_eq!(flat, model.iter().copied().collect::<Vec<_>>());
                let ends: Vec<(u64, u64)> = ranges.ranges.iter().map(|(from, to)| (*from, *to)).collect();
                assert!(ends.windows(2).all(|pair| pair[0].1 < pair[1].0), "ranges touch");
                let missing: Vec<u64> = ranges.missing(5, 50).into_iter().flat_map(|(a, b)| a..b).collect();
                assert_eq!(missing, (5..50).filter(|at| !model.contains(at)).collect::<Vec<_>>());
            }
        }
    }
}
