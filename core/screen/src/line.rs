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
    /// Bytes a second, once something had to wait.
    rate: Option<f64>,
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
            window: if near { AT_MOST } else { AT_FIRST },
            shortest: None,
            rate: None,
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

    /// Whether something may be sent now; `urgent` is what a person waits for, everything else leaves it room.
    pub fn has_room(&self, urgent: bool, now: Moment) -> bool {
        if self.flights.is_empty() {
            return true;
        }
        if self.is_open() {
            return true;
        }
        let stale = self.shortest.is_some_and(|(_, at)| now.since(at) > BELIEVED);
        let room = if urgent { self.window + URGENT } else { self.window };
        // Not for a crumb: a piece has its price.
        let wanted = if urgent { 0 } else { self.piece() / 2 };
        self.on_the_way + wanted < room && (urgent || !stale)
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
        match flight.after {
            Some((since, before))
                if waited > BUSY && self.arrived - before >= evidence && now.since(since) >= TOGETHER =>
            {
                let pace = pace(since, before);
                // What was held up by a loss comes faster than the way carries.
                let rate = self.rate.map_or(pace, |rate| ((rate + pace) / 2.0).min(rate * CAREFUL));
                self.rate = Some(rate);
                self.window = fitting(rate, shortest, 1.0);
            }
            _ => {
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
            Some(_) | None => (way, now),
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
