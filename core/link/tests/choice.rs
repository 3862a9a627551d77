//! Which of several paths is used: alike ones are not changed between, a better one is taken soon, a silent one left at once.
#![allow(clippy::unwrap_used)]

use belay_link::{Link, Output, PathId, PathKind};
use belay_wire::Moment;
use belay_wire::link::Class;
use std::time::Duration;

const RELAY: usize = 0;
const DIRECT: usize = 1;

/// How a path delays, one way.
#[derive(Clone, Copy)]
struct Weather {
    /// In milliseconds, at least and at most.
    delay: (u64, u64),
    /// Of a thousand packets so many come a third of a second late: somebody on the way was busy.
    late: u32,
    /// Of a thousand packets so many are lost; on a relay they come later instead.
    lost: u32,
    silent: bool,
}

fn steady(delay: u64) -> Weather {
    Weather { delay: (delay, delay), late: 0, lost: 0, silent: false }
}

/// Two ends, a relay and a direct path.
struct World {
    ends: [Link; 2],
    /// Relay and direct path; a path that is not up has no weather.
    ways: [Option<Weather>; 2],
    newest: [[Moment; 2]; 2],
    flying: Vec<(Moment, u64, usize, usize, Vec<u8>)>,
    sent: u64,
    now: Moment,
    rng: fastrand::Rng,
    /// The paths of the first end, and since when.
    used: Vec<(Moment, Option<PathId>)>,
    heard: usize,
    /// An end that does nothing before then.
    busy: (usize, Moment),
}

impl World {
    fn new(seed: u64, relay: Weather) -> World {
        let mut world = World {
            ends: [Link::new(), Link::new()],
            ways: [None; 2],
            newest: [[Moment(0); 2]; 2],
            flying: Vec::new(),
            sent: 0,
            now: Moment(1),
            rng: fastrand::Rng::with_seed(seed),
            used: Vec::new(),
            heard: 0,
            busy: (0, Moment(0)),
        };
        world.up(RELAY, relay);
        world
    }

    fn up(&mut self, way: usize, weather: Weather) {
        self.ways[way] = Some(weather);
        let kind = if way == RELAY { PathKind::Relay } else { PathKind::Datagram };
        for end in 0..2 {
            self.ends[end].path_up(PathId(way as u32), kind, self.now);
            self.drain(end);
        }
    }

    fn drain(&mut self, end: usize) {
        while let Some(output) = self.ends[end].poll(self.now) {
            match output {
                Output::Transmit { path, packet } => self.fly(end, path.0 as usize, packet),
                Output::Deliver { .. } => self.heard += 1,
                Output::Active(path) if end == 0 => self.used.push((self.now, path)),
                Output::Active(_) => {}
            }
        }
    }

    fn fly(&mut self, from: usize, way: usize, packet: Vec<u8>) {
        let Some(weather) = self.ways[way] else { return };
        let (least, most) = weather.delay;
        let lost = self.rng.u32(..1000) < weather.lost;
        if weather.silent || (lost && way == DIRECT) {
            return;
        }
        let mut delay = self.rng.u64(least * 1000..=most * 1000);
        if lost || self.rng.u32(..1000) < weather.late {
            delay += 330_000;
        }
        let mut at = self.now + Duration::from_micros(delay);
        if self.busy.0 != from {
            at = at.max(self.busy.1);
        }
        if way == RELAY {
            at = at.max(self.newest[way][from]);
            self.newest[way][from] = at;
        }
        self.sent += 1;
        self.flying.push((at, self.sent, from, way, packet));
    }

