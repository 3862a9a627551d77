//! How much the way to the viewer carries, learned from what the viewer says it has drawn.
//!
//! The line keeps a window: bytes that may be on their way at once. Where nothing queues, the window grows with what
//! arrives while it is used up, so that a fast way is soon open; where what was sent waits on the way, the pace at which it arrives
//! is the way's rate, and the window becomes what fills the way and [`QUEUE`] beside it. So a key press never waits long
//! behind pictures, however much some router on the way would buffer.

use std::collections::VecDeque;
use std::time::Duration;

use belay_wire::Moment;

/// What may wait on the way beside what the way itself holds.
const QUEUE: Duration = Duration::from_millis(60);
/// Waiting below this is chance: a viewer that was busy, a way that jitters.
const BUSY: Duration = Duration::from_millis(30);
/// Where one update alone takes so much longer than a small message, the way is thin and not the viewer busy.
const ENDLESS: Duration = Duration::from_millis(500);
/// How much more than the known rate is tried at once.
const CAREFUL: f64 = 1.25;
/// Arrivals that are closer were held up together, and tell nothing about the rate.
const TOGETHER: Duration = Duration::from_millis(10);
/// The window before anything is known.
const AT_FIRST: usize = 8 << 10;
/// The smallest window, and the largest.
const AT_LEAST: usize = 4 << 10;
const AT_MOST: usize = 1 << 20;
/// The part of the window that must have arrived to tell a rate: a letter that was late tells nothing.
const EVIDENCE: usize = 8;
/// A round trip that is a network nearby: what is known before anything was sent. Such a way is open from the start.
const NEARBY: Duration = Duration::from_millis(15);
/// Below this the window grows faster: a few such round trips are not felt.
const SHORT: Duration = Duration::from_millis(30);
/// How long a shortest round trip is believed; then the way is let run dry once.
const BELIEVED: Duration = Duration::from_secs(10);
/// Bytes of a message besides the picture: headers of update, link, seal and network.
const OVERHEAD: usize = 120;
/// A window from which on nothing is held back in pieces.
const OPEN: usize = 256 << 10;
/// How long a piece may occupy the way, and how small it may be.
const PIECE: Duration = Duration::from_millis(80);
const LEAST_PIECE: usize = 1536;
/// What a key press may go beyond the window.
const URGENT: usize = 2 << 10;
/// The rate, in bytes a second, that is assumed of a way of which nothing is known.
const ASSUMED: f64 = 25_000.0;

/// What one update may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowance {
    /// Compressed bytes to aim at, at least one.
    pub bytes: usize,
    /// Bytes a second that the way carries; infinite where no end of it was met yet.
    pub rate: f64,
}

/// One update on its way.
#[derive(Debug)]
struct Flight {
    number: u32,
    bytes: usize,
    at: Moment,
    /// Nothing else was on its way.
    alone: bool,
    /// All that had arrived when it left.
    arrived: u64,
    /// The first arrivals after it had left: when, and all that had arrived then.
    after: Option<(Moment, u64)>,
    /// The window held the next one back.
    full: bool,
}

/// The way to one viewer.
#[derive(Debug)]
pub struct Line {
    // INVARIANT: oldest first.
    flights: VecDeque<Flight>,
    // INVARIANT: the sum of the bytes of `flights`.
    on_the_way: usize,
    arrived: u64,
    window: usize,
    /// The shortest round trip of late, and when it was met.
    shortest: Option<(Duration, Moment)>,
    /// What somebody else has measured.
    told: Option<Duration>,
    /// Bytes a second, once something had to wait.
    rate: Option<f64>,
    /// When what was sent would have been carried on at that rate and a little more.
    carried_at: Moment,
}

impl Default for Line {
    fn default() -> Line {
        Line::new(None)
    }
}

