//! One path: whether it is usable, how good it is, and what was lost on it.

use belay_wire::Moment;
use belay_wire::link::Class;
use std::collections::VecDeque;
use std::time::Duration;

use crate::{Measures, PathId, PathKind};

/// Pings that a new path gets at once.
const QUICK_PINGS: u32 = 5;
const QUICK_EVERY: Duration = Duration::from_millis(200);
/// Those by which it is measured anew.
const MEASURE_EVERY: Duration = Duration::from_millis(100);
const PING_EVERY: Duration = Duration::from_secs(5);
/// How often a path is asked whether it has come back.
const PING_DEAD_EVERY: Duration = Duration::from_secs(1);
/// A ping that is not answered for two round trips makes a path suspected, but not before this.
const SUSPECT_AFTER: Duration = Duration::from_millis(300);
/// A suspected path is left for one that has answered meanwhile, once so many pings in a row are unanswered for three round trips,
/// but not before this.
const LEFT_PINGS: usize = 3;
const LEFT_AFTER: Duration = Duration::from_millis(600);
/// Unanswered pings in a row that make a path unusable, if the oldest is this old.
const DEAD_PINGS: usize = 3;
const DEAD_AFTER: Duration = Duration::from_secs(2);
/// The path in use is given up after this, if no other answers: who answers nowhere is perhaps busy, and comes back on all of them.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(4);
/// A path that owes an answer for four time-outs, and at least this, may be dead; the bytes that are on their
/// way there have their time besides, on a thin line.
const DOUBTED_AFTER: Duration = Duration::from_secs(1);
const BYTES_A_SECOND: u32 = 8 << 10;
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
/// The same for the choice between paths, which must not follow chance.
const LOSS_WEIGHT_USUALLY: f64 = 1.0 / 256.0;
/// A relay is worse by a quarter and this: it costs its operator, sees how much is said, and its way is longer for everybody.
const RELAY_COSTS: Duration = Duration::from_millis(10);
/// A path is worse by this for each per cent lost.
const PER_CENT_LOST: Duration = Duration::from_millis(3);
/// After this time what was lost counts half: a path that was dead for a moment gets another chance.
const LOSS_HALVED: Duration = Duration::from_secs(60);
/// So many losses in a row are an outage, which is judged by its silence: more of them say nothing of what is lost usually.
const OUTAGE: u32 = 2;
/// Round trips by which a path is compared with another: the middle one of the newest. Those that are late because somebody was
/// busy for a moment change nothing until they are half of them.
const COMPARED: usize = 12;
/// Pings by which a path is measured anew: more than half of those that are compared.
const MEASURE_PINGS: u32 = 8;
/// Answers that come within this time count as one.
const TOGETHER: Duration = Duration::from_millis(50);
/// What took twice the usual round trip and this may mean that the path has become another one.
const WORSE_BY: Duration = Duration::from_millis(30);
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

