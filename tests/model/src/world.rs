//! What happens, and when.

mod hostile;

use crate::end::{Deed, End};
use crate::gateway::{Errand, Gateway, Pipe, Wire};
use crate::ledger::Ledger;
use crate::{APPLET, CONSOLE};
use belay_link::{PathId, PathKind};
use belay_relay::LegId;
use belay_wire::gateway::{FromGateway, Hello, Leaving, Role, ToGateway};
use belay_wire::link::Class;
use belay_wire::seal::SealFrame;
use belay_wire::{AccountId, Moment};
use hostile::Hostile;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

const SESSIONS: usize = 3;

/// What a world has seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    /// Things that happened one after the other.
    pub steps: u64,
    /// Messages that were heard.
    pub heard: u64,
    /// Frames that the gateway forwarded.
    pub forwarded: u64,
    /// How often a leg was not read from for a while.
    pub slowed: u64,
    /// Frames that somebody in between put in, repeated, damaged, held back or dropped.
    pub meddled: u64,
    /// Frames that did not open.
    pub refused: u64,
    /// Pairings that began from nothing.
    pub pairings: u64,
    /// Times the gateway was started again.
    pub restarts: u64,
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.steps += other.steps;
        self.heard += other.heard;
        self.forwarded += other.forwarded;
        self.slowed += other.slowed;
        self.meddled += other.meddled;
        self.refused += other.refused;
        self.pairings += other.pairings;
        self.restarts += other.restarts;
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// An end tries to reach the gateway.
    Dial(usize, usize),
    ToGateway(u64, Vec<u8>),
    ToLeg(u64, Vec<u8>),
    Taken(u64, usize),
    GiveUp(u64),
    /// The gateway sees that the connection is gone.
    GatewaySees(u64),
    /// The leg sees that its connection is gone.
    LegSees(u64),
    Read(u64),
    /// A datagram arrives on a way at an end.
    Direct(u64, usize, Vec<u8>),
    /// An end sees that a way is gone.
    WayGone(u64, usize),
    Second,
}

/// A direct path, as the network sees it.
struct Way {
    session: usize,
    /// How its ends call it, while they know it.
    ids: [Option<PathId>; 2],
    /// In per cent.
    loss: u8,
    /// In milliseconds, at least and at most.
    delay: (u64, u64),
    /// Swallows everything.
    silent: bool,
}

/// Three sessions, one gateway, the ways between their ends, and somebody who means ill.
pub struct World {
    now: Moment,
    rng: fastrand::Rng,
    events: BinaryHeap<Reverse<(Moment, u64, Event)>>,
    next: u64,
    ends: Vec<[End; 2]>,
    /// The connection of each end with the gateway, as the end sees it, and with what ticket it comes back.
    legs: Vec<[Option<LegId>; 2]>,
    tickets: Vec<[[u8; 32]; 2]>,
    gateway: Gateway,
    ways: BTreeMap<u64, Way>,
    hostile: Hostile,
    ledger: Ledger,
    count: Count,
}

impl World {
    /// A world in which these things happen.
    pub fn new(seed: u64) -> World {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut gateway = Gateway::new();
        let mut world = World {
            now: Moment(1),
            ends: (0..SESSIONS).map(|s| [0, 1].map(|end| End::new(s, end, rng.u64(..)))).collect(),
            legs: vec![[None; 2]; SESSIONS],
            tickets: (0..SESSIONS).map(|s| [0, 1].map(|end| gateway.ticket(s, end))).collect(),
            gateway,
            rng,
            events: BinaryHeap::new(),
            next: 0,
            ways: BTreeMap::new(),
            hostile: Hostile::default(),
            ledger: Ledger::default(),
            count: Count::default(),
        };
        world.after(Duration::ZERO, Event::Second);
        for session in 0..SESSIONS {
            for end in 0..2 {
                world.soon(1000, Event::Dial(session, end));
            }
        }
        world
    }