impl Line {
    /// A way of which at most the round trip of a small message is known.
    pub fn new(round_trip: Option<Duration>) -> Line {
        let near = round_trip.is_some_and(|time| time < NEARBY);
        Line {
            flights: VecDeque::new(),
            on_the_way: 0,
            arrived: 0,
            window: if near { OPEN } else { AT_FIRST },
            shortest: None,
            told: round_trip,
            rate: None,
            carried_at: Moment(0),
        }
    }

    /// Whether the way is so wide that nothing is to be cut into pieces.
    pub fn is_open(&self) -> bool {
        self.window >= OPEN
    }

    /// Bytes a second, once something had to wait for others on the way.
    pub fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// The shortest round trip of late.
    pub fn round_trip(&self) -> Option<Duration> {
        self.shortest.map(|(time, _)| time)
    }

    /// Bytes that are on their way.
    pub fn on_the_way(&self) -> usize {
        self.on_the_way
    }

    /// When something may be sent, if nothing happens before: not when the window is full. `urgent` is what a person waits for,
    /// everything else leaves it room and goes no faster than the way carries it on.
    pub fn room(&self, urgent: bool, now: Moment) -> Option<Moment> {
        if self.flights.is_empty() || self.is_open() {
            return Some(now);
        }
        if urgent {
            return (self.on_the_way < self.window + URGENT).then_some(now);
        }
        let stale = self.shortest.is_some_and(|(_, at)| now.since(at) > BELIEVED);
        // Not for a crumb: a piece has its price.
        let fits = self.on_the_way + self.piece() / 2 < self.window;
        (fits && !stale).then_some(self.carried_at - PIECE)
    }

    /// What an update may have that is sent now; everything on an open way.
    pub fn allowance(&self) -> Option<Allowance> {
        if self.is_open() {
            return None;
        }
        let room = self.window.saturating_sub(self.on_the_way).max(LEAST_PIECE / 2);
        let known = self.rate.or((self.arrived == 0).then_some(ASSUMED));
        Some(Allowance { bytes: room.min(self.piece()), rate: known.unwrap_or(f64::INFINITY) })
    }

    /// An update left, of this many bytes; `more` tells that others wait for their turn.
    pub fn sent(&mut self, number: u32, bytes: usize, more: bool, now: Moment) {
        let bytes = bytes + OVERHEAD;
        let alone = self.flights.is_empty();
        self.on_the_way += bytes;
        let time = self.rate.map_or(Duration::ZERO, |rate| seconds(bytes as f64 / (rate * CAREFUL)));
        self.carried_at = self.carried_at.max(now) + time;
        let full = more && self.on_the_way + self.piece() / 2 >= self.window;
        self.flights.push_back(Flight {
            number,
            bytes,
            at: now,
            alone,
            arrived: self.arrived,
            after: None,
            full,
        });
    }

    /// The viewer has everything up to this update.
    pub fn seen(&mut self, number: u32, now: Moment) {
        let (mut bytes, mut newest, mut full) = (0, None, false);
        while let Some(flight) = self.flights.pop_front_if(|flight| flight.number <= number) {
            bytes += flight.bytes;
            full |= flight.full;
            newest = Some(flight);
        }
        let Some(flight) = newest else { return };
        self.on_the_way -= bytes;
        self.arrived += bytes as u64;
        for later in &mut self.flights {
            if later.after.is_none_or(|(at, _)| now.since(at) < TOGETHER) {
                later.after = Some((now, self.arrived));
            }
        }
        let time = now.since(flight.at);
        let shortest = self.learn_round_trip(&flight, time, now);
        let own = self.rate.map_or(Duration::ZERO, |rate| seconds(flight.bytes as f64 / rate));
        let waited = time.saturating_sub(shortest + own);
        let pace = |since: Moment, before: u64| {
            (self.arrived - before) as f64 / now.since(since).as_secs_f64().max(1e-4)
        };
        let evidence = (self.window / EVIDENCE).max(LEAST_PIECE) as u64;
        let seen_before = match flight.after {
            Some((since, before)) => {
                (waited > BUSY && now.since(since) >= TOGETHER).then_some((since, before))
            }
            // It was long on its way, and its own length is why.
            None => (waited > ENDLESS).then_some((flight.at + shortest, flight.arrived)),
        };
        match seen_before.filter(|(_, before)| self.arrived - before >= evidence) {
            Some((since, before)) => {
                let pace = pace(since, before);
                // What was held up by a loss comes faster than the way carries.
                let rate = self.rate.map_or(pace, |rate| ((rate + pace) / 2.0).min(rate * CAREFUL));
                self.rate = Some(rate);
                self.window = fitting(rate, shortest, 1.0);
            }
            None => {
                let at_least = pace(flight.at, flight.arrived);
                self.rate = self.rate.map(|rate| rate.max(at_least));
                if full && waited <= BUSY {
                    let grown = if time < SHORT { bytes * 3 } else { bytes };
                    let most = self.rate.map_or(AT_MOST, |rate| fitting(rate, shortest, CAREFUL));
                    self.window = (self.window + grown).min(most.max(self.window));
                }
            }
        }
    }

