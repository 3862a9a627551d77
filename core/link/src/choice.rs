//! Which path is used: the one that measures better, but a path is not changed for a little, for a moment, or too often.

use belay_wire::Moment;
use std::time::Duration;

use crate::path::Path;
use crate::{PathId, PathKind};

/// A better path must be better by a fifth and by this: what people notice, and more than what measuring is out by.
const ADVANTAGE: Duration = Duration::from_millis(5);
/// So many answers in a row have to say so.
const IN_A_ROW: u32 = 3;
/// How long a path is kept that was taken because it was better, before a better one is looked for again. A change costs
/// everything that is on its way once more; paths that are better by turns would have it paid again and again. So the time doubles
/// with each change, up to the second value, and begins anew after the third without one. For a path that is half as long the first
/// is enough.
const KEPT: Duration = Duration::from_secs(10);
const KEPT_AT_MOST: Duration = Duration::from_secs(160);
const FORGOTTEN_AFTER: Duration = Duration::from_secs(300);
/// How long another path has to have answered before a silent one is left for it.
const STILL_SILENT: Duration = Duration::from_millis(150);
/// Paths are measured anew at most so often.
const MEASURED_EVERY: Duration = Duration::from_secs(5);

/// What a change of path is decided by, besides what is known of the paths.
#[derive(Default)]
pub(crate) struct Choice {
    /// The path that has measured better, and how many answers in a row said so; and how many that it is half as long.
    better: Option<(PathId, u32, u32)>,
    /// The path that was taken because it was better, when, and how long it is kept.
    kept: Option<(PathId, Moment, Duration)>,
    measured: Option<Moment>,
    /// Since when another path answers and the one in use does not.
    silent: Option<Moment>,
}

impl Choice {
    /// An answer has come, on whatever path.
    pub(crate) fn weigh(&mut self, paths: &[Path], active: Option<PathId>) {
        let active = active.and_then(|active| paths.iter().find(|path| path.id == active));
        let other =
            paths.iter().filter(|path| path.was_usable && Some(path.id) != active.map(|path| path.id));
        let best = other.filter(|path| path.score().is_some()).min_by_key(|path| path.score());
        self.better = match (best, active) {
            (Some(best), Some(active)) if is_better(best, active) => {
                let before = self.better.filter(|(path, ..)| *path == best.id);
                let (times, halves) = before.map_or((0, 0), |(_, times, halves)| (times, halves));
                let half =
                    best.score().zip(active.score()).is_some_and(|(score, before)| score * 2 <= before);
                Some((best.id, times.saturating_add(1), if half { halves.saturating_add(1) } else { 0 }))
            }
            (Some(_) | None, Some(_) | None) => None,
        };
    }

    /// The path to use from now on.
    pub(crate) fn next(&mut self, paths: &[Path], active: Option<PathId>, now: Moment) -> Option<PathId> {
        let usable = || paths.iter().filter(|path| path.was_usable);
        let best = || usable().min_by_key(|path| path.score().unwrap_or(Duration::MAX));
        let active = active.and_then(|active| paths.iter().find(|path| path.id == active));
        let Some(active) = active else { return best().map(|path| path.id) };
        let answering = usable().filter(|other| active.is_outlived_by(other, now));
        match answering.min_by_key(|path| path.score().unwrap_or(Duration::MAX)) {
            None => self.silent = None,
            Some(answering) => {
                // Somebody who was busy answers on one path after the other.
                let since = *self.silent.get_or_insert(now);
                if active.is_left(now) && now.since(since) >= STILL_SILENT {
                    self.silent = None;
                    return Some(answering.id);
                }
            }
        }
        if !active.was_usable {
            // A relay delivers everything until it dies, which its owner notices.
            return match (active.kind, best()) {
                (PathKind::Relay, Some(other)) => Some(other.id),
                (PathKind::Datagram, other) if active.is_given_up(now) => other.map(|path| path.id),
                (PathKind::Relay, None) | (PathKind::Datagram, _) => Some(active.id),
            };
        }
        let tried = |id: PathId| usable().any(|path| path.id == id && path.is_tried());
        match self.better {
            Some((better, IN_A_ROW.., halves))
                if tried(better) && self.may_change(active.id, better, halves >= IN_A_ROW, now) =>
            {
                self.took(better, now);
                Some(better)
            }
            Some(_) | None => Some(active.id),
        }
    }

    /// Whether the paths should be measured anew, because the one in use seems to have become a worse one.
    pub(crate) fn measure_again(&mut self, now: Moment) -> bool {
        let due = self.measured.is_none_or(|at| now.since(at) >= MEASURED_EVERY);
        if due {
            self.measured = Some(now);
        }
        due
    }

    /// A path that fell silent does not come back sooner for it; one that was not there before is taken when it is better.
    fn may_change(&self, from: PathId, to: PathId, half: bool, now: Moment) -> bool {
        self.kept.is_none_or(|(path, since, time)| {
            (path != from && path != to) || now.since(since) >= if half { KEPT } else { time }
        })
    }

    fn took(&mut self, path: PathId, now: Moment) {
        let time = match self.kept {
            Some((_, since, time)) if now.since(since) < FORGOTTEN_AFTER => (time * 2).min(KEPT_AT_MOST),
            Some(_) | None => KEPT,
        };
        self.kept = Some((path, now, time));
        self.better = None;
    }
}

fn is_better(path: &Path, active: &Path) -> bool {
    match (path.score(), active.score()) {
        (Some(score), Some(before)) => {
            // Half as long is better, however much both jitter.
            let doubt = (path.doubt() + active.doubt()).min(before / 2);
            score <= before * 4 / 5 && score + doubt.max(ADVANTAGE) <= before
        }
        (Some(_), None) => true,
        (None, Some(_) | None) => false,
    }
}