    /// Something random is done, and time passes.
    pub fn live(&mut self) {
        let (session, end) = (self.rng.usize(..SESSIONS), self.rng.usize(..2));
        match self.rng.u16(..400) {
            0..8 => self.new_way(session),
            8..12 => self.lose_way(),
            12..16 => self.silence_way(),
            16..22 => self.lose_connection(session, end),
            22..24 => self.begin_anew(session),
            24 => self.restart(),
            25..29 => self.stranger(),
            29..60 => self.meddle(session, end),
            60..110 => self.say(session, end, Class::Screen),
            110..120 => self.say(session, end, Class::Cursor),
            120..130 => self.say(session, end, Class::Seen),
            130..265 => self.say(session, end, Class::Ordered),
            _ => self.say(session, end, Class::Input),
        }
        let most = [60_000, 200, 20][usize::from(self.rng.u16(..400).min(2))];
        let time = Duration::from_millis(self.rng.u64(..most));
        self.run(time);
    }

    /// Nobody meddles any more and nothing dies: everything that was said in the pairings that stand must arrive.
    pub fn rest(&mut self) -> Count {
        self.hostile.over = true;
        for way in self.ways.values_mut() {
            way.silent = true;
        }
        // Who does not begin with a new connection must come along with the one there is, whatever happened to it.
        for session in (0..SESSIONS).filter(|_| self.rng.bool()).collect::<Vec<_>>() {
            self.lose_connection(session, CONSOLE);
            self.lose_connection(session, APPLET);
        }
        self.run(Duration::from_secs(240));
        for (session, ends) in self.ends.iter_mut().enumerate() {
            assert!(ends.iter().all(End::is_sealed), "session {session} is not sealed");
            assert_eq!(ends[CONSOLE].speaker(), ends[APPLET].speaker().other(), "two pairings");
            for end in ends {
                self.ledger.assert_all_heard(end.speaker());
                assert_eq!(end.link().map(|link| link.unacknowledged()), Some(0), "session {session}");
                self.count.refused += end.refused;
                self.count.pairings += u64::from(end.speaker().pairing);
            }
        }
        self.count.pairings /= 2;
        self.count.forwarded = self.gateway.forwarded;
        self.count.slowed = self.gateway.slowed;
        self.count
    }

    fn after(&mut self, time: Duration, event: Event) {
        self.at(self.now + time, event);
    }

    fn at(&mut self, moment: Moment, event: Event) {
        self.next += 1;
        self.events.push(Reverse((moment, self.next, event)));
    }

