//! Two links over a hostile network, beside the simplest model there is: lists of what was said.
#![allow(clippy::unwrap_used)]

use belay_link::{Link, LinkError, Output, PathId, PathKind};
use belay_wire::Moment;
use belay_wire::link::{Class, Piece};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

const STREAMS: [Class; 3] = [Class::Ordered, Class::Input, Class::Screen];
const STATES: [Class; 2] = [Class::Cursor, Class::Seen];

/// A packet on its way: when it arrives, a number that keeps the order, at which end, by which path.
type Flying = Reverse<(Moment, u64, usize, u32, Vec<u8>)>;

/// A path as the network sees it.
struct Way {
    id: PathId,
    kind: PathKind,
    /// In per cent.
    loss: u8,
    /// In milliseconds, at least and at most.
    delay: (u64, u64),
    /// Swallows everything, and nobody has noticed yet.
    silent: bool,
    /// Up at this end.
    up: [bool; 2],
    /// When the newest packet of a relay arrives at each end.
    newest: [Moment; 2],
}

#[derive(Default)]
struct End {
    link: Link,
    said: HashMap<Class, Vec<Vec<u8>>>,
    heard: HashMap<Class, Vec<Vec<u8>>>,
}

struct World {
    ends: [End; 2],
    flying: BinaryHeap<Flying>,
    ways: Vec<Way>,
    now: Moment,
    rng: fastrand::Rng,
    next_path: u32,
    next_packet: u64,
    steps: u64,
}

impl World {
    fn new(seed: u64) -> World {
        World {
            ends: Default::default(),
            flying: BinaryHeap::new(),
            ways: Vec::new(),
            now: Moment(1),
            rng: fastrand::Rng::with_seed(seed),
            next_path: 0,
            next_packet: 0,
            steps: 0,
        }
    }

    fn up(&mut self, kind: PathKind, loss: u8, delay: (u64, u64)) -> usize {
        let id = PathId(self.next_path);
        self.next_path += 1;
        let way = Way { id, kind, loss, delay, silent: false, up: [true; 2], newest: [Moment(0); 2] };
        self.ways.push(way);
        for end in 0..2 {
            self.ends[end].link.path_up(id, kind, self.now);
            self.drain(end);
        }
        self.ways.len() - 1
    }

    /// The path goes at one end; the other is told later, by the second call.
    fn down(&mut self, at: usize, end: usize) {
        let way = &mut self.ways[at];
        (way.silent, way.up[end]) = (true, false);
        self.ends[end].link.path_down(way.id, self.now);
        if way.up == [false; 2] {
            self.ways.remove(at);
        }
        self.drain(end);
    }

    fn say(&mut self, end: usize, class: Class, len: usize) {
        let said = self.ends[end].said.entry(class).or_default();
        let mut message = vec![0; len];
        self.rng.fill(&mut message);
        message.extend((said.len() as u64).to_be_bytes());
        said.push(message.clone());
        self.ends[end].link.send(class, message).unwrap();
        self.drain(end);
    }

    fn drain(&mut self, end: usize) {
        while let Some(output) = self.ends[end].link.poll(self.now) {
            match output {
                Output::Deliver { class, message } => {
                    self.ends[end].heard.entry(class).or_default().push(message);
                }
                Output::Transmit { path, packet } => self.fly(1 - end, path, packet),
                Output::Active(path) => assert_eq!(path, self.ends[end].link.active()),
            }
            if self.rng.u8(..) == 0 {
                // A path that takes no more for a while; the next step lets it go on.
                let way = self.rng.u32(..=self.next_path);
                self.ends[end].link.writable(PathId(way), false);
            }
        }
    }

    fn fly(&mut self, to: usize, path: PathId, packet: Vec<u8>) {
        let way = self.ways.iter_mut().find(|way| way.id == path).expect("sent on a path that is up");
        assert!(way.up[1 - to], "sent on a path that is down");
        if way.silent {
            return;
        }
        let (least, most) = way.delay;
        let mut at = self.now + Duration::from_micros(self.rng.u64(least * 1000..=most * 1000));
        let copies = match way.kind {
            PathKind::Relay => {
                at = at.max(way.newest[to]);
                way.newest[to] = at;
                1
            }
            PathKind::Datagram if self.rng.u8(..100) < way.loss => 0,
            PathKind::Datagram => 1 + u64::from(self.rng.u8(..20) == 0),
        };
        for copy in 0..copies {
            self.next_packet += 1;
            let at = at + Duration::from_millis(copy * 7);
            self.flying.push(Reverse((at, self.next_packet, to, path.0, packet.clone())));
        }
    }

