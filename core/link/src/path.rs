//! One path: whether it is usable, how good it is, and what was lost on it.

use belay_wire::Moment;
use belay_wire::link::Class;
use std::collections::VecDeque;
use std::time::Duration;

use crate::{Measures, PathId, PathKind};

/// Pings that a new path gets at once.
const FIRST_PINGS: u32 = 5;
const FIRST_PINGS_EVERY: Duration = Duration::from_millis(200);
const PING_EVERY: Duration = Duration::from_secs(5);
const PING_SUSPECTED_EVERY: Duration = Duration::from_secs(1);
/// A ping that is not answered for two round trips makes a path suspected, but not before this.
const SUSPECT_AFTER: Duration = Duration::from_millis(500);
/// Unanswered pings in a row that make a path unusable, if the oldest is this old.
const DEAD_PINGS: usize = 3;
const DEAD_AFTER: Duration = Duration::from_secs(2);
/// Unanswered pings that are remembered.
const MAX_PINGS: usize = 8;
/// Answered pings before a path is chosen for being better.
const TRIED: u32 = 3;
/// What an acknowledgement may take beside the way.
const ACKNOWLEDGE: Duration = Duration::from_millis(20);
const VARIATION_AT_LEAST: Duration = Duration::from_millis(10);
const PROBE_AT_FIRST: Duration = Duration::from_millis(200);
const PROBE_AT_MOST: Duration = Duration::from_secs(2);
/// Sendings after which an earlier one that is not acknowledged is lost.
const REORDERED: u64 = 3;
/// How much one sending counts in the share that is lost.
const LOSS_WEIGHT: f64 = 1.0 / 128.0;
/// Share lost from which on pieces are as small as a datagram; one loss alone, a full buffer on the way, is less.
const LOSSY: f64 = 0.02;
const PIECE_ORDERED: usize = 512 << 10;
const PIECE_DATAGRAM: usize = 16 << 10;
const PIECE_LOSSY: usize = 1100;

/// A smoothed round trip and its variation (RFC 6298).
#[derive(Clone, Copy)]
struct RoundTrip {
    smoothed: Duration,
    variation: Duration,
}

impl RoundTrip {
    fn measured(before: Option<RoundTrip>, sample: Duration) -> RoundTrip {
        match before {
            None => RoundTrip { smoothed: sample, variation: sample / 2 },
            Some(RoundTrip { smoothed, variation }) => RoundTrip {
                variation: (variation * 3 + smoothed.abs_diff(sample)) / 4,
                smoothed: (smoothed * 7 + sample) / 8,
            },
        }
    }
}

/// What was sent on a path and is not known to have arrived.
#[derive(Clone, Copy)]
pub(crate) enum Sent {
    /// Bytes of a stream.
    Data {
        /// Which stream.
        class: Class,
        /// The first.
        from: u64,
        /// Before the last.
        to: u64,
        /// Whether they went for the first time.
        once: bool,
    },
    /// A state.
    State {
        /// Which class.
        class: Class,
        /// Its number.
        number: u64,
    },
}

struct Sending {
    number: u64,
    at: Moment,
    what: Sent,
}

/// One path.
pub(crate) struct Path {
    pub(crate) id: PathId,
    pub(crate) kind: PathKind,
    /// Whether it takes more now.
    pub(crate) writable: bool,
    /// Whether it was usable when somebody looked last.
    pub(crate) was_usable: bool,
    pings: u32,
    pinged: Moment,
    answered: u32,
    unanswered: VecDeque<(u32, Moment)>,
    /// The number of the first sending after each ping of `unanswered`; only where everything arrives in order.
    after: VecDeque<(u32, u64)>,
    /// By pings: for the choice between paths.
    way: Option<RoundTrip>,
    /// By pings and acknowledged pieces: for the probe time-out.
    piece: Option<RoundTrip>,
    lost: f64,
    next_sending: u64,
    /// INVARIANT: numbers and moments rise.
    sendings: VecDeque<Sending>,
    timeouts: u32,
}

