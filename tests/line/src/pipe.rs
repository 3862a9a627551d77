//! One direction of one cable: frames go in, and come out later, or twice, or not at all.

use crate::shape::Shape;
use belay_wire::Moment;
use fastrand::Rng;
use std::collections::BTreeMap;
use std::time::Duration;

/// A frame that is to be overtaken is held back by half of the delay, and by this at least.
const HELD_BACK: Duration = Duration::from_millis(10);

/// What became of the frames so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames that were put in.
    pub offered: u64,
    /// Their bytes.
    pub offered_bytes: u64,
    /// Frames that came out (a doubled one counts twice).
    pub carried: u64,
    /// Frames lost by chance.
    pub lost: u64,
    /// Frames for which the queue had no room.
    pub overflowed: u64,
    /// Frames that a cut stopped.
    pub cut: u64,
}

/// One direction of one cable.
pub struct Pipe<T> {
    shape: Shape,
    chance: Rng,
    counts: Counts,
    /// When the last bit of what was let in leaves the sender. INVARIANT: never runs back.
    sent: Moment,
    /// When the last frame arrives that keeps its place. INVARIANT: never runs back.
    latest: Moment,
    number: u64,
    under_way: BTreeMap<(Moment, u64), T>,
}

impl<T: Clone> Pipe<T> {
    /// A perfect pipe; the same `seed` makes the same choices again.
    pub fn new(seed: u64) -> Self {
        Self {
            shape: Shape::default(),
            chance: Rng::with_seed(seed),
            counts: Counts::default(),
            sent: Moment(0),
            latest: Moment(0),
            number: 0,
            under_way: BTreeMap::new(),
        }
    }

    /// Changes what it does to frames from now on. What is under way arrives as it would have, unless the cable is cut.
    pub fn reshape(&mut self, shape: Shape) {
        if shape.cut {
            self.counts.cut += self.under_way.len() as u64;
            self.under_way.clear();
        }
        self.shape = shape;
    }

    /// Puts in a frame of `size` bytes.
    pub fn offer(&mut self, frame: T, size: usize, now: Moment) {
        let size = size as u64;
        self.counts.offered += 1;
        self.counts.offered_bytes += size;
        if self.shape.cut {
            self.counts.cut += 1;
            return;
        }
        // All dice are thrown for each frame, so that one setting does not change what another one meets.
        let [lost, doubled, held] = [self.shape.loss, self.shape.duplicate, self.shape.reorder]
            .map(|share| self.chance.f64() < share);
        let jitter = self.shape.jitter.mul_f64(self.chance.f64());
        if lost {
            self.counts.lost += 1;
            return;
        }
        let Some(sent) = self.send(size, now) else {
            self.counts.overflowed += 1;
            return;
        };
        let mut due = sent + self.shape.delay + jitter;
        if held {
            due = due + HELD_BACK.max(self.shape.delay / 2);
        } else {
            due = due.max(self.latest);
            self.latest = due;
        }
        if doubled {
            self.enter(due, frame.clone());
        }
        self.enter(due, frame);
    }

    /// The next frame that has arrived by now.
    pub fn poll(&mut self, now: Moment) -> Option<T> {
        let first = self.under_way.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        self.counts.carried += 1;
        Some(first.remove())
    }

    /// When the next frame arrives.
    pub fn wake(&self) -> Option<Moment> {
        self.under_way.first_key_value().map(|((due, _), _)| *due)
    }

    /// What became of the frames so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// When the frame's last bit leaves at the cable's rate, or `None` when too much waits already.
    fn send(&mut self, size: u64, now: Moment) -> Option<Moment> {
        let begin = self.sent.max(now);
        let Some(rate) = self.shape.rate else {
            self.sent = begin;
            return Some(begin);
        };
        let micros = |bytes: u64| bytes.saturating_mul(8_000_000) / rate;
        if begin.since(now) > Duration::from_micros(micros(self.shape.queue.saturating_sub(size))) {
            return None;
        }
        self.sent = begin + Duration::from_micros(micros(size));
        Some(self.sent)
    }

