//! The screen over simulated ways: whatever the way and whatever happens on the desktop, the viewer ends identical, what waits on the way
//! is bounded, and on a thin way something recognizable comes soon.
#![allow(clippy::unwrap_used)]

mod desk;

use std::collections::VecDeque;
use std::time::Duration;

use belay_screen::{Decoder, Encoder, Pace, Pacer, Purpose, Rect};
use belay_wire::Moment;
use belay_wire::message::ScreenUpdate;
use desk::Desk;

/// A way that delivers everything in order, as fast as it can; what is lost comes a round trip later, and all behind it with it.
#[derive(Clone, Copy)]
struct Way {
    /// Bytes a second.
    rate: f64,
    /// From the desktop to the viewer, and as much back.
    delay: Duration,
    /// The share of packets that get lost.
    loss: f64,
}

const HEADERS: usize = 120;
const PACKET: usize = 1400;

impl Way {
    fn of(kilobits: u32, round_trip: u64, loss: f64) -> Way {
        let delay = Duration::from_millis(round_trip / 2);
        Way { rate: f64::from(kilobits) * 125.0, delay, loss }
    }

    fn time(&self, bytes: usize) -> Duration {
        Duration::from_secs_f64(bytes as f64 / self.rate)
    }
}

/// Desktop, encoder, way and viewer on one clock.
struct World {
    way: Way,
    random: fastrand::Rng,
    now: Moment,
    desk: Desk,
    encoder: Encoder,
    pacer: Pacer,
    viewer: Decoder,
    /// When the last byte that was sent has left.
    busy_until: Moment,
    /// When the last byte that was sent arrives: nothing overtakes.
    arrived: Moment,
    out: VecDeque<(Moment, ScreenUpdate)>,
    back: VecDeque<(Moment, u32)>,
    /// The longest that something waited for what had been sent before it.
    waited: Duration,
    bytes: usize,
}