impl Path {
    pub(crate) fn new(id: PathId, kind: PathKind, now: Moment) -> Path {
        Path {
            id,
            kind,
            writable: true,
            was_usable: false,
            pings: 0,
            pinged: now,
            answered: 0,
            unanswered: VecDeque::new(),
            after: VecDeque::new(),
            way: None,
            piece: None,
            lost: 0.0,
            next_sending: 0,
            sendings: VecDeque::new(),
            timeouts: 0,
        }
    }

    /// When the next ping is due.
    fn ping_at(&self) -> Moment {
        if self.pings == 0 {
            return self.pinged;
        }
        if self.pings < FIRST_PINGS {
            return self.pinged + FIRST_PINGS_EVERY;
        }
        let usual = self.pinged + PING_EVERY;
        let Some((_, oldest)) = self.unanswered.front() else { return usual };
        let patience = self.way.map_or(SUSPECT_AFTER, |way| (way.smoothed * 2).max(SUSPECT_AFTER));
        usual.min((self.pinged + PING_SUSPECTED_EVERY).max(*oldest + patience))
    }

    /// Whether a ping is due; then it counts as sent with this number.
    pub(crate) fn ping(&mut self, number: u32, now: Moment) -> bool {
        let due = self.ping_at() <= now;
        if due {
            self.pings = self.pings.saturating_add(1);
            self.pinged = now;
            if self.unanswered.len() >= MAX_PINGS {
                // The oldest tells for how long nothing is answered.
                self.unanswered.remove(1);
                self.count(true);
            }
            self.unanswered.push_back((number, now));
            if self.kind == PathKind::Relay {
                self.after.push_back((number, self.next_sending));
                if self.after.len() > MAX_PINGS {
                    self.after.pop_front();
                }
            }
        }
        due
    }

    /// A ping was answered.
    pub(crate) fn pong(&mut self, number: u32, now: Moment) {
        let Some(at) = self.unanswered.iter().position(|(ping, _)| *ping == number) else { return };
        for (ping, sent) in self.unanswered.drain(..=at).collect::<Vec<_>>() {
            self.count(ping != number);
            if ping == number {
                self.answered = self.answered.saturating_add(1);
                self.way = Some(RoundTrip::measured(self.way, now.since(sent)));
                self.piece = Some(RoundTrip::measured(self.piece, now.since(sent)));
            }
        }
    }

    /// What is lost although the path is one that loses nothing: a pong carries every acknowledgement, so what was sent
    /// before its ping has arrived, or somebody in between has dropped it. To be called with all that came with the pong
    /// taken in.
    pub(crate) fn missing(&mut self, pong: u32) -> Vec<Sent> {
        let Some(at) = self.after.iter().position(|(ping, _)| *ping == pong) else { return Vec::new() };
        let Some((_, after)) = self.after.drain(..=at).next_back() else { return Vec::new() };
        self.lost_until(|sending| sending.number < after)
    }

    /// When the path stops being usable if no ping is answered.
    fn dead_at(&self) -> Option<Moment> {
        let (_, oldest) = self.unanswered.front()?;
        (self.unanswered.len() >= DEAD_PINGS).then(|| *oldest + DEAD_AFTER)
    }

    /// Whether something sent here may be expected to arrive.
    pub(crate) fn is_usable(&self, now: Moment) -> bool {
        let answers = self.answered > 0 || self.kind == PathKind::Relay;
        answers && self.dead_at().is_none_or(|at| at > now)
    }

    /// Whether enough is known to choose it for being better.
    pub(crate) fn is_tried(&self) -> bool {
        self.answered >= TRIED
    }