    fn enter(&mut self, due: Moment, frame: T) {
        self.number += 1;
        self.under_way.insert((due, self.number), frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: usize = 1_000;

    fn pipe(words: &str) -> Pipe<u64> {
        let mut pipe = Pipe::new(7);
        pipe.reshape(Shape::parse(words.split_whitespace()).unwrap());
        pipe
    }

    /// Puts in `count` frames, one every `gap` microseconds, and returns when which one came out.
    fn run(pipe: &mut Pipe<u64>, count: u64, gap: u64) -> Vec<(u64, u64)> {
        let mut out = Vec::new();
        let mut next = 0;
        loop {
            let sending = (next < count).then_some(Moment(next * gap));
            let Some(now) = sending.into_iter().chain(pipe.wake()).min() else { return out };
            while let Some(frame) = pipe.poll(now) {
                out.push((now.0, frame));
            }
            if sending == Some(now) {
                pipe.offer(next, FRAME, now);
                next += 1;
            }
        }
    }

    #[test]
    fn a_perfect_cable_delivers_at_once() {
        assert_eq!(run(&mut pipe(""), 3, 10), [(0, 0), (10, 1), (20, 2)]);
    }

    #[test]
    fn delay_is_exact_and_jitter_keeps_the_order() {
        assert_eq!(run(&mut pipe("delay=40ms"), 2, 10), [(40_000, 0), (40_010, 1)]);
        let out = run(&mut pipe("delay=40ms jitter=20ms"), 2_000, 500);
        let late: Vec<u64> = out.iter().map(|(at, frame)| at - frame * 500).collect();
        assert!(out.iter().map(|(_, frame)| *frame).eq(0..2_000));
        assert!(late.iter().all(|late| (40_000..=60_000).contains(late)));
        assert!(late.iter().any(|late| *late < 50_000) && late.iter().any(|late| *late > 58_000));
    }

    #[test]
    fn loss_and_duplication_come_in_the_shares_that_were_asked_for() {
        let mut lossy = pipe("loss=5%");
        let through = run(&mut lossy, 20_000, 10).len();
        assert!((18_800..19_200).contains(&through), "{through}");
        assert_eq!(lossy.counts().lost + lossy.counts().carried, 20_000);
        let doubled = run(&mut pipe("duplicate=10%"), 20_000, 10).len();
        assert!((21_600..22_400).contains(&doubled), "{doubled}");
        assert!(run(&mut pipe("loss=100%"), 50, 10).is_empty());
    }

    #[test]
    fn reordered_frames_are_overtaken_and_not_lost() {
        let mut order: Vec<u64> = run(&mut pipe("delay=20ms reorder=10%"), 1_000, 1_000)
            .into_iter()
            .map(|(_, frame)| frame)
            .collect();
        let overtaken = order.windows(2).filter(|pair| pair[0] > pair[1]).count();
        assert!((60..140).contains(&overtaken), "{overtaken}");
        order.sort_unstable();
        assert!(order.into_iter().eq(0..1_000));
    }

    #[test]
    fn a_rate_spaces_frames_out_and_a_full_queue_drops() {
        // 1000 bytes at 800 kbit/s are ten milliseconds.
        assert_eq!(run(&mut pipe("rate=800kbit"), 3, 1), [(10_000, 0), (20_000, 1), (30_000, 2)]);
        let mut short = pipe("rate=800kbit queue=3000");
        let out = run(&mut short, 100, 1);
        assert_eq!(out.iter().map(|(_, frame)| *frame).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(short.counts().overflowed, 97);
        // At half the rate nothing is dropped, however long it lasts.
        assert_eq!(run(&mut pipe("rate=800kbit queue=3000"), 500, 20_000).len(), 500);
    }

    #[test]
    fn a_cut_takes_what_is_under_way_and_ends() {
        let mut cable = pipe("delay=5ms");
        cable.offer(1, FRAME, Moment(0));
        cable.reshape(Shape { cut: true, ..Shape::default() });
        cable.offer(2, FRAME, Moment(10));
        assert_eq!(cable.wake(), None);
        cable.reshape(Shape::default());
        cable.offer(3, FRAME, Moment(600_000_000));
        assert_eq!(cable.poll(Moment(600_000_000)), Some(3));
        assert_eq!(cable.counts().cut, 2);
    }

    #[test]
    fn the_same_seed_does_the_same_again() {
        let words = "delay=30ms jitter=30ms loss=20% reorder=5% duplicate=5% rate=5mbit";
        assert_eq!(run(&mut pipe(words), 5_000, 300), run(&mut pipe(words), 5_000, 300));
        let mut other = Pipe::new(8);
        other.reshape(Shape::parse(words.split(' ')).unwrap());
        assert_ne!(run(&mut pipe(words), 5_000, 300), run(&mut other, 5_000, 300));
    }
}