    /// Forgets what is on its way: nobody will tell of it.
    pub fn restart(&mut self) {
        self.flights.clear();
        self.on_the_way = 0;
    }

    /// Bytes of one update where the way is not open.
    fn piece(&self) -> usize {
        let by_rate = self.rate.map_or(self.window / 2, |rate| (rate * PIECE.as_secs_f64()) as usize);
        by_rate.clamp(LEAST_PIECE, OPEN)
    }

    fn learn_round_trip(&mut self, flight: &Flight, time: Duration, now: Moment) -> Duration {
        // What an update of some size takes longer than a small one is no part of the way.
        let own = self.rate.map_or(Duration::ZERO, |rate| seconds(flight.bytes as f64 / rate));
        let way = if flight.alone { time.saturating_sub(own).max(time / 4) } else { time };
        let shortest = match self.shortest {
            Some((known, at)) if known < way && !(flight.alone && now.since(at) > BELIEVED) => (known, at),
            Some(_) => (way, now),
            None => (self.told.map_or(way, |told| told.min(way)), now),
        };
        self.shortest = Some(shortest);
        shortest.0
    }
}

/// The window for a rate, and for some more of it.
fn fitting(rate: f64, shortest: Duration, more: f64) -> usize {
    ((rate * more * (shortest + QUEUE).as_secs_f64()) as usize).clamp(AT_LEAST, AT_MOST)
}

