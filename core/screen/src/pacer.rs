//! How fast pictures may go: never more than the viewer keeps up with.

use std::collections::VecDeque;
use std::time::Duration;

use belay_wire::Moment;

use crate::line::{Allowance, Line};

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

/// What the next capture is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Something was painted.
    News,
    /// Nothing new: what the viewer has coarsely or not yet is to become exact.
    Refinement,
}

/// Lets captures pass: at most two with news that the viewer has not drawn yet, at most 120 a second after a burst of four, never for
/// more than half of a core's time, and never more than the way carries.
#[derive(Debug)]
pub struct Pacer {
    /// Last update of each capture with news that is on its way; oldest first.
    in_flight: VecDeque<u32>,
    /// When the newest capture left.
    left: Moment,
    line: Line,
    /// The moment at which the bucket of tokens would be full.
    full_at: Moment,
    /// The moment at which the work done so far would be within its share.
    rested_at: Moment,
    patience: Duration,
}

impl Default for Pacer {
    fn default() -> Pacer {
        Pacer {
            in_flight: VecDeque::new(),
            left: Moment(0),
            line: Line::default(),
            full_at: Moment(0),
            rested_at: Moment(0),
            patience: PATIENCE,
        }
    }
}

impl Pacer {
    /// A pacer that has sent nothing yet. `round_trip` is what a small message takes, if that is known.
    pub fn new(round_trip: Option<Duration>) -> Pacer {
        Pacer { line: Line::new(round_trip), ..Pacer::default() }
    }

    /// Whether a capture may be taken now, and if not, when to ask again.
    pub fn ask(&self, purpose: Purpose, now: Moment) -> Pace {
        let ahead = match purpose {
            Purpose::News => self.in_flight.len() >= IN_FLIGHT,
            Purpose::Refinement => self.line.is_open() && self.line.on_the_way() > 0,
        };
        let room = self.line.room(purpose == Purpose::News, now).filter(|_| !ahead);
        let Some(room) = room else {
            let probe = self.left + self.patience;
            return if now >= probe { Pace::Now } else { Pace::Seen(probe) };
        };
        let earliest = (self.full_at - INTERVAL * (BURST - 1)).max(self.rested_at - WORK).max(room);
        if now >= earliest { Pace::Now } else { Pace::At(earliest) }
    }

    /// What the capture may cost that is taken now; everything where the way is wide.
    pub fn allowance(&self) -> Option<Allowance> {
        self.line.allowance()
    }

    /// A capture was sent; `number` is its last update's, `bytes` its size, and `more` tells that something is left for the next one.
    pub fn sent(&mut self, number: u32, bytes: usize, purpose: Purpose, more: bool, now: Moment) {
        if self.in_flight.len() >= IN_FLIGHT || self.line.room(true, now).is_none() {
            self.patience = (self.patience * 2).min(MAX_PATIENCE);
        }
        match purpose {
            Purpose::News => self.in_flight.push_back(number),
            Purpose::Refinement => {}
        }
        self.left = now;
        self.line.sent(number, bytes, more, now);
        self.full_at = self.full_at.max(now) + INTERVAL;
    }

    /// A capture took this time of a processor, until now.
    pub fn worked(&mut self, time: Duration, now: Moment) {
        self.rested_at = self.rested_at.max(now - time) + time * SHARE;
    }

    /// The viewer has drawn everything up to this update.
    pub fn seen(&mut self, number: u32, now: Moment) {
        let before = self.line.on_the_way();
        self.in_flight.retain(|sent| *sent > number);
        self.line.seen(number, now);
        if self.line.on_the_way() < before {
            self.patience = PATIENCE;
        }
    }

    /// Forgets what is on its way: the viewer asked for everything anew.
    pub fn restart(&mut self) {
        self.in_flight.clear();
        self.line.restart();
        self.patience = PATIENCE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment(1_000_000_000);
    const NEARBY: Option<Duration> = Some(Duration::from_millis(1));

    #[test]
    fn two_captures_wait_for_the_viewer() {
        let mut pacer = Pacer::new(NEARBY);
        pacer.sent(1, 100, Purpose::News, false, START);
        assert_eq!(pacer.ask(Purpose::News, START), Pace::Now);
        pacer.sent(5, 100, Purpose::News, false, START);
        assert_eq!(pacer.ask(Purpose::News, START), Pace::Seen(START + PATIENCE));
        pacer.seen(4, START);
        assert_eq!(pacer.ask(Purpose::News, START), Pace::Now, "capture 1 was drawn, 5 is on its way");
        pacer.sent(6, 100, Purpose::News, false, START);
        assert!(matches!(pacer.ask(Purpose::News, START), Pace::Seen(_)));
        pacer.restart();
        assert_eq!(pacer.ask(Purpose::News, START), Pace::Now);
    }

    #[test]
    fn after_a_burst_the_cap_holds_and_rest_fills_the_bucket() {
        let mut pacer = Pacer::new(NEARBY);
        let mut now = START;
        for number in 1..=4 {
            assert_eq!(pacer.ask(Purpose::News, now), Pace::Now, "burst {number}");
            pacer.sent(number, 100, Purpose::News, false, now);
            pacer.seen(number, now);
        }
        assert_eq!(pacer.ask(Purpose::News, now), Pace::At(START + INTERVAL));
        let mut count = 0;
        while now < START + Duration::from_secs(1) {
            match pacer.ask(Purpose::News, now) {
                Pace::Now => {
                    count += 1;
                    pacer.sent(4 + count, 100, Purpose::News, false, now);
                    pacer.seen(4 + count, now);
                }
                Pace::At(next) => now = next,
                Pace::Seen(_) => unreachable!("everything was drawn"),
            }
        }
        assert!((119..=121).contains(&count), "{count}");
        now = now + Duration::from_secs(1);
        for number in 1000..1004 {
            assert_eq!(pacer.ask(Purpose::News, now), Pace::Now);
            pacer.sent(number, 100, Purpose::News, false, now);
            pacer.seen(number, now);
        }
        assert_ne!(pacer.ask(Purpose::News, now), Pace::Now);
    }

    #[test]
    fn captures_take_half_of_a_core_at_most() {
        for milliseconds in [1, 5, 20, 200] {
            let work = Duration::from_millis(milliseconds);
            let (mut pacer, mut now, mut worked) = (Pacer::new(NEARBY), START, Duration::ZERO);
            let end = START + Duration::from_secs(10);
            while now < end {
                match pacer.ask(Purpose::News, now) {
                    Pace::Now => {
                        now = now + work;
                        worked += work;
                        pacer.worked(work, now);
                        pacer.sent(1, 100, Purpose::News, false, now);
                        pacer.seen(1, now);
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
        let mut pacer = Pacer::new(NEARBY);
        pacer.sent(1, 100, Purpose::News, false, START);
        pacer.sent(2, 100, Purpose::News, false, START);
        let mut gaps = Vec::new();
        let mut now = START;
        for number in 3..8 {
            let Pace::Seen(probe) = pacer.ask(Purpose::News, now) else { panic!("two are on their way") };
            gaps.push(probe.since(now).as_secs());
            now = probe;
            assert_eq!(pacer.ask(Purpose::News, now), Pace::Now);
            pacer.sent(number, 100, Purpose::News, false, now);
        }
        assert_eq!(gaps, [2, 4, 8, 16, 16]);
    }
}