    /// Lets time pass, with a key press at the first end every so often, if wanted.
    fn run(&mut self, time: Duration, typing: Option<Duration>) {
        let until = self.now + time;
        let mut press = typing.map(|_| self.now);
        loop {
            let next = self.flying.iter().map(|packet| packet.0).chain(press);
            let Some(next) = next.chain(self.ends.iter().filter_map(Link::next_timeout)).min() else { break };
            if next > until {
                break;
            }
            self.now = self.now.max(next);
            self.flying.sort_by_key(|packet| std::cmp::Reverse((packet.0, packet.1)));
            while let Some(packet) = self.flying.pop_if(|packet| packet.0 <= self.now) {
                let (_, _, from, way, packet) = packet;
                self.ends[1 - from].received(PathId(way as u32), &packet, self.now).unwrap();
                self.drain(1 - from);
            }
            if let (Some(at), Some(every)) = (press, typing)
                && at <= self.now
            {
                self.ends[0].send(Class::Input, vec![7]).unwrap();
                press = Some(at + every);
            }
            for end in 0..2 {
                self.ends[end].tick(self.now);
                self.drain(end);
            }
        }
        self.now = until;
    }

    fn active(&self) -> Option<usize> {
        self.ends[0].active().map(|path| path.0 as usize)
    }
}

const TYPING: Option<Duration> = Some(Duration::from_millis(150));

#[test]
fn alike_paths_are_not_changed_between() {
    let mut worst = 0;
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (least, spread) = (rng.u64(1..60), rng.u64(0..60));
        let relay = Weather { late: rng.u32(..50), lost: rng.u32(..20), ..steady(least) };
        let relay = Weather { delay: (least, least + spread), ..relay };
        // What the relay costs its operator counts a quarter more and ten milliseconds, there and back.
        let (near, far) = (least * 5 / 4, (least + spread) * 5 / 4);
        let direct =
            Weather { delay: (near + 5, far + 5), late: rng.u32(..50), lost: rng.u32(..20), silent: false };
        let mut world = World::new(seed, relay);
        world.run(Duration::from_secs(5), TYPING);
        world.up(DIRECT, direct);
        world.run(Duration::from_secs(600), if seed % 2 == 0 { TYPING } else { None });
        let changes = world.used.len() - 1;
        worst = worst.max(changes);
        assert!(changes <= 6, "seed {seed}: {changes} changes in ten minutes: {:?}", world.used);
    }
    assert!(worst > 0, "in none of these worlds was a path changed: they show nothing");
}

#[test]
fn of_two_that_are_the_same_the_direct_one_is_used() {
    for seed in 0..50 {
        let same = Weather { delay: (10, 20), late: 10, lost: 0, silent: false };
        let mut world = World::new(seed, same);
        world.run(Duration::from_secs(5), TYPING);
        world.up(DIRECT, same);
        world.run(Duration::from_secs(60), TYPING);
        assert_eq!(world.active(), Some(DIRECT), "seed {seed}: {:?}", world.used);
    }
}

#[test]
fn a_really_better_path_is_taken_within_two_seconds() {
    for seed in 0..100 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let delay = rng.u64(10..150);
        let jitter = |delay: u64| Weather { delay: (delay, delay + delay / 4), ..steady(delay) };
        let mut world = World::new(seed, jitter(delay));
        world.run(Duration::from_secs(20), TYPING);
        world.up(DIRECT, jitter(delay / 2));
        world.run(Duration::from_secs(2), None);
        assert_eq!(world.active(), Some(DIRECT), "seed {seed}");
    }
}

/// A busy computer at the start of a session: its answers by the relay came at any time.
#[test]
fn measures_of_a_busy_moment_do_not_keep_a_far_better_path_from_being_taken() {
    for seed in 0..100 {
        let mut world = World::new(seed, Weather { delay: (20, 150), ..steady(20) });
        world.run(Duration::from_secs(3), TYPING);
        world.up(DIRECT, steady(2));
        world.run(Duration::from_secs(2), TYPING);
        assert_eq!(world.active(), Some(DIRECT), "seed {seed}");
    }
}