fn seconds(value: f64) -> Duration {
    Duration::from_secs_f64(value.clamp(0.0, 60.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A way and a sender that always has something to send.
    struct Way {
        line: Line,
        now: Moment,
        /// Bytes a second.
        rate: f64,
        delay: Duration,
        busy_until: Moment,
        /// Number of each answer that is coming back, with its time.
        answers: VecDeque<(Moment, u32)>,
        number: u32,
        /// The longest wait for what had been sent before.
        waited: Duration,
        delivered: usize,
    }

    impl Way {
        fn new(rate: f64, delay: Duration, known: Option<Duration>) -> Way {
            let now = Moment(1_000_000_000);
            Way {
                line: Line::new(known),
                now,
                rate,
                delay,
                busy_until: now,
                answers: VecDeque::new(),
                number: 0,
                waited: Duration::ZERO,
                delivered: 0,
            }
        }

        fn send(&mut self, bytes: usize, more: bool) {
            self.number += 1;
            self.line.sent(self.number, bytes, more, self.now);
            let start = self.busy_until.max(self.now);
            self.waited = self.waited.max(start.since(self.now));
            self.busy_until = start + seconds((bytes + OVERHEAD) as f64 / self.rate);
            self.answers.push_back((self.busy_until + self.delay, self.number));
            self.delivered += bytes + OVERHEAD;
        }

        fn run(&mut self, time: Duration) {
            let end = self.now + time;
            while self.now < end {
                let room =
                    |way: &Way| way.line.room(false, way.now).filter(|_| way.line.on_the_way() < 128 << 10);
                while room(self).is_some_and(|at| at <= self.now) {
                    let bytes = self.line.allowance().map_or(64 << 10, |allowance| allowance.bytes);
                    self.send(bytes, true);
                }
                let answer = self.answers.front().map(|(at, _)| *at);
                let next = answer.into_iter().chain(room(self)).fold(end, Moment::min);
                self.now = next.min(end).max(self.now + Duration::from_micros(1));
                while let Some((_, number)) = self.answers.pop_front_if(|(at, _)| *at <= self.now) {
                    self.line.seen(number, self.now);
                }
            }
        }
    }

    #[test]
    fn a_thin_way_is_used_and_not_flooded() {
        for kilobits in [50, 200, 500, 1000, 2000] {
            for milliseconds in [10, 80, 200, 600] {
                let (rate, delay) = (f64::from(kilobits) * 125.0, Duration::from_millis(milliseconds));
                let mut way = Way::new(rate, delay, None);
                way.run(Duration::from_secs(6));
                (way.waited, way.delivered) = (Duration::ZERO, 0);
                way.run(Duration::from_secs(20));
                let used = way.delivered as f64 / rate / 20.0;
                let what =
                    format!("{kilobits} kbit/s, {milliseconds} ms: {used:.2} used, waited {:?}", way.waited);
                let bound = QUEUE * 2 + delay / 4 + seconds(6000.0 / rate);
                assert!(used >= 0.7, "{what}");
                assert!(way.waited <= bound, "{what}");
                let known = way.line.rate().unwrap();
                assert!((0.7..1.3).contains(&(known / rate)), "{what}, taken for {known}");
            }
        }
    }

    #[test]
    fn a_wide_way_opens_within_some_round_trips() {
        for (milliseconds, round_trips) in [(1, 1), (40, 8), (150, 8)] {
            let delay = Duration::from_millis(milliseconds);
            let mut way = Way::new(12_500_000.0, delay, Some(delay));
            way.run(delay * round_trips);
            assert!(way.line.is_open(), "{milliseconds} ms");
            assert_eq!(way.line.allowance(), None);
        }
    }

    #[test]
    fn a_viewer_that_was_busy_makes_no_wide_way_thin() {
        let mut way = Way::new(12_500_000.0, Duration::from_millis(2), Some(Duration::from_millis(2)));
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..2000 {
            // Two captures on their way, and now and then nothing comes back for a while.
            let late = Duration::from_millis(if random.u8(0..10) == 0 { 150 } else { 3 });
            way.send(random.usize(50..9000), false);
            way.send(random.usize(50..9000), false);
            way.now = way.now + late;
            way.line.seen(way.number - 1, way.now);
            way.now = way.now + Duration::from_millis(random.u64(0..20));
            way.line.seen(way.number, way.now);
            assert!(way.line.is_open());
        }
    }

    #[test]
    fn a_way_that_becomes_thin_or_wide_is_noticed() {
        let mut way = Way::new(1_250_000.0, Duration::from_millis(60), None);
        way.run(Duration::from_secs(5));
        way.rate = 25_000.0;
        way.run(Duration::from_secs(40));
        way.waited = Duration::ZERO;
        way.run(Duration::from_secs(10));
        assert!(way.waited <= Duration::from_millis(400), "{:?}", way.waited);
        way.rate = 1_250_000.0;
        way.run(Duration::from_secs(15));
        way.delivered = 0;
        way.run(Duration::from_secs(4));
        assert!(way.delivered > 3_000_000, "{}", way.delivered);
    }

    #[test]
    fn answers_nobody_waits_for_change_nothing() {
        let mut line = Line::new(None);
        line.seen(7, Moment(5));
        line.sent(1, 100, false, Moment(10));
        line.restart();
        line.seen(1, Moment(20));
        assert_eq!((line.on_the_way(), line.rate(), line.round_trip()), (0, None, None));
    }
}