    /// How long the way is, with all that makes it worse; nothing before the first measurement.
    pub(crate) fn score(&self) -> Option<Duration> {
        let way = self.way?;
        let score = way.smoothed + way.variation * 4 + Duration::from_millis(3).mul_f64(self.lost * 100.0);
        Some(match self.kind {
            PathKind::Relay => score * 5 / 4 + Duration::from_millis(5),
            PathKind::Datagram => score,
        })
    }

    /// What is known.
    pub(crate) fn measures(&self, now: Moment) -> Measures {
        let usable = self.is_usable(now);
        Measures { round_trip: self.way.map(|way| way.smoothed), lost: self.lost, usable }
    }

    /// The largest part of a stream in one packet.
    pub(crate) fn piece(&self) -> usize {
        match self.kind {
            PathKind::Relay => PIECE_ORDERED,
            PathKind::Datagram if self.lost < LOSSY => PIECE_DATAGRAM,
            PathKind::Datagram => PIECE_LOSSY,
        }
    }

    /// Remembers what goes now.
    pub(crate) fn sends(&mut self, what: Sent, now: Moment) {
        self.sendings.push_back(Sending { number: self.next_sending, at: now, what });
        self.next_sending += 1;
    }

    /// Something was acknowledged: forgets what has arrived, and gives what is lost.
    pub(crate) fn acknowledged(&mut self, has_arrived: impl Fn(&Sent) -> bool, now: Moment) -> Vec<Sent> {
        let mut highest = None;
        let sendings = std::mem::take(&mut self.sendings);
        for sending in sendings {
            if !has_arrived(&sending.what) {
                self.sendings.push_back(sending);
                continue;
            }
            highest = Some(sending.number);
            self.count(false);
            // Only what was sent once tells the round trip (Karn's rule).
            if let Sent::Data { once: true, .. } = sending.what {
                self.piece = Some(RoundTrip::measured(self.piece, now.since(sending.at)));
            }
        }
        let Some(highest) = highest else { return Vec::new() };
        self.timeouts = 0;
        match self.kind {
            // An answer to a ping tells for certain, and soon enough.
            PathKind::Relay => Vec::new(),
            PathKind::Datagram => self.lost_until(|sending| sending.number + REORDERED <= highest),
        }
    }

    /// What was not acknowledged in time.
    pub(crate) fn overdue(&mut self, now: Moment) -> Vec<Sent> {
        if self.kind == PathKind::Relay {
            return Vec::new();
        }
        let timeout = self.timeout();
        let lost = self.lost_until(|sending| sending.at + timeout <= now);
        if !lost.is_empty() {
            self.timeouts = self.timeouts.saturating_add(1);
        }
        lost
    }

    /// Forgets everything that is on its way here.
    pub(crate) fn forget(&mut self) {
        self.sendings.clear();
        self.timeouts = 0;
    }

    /// When the path has something to do.
    pub(crate) fn next_timeout(&self) -> Moment {
        let first = self.sendings.front().filter(|_| self.kind == PathKind::Datagram);
        let probe = first.map(|sending| sending.at + self.timeout());
        let dead = self.dead_at().filter(|_| self.was_usable);
        [probe, dead].into_iter().flatten().fold(self.ping_at(), Moment::min)
    }

    fn timeout(&self) -> Duration {
        let timeout = self.piece.map_or(PROBE_AT_FIRST, |piece| {
            piece.smoothed + (piece.variation * 4).max(VARIATION_AT_LEAST) + ACKNOWLEDGE
        });
        (timeout * (1 << self.timeouts.min(8))).min(PROBE_AT_MOST)
    }

    fn lost_until(&mut self, is_lost: impl Fn(&Sending) -> bool) -> Vec<Sent> {
        let mut lost = Vec::new();
        while let Some(sending) = self.sendings.pop_front_if(|sending| is_lost(sending)) {
            self.count(true);
            lost.push(sending.what);
        }
        lost
    }

    fn count(&mut self, lost: bool) {
        self.lost += (if lost { 1.0 } else { 0.0 } - self.lost) * LOSS_WEIGHT;
    }
}
