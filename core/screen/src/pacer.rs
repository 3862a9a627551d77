//! How fast pictures may go: never more than the viewer keeps up with.

use std::collections::VecDeque;
use std::time::Duration;

use belay_wire::Moment;

/// Captures that may be on their way at once.
const IN_FLIGHT: usize = 2;
/// Captures that may follow each other at once after a rest; a second piece of damage must not wait for a frame.
const BURST: u32 = 4;
/// Time between captures once the burst is used up: 120 a second.
const INTERVAL: Duration = Duration::from_micros(8_333);
/// The share of a core that captures may take for good: this part of it.
const SHARE: u32 = 2;
/// Work beyond the share that may be done at once: a whole picture and its first video must not make a key press wait.
const WORK: Duration = Duration::from_millis(60);
/// How long the viewer may stay silent before another capture probes whether it is still there.
const PATIENCE: Duration = Duration::from_secs(2);
const MAX_PATIENCE: Duration = Duration::from_secs(16);

/// When the next capture may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Now.
    Now,
    /// Not before then.
    At(Moment),
    /// When the viewer has drawn something, or at this moment if it stays silent.
    Seen(Moment),
}

/// Lets captures pass: at most two that the viewer has not drawn yet, at most 120 a second after a burst of four, and never for
/// more than half of a core's time.
#[derive(Debug)]
pub struct Pacer {
    /// Last update of each capture that is on its way, with the time it left; oldest first.
    in_flight: VecDeque<(u32, Moment)>,
    /// The moment at which the bucket of tokens would be full.
    full_at: Moment,
    /// The moment at which the work done so far would be within its share.
    rested_at: Moment,
    patience: Duration,
}

impl Default for Pacer {
    fn default() -> Pacer {
        Pacer { in_flight: VecDeque::new(), full_at: Moment(0), rested_at: Moment(0), patience: PATIENCE }
    }
}

impl Pacer {
    /// A pacer that has sent nothing yet.
    pub fn new() -> Pacer {
        Pacer::default()
    }

    /// Whether a capture may be taken now, and if not, when to ask again.
    pub fn ask(&self, now: Moment) -> Pace {
        if self.in_flight.len() >= IN_FLIGHT {
            let newest = self.in_flight.back().map_or(now, |(_, at)| *at);
            let probe = newest + self.patience;
            return if now >= probe { Pace::Now } else { Pace::Seen(probe) };
        }
        let earliest = (self.full_at - INTERVAL * (BURST - 1)).max(self.rested_at - WORK);
        if now >= earliest { Pace::Now } else { Pace::At(earliest) }
    }

    /// A capture was sent; `number` is its last update's.
    pub fn sent(&mut self, number: u32, now: Moment) {
        if self.in_flight.len() >= IN_FLIGHT {
            self.patience = (self.patience * 2).min(MAX_PATIENCE);
        }
        self.in_flight.push_back((number, now));
        self.full_at = self.full_at.max(now) + INTERVAL;
    }

    /// A capture took this time of a processor, until now.
    pub fn worked(&mut self, time: Duration, now: Moment) {
        self.rested_at = self.rested_at.max(now - time) + time * SHARE;
    }

    /// The viewer has drawn everything up to this update.
    pub fn seen(&mut self, number: u32) {
        let before = self.in_flight.len();
        self.in_flight.retain(|(sent, _)| *sent > number);
        if self.in_flight.len() < before {
            self.patience = PATIENCE;
        }
    }

    /// Forgets what is on its way: the viewer asked for everything anew.
    pub fn restart(&mut self) {
        self.in_flight.clear();
        self.patience = PATIENCE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment(1_000_000_000);

    #[test]
    fn two_captures_wait_for_the_viewer() {
        let mut pacer = Pacer::new();
        pacer.sent(1, START);
        assert_eq!(pacer.ask(START), Pace::Now);
        pacer.sent(5, START);
        assert_eq!(pacer.ask(START), Pace::Seen(START + PATIENCE));
        pacer.seen(4);
        assert_eq!(pacer.ask(START), Pace::Now, "capture 1 was drawn, 5 is on its way");
        pacer.sent(6, START);
        assert!(matches!(pacer.ask(START), Pace::Seen(_)));
        pacer.restart();
        assert_eq!(pacer.ask(START), Pace::Now);
    }

    #[test]
    fn after_a_burst_the_cap_holds_and_rest_fills_the_bucket() {
        let mut pacer = Pacer::new();
        let mut now = START;
        for number in 1..=4 {
            assert_eq!(pacer.ask(now), Pace::Now, "burst {number}");
            pacer.sent(number, now);
            pacer.seen(number);
        }
        assert_eq!(pacer.ask(now), Pace::At(START + INTERVAL));
        let mut count = 0;
        while now < START + Duration::from_secs(1) {
            match pacer.ask(now) {
                Pace::Now => {
                    count += 1;
                    pacer.sent(4 + count, now);
                    pacer.seen(4 + count);
                }
                Pace::At(next) => now = next,
                Pace::Seen(_) => unreachable!("everything was drawn"),
            }
        }
        assert!((119..=121).contains(&count), "{count}");
        now = now + Duration::from_secs(1);
        for number in 1000..1004 {
            assert_eq!(pacer.ask(now), Pace::Now);
            pacer.sent(number, now);
            pacer.seen(number);
        }
        assert_ne!(pacer.ask(now), Pace::Now);
    }

    #[test]
    fn captures_take_half_of_a_core_at_most() {
        for milliseconds in [1, 5, 20, 200] {
            let work = Duration::from_millis(milliseconds);
            let (mut pacer, mut now, mut worked) = (Pacer::new(), START, Duration::ZERO);
            let end = START + Duration::from_secs(10);
            while now < end {
                match pacer.ask(now) {
                    Pace::Now => {
                        now = now + work;
                        worked += work;
                        pacer.worked(work, now);
                        pacer.sent(1, now);
                        pacer.seen(1);
                    }
                    Pace::At(next) => now = next,
                    Pace::Seen(_) => unreachable!("everything was drawn"),
                }
            }
            assert!(worked <= Duration::from_secs(5) + WORK + work, "{worked:?}");
            assert!(milliseconds < 5 || worked >= Duration::from_millis(4900), "{worked:?}");
        }
    }

    #[test]
    fn a_silent_viewer_is_probed_ever_more_rarely() {
        let mut pacer = Pacer::new();
        pacer.sent(1, START);
        pacer.sent(2, START);
        let mut gaps = Vec::new();
        let mut now = START;
        for number in 3..8 {
            let Pace::Seen(probe) = pacer.ask(now) else { panic!("two are on their way") };
            gaps.push(probe.since(now).as_secs());
            now = probe;
            assert_eq!(pacer.ask(now), Pace::Now);
            pacer.sent(number, now);
        }
        assert_eq!(gaps, [2, 4, 8, 16, 16]);
    }
}
