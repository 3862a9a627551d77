//! How long the stages of the picture take, gathered for whoever watches: one small report a second, none while nothing moves.

use std::collections::VecDeque;
use std::time::Duration;

use belay_wire::Moment;
use belay_wire::message::{ScreenTimings, Stage};

/// Time between two reports.
const EVERY: Duration = Duration::from_secs(1);
/// Captures whose departure is not known yet; more than may be on their way at once.
const MAX_WAITING: usize = 32;

/// What one capture took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// From the news that something was painted to the capture.
    pub wait: Duration,
    /// Fetching what was painted.
    pub capture: Duration,
    /// Encoding it.
    pub encode: Duration,
}

/// Gathers times while somebody watches, and does nothing otherwise.
#[derive(Debug, Default)]
pub struct Timings {
    /// When the next report is due at the earliest; `None`: nobody watches.
    watched: Option<Moment>,
    wait: Sum,
    capture: Sum,
    encode: Sum,
    send: Sum,
    /// Captures handed to the network: the number of their last update, and when.
    leaving: VecDeque<(u32, Moment)>,
}

impl Timings {
    /// Somebody watches from now on, or nobody any more. Begins anew.
    pub fn watch(&mut self, on: bool, now: Moment) {
        *self = Timings { watched: on.then(|| now + EVERY), ..Timings::default() };
    }

    /// Whether somebody watches.
    pub fn watched(&self) -> bool {
        self.watched.is_some()
    }

    /// A capture was made, and its last update `number` is handed to the network now.
    pub fn captured(&mut self, taken: Taken, number: u32, now: Moment) {
        if self.watched.is_none() {
            return;
        }
        self.wait.add(taken.wait);
        self.capture.add(taken.capture);
        self.encode.add(taken.encode);
        if self.leaving.len() == MAX_WAITING {
            self.leaving.pop_front();
        }
        self.leaving.push_back((number, now));
    }

    /// The network took this update at that time.
    pub fn left(&mut self, number: u32, at: Moment) {
        while let Some(&(first, since)) = self.leaving.front()
            && first <= number
        {
            self.leaving.pop_front();
            if first == number {
                self.send.add(at.since(since));
            }
        }
    }

    /// When [`Timings::report`] has something to tell; `None` while nothing was captured, or nobody watches.
    pub fn due(&self) -> Option<Moment> {
        self.watched.filter(|_| self.wait.count > 0)
    }

    /// The report that is due, if one is.
    pub fn report(&mut self, now: Moment) -> Option<ScreenTimings> {
        self.due().filter(|due| *due <= now)?;
        let captures = u16::try_from(self.wait.count).unwrap_or(u16::MAX);
        let sums = [&mut self.wait, &mut self.capture, &mut self.encode, &mut self.send];
        let [wait, capture, encode, send] = sums.map(|sum| std::mem::take(sum).stage());
        self.watched = Some(now + EVERY);
        Some(ScreenTimings { captures, wait, capture, encode, send })
    }
}

#[derive(Debug, Default)]
struct Sum {
    count: u32,
    total: Duration,
    longest: Duration,
}

impl Sum {
    fn add(&mut self, time: Duration) {
        self.count += 1;
        self.total += time;
        self.longest = self.longest.max(time);
    }

    fn stage(self) -> Stage {
        let micros = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        Stage { mean: micros(self.total / self.count.max(1)), longest: micros(self.longest) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment(1_000_000_000);

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn taken(milliseconds: u64) -> Taken {
        Taken { wait: ms(milliseconds), capture: ms(1), encode: ms(2 * milliseconds) }
    }

    #[test]
    fn nothing_is_gathered_unless_somebody_watches() {
        let mut timings = Timings::default();
        timings.captured(taken(1), 1, START);
        assert_eq!(timings.due(), None);
        timings.watch(true, START);
        assert_eq!(timings.due(), None, "what was before does not count");
        timings.captured(taken(1), 2, START);
        timings.watch(false, START);
        assert_eq!(timings.report(START + ms(10_000)), None);
    }

    #[test]
    fn a_report_tells_mean_and_longest_once_a_second() {
        let mut timings = Timings::default();
        timings.watch(true, START);
        timings.captured(taken(2), 3, START + ms(10));
        timings.captured(taken(4), 5, START + ms(20));
        timings.left(3, START + ms(13));
        timings.left(4, START + ms(20));
        timings.left(5, START + ms(29));
        assert_eq!(timings.report(START + ms(999)), None);
        assert_eq!(timings.due(), Some(START + EVERY));
        let report = timings.report(START + EVERY).unwrap();
        assert_eq!(report.captures, 2);
        assert_eq!(report.wait, Stage { mean: 3_000, longest: 4_000 });
        assert_eq!(report.capture, Stage { mean: 1_000, longest: 1_000 });
        assert_eq!(report.encode, Stage { mean: 6_000, longest: 8_000 });
        assert_eq!(report.send, Stage { mean: 6_000, longest: 9_000 });
        assert_eq!(timings.due(), None, "a still screen is not reported on");
    }

    #[test]
    fn the_first_capture_after_a_rest_is_told_at_once() {
        let mut timings = Timings::default();
        timings.watch(true, START);
        let later = START + ms(5_000);
        timings.captured(taken(1), 1, later);
        assert!(timings.report(later).is_some());
        timings.captured(taken(1), 2, later);
        assert_eq!(timings.report(later), None);
    }

    #[test]
    fn a_network_that_says_nothing_costs_no_memory() {
        let mut timings = Timings::default();
        timings.watch(true, START);
        for number in 1..1000 {
            timings.captured(taken(1), number, START);
        }
        assert_eq!(timings.leaving.len(), MAX_WAITING);
    }
}