    fn soon(&mut self, most_millis: u64, event: Event) {
        let time = Duration::from_millis(self.rng.u64(1..=most_millis));
        self.after(time, event);
    }

    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let event = self.events.peek().map(|Reverse((at, ..))| *at);
            let timeouts = self.ends.iter().flatten().filter_map(End::next_timeout);
            let Some(next) = event.into_iter().chain(timeouts).min().filter(|next| *next <= until) else {
                break;
            };
            self.now = self.now.max(next);
            self.count.steps += 1;
            if event.is_some_and(|event| event <= self.now)
                && let Some(Reverse((_, _, event))) = self.events.pop()
            {
                self.happens(event);
            }
            for session in 0..SESSIONS {
                for end in 0..2 {
                    if self.ends[session][end].next_timeout().is_some_and(|due| due <= self.now) {
                        self.ends[session][end].tick(self.now);
                        self.drain(session, end);
                    }
                }
            }
        }
        self.now = until;
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Dial(session, end) => self.dial(session, end),
            Event::ToGateway(leg, bytes) => {
                if self.gateway.wires.get(&LegId(leg)).is_some_and(|wire| !wire.dead) {
                    let errands = self.gateway.arrived(LegId(leg), bytes, self.now);
                    self.run_errands(errands);
                    self.let_write(LegId(leg));
                }
            }
            Event::ToLeg(leg, bytes) => self.comes_down(LegId(leg), &bytes),
            Event::Taken(leg, bytes) => {
                let errands = self.gateway.taken(LegId(leg), bytes, self.now);
                self.run_errands(errands);
            }
            Event::Read(leg) => {
                let errands = self.gateway.read(LegId(leg), self.now);
                self.run_errands(errands);
                self.let_write(LegId(leg));
            }
            Event::GiveUp(leg) | Event::GatewaySees(leg) => {
                let errands = self.gateway.closed(LegId(leg), self.now);
                self.run_errands(errands);
            }
            Event::LegSees(leg) => self.leg_sees(LegId(leg)),
            Event::Direct(way, end, frame) => self.direct_arrives(way, end, &frame),
            Event::WayGone(way, end) => self.way_gone(way, end),
            Event::Second => {
                self.gateway.hears_the_living(self.now);
                let errands = self.gateway.tick(self.now);
                self.run_errands(errands);
                self.after(Duration::from_secs(1), Event::Second);
            }
        }
    }

    fn run_errands(&mut self, errands: Vec<Errand>) {
        for errand in errands {
            match errand {
                Errand::Send { leg, bytes, taken, arrives } => {
                    self.at(taken, Event::Taken(leg.0, bytes.len()));
                    self.at(arrives, Event::ToLeg(leg.0, bytes));
                }
                Errand::GiveUp(leg, at) => self.at(at, Event::GiveUp(leg.0)),
                Errand::Closed(leg, at) => self.at(at, Event::LegSees(leg.0)),
                Errand::Read(leg, at) => self.at(at, Event::Read(leg.0)),
            }
        }
    }

    fn owner(&self, leg: LegId) -> Option<(usize, usize)> {
        let mut all = (0..SESSIONS).flat_map(|session| [(session, CONSOLE), (session, APPLET)]);
        all.find(|&(session, end)| self.legs[session][end] == Some(leg))
    }

    fn dial(&mut self, session: usize, end: usize) {
        if self.legs[session][end].is_some() {
            return;
        }
        self.next += 1;
        let leg = LegId(self.next);
        let pipe = |rng: &mut fastrand::Rng| Pipe {
            delay: Duration::from_millis(rng.u64(1..120)),
            bytes_per_second: [30_000, 300_000, 10_000_000][rng.usize(..3)],
            free: self.now,
        };
        let wire = Wire::new(session, end, pipe(&mut self.rng), pipe(&mut self.rng));
        self.legs[session][end] = Some(leg);
        let errands = self.gateway.opened(leg, Some(wire), self.now);
        self.run_errands(errands);
        let hello = Hello {
            role: if end == CONSOLE { Role::Console } else { Role::Applet },
            account: AccountId::from_bytes([session as u8; 16]),
            credential: self.tickets[session][end].to_vec(),
            version: "1".into(),
            platform: "model".into(),
        };
        self.send_up(leg, ToGateway::Hello(hello).encode());
    }

    fn send_up(&mut self, leg: LegId, bytes: Vec<u8>) {
        let Some(wire) = self.gateway.wires.get_mut(&leg) else { return };
        wire.unread += bytes.len();
        let (_, arrives) = wire.up.send(bytes.len(), self.now);
        let (session, end, writable) = (wire.session, wire.end, wire.is_writable());
        self.ends[session][end].relay_writable(writable);
        self.at(arrives, Event::ToGateway(leg.0, bytes));
    }

    /// Lets an end write again when the gateway has read enough.
    fn let_write(&mut self, leg: LegId) {
        let Some(wire) = self.gateway.wires.get(&leg) else { return };
        let (session, end, writable) = (wire.session, wire.end, wire.is_writable());
        if writable && self.legs[session][end] == Some(leg) {
            self.ends[session][end].relay_writable(true);
            self.drain(session, end);
        }
    }

    fn comes_down(&mut self, leg: LegId, bytes: &[u8]) {
        // A connection that the gateway has closed still delivers what was sent before.
        if self.gateway.wires.get(&leg).is_some_and(|wire| wire.dead) {
            return;
        }
        let Some((session, end)) = self.owner(leg) else { return };
        match FromGateway::decode(bytes).expect("the gateway keeps to the protocol") {
            FromGateway::Admitted(_, ticket) => self.tickets[session][end] = *ticket.secret_bytes(),
            FromGateway::Paired(_) => self.ends[session][end].met(self.now),
            FromGateway::PartnerLeft(reason) => {
                assert_eq!(reason, Leaving::Lost);
                self.ends[session][end].relay_down(self.now);
            }
            FromGateway::Frame(frame) => {
                self.gateway.forwarded += 1;
                let from = self.hostile.whose(&frame);
                let from = from.expect("the gateway forwards what somebody has sent");
                // Everybody's `Unknown` is the same.
                let unknown = frame == SealFrame::Unknown.encode();
                assert!(unknown || from.session == session, "a frame of another session");
                assert!(unknown || from.end != end, "its own frame");
                self.through_a_hostile_gateway(session, end, frame);
            }
            FromGateway::Refused(_) | FromGateway::Relaying(_) => {}
        }
        self.drain(session, end);
    }

    fn leg_sees(&mut self, leg: LegId) {
        let Some((session, end)) = self.owner(leg) else { return };
        self.legs[session][end] = None;
        self.ends[session][end].relay_down(self.now);
        self.drain(session, end);
        self.soon(2000, Event::Dial(session, end));
    }

    /// Does what an end wants done.
    fn drain(&mut self, session: usize, end: usize) {
        while let Some(deed) = self.ends[session][end].poll(self.now) {
            let speaker = self.ends[session][end].speaker();
            match deed {
                Deed::Relay(frame) => {
                    self.hostile.sees(&frame, speaker);
                    if let Some(leg) = self.legs[session][end] {
                        self.send_up(leg, ToGateway::Frame(frame).encode());
                    }
                }
                Deed::Direct(path, frame) => {
                    self.hostile.sees(&frame, speaker);
                    self.direct_leaves(session, end, path, frame);
                }
                Deed::Hear(class, message) => {
                    self.count.heard += 1;
                    self.ledger.hear(speaker.other(), class, &message);
                }
            }
        }
    }

    fn say(&mut self, session: usize, end: usize, class: Class) {
        let speaker = &mut self.ends[session][end];
        for _ in 0..if speaker.is_sealed() { self.rng.u8(1..6) } else { 0 } {
            let message = self.ledger.say(speaker.speaker(), class);
            speaker.say(class, message).expect("the other end keeps up");
        }
        self.drain(session, end);
    }
}

