//! Two links over a hostile network, beside the simplest model there is: lists of what was said.
#![allow(clippy::unwrap_used)]

use belay_link::{Link, Output, PathId, PathKind};
use belay_wire::Moment;
use belay_wire::link::Class;
use std::collections::HashMap;
use std::time::Duration;

/// A packet on its way: when it arrives, at which end, by which path.
struct Flying {
    at: Moment,
    to: usize,
    path: PathId,
    packet: Vec<u8>,
}

#[derive(Default)]
struct End {
    link: Link,
    said: HashMap<Class, Vec<Vec<u8>>>,
    heard: HashMap<Class, Vec<Vec<u8>>>,
}

struct World {
    ends: [End; 2],
    flying: Vec<Flying>,
    paths: Vec<(PathId, PathKind)>,
    now: Moment,
    rng: fastrand::Rng,
    next_path: u32,
    last_relay: [Moment; 2],
}

const RELIABLE: [Class; 2] = [Class::Ordered, Class::Input];
const STATES: [Class; 3] = [Class::Screen, Class::Cursor, Class::Seen];

impl World {
    fn new(seed: u64) -> World {
        World {
            ends: Default::default(),
            flying: Vec::new(),
            paths: Vec::new(),
            now: Moment(1),
            rng: fastrand::Rng::with_seed(seed),
            next_path: 0,
            last_relay: [Moment(0); 2],
        }
    }

    fn up(&mut self, kind: PathKind) {
        let id = PathId(self.next_path);
        self.next_path += 1;
        self.paths.push((id, kind));
        for end in 0..2 {
            self.ends[end].link.path_up(id, kind, self.now);
            self.drain(end);
        }
    }

    fn down(&mut self, at: usize) {
        let (id, _) = self.paths.remove(at);
        self.flying.retain(|packet| packet.path != id);
        for end in 0..2 {
            self.ends[end].link.path_down(id, self.now);
            self.drain(end);
        }
    }

    fn say(&mut self, end: usize, class: Class) {
        let mut message = vec![0; self.rng.usize(..40)];
        self.rng.fill(&mut message);
        message.extend((self.ends[end].said.entry(class).or_default().len() as u64).to_be_bytes());
        if self.ends[end].link.send(class, message.clone(), self.now).is_ok() {
            self.ends[end].said.entry(class).or_default().push(message);
        }
        self.drain(end);
    }

    fn drain(&mut self, end: usize) {
        while let Some(output) = self.ends[end].link.poll() {
            match output {
                Output::Deliver { class, message } => {
                    self.ends[end].heard.entry(class).or_default().push(message);
                }
                Output::Transmit { path, packet } => self.fly(1 - end, path, packet),
            }
        }
    }

    fn fly(&mut self, to: usize, path: PathId, packet: Vec<u8>) {
        let (_, kind) = *self.paths.iter().find(|(id, _)| *id == path).expect("sent on a path that is up");
        match kind {
            PathKind::Relay => {
                let at = (self.now + Duration::from_millis(self.rng.u64(1..60))).max(self.last_relay[to]);
                self.last_relay[to] = at;
                self.flying.push(Flying { at, to, path, packet });
            }
            PathKind::Datagram => {
                for _ in 0..[0, 1, 1, 1, 1, 1, 1, 2][self.rng.usize(..8)] {
                    let at = self.now + Duration::from_millis(self.rng.u64(1..200));
                    self.flying.push(Flying { at, to, path, packet: packet.clone() });
                }
            }
        }
    }

    /// Goes on to the next thing that happens, at most until `until`; whether something did.
    fn step(&mut self, until: Moment) -> bool {
        let flying = self.flying.iter().map(|packet| packet.at).min();
        let timeouts = self.ends.iter().filter_map(|end| end.link.next_timeout());
        let Some(next) = flying.into_iter().chain(timeouts).min().filter(|next| *next <= until) else {
            self.now = self.now.max(until);
            return false;
        };
        self.now = self.now.max(next);
        if let Some(at) = self.flying.iter().position(|packet| packet.at <= self.now) {
            let packet = self.flying.remove(at);
            self.ends[packet.to].link.received(&packet.packet, self.now).unwrap();
            self.drain(packet.to);
        }
        for end in 0..2 {
            self.ends[end].link.tick(self.now);
            self.drain(end);
        }
        true
    }