impl World {
    fn new(way: Way, desk: Desk, known: bool, seed: u64) -> World {
        World {
            way,
            random: fastrand::Rng::with_seed(seed),
            now: Moment(1_000_000),
            desk,
            encoder: Encoder::new().unwrap(),
            pacer: Pacer::new(known.then_some(way.delay * 2)),
            viewer: Decoder::new(),
            busy_until: Moment(0),
            arrived: Moment(0),
            out: VecDeque::new(),
            back: VecDeque::new(),
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    fn purpose(&self) -> Option<Purpose> {
        if !self.desk.damage.is_empty() || self.encoder.number() == 0 {
            Some(Purpose::News)
        } else {
            self.encoder.owes().then_some(Purpose::Refinement)
        }
    }

    /// Sends as the feed does, if it may; else says when to come back.
    fn feed(&mut self) -> Option<Moment> {
        let purpose = self.purpose()?;
        match self.pacer.ask(purpose, self.now) {
            Pace::Now => {}
            Pace::At(at) | Pace::Seen(at) => return Some(at),
        }
        let damage = std::mem::take(&mut self.desk.damage);
        let allowance = self.pacer.allowance();
        let updates = self.encoder.encode_within(self.desk.frame(), &damage, allowance, self.now).unwrap();
        let Some(last) = updates.last().map(|update| update.number) else { return Some(self.now) };
        let bytes = updates.iter().map(|update| update.operations_zstd.len()).sum();
        self.pacer.sent(last, bytes, purpose, self.encoder.owes(), self.now);
        for update in updates {
            let size = update.operations_zstd.len() + HEADERS;
            self.bytes += size;
            let start = self.busy_until.max(self.now);
            self.waited = self.waited.max(start.since(self.now));
            self.busy_until = start + self.way.time(size);
            let packets = size.div_ceil(PACKET);
            let lost = (0..packets).any(|_| self.random.f64() < self.way.loss);
            let late = if lost { self.way.delay * 2 + Duration::from_millis(20) } else { Duration::ZERO };
            self.arrived = self.arrived.max(self.busy_until + self.way.delay + late);
            self.out.push_back((self.arrived, update));
        }
        Some(self.now)
    }

    /// Goes on until then.
    fn run(&mut self, until: Moment) {
        loop {
            let mut again = self.feed();
            while again == Some(self.now) {
                again = self.feed();
            }
            let arrival = self.out.front().map(|(at, _)| *at);
            let answer = self.back.front().map(|(at, _)| *at);
            let next = [again, arrival, answer].into_iter().flatten().min().unwrap_or(until);
            if next >= until {
                self.now = until;
                return;
            }
            self.now = self.now.max(next);
            while let Some((_, update)) = self.out.pop_front_if(|(at, _)| *at <= self.now) {
                self.viewer.apply(&update).unwrap();
                if !update.more {
                    self.back.push_back((self.now + self.way.delay, update.number));
                }
            }
            while let Some((_, number)) = self.back.pop_front_if(|(at, _)| *at <= self.now) {
                self.pacer.seen(number, self.now);
            }
        }
    }

    fn run_for(&mut self, milliseconds: u64) {
        self.run(self.now + Duration::from_millis(milliseconds));
    }

    fn is_exact(&self) -> bool {
        let (width, height, pixels) = self.viewer.picture();
        (usize::from(width), usize::from(height)) == (self.desk.width, self.desk.height)
            && pixels == self.desk.pixels
    }

    /// The time until the condition holds, looked at every ten milliseconds.
    fn until(&mut self, what: &str, holds: impl Fn(&World) -> bool) -> Duration {
        let start = self.now;
        while !holds(self) {
            self.run_for(10);
            assert!(self.now.since(start) < Duration::from_secs(120), "{what} never came");
        }
        self.now.since(start)
    }

    /// PSNR in dB of both pictures at a quarter of their sides.
    fn likeness(&self) -> f64 {
        let (width, height, pixels) = self.viewer.picture();
        let (width, height) = (usize::from(width), usize::from(height));
        if (width, height) != (self.desk.width, self.desk.height) {
            return 0.0;
        }
        let mut error = 0.0;
        let mut count = 0.0;
        for (y, x) in (0..height / 4).flat_map(|y| (0..width / 4).map(move |x| (y, x))) {
            let mean = |picture: &[u32], shift: u32| -> f64 {
                let places = (0..16).map(|at| (y * 4 + at / 4) * width + x * 4 + at % 4);
                places.map(|at| f64::from(picture[at] >> shift & 255)).sum::<f64>() / 16.0
            };
            for shift in [0, 8, 16] {
                error += (mean(pixels, shift) - mean(&self.desk.pixels, shift)).powi(2);
                count += 1.0;
            }
        }
        10.0 * (255.0 * 255.0 * count / f64::max(error, 1e-9)).log10()
    }
}

fn full_hd() -> Desk {
    let mut desk = Desk::new(1920, 1080, 1);
    desk.write(Rect::new(60, 60, 1260, 972), 1);
    desk.photo(Rect::new(1400, 440, 440, 330), 4);
    desk
}

#[test]
fn a_thin_way_shows_something_within_two_seconds_and_everything_in_the_end() {
    for (kilobits, round_trip, loss, soon, whole) in
        [(200, 200, 0.0, 2500, 12_000), (500, 80, 0.0, 1200, 5000), (2000, 80, 0.02, 1000, 4000)]
    {
        let mut world = World::new(Way::of(kilobits, round_trip, loss), full_hd(), true, 1);
        let recognizable = world.until("something", |world| world.likeness() >= 22.0);
        let coarse = world.bytes;
        let exact = recognizable + world.until("the exact picture", World::is_exact);
        println!(
            "{kilobits} kbit/s, {round_trip} ms, {loss}: recognizable {recognizable:?} after {coarse} bytes, exact {exact:?} after {}, waited {:?}",
            world.bytes, world.waited
        );
        assert!(recognizable <= Duration::from_millis(soon), "{kilobits}: {recognizable:?}");
        assert!(exact <= Duration::from_millis(whole), "{kilobits}: {exact:?}");
    }
}

#[test]
fn a_letter_goes_ahead_of_what_is_only_to_become_exact() {
    for (loss, late) in [(0.0, 60), (0.05, 420)] {
        let way = Way::of(200, 200, loss);
        let mut world = World::new(way, full_hd(), true, 1);
        world.until("something", |world| world.likeness() >= 22.0);
        let mut times = Vec::new();
        for letter in 0..20u16 {
            let place = Rect::new(1400 + 9 * letter, 900, 9, 18);
            world.desk.fill(place, 0x00ff_0000 + u32::from(letter));
            let at = 905 * world.desk.width + usize::from(place.x) + 4;
            let colour = world.desk.pixels[at];
            // The way of the key press itself is not in it.
            times.push(world.until("the letter", |world| world.viewer.picture().2[at] == colour));
            world.run_for(170);
        }
        assert!(!world.is_exact(), "it was to be measured while the rest becomes exact");
        times.sort();
        println!("{loss}: {times:?}");
        let aim = way.delay * 4 - way.delay;
        assert!(times[10] <= aim, "half of the letters within two round trips of their key: {times:?}");
        assert!(times[18] <= aim + Duration::from_millis(late), "{times:?}");
    }
}

#[test]
fn what_waits_on_the_way_is_bounded_on_every_way() {
    for (kilobits, round_trip) in [
        (200, 200),
        (200, 20),
        (500, 80),
        (1000, 300),
        (4000, 40),
        (20_000, 100),
        (100_000, 2),
        (100_000, 150),
    ] {
        for loss in [0.0, 0.02] {
            let mut world = World::new(Way::of(kilobits, round_trip, loss), full_hd(), true, 7);
            world.run_for(4000);
            world.waited = Duration::ZERO;
            for round in 0..30 {
                let page = Rect::new(60, 60, 1260, 972);
                if round % 6 == 0 {
                    world.desk.write(page, round);
                }
                world.desk.shift(page, 0, -18, round);
                world.run_for(100);
            }
            let own = Way::of(kilobits, round_trip, loss).time(4 << 10);
            let bound = Duration::from_millis(150 + round_trip / 4) + own;
            println!("{kilobits} kbit/s, {round_trip} ms, {loss}: waited {:?}", world.waited);
            assert!(world.waited <= bound, "{kilobits} kbit/s, {round_trip} ms, {loss}: {:?}", world.waited);
            world.until("the exact picture", World::is_exact);
        }
    }
}

#[test]
fn a_wide_way_gets_everything_at_once_and_exactly() {
    let mut world = World::new(Way::of(100_000, 4, 0.0), full_hd(), true, 1);
    assert_eq!(world.feed(), Some(world.now));
    assert!(!world.encoder.owes());
    let mut plain = Encoder::new().unwrap();
    let updates = plain.encode(full_hd().frame(), &[], Moment(1)).unwrap();
    let sent: Vec<&ScreenUpdate> = world.out.iter().map(|(_, update)| update).collect();
    assert_eq!(sent, updates.iter().collect::<Vec<_>>());
    let mut far = World::new(Way::of(100_000, 80, 0.0), full_hd(), true, 1);
    let exact = far.until("the exact picture", World::is_exact);
    assert!(exact <= Duration::from_millis(500), "{exact:?}");
}

#[test]
fn any_sequence_over_any_way_ends_identical() {
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let way = Way::of(
            [30, 200, 1000, 20_000][random.usize(0..4)],
            [0, 20, 200, 600][random.usize(0..4)],
            [0.0, 0.02, 0.2][random.usize(0..3)],
        );
        let desk = Desk::new(random.usize(1..700), random.usize(1..500), seed);
        let mut world = World::new(way, desk, random.bool(), seed);
        for _ in 0..25 {
            for _ in 0..random.usize(1..4) {
                world.desk.something(&mut random);
            }
            if random.u8(..) < 12 {
                // The viewer lost everything, and what is under way is of no use to it.
                world.encoder.resync();
                world.pacer.restart();
                world.viewer = Decoder::new();
                world.out.clear();
                world.desk.damage.push(Rect::new(0, 0, 1, 1));
            }
            if random.bool() {
                world.encoder.look_at(random.u16(0..700), random.u16(0..500));
            }
            world.run_for(random.u64(0..400));
        }
        world.until("the exact picture", World::is_exact);
        let number = world.encoder.number();
        world.run_for(5000);
        assert_eq!(world.encoder.number(), number, "then nothing more is sent");
    }
}

#[test]
fn any_allowances_end_identical() {
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut desk = Desk::new(random.usize(1..500), random.usize(1..400), seed);
        let (mut encoder, mut viewer) = (Encoder::new().unwrap(), Decoder::new());
        let mut now = Moment(1_000_000);
        let mut step = |desk: &mut Desk, encoder: &mut Encoder, random: &mut fastrand::Rng| {
            let damage = std::mem::take(&mut desk.damage);
            let rate = [1.0, 30_000.0, 90_000.0, f64::INFINITY][random.usize(0..4)];
            let allowance = belay_screen::Allowance { bytes: random.usize(1..20_000), rate };
            let allowance = (random.u8(0..10) > 0).then_some(allowance);
            let updates = encoder.encode_within(desk.frame(), &damage, allowance, now).unwrap();
            now = now + Duration::from_millis(random.u64(0..300));
            updates.iter().for_each(|update| viewer.apply(update).unwrap());
            viewer.picture().2 == desk.pixels
        };
        for _ in 0..30 {
            desk.something(&mut random);
            if random.u8(..) < 12 {
                encoder.resync();
            }
            step(&mut desk, &mut encoder, &mut random);
        }
        let mut steps = 0;
        while encoder.owes() || steps == 0 {
            step(&mut desk, &mut encoder, &mut random);
            steps += 1;
            assert!(steps < 20_000, "it never ends");
        }
        assert!(step(&mut desk, &mut encoder, &mut random), "seed {seed}");
    }
}