/// Direct paths.
impl World {
    fn new_way(&mut self, session: usize) {
        let [console, applet] = &mut self.ends[session];
        if self.ways.len() >= 8 || console.speaker() != applet.speaker().other() {
            return;
        }
        let ids = [console, applet].map(|end| end.path_up(PathKind::Datagram, self.now));
        if ids.contains(&None) {
            return self.forget(session, ids);
        }
        let least = self.rng.u64(1..60);
        let delay = (least, least + self.rng.u64(0..80));
        let loss = [0, 2, 10, 30][self.rng.usize(..4)];
        self.next += 1;
        self.ways.insert(self.next, Way { session, ids, loss, delay, silent: false });
        self.drain(session, CONSOLE);
        self.drain(session, APPLET);
    }

    fn forget(&mut self, session: usize, ids: [Option<PathId>; 2]) {
        for (end, id) in self.ends[session].iter_mut().zip(ids) {
            if let (Some(link), Some(id)) = (end.link(), id) {
                link.path_down(id, self.now);
            }
        }
    }

    fn any_way(&mut self) -> Option<u64> {
        let at = self.rng.usize(..self.ways.len().max(1));
        self.ways.keys().nth(at).copied()
    }

    /// It ends, and each end notices in its own time.
    fn lose_way(&mut self) {
        if let Some(way) = self.any_way() {
            self.ways.entry(way).and_modify(|way| way.silent = true);
            self.soon(3000, Event::WayGone(way, CONSOLE));
            self.soon(3000, Event::WayGone(way, APPLET));
        }
    }