    /// Goes on to the next thing that happens, at most until `until`; whether something did.
    fn step(&mut self, until: Moment) -> bool {
        let flying = self.flying.peek().map(|Reverse(packet)| packet.0);
        let timeouts = self.ends.iter().filter_map(|end| end.link.next_timeout());
        let Some(next) = flying.into_iter().chain(timeouts).min().filter(|next| *next <= until) else {
            self.now = self.now.max(until);
            return false;
        };
        self.steps += 1;
        self.now = self.now.max(next);
        while let Some(Reverse(packet)) = self.flying.peek()
            && packet.0 <= self.now
        {
            let Some(Reverse((_, _, to, path, packet))) = self.flying.pop() else { break };
            if self.ways.iter().any(|way| way.id.0 == path && way.up[to] && !way.silent) {
                self.ends[to].link.received(PathId(path), &packet, self.now).unwrap();
                self.drain(to);
            }
        }
        for end in 0..2 {
            for way in 0..self.ways.len() {
                let id = self.ways[way].id;
                self.ends[end].link.writable(id, true);
            }
            self.ends[end].link.tick(self.now);
            self.drain(end);
        }
        true
    }

    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) {}
    }

    fn check(&self) {
        for (from, to) in [(0, 1), (1, 0)] {
            for (class, heard) in &self.ends[to].heard {
                let said = &self.ends[from].said[class];
                if class.is_stream() {
                    assert!(said.starts_with(heard), "{class:?} out of order or repeated");
                } else {
                    let mut rest = said.iter();
                    assert!(heard.iter().all(|heard| rest.any(|said| said == heard)), "{class:?} went back");
                }
            }
        }
    }

    fn check_all_arrived(&self, seed: u64) {
        self.check();
        for (from, to) in [(0, 1), (1, 0)] {
            for class in STREAMS {
                assert_eq!(
                    self.ends[from].said.get(&class),
                    self.ends[to].heard.get(&class),
                    "seed {seed}, {class:?}"
                );
            }
            for class in STATES {
                let (said, heard) = (self.ends[from].said.get(&class), self.ends[to].heard.get(&class));
                assert_eq!(
                    said.and_then(|said| said.last()),
                    heard.and_then(|heard| heard.last()),
                    "seed {seed}, {class:?}"
                );
            }
            assert_eq!(self.ends[from].link.unacknowledged(), 0, "seed {seed}");
        }
    }
}

fn any_way(world: &mut World) {
    let least = world.rng.u64(0..50);
    let delay = (least, least + world.rng.u64(0..100));
    let (kind, loss) = match world.rng.u8(..3) {
        0 => (PathKind::Relay, 0),
        _ => (PathKind::Datagram, world.rng.u8(..30)),
    };
    world.up(kind, loss, delay);
}

#[test]
fn everything_arrives_once_and_in_order_whatever_the_network_does() {
    let mut steps = 0;
    let mut seed = 0;
    while steps < 1_000_000 {
        seed += 1;
        let mut world = World::new(seed);
        for _ in 0..400 {
            match world.rng.u8(..40) {
                0..=1 if world.ways.len() < 4 => any_way(&mut world),
                2 if !world.ways.is_empty() => {
                    let (at, end) = (world.rng.usize(..world.ways.len()), world.rng.usize(..2));
                    if world.ways[at].up[end] {
                        world.down(at, end);
                    }
                }
                3 if !world.ways.is_empty() => {
                    // A datagram path falls silent and may come back; a relay that loses something is dead.
                    let at = world.rng.usize(..world.ways.len());
                    if world.ways[at].kind == PathKind::Datagram && world.ways[at].up == [true; 2] {
                        world.ways[at].silent ^= true;
                    }
                }
                4..=10 => {
                    let (end, class) = (world.rng.usize(..2), STATES[world.rng.usize(..2)]);
                    let len = world.rng.usize(..40);
                    world.say(end, class, len);
                }
                11..=12 => {
                    let (end, len) = (world.rng.usize(..2), world.rng.usize(..100_000));
                    world.say(end, Class::Screen, len);
                }
                _ => {
                    let (end, class) = (world.rng.usize(..2), STREAMS[world.rng.usize(..3)]);
                    let len = world.rng.usize(..60);
                    world.say(end, class, len);
                }
            }
            let time = world.rng.u64(..200);
            world.run(Duration::from_millis(time));
        }
        world.check();
        while let Some(way) = world.ways.first() {
            let end = usize::from(!way.up[0]);
            world.down(0, end);
        }
        if seed % 2 == 0 {
            world.up(PathKind::Relay, 0, (1, 60));
        } else {
            world.up(PathKind::Datagram, 10, (1, 60));
        }
        world.run(Duration::from_secs(120));
        world.check_all_arrived(seed);
        steps += world.steps;
    }
}