impl Sent {
    /// Bytes of it; a state is small.
    fn len(&self) -> u64 {
        match self {
            Sent::Data { from, to, .. } => to - from,
            Sent::State { .. } => 0,
        }
    }
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
    /// Pings that follow each other quickly, and how quickly.
    quick: u32,
    quick_every: Duration,
    pinged: Moment,
    answered: u32,
    /// When something came here.
    heard: Moment,
    /// When the newest ping was sent that was answered, or the newest piece that was acknowledged.
    alive: Option<Moment>,
    unanswered: VecDeque<(u32, Moment)>,
    /// The number of the first sending after each ping of `unanswered`; only where everything arrives in order.
    after: VecDeque<(u32, u64)>,
    /// By pings, the newest last: for the choice between paths.
    newest: VecDeque<Duration>,
    /// When the newest came.
    sampled: Option<Moment>,
    /// By pings: what is shown, and what a ping may take.
    way: Option<RoundTrip>,
    /// By pings and acknowledged pieces: for the probe time-out.
    piece: Option<RoundTrip>,
    lost: f64,
    /// The same, for the choice between paths: more slowly, and without outages.
    lost_usually: f64,
    /// Losses in a row.
    in_a_row: u32,
    /// When both shares were true.
    counted: Moment,
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
            quick: QUICK_PINGS,
            quick_every: QUICK_EVERY,
            pinged: now,
            answered: 0,
            heard: now,
            // Its owner has heard the other end there.
            alive: (kind == PathKind::Relay).then_some(now),
            unanswered: VecDeque::new(),
            after: VecDeque::new(),
            newest: VecDeque::new(),
            sampled: None,
            way: None,
            piece: None,
            lost: 0.0,
            lost_usually: 0.0,
            in_a_row: 0,
            counted: now,
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
        if self.quick > 0 {
            return self.pinged + self.quick_every;
        }
        let usual = self.pinged + PING_EVERY;
        let Some(suspected) = self.suspected_at() else { return usual };
        let every = if self.was_usable { QUICK_EVERY } else { PING_DEAD_EVERY };
        usual.min((self.pinged + every).max(suspected))
    }

    /// When the pings were sent that nothing has answered: neither a pong, nor the acknowledgement of something that went later.
    fn silence(&self) -> impl Iterator<Item = Moment> {
        let alive = self.alive.filter(|_| self.answered > 0);
        self.unanswered.iter().map(|(_, at)| *at).filter(move |at| alive.is_none_or(|alive| *at > alive))
    }

    /// When the path becomes suspected if no ping is answered.
    pub(crate) fn suspected_at(&self) -> Option<Moment> {
        let oldest = self.silence().next()?;
        Some(oldest + self.way.map_or(SUSPECT_AFTER, |way| (way.smoothed * 2).max(SUSPECT_AFTER)))
    }

    /// Whether a ping is unanswered for so long that the path may be dead.
    pub(crate) fn is_suspected(&self, now: Moment) -> bool {
        self.suspected_at().is_some_and(|at| at <= now)
    }

    /// Whether another path has answered what was asked after the oldest question that this one does not answer.
    pub(crate) fn is_outlived_by(&self, other: &Path, now: Moment) -> bool {
        let oldest = self.silence().next().filter(|_| self.is_suspected(now));
        oldest.is_some_and(|oldest| other.alive.is_some_and(|alive| alive > oldest))
    }

    /// Whether the path, which is in use, is silent for long enough to leave it for one that is not.
    pub(crate) fn is_left(&self, now: Moment) -> bool {
        let patience = LEFT_AFTER.max(self.way.map_or(LEFT_AFTER, |way| way.smoothed * 3));
        let silent = self.silence().nth(LEFT_PINGS - 1).and_then(|_| self.silence().next());
        self.kind == PathKind::Datagram && silent.is_some_and(|since| now.since(since) >= patience)
    }

    /// Whether the path, which is in use, is silent for so long that nothing but pings goes any more, although no other answers.
    pub(crate) fn is_given_up(&self, now: Moment) -> bool {
        self.kind == PathKind::Datagram && self.silent_until(GIVEN_UP_AFTER).is_some_and(|at| at <= now)
    }

    /// When the path has been silent for this time, if no ping is answered.
    fn silent_until(&self, time: Duration) -> Option<Moment> {
        self.silence().nth(DEAD_PINGS - 1)?;
        self.silence().next().map(|oldest| oldest + time)
    }

    /// A packet came here.
    pub(crate) fn heard(&mut self, now: Moment) {
        self.heard = now;
    }

    /// When the silence of the path becomes long enough to look for another way, if nothing comes before.
    pub(crate) fn doubted_at(&self) -> Option<Moment> {
        let ping = self.silence().next();
        let piece = self.sendings.front().map(|sending| sending.at);
        let since = ping.into_iter().chain(piece).min()?;
        // Where nothing was ever answered, nothing can be expected yet.
        let timeout = self.way.map(|way| way.smoothed + way.variation * 4)?;
        let bytes: u64 = self.sendings.iter().map(|sending| sending.what.len()).sum();
        let passing = Duration::from_secs_f64(bytes as f64 / f64::from(BYTES_A_SECOND));
        Some(since.max(self.heard) + (timeout * 4).max(DOUBTED_AFTER) + passing)
    }

    /// The next pings follow each other quickly: so many, if not more do already.
    pub(crate) fn ask(&mut self, pings: u32) {
        if self.quick == 0 {
            self.quick_every = QUICK_EVERY;
        }
        self.quick = self.quick.max(pings);
    }

    /// It is measured anew.
    pub(crate) fn measure(&mut self) {
        (self.quick, self.quick_every) = (self.quick.max(MEASURE_PINGS), MEASURE_EVERY);
    }

    /// Whether a ping is due; then it counts as sent with this number.
    pub(crate) fn ping(&mut self, number: u32, now: Moment) -> bool {
        let due = self.ping_at() <= now;
        if due {
            self.pings = self.pings.saturating_add(1);
            self.quick = self.quick.saturating_sub(1);
            self.pinged = now;
            if self.unanswered.len() >= MAX_PINGS {
                // The oldest tells for how long nothing is answered.
                self.unanswered.remove(1);
                self.count(true, now);
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

    /// A ping was answered; whether the answer took so long that the path may have become a worse one.
    pub(crate) fn pong(&mut self, number: u32, now: Moment) -> bool {
        let Some(at) = self.unanswered.iter().position(|(ping, _)| *ping == number) else { return false };
        let mut worse = false;
        for (ping, sent) in self.unanswered.drain(..=at).collect::<Vec<_>>() {
            self.count(ping != number, now);
            if ping == number {
                if !self.was_usable && self.answered > 0 {
                    self.measure();
                }
                let took = now.since(sent);
                worse = self.is_worse(took);
                self.answered = self.answered.saturating_add(1);
                self.alive = self.alive.max(Some(sent));
                self.sampled(took, now);
                self.way = Some(RoundTrip::measured(self.way, took));
                self.piece = Some(RoundTrip::measured(self.piece, took));
            }
        }
        worse
    }

    /// Takes a round trip for the comparison with other paths. Answers that come at once were held up together: the last of them tells.
    fn sampled(&mut self, took: Duration, now: Moment) {
        let together = self.sampled.is_some_and(|before| now.since(before) < TOGETHER);
        self.sampled = Some(now);
        if together && let Some(newest) = self.newest.back_mut() {
            *newest = took.min(*newest);
            return;
        }
        if self.newest.len() == COMPARED {
            self.newest.pop_front();
        }
        self.newest.push_back(took);
    }

    fn is_worse(&self, took: Duration) -> bool {
        self.usual().is_some_and(|usual| took > usual * 2 + WORSE_BY)
    }

    /// The middle one of the newest round trips.
    fn usual(&self) -> Option<Duration> {
        self.quantile(2)
    }

    /// The newest round trip that so many quarters of them are below.
    fn quantile(&self, quarters: usize) -> Option<Duration> {
        let mut sorted: Vec<Duration> = self.newest.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len().saturating_sub(1) * quarters / 4).copied()
    }

    /// What is lost although the path is one that loses nothing: a pong carries every acknowledgement, so what was sent
    /// before its ping has arrived, or somebody in between has dropped it. To be called with all that came with the pong
    /// taken in.
    pub(crate) fn missing(&mut self, pong: u32, now: Moment) -> Vec<Sent> {
        let Some(at) = self.after.iter().position(|(ping, _)| *ping == pong) else { return Vec::new() };
        let Some((_, after)) = self.after.drain(..=at).next_back() else { return Vec::new() };
        self.lost_until(|sending| sending.number < after, now)
    }

    /// When the path stops being usable if no ping is answered.
    fn dead_at(&self) -> Option<Moment> {
        self.silent_until(DEAD_AFTER)
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
        let score = self.usual()? + PER_CENT_LOST.mul_f64(self.lost_usually * 100.0);
        Some(match self.kind {
            PathKind::Relay => score * 5 / 4 + RELAY_COSTS,
            PathKind::Datagram => score,
        })
    }

    /// By how much the score may be out: what jitters or loses is measured less well.
    pub(crate) fn doubt(&self) -> Duration {
        let spread = self.quantile(3).zip(self.quantile(1)).map_or(Duration::ZERO, |(high, low)| high - low);
        let share = (self.lost_usually * LOSS_WEIGHT_USUALLY / 2.0).sqrt();
        spread / 4 + PER_CENT_LOST.mul_f64(share * 100.0)
    }

    /// What is known.
    pub(crate) fn measures(&self, now: Moment) -> Measures {
        let round_trip = self.way.map(|way| way.smoothed);
        let (usable, shortest) = (self.is_usable(now), self.quantile(0));
        Measures { round_trip, shortest, lost: self.lost, usable }
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

    /// Something was acknowledged: forgets what has arrived, and gives what is lost; and whether an acknowledgement took so long
    /// that the path may have become a worse one.
    pub(crate) fn acknowledged(
        &mut self,
        has_arrived: impl Fn(&Sent) -> bool,
        now: Moment,
    ) -> (Vec<Sent>, bool) {
        let (mut highest, mut worse) = (None, false);
        let sendings = std::mem::take(&mut self.sendings);
        for sending in sendings {
            if !has_arrived(&sending.what) {
                self.sendings.push_back(sending);
                continue;
            }
            highest = Some(sending.number);
            self.count(false, now);
            // Only what was sent once tells the round trip (Karn's rule).
            if let Sent::Data { once: true, .. } = sending.what {
                let took = now.since(sending.at);
                worse |= self.is_worse(took);
                self.piece = Some(RoundTrip::measured(self.piece, took));
                self.alive = self.alive.max(Some(sending.at));
            }
        }
        let Some(highest) = highest else { return (Vec::new(), worse) };
        self.timeouts = 0;
        let lost = match self.kind {
            // An answer to a ping tells for certain, and soon enough.
            PathKind::Relay => Vec::new(),
            PathKind::Datagram => self.lost_until(|sending| sending.number + REORDERED <= highest, now),
        };
        (lost, worse)
    }

    /// What was not acknowledged in time.
    pub(crate) fn overdue(&mut self, now: Moment) -> Vec<Sent> {
        if self.kind == PathKind::Relay {
            return Vec::new();
        }
        let timeout = self.timeout();
        let lost = self.lost_until(|sending| sending.at + timeout <= now, now);
        if !lost.is_empty() {
            self.timeouts = self.timeouts.saturating_add(1);
            // Is there still somebody? The answer tells sooner than the next ping in its turn.
            if self.silence().next().is_none() {
                self.ask(1);
            }
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

    fn lost_until(&mut self, is_lost: impl Fn(&Sending) -> bool, now: Moment) -> Vec<Sent> {
        let mut lost = Vec::new();
        while let Some(sending) = self.sendings.pop_front_if(|sending| is_lost(sending)) {
            self.count(true, now);
            lost.push(sending.what);
        }
        lost
    }

    fn count(&mut self, lost: bool, now: Moment) {
        let halves = now.since(self.counted).as_secs_f64() / LOSS_HALVED.as_secs_f64();
        self.counted = now;
        self.in_a_row = if lost { self.in_a_row.saturating_add(1) } else { 0 };
        for (share, weight) in [(&mut self.lost, LOSS_WEIGHT), (&mut self.lost_usually, LOSS_WEIGHT_USUALLY)]
        {
            if *share > 0.0 {
                *share *= 0.5f64.powf(halves);
            }
            if self.in_a_row <= OUTAGE || weight == LOSS_WEIGHT {
                *share += (if lost { 1.0 } else { 0.0 } - *share) * weight;
            }
        }
    }
}