    fn check(&self) {
        for (from, to) in [(0, 1), (1, 0)] {
            for class in RELIABLE {
                let (said, heard) = (self.ends[from].said.get(&class), self.ends[to].heard.get(&class));
                let heard = heard.map_or(&[][..], Vec::as_slice);
                assert!(
                    said.map_or(&[][..], Vec::as_slice).starts_with(heard),
                    "{class:?} out of order or repeated"
                );
            }
            for class in STATES {
                let said = self.ends[from].said.get(&class).map_or(&[][..], Vec::as_slice);
                let mut rest = said.iter();
                for heard in self.ends[to].heard.get(&class).map_or(&[][..], Vec::as_slice) {
                    assert!(rest.any(|message| message == heard), "{class:?} went back in time");
                }
            }
        }
    }
}

#[test]
fn reliable_messages_arrive_once_and_in_order_whatever_the_network_does() {
    let mut steps = 0;
    for seed in 0..400 {
        let mut world = World::new(seed);
        for _ in 0..120 {
            match world.rng.u8(..20) {
                0 if world.paths.len() < 3 => world.up(PathKind::Relay),
                1 if world.paths.len() < 3 => world.up(PathKind::Datagram),
                2 if !world.paths.is_empty() => {
                    let at = world.rng.usize(..world.paths.len());
                    world.down(at);
                }
                3..=5 => {
                    let (end, class) = (world.rng.usize(..2), STATES[world.rng.usize(..3)]);
                    world.say(end, class);
                }
                _ => {
                    let (end, class) = (world.rng.usize(..2), RELIABLE[world.rng.usize(..2)]);
                    world.say(end, class);
                }
            }
            let until = world.now + Duration::from_millis(world.rng.u64(..100));
            while world.step(until) {
                steps += 1;
            }
            world.check();
        }
        while !world.paths.is_empty() {
            world.down(0);
        }
        world.up(if seed % 2 == 0 { PathKind::Relay } else { PathKind::Datagram });
        let until = world.now + Duration::from_secs(600);
        while world.step(until) {
            steps += 1;
        }
        world.check();
        for (from, to) in [(0, 1), (1, 0)] {
            for class in RELIABLE {
                assert_eq!(
                    world.ends[from].said.get(&class),
                    world.ends[to].heard.get(&class),
                    "seed {seed}"
                );
            }
            assert_eq!(world.ends[from].link.unacknowledged(), 0, "seed {seed}");
        }
    }
    assert!(steps > 30_000, "only {steps} steps");
}

#[test]
fn a_link_that_is_never_acknowledged_says_so_instead_of_growing() {
    let mut link = Link::new();
    let sent = (0..10_000).take_while(|_| link.send(Class::Input, vec![0; 8], Moment(0)).is_ok()).count();
    assert_eq!(sent, 4096);
}

#[test]
fn state_without_a_path_is_forgotten() {
    let mut link = Link::new();
    link.send(Class::Screen, vec![1], Moment(0)).unwrap();
    link.path_up(PathId(1), PathKind::Relay, Moment(0));
    assert_eq!(link.poll(), None);
}

#[test]
fn malformed_packets_are_errors_and_change_nothing() {
    let mut rng = fastrand::Rng::with_seed(3);
    let mut link = Link::new();
    link.path_up(PathId(1), PathKind::Relay, Moment(0));
    for _ in 0..100_000 {
        let mut bytes = vec![0; rng.usize(..40)];
        rng.fill(&mut bytes);
        let _ = link.received(&bytes, Moment(0));
        while link.poll().is_some() {}
    }
    link.send(Class::Ordered, vec![1], Moment(0)).unwrap();
    assert!(matches!(link.poll(), Some(Output::Transmit { .. })));
}