#[test]
fn a_better_path_is_chosen_and_a_silent_one_is_left() {
    let mut world = World::new(1);
    world.up(PathKind::Relay, 0, (30, 30));
    world.say(0, Class::Ordered, 10);
    world.run(Duration::from_secs(2));
    assert_eq!(world.ends[0].link.active(), Some(PathId(0)));
    let direct = world.up(PathKind::Datagram, 0, (5, 5));
    world.run(Duration::from_secs(1));
    for end in &world.ends {
        assert_eq!(end.link.active(), Some(PathId(1)));
        let round_trip = end.link.measures(PathId(1), world.now).unwrap().round_trip.unwrap();
        assert_eq!(round_trip, Duration::from_millis(10));
    }
    world.ways[direct].silent = true;
    world.say(0, Class::Ordered, 10);
    world.run(Duration::from_secs(11));
    assert_eq!(world.ends[0].link.active(), Some(PathId(0)));
    assert_eq!(world.ends[1].heard[&Class::Ordered].len(), 2);
    world.ways[direct].silent = false;
    world.run(Duration::from_secs(8));
    assert_eq!(world.ends[0].link.active(), Some(PathId(1)));
}

#[test]
fn the_only_path_falls_silent_and_comes_back() {
    let mut world = World::new(2);
    let way = world.up(PathKind::Datagram, 0, (5, 5));
    world.run(Duration::from_secs(2));
    assert_eq!(world.ends[0].link.active(), Some(PathId(0)));
    world.ways[way].silent = true;
    world.run(Duration::from_secs(10));
    assert_eq!(world.ends[0].link.active(), None);
    world.say(0, Class::Screen, 100_000);
    world.ways[way].silent = false;
    world.run(Duration::from_secs(3));
    world.check_all_arrived(2);
}

#[test]
fn a_path_that_takes_no_more_gets_no_more() {
    let mut link = Link::new();
    link.path_up(PathId(1), PathKind::Relay, Moment(0));
    let data = |link: &mut Link| {
        std::iter::from_fn(|| link.poll(Moment(0)))
            .filter_map(|output| match output {
                Output::Transmit { packet, .. } => Some(packet),
                Output::Deliver { .. } | Output::Active(_) => None,
            })
            .filter(|packet| packet.first() == Some(&2))
            .count()
    };
    link.writable(PathId(1), false);
    link.send(Class::Screen, vec![7; 1 << 20]).unwrap();
    assert_eq!(data(&mut link), 0);
    link.writable(PathId(1), true);
    assert_eq!(data(&mut link), 3, "a megabyte and its length in pieces of half a megabyte");
}

#[test]
fn a_lossy_datagram_path_gets_small_pieces() {
    let mut world = World::new(3);
    world.up(PathKind::Datagram, 5, (5, 5));
    world.run(Duration::from_secs(2));
    for _ in 0..40 {
        world.say(0, Class::Screen, 300_000);
        world.run(Duration::from_millis(200));
    }
    world.run(Duration::from_secs(20));
    world.check_all_arrived(3);
    world.ends[0].link.send(Class::Screen, vec![1; 5000]).unwrap();
    let mut sizes = Vec::new();
    while let Some(output) = world.ends[0].link.poll(world.now) {
        if let Output::Transmit { packet, .. } = output {
            sizes.push(packet.len());
        }
    }
    assert!(sizes.len() > 4 && sizes.iter().all(|len| *len < 1200), "{sizes:?}");
}

#[test]
fn a_link_that_is_never_acknowledged_says_so_instead_of_growing() {
    let mut link = Link::new();
    let sent = (0..100_000).take_while(|_| link.send(Class::Input, vec![0; 1020]).is_ok()).count();
    assert_eq!(sent, 4096);
    assert_eq!(link.send(Class::Input, vec![0; 1020]), Err(LinkError::Overflow(Class::Input)));
    assert_eq!(link.send(Class::Ordered, Vec::new()), Err(LinkError::Size(0)));
}

#[test]
fn an_acknowledgement_that_was_lost_comes_again_with_a_pong() {
    let packet = belay_wire::link::encode;
    let mut link = Link::new();
    link.path_up(PathId(1), PathKind::Relay, Moment(0));
    let data = Piece::Data { class: Class::Input, offset: 0, bytes: &[0, 0, 0, 1, 7] };
    link.received(PathId(1), &packet(&[data]), Moment(0)).unwrap();
    // The acknowledgement goes, and nobody receives it.
    while link.poll(Moment(20_000)).is_some() {}
    assert_eq!(link.poll(Moment(40_000)), None);
    link.received(PathId(1), &packet(&[Piece::Ping(9)]), Moment(50_000)).unwrap();
    let ack = belay_wire::link::Ack { class: Class::Input, next: 5, ranges: Vec::new() };
    let packet = packet(&[Piece::Pong(9), Piece::Ack(ack)]);
    assert_eq!(link.poll(Moment(50_000)), Some(Output::Transmit { path: PathId(1), packet }));
}