#[test]
fn a_path_that_has_become_much_worse_is_left_within_three_seconds() {
    for seed in 0..100 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let delay = rng.u64(5..40);
        let mut world = World::new(seed, steady(delay));
        world.run(Duration::from_secs(2), TYPING);
        world.up(DIRECT, steady(delay));
        world.run(Duration::from_secs(40), TYPING);
        assert_eq!(world.active(), Some(DIRECT), "seed {seed}");
        world.ways[DIRECT] = Some(steady(delay * 4 + 60));
        world.run(Duration::from_secs(3), TYPING);
        assert_eq!(world.active(), Some(RELAY), "seed {seed}: {:?}", world.used);
    }
}

#[test]
fn a_path_that_does_not_answer_any_more_is_left_within_a_second() {
    for seed in 0..100 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let delay = rng.u64(1..60);
        let mut world = World::new(seed, steady(delay));
        world.run(Duration::from_secs(2), TYPING);
        world.up(DIRECT, steady(delay));
        let before = rng.u64(5..30);
        world.run(Duration::from_secs(before), TYPING);
        assert_eq!(world.active(), Some(DIRECT), "seed {seed}");
        world.ways[DIRECT] = Some(Weather { silent: true, ..steady(delay) });
        world.run(Duration::from_millis(1200), TYPING);
        assert_eq!(world.active(), Some(RELAY), "seed {seed}");
        let heard = world.heard;
        world.run(Duration::from_secs(1), TYPING);
        assert!(world.heard > heard + 4, "seed {seed}: what was typed does not arrive");
        // And when it answers again it is used again.
        world.ways[DIRECT] = Some(steady(delay));
        world.run(Duration::from_secs(30), TYPING);
        assert_eq!(world.active(), Some(DIRECT), "seed {seed}: {:?}", world.used);
    }
}

#[test]
fn who_answers_nowhere_for_a_moment_is_no_reason_to_change() {
    let mut world = World::new(1, steady(20));
    world.run(Duration::from_secs(2), TYPING);
    world.up(DIRECT, steady(15));
    world.run(Duration::from_secs(20), TYPING);
    let changes = world.used.len();
    for _ in 0..10 {
        // The other end does nothing for a while: a busy computer.
        world.busy = (1, world.now + Duration::from_millis(2500));
        world.run(Duration::from_secs(10), TYPING);
    }
    assert_eq!(world.used.len(), changes, "{:?}", world.used);
}

/// What the screen's first picture goes by: a computer that answers late now and then does not make a near partner a far one.
#[test]
fn the_shortest_round_trip_tells_of_the_way_and_not_of_the_computers() {
    for seed in 0..50 {
        let mut world = World::new(seed, Weather { delay: (2, 60), ..steady(2) });
        world.run(Duration::from_secs(10), TYPING);
        let measures = world.ends[0].measures(PathId(RELAY as u32), world.now).unwrap();
        let (shortest, usual) = (measures.shortest.unwrap(), measures.round_trip.unwrap());
        assert!(shortest < usual, "seed {seed}: {shortest:?} of {usual:?}");
        let mut far = World::new(seed, steady(20));
        far.run(Duration::from_secs(10), TYPING);
        let far = far.ends[0].measures(PathId(RELAY as u32), far.now).unwrap();
        assert!(far.shortest >= Some(Duration::from_millis(40)), "seed {seed}: {far:?}");
    }
}

#[test]
fn a_path_says_beforehand_when_it_becomes_suspected() {
    for seed in 0..20 {
        let mut world = World::new(seed, steady(20));
        let suspected_at = |world: &World| world.ends[0].suspected_at(PathId(RELAY as u32));
        for _ in 0..1000 {
            world.run(Duration::from_millis(10), TYPING);
            let at = suspected_at(&world);
            assert!(at.is_none_or(|at| at > world.now), "seed {seed}: {at:?} at {:?}", world.now);
        }
        world.ways[RELAY] = Some(Weather { silent: true, ..steady(20) });
        world.run(Duration::from_secs(6), TYPING);
        let at = suspected_at(&world);
        assert!(at.is_some_and(|at| at <= world.now), "seed {seed}: {at:?} at {:?}", world.now);
    }
}