    /// It swallows everything, or does not any more.
    fn silence_way(&mut self) {
        if let Some(way) = self.any_way() {
            self.ways.entry(way).and_modify(|way| way.silent ^= true);
        }
    }

    fn way_gone(&mut self, number: u64, end: usize) {
        let Some(way) = self.ways.get_mut(&number) else { return };
        let (session, id) = (way.session, way.ids[end].take());
        if way.ids == [None; 2] {
            self.ways.remove(&number);
        }
        if let (Some(link), Some(id)) = (self.ends[session][end].link(), id) {
            link.path_down(id, self.now);
            self.drain(session, end);
        }
    }

    fn direct_leaves(&mut self, session: usize, end: usize, path: PathId, frame: Vec<u8>) {
        let found = self.ways.iter().find(|(_, way)| way.session == session && way.ids[end] == Some(path));
        let Some((&number, &Way { loss, delay: (least, most), silent, .. })) = found else { return };
        if silent || self.rng.u8(..100) < loss {
            return;
        }
        for _ in 0..if self.rng.u8(..20) == 0 { 2 } else { 1 } {
            let time = Duration::from_micros(self.rng.u64(least * 1000..=most * 1000));
            self.after(time, Event::Direct(number, 1 - end, frame.clone()));
        }
    }

    fn direct_arrives(&mut self, number: u64, end: usize, frame: &[u8]) {
        let Some(way) = self.ways.get(&number).filter(|way| !way.silent) else { return };
        let (session, Some(path)) = (way.session, way.ids[end]) else { return };
        let from = self.hostile.whose(frame);
        self.ends[session][end].received_direct(path, frame, from, self.now);
        self.drain(session, end);
    }
}

/// Misfortunes of connections and programs.
impl World {
    /// A connection dies: cut, so that both see it, or without a word, so that each finds out in its own time.
    fn lose_connection(&mut self, session: usize, end: usize) {
        let Some(leg) = self.legs[session][end] else { return };
        if self.rng.bool() {
            if let Some(wire) = self.gateway.wires.get_mut(&leg) {
                wire.dead = true;
            }
            self.soon(30_000, Event::LegSees(leg.0));
        } else {
            self.soon(200, Event::LegSees(leg.0));
            self.soon(200, Event::GatewaySees(leg.0));
        }
    }

    /// Another console takes the place of the one before, which knew the seal.
    fn begin_anew(&mut self, session: usize) {
        if let Some(leg) = self.legs[session][CONSOLE].take() {
            self.soon(200, Event::GatewaySees(leg.0));
        }
        self.ends[session][CONSOLE].begin_anew();
        let gone: Vec<u64> =
            self.ways.iter().filter(|(_, way)| way.session == session).map(|(&n, _)| n).collect();
        for way in gone {
            self.ways.entry(way).and_modify(|way| (way.silent, way.ids[CONSOLE]) = (true, None));
            self.soon(3000, Event::WayGone(way, APPLET));
        }
        self.soon(3000, Event::Dial(session, CONSOLE));
    }

    fn restart(&mut self) {
        self.count.restarts += 1;
        for leg in self.gateway.restart() {
            self.soon(1500, Event::LegSees(leg.0));
        }
    }

    /// Somebody whom nobody knows.
    fn stranger(&mut self) {
        self.next += 1;
        let leg = LegId(self.next);
        let errands = self.gateway.opened(leg, None, self.now);
        self.run_errands(errands);
        let mut bytes = vec![0; self.rng.usize(..60)];
        self.rng.fill(&mut bytes);
        if let Some(kind) = bytes.first_mut() {
            *kind &= 7;
        }
        let errands = self.gateway.nonsense(leg, bytes, self.now);
        self.run_errands(errands);
    }
}