/// Two ends with one relay between them that takes no time and drops what it is told to drop.
#[test]
fn what_a_relay_drops_is_noticed_by_the_answer_to_a_ping() {
    let mut ends = [Link::new(), Link::new()];
    ends.iter_mut().for_each(|end| end.path_up(PathId(1), PathKind::Relay, Moment(0)));
    let mut dropped = 0;
    let mut heard = Vec::new();
    for step in 0..120u64 {
        let now = Moment(step * 100_000);
        if step < 40 {
            ends[0].send(Class::Input, step.to_be_bytes().to_vec()).unwrap();
        }
        for from in [0, 1, 0, 1] {
            ends[from].tick(now);
            while let Some(output) = ends[from].poll(now) {
                match output {
                    Output::Transmit { packet, .. } => {
                        let data = packet.windows(9).any(|part| part[..2] == [2, 2]);
                        if from == 0 && data && step % 7 == 3 {
                            dropped += 1;
                        } else {
                            ends[1 - from].received(PathId(1), &packet, now).unwrap();
                        }
                    }
                    Output::Deliver { message, .. } => heard.push(message),
                    Output::Active(_) => {}
                }
            }
        }
    }
    let said: Vec<Vec<u8>> = (0..40u64).map(|step| step.to_be_bytes().to_vec()).collect();
    assert!(dropped > 4, "{dropped}");
    assert_eq!(ends.each_ref().map(Link::swallowed), [dropped, 0]);
    assert_eq!(heard, said);
    assert_eq!(ends[0].unacknowledged(), 0);
}

#[test]
fn what_was_never_sent_cannot_be_acknowledged() {
    let ack = |class, next, ranges: &[(u64, u64)]| {
        let ack = belay_wire::link::Ack { class, next, ranges: ranges.to_vec() };
        belay_wire::link::encode(&[Piece::Ack(ack)])
    };
    let mut link = Link::new();
    assert!(link.received(PathId(1), &ack(Class::Input, 0, &[]), Moment(0)).is_ok());
    assert!(link.received(PathId(1), &ack(Class::Input, 1, &[]), Moment(0)).is_err());
    assert!(link.received(PathId(1), &ack(Class::Screen, 0, &[(4, 5)]), Moment(0)).is_err());
    assert!(link.received(PathId(1), &ack(Class::Seen, 1, &[]), Moment(0)).is_err());
}

#[test]
fn what_lies_too_far_ahead_is_ignored() {
    let data = |offset, bytes: &[u8]| {
        belay_wire::link::encode(&[Piece::Data { class: Class::Input, offset, bytes }])
    };
    let mut link = Link::new();
    link.path_up(PathId(1), PathKind::Datagram, Moment(0));
    let far = belay_link::WINDOW as u64;
    link.received(PathId(1), &data(far, &[1]), Moment(0)).unwrap();
    link.received(PathId(1), &data(5, &[9]), Moment(0)).unwrap();
    link.received(PathId(1), &data(0, &[0, 0, 0, 1, 8]), Moment(0)).unwrap();
    let delivered: Vec<Output> = std::iter::from_fn(|| link.poll(Moment(0))).collect();
    assert!(delivered.contains(&Output::Deliver { class: Class::Input, message: vec![8] }));
    link.received(PathId(1), &data(0, &[0, 0, 0, 1, 8]), Moment(0)).unwrap();
    assert_eq!(link.poll(Moment(0)).map(|output| matches!(output, Output::Deliver { .. })), None);
}

#[test]
fn malformed_packets_are_errors_and_never_a_panic() {
    let mut rng = fastrand::Rng::with_seed(3);
    let mut link = Link::new();
    link.path_up(PathId(1), PathKind::Datagram, Moment(0));
    for at in 0..200_000 {
        let mut bytes = vec![0; rng.usize(..40)];
        rng.fill(&mut bytes);
        for byte in &mut bytes {
            *byte &= [0xff, 0x13, 0x03][rng.usize(..3)];
        }
        let now = Moment(at * 100);
        let _ = link.received(PathId(1), &bytes, now);
        link.tick(now);
        while link.poll(now).is_some() {}
    }
}
