//! One link between console and applet over whatever paths there are: `belay-link/2` of `docs/protocol/link.md`.
//!
//! Pure: messages and packets go in, packets and messages come out of [`Link::poll`]; sealing happens outside.
//! Offsets belong to the link and not to a path, so that a change of path loses and repeats nothing.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod choice;
mod path;
mod ranges;
mod receiving;
mod sending;

use belay_wire::link::{self as wire, Ack, Class, MAX_MESSAGE, Piece};
use belay_wire::{Moment, WireError};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use choice::Choice;
use path::{Path, Sent};
use receiving::{InState, InStream};
use sending::{OutState, OutStream};

/// How long an acknowledgement may wait for a packet to travel with.
pub const ACKNOWLEDGE_WITHIN: Duration = Duration::from_millis(20);
/// Most bytes of *ordered* or *input* that may wait for acknowledgement, at the sender or behind a gap.
pub const WINDOW: usize = 4 << 20;
/// The same for *screen*.
pub const WINDOW_SCREEN: usize = 32 << 20;

/// A path, as its owner numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PathId(pub u32);

/// What a path promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// Through the gateway by WebSocket: in order and complete until it dies.
    Relay,
    /// Packets may be lost, doubled and reordered.
    Datagram,
}

/// What the link wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Seal this packet and send it on this path.
    Transmit {
        /// Which path.
        path: PathId,
        /// The packet, not sealed yet.
        packet: Vec<u8>,
    },
    /// A message of the other end.
    Deliver {
        /// Its class.
        class: Class,
        /// Its bytes.
        message: Vec<u8>,
    },
    /// This end sends on another path from now on, or on none until one is usable.
    Active(Option<PathId>),
}

/// What is known of a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measures {
    /// Smoothed round trip, once a ping was answered.
    pub round_trip: Option<Duration>,
    /// The shortest of the newest round trips: what the way itself takes, without what a busy computer adds.
    pub shortest: Option<Duration>,
    /// Share of packets lost, 0 to 1.
    pub lost: f64,
    /// Whether something sent there may be expected to arrive.
    pub usable: bool,
}

/// Why a message cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkError {
    /// Too much is waiting for acknowledgement: the other end is gone or does not keep up. The link is lost.
    Overflow(Class),
    /// A message of a stream has 1 byte to 1 MiB; this one is not sent.
    Size(usize),
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkError::Overflow(class) => {
                write!(f, "the other end no longer acknowledges {class:?} messages")
            }
            LinkError::Size(len) => write!(f, "a message of {len} bytes cannot be sent"),
        }
    }
}

impl std::error::Error for LinkError {}

/// What is owed to the other end of one class.
#[derive(Clone, Copy, Default)]
struct Owed {
    /// When it must go at the latest.
    at: Option<Moment>,
    /// Packets since the last acknowledgement.
    packets: u32,
}

const STREAMS: usize = 3;

/// One end of a link.
pub struct Link {
    paths: Vec<Path>,
    active: Option<PathId>,
    choice: Choice,
    out_streams: [OutStream; STREAMS],
    in_streams: [InStream; STREAMS],
    out_states: [OutState; 2],
    in_states: [InState; 2],
    owed: [Owed; 5],
    next_ping: u32,
    /// Pings and pongs, each for its path.
    probes: VecDeque<(PathId, Piece<'static>)>,
    outputs: VecDeque<Output>,
    swallowed: u64,
}

impl Default for Link {
    fn default() -> Link {
        Link::new()
    }
}

impl Link {
    /// A link without a path.
    pub fn new() -> Link {
        let windows = [WINDOW, WINDOW, WINDOW_SCREEN];
        Link {
            paths: Vec::new(),
            active: None,
            choice: Choice::default(),
            out_streams: windows.map(OutStream::new),
            in_streams: windows.map(|window| InStream::new(window as u64)),
            out_states: Default::default(),
            in_states: Default::default(),
            owed: Default::default(),
            next_ping: 0,
            probes: VecDeque::new(),
            outputs: VecDeque::new(),
            swallowed: 0,
        }
    }

    /// Packets of ours that an ordered path has not delivered although it went on: somebody in between has dropped them.
    /// They were sent again.
    pub fn swallowed(&self) -> u64 {
        self.swallowed
    }

    /// A path is up. A relay is usable at once; another is when it has answered.
    pub fn path_up(&mut self, id: PathId, kind: PathKind, now: Moment) {
        self.paths.retain(|path| path.id != id);
        self.paths.push(Path::new(id, kind, now));
        self.tick(now);
    }

    /// A path is gone.
    pub fn path_down(&mut self, id: PathId, now: Moment) {
        self.paths.retain(|path| path.id != id);
        self.probes.retain(|(path, _)| *path != id);
        self.choose(now);
    }

    /// Whether a path takes more now. A new path does.
    pub fn writable(&mut self, id: PathId, writable: bool) {
        if let Some(path) = self.paths.iter_mut().find(|path| path.id == id) {
            path.writable = writable;
        }
    }

    /// The path on which this end sends.
    pub fn active(&self) -> Option<PathId> {
        self.active
    }

    /// What is known of a path.
    pub fn measures(&self, id: PathId, now: Moment) -> Option<Measures> {
        self.paths.iter().find(|path| path.id == id).map(|path| path.measures(now))
    }

    /// When a path becomes suspected, if the answer that is awaited does not come; none is awaited: never.
    pub fn suspected_at(&self, id: PathId) -> Option<Moment> {
        self.paths.iter().find(|path| path.id == id)?.suspected_at()
    }

    /// When a path's silence becomes one to look into, if nothing comes there before; nothing is owed: never.
    pub fn doubted_at(&self, id: PathId) -> Option<Moment> {
        self.paths.iter().find(|path| path.id == id)?.doubted_at()
    }

    /// Sends a message: at once, or when there is a path for it.
    pub fn send(&mut self, class: Class, message: Vec<u8>) -> Result<(), LinkError> {
        if !class.is_stream() {
            self.out_states[state(class)].push(message);
            return Ok(());
        }
        if message.is_empty() || message.len() > MAX_MESSAGE {
            return Err(LinkError::Size(message.len()));
        }
        if self.out_streams[stream(class)].push(&message) { Ok(()) } else { Err(LinkError::Overflow(class)) }
    }

    /// A packet has come on this path and was opened. An error means that the other end broke the protocol.
    pub fn received(&mut self, path: PathId, packet: &[u8], now: Moment) -> Result<(), WireError> {
        let mut answered = None;
        if let Some(path) = self.paths.iter_mut().find(|known| known.id == path) {
            path.heard(now);
        }
        for piece in wire::decode(packet)? {
            match piece {
                Piece::Ack(ack) => self.acknowledged(&ack, now)?,
                Piece::Data { class, offset, bytes } => {
                    let outputs = &mut self.outputs;
                    let mut deliver = |message| outputs.push_back(Output::Deliver { class, message });
                    let gap = self.in_streams[stream(class)].received(offset, bytes, &mut deliver)?;
                    self.owe(class, path, gap, now);
                }
                Piece::State { class, number, message } => {
                    if self.in_states[state(class)].is_newer(number) {
                        self.outputs.push_back(Output::Deliver { class, message: message.to_vec() });
                    }
                    self.owe(class, path, false, now);
                }
                Piece::Ping(number) => {
                    if self.paths.iter().any(|known| known.id == path) {
                        self.probes.push_back((path, Piece::Pong(number)));
                    }
                }
                Piece::Pong(number) => {
                    if let Some(path) = self.paths.iter_mut().find(|known| known.id == path) {
                        let worse = path.pong(number, now);
                        let active = Some(path.id) == self.active;
                        answered = Some(number);
                        self.doubt(worse && active, now);
                        self.note_usable(now);
                        self.choice.weigh(&self.paths, self.active);
                    }
                    self.choose(now);
                }
            }
        }
        if let Some(number) = answered
            && let Some(path) = self.paths.iter_mut().find(|known| known.id == path)
        {
            let missing = path.missing(number, now);
            self.swallowed = self.swallowed.saturating_add(missing.len() as u64);
            self.send_again(&missing);
        }
        Ok(())
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Moment) {
        let mut lost = Vec::new();
        for path in &mut self.paths {
            if path.ping(self.next_ping, now) {
                self.probes.push_back((path.id, Piece::Ping(self.next_ping)));
                self.next_ping = self.next_ping.wrapping_add(1);
            }
            lost.extend(path.overdue(now));
        }
        self.send_again(&lost);
        if self.active_path().is_some_and(|path| path.was_usable && path.is_suspected(now)) {
            // Whether the others answer tells if it is the path or the other end.
            let active = self.active;
            self.paths.iter_mut().filter(|path| Some(path.id) != active).for_each(|path| path.ask(1));
        }
        self.choose(now);
    }

    /// When [`Link::tick`] has something to do, if nothing else happens before.
    pub fn next_timeout(&self) -> Option<Moment> {
        let takes = self.active_path().is_some_and(|path| path.writable);
        let owed = self.owed.iter().filter_map(|owed| owed.at).filter(|_| takes);
        self.paths.iter().map(Path::next_timeout).chain(owed).min()
    }

    /// The next thing to do, until there is none. Packets are made when they are asked for: say with
    /// [`Link::writable`] when their path takes no more.
    pub fn poll(&mut self, now: Moment) -> Option<Output> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        if let Some((path, probe)) = self.probes.pop_front() {
            let acks = match probe {
                // On whatever path an acknowledgement was lost: the next pong carries it again.
                Piece::Pong(_) => self.acks(|_, received| received),
                Piece::Ping(_) | Piece::Ack(_) | Piece::Data { .. } | Piece::State { .. } => Vec::new(),
            };
            let pieces: Vec<Piece<'_>> =
                std::iter::once(probe).chain(acks.into_iter().map(Piece::Ack)).collect();
            return Some(Output::Transmit { path, packet: wire::encode(&pieces) });
        }
        self.packet(now)
    }

    /// Bytes and states that wait for acknowledgement.
    pub fn unacknowledged(&self) -> usize {
        let states = self.out_states.iter().filter(|state| state.is_kept()).count();
        self.out_streams.iter().map(OutStream::len).sum::<usize>() + states
    }

    /// Bytes of a stream that wait for acknowledgement; for a state, whether there is one.
    pub fn waiting(&self, class: Class) -> usize {
        if class.is_stream() {
            self.out_streams[stream(class)].len()
        } else {
            usize::from(self.out_states[state(class)].is_kept())
        }
    }

    fn active_path(&self) -> Option<&Path> {
        self.paths.iter().find(|path| Some(path.id) == self.active)
    }

    /// The next packet for the active path, if it takes one.
    fn packet(&mut self, now: Moment) -> Option<Output> {
        let path = self.paths.iter().position(|path| Some(path.id) == self.active && path.writable)?;
        let waiting = [Class::Input, Class::Ordered, Class::Cursor, Class::Seen, Class::Screen]
            .into_iter()
            .find(|class| {
                if class.is_stream() {
                    self.out_streams[stream(*class)].is_waiting()
                } else {
                    self.out_states[state(*class)].is_waiting()
                }
            });
        if waiting.is_none() && !self.owed.iter().any(|owed| owed.at.is_some_and(|at| at <= now)) {
            return None;
        }
        let acks = self.acks(|owed, _| owed.at.is_some());
        let mut pieces: Vec<Piece<'_>> = acks.into_iter().map(Piece::Ack).collect();
        let path = &mut self.paths[path];
        if let Some(class) = waiting {
            if class.is_stream() {
                let part = self.out_streams[stream(class)].next(path.piece())?;
                let to = part.offset + part.bytes.len() as u64;
                path.sends(Sent::Data { class, from: part.offset, to, once: part.once }, now);
                pieces.push(Piece::Data { class, offset: part.offset, bytes: part.bytes });
            } else {
                let (number, message) = self.out_states[state(class)].next()?;
                path.sends(Sent::State { class, number }, now);
                pieces.push(Piece::State { class, number, message });
            }
        }
        Some(Output::Transmit { path: path.id, packet: wire::encode(&pieces) })
    }

    /// The acknowledgements that are wanted; they count as given.
    fn acks(&mut self, wanted: impl Fn(&Owed, bool) -> bool) -> Vec<Ack> {
        let mut acks = Vec::new();
        for class in Class::ALL {
            let received = if class.is_stream() {
                self.in_streams[stream(class)].has_received()
            } else {
                self.in_states[state(class)].has_received()
            };
            let owed = &mut self.owed[index(class)];
            if wanted(owed, received) {
                *owed = Owed::default();
                acks.push(if class.is_stream() {
                    self.in_streams[stream(class)].ack(class)
                } else {
                    self.in_states[state(class)].ack(class)
                });
            }
        }
        acks
    }

    /// Something has come that wants acknowledgement.
    fn owe(&mut self, class: Class, path: PathId, gap: bool, now: Moment) {
        let datagram = self.paths.iter().any(|known| known.id == path && known.kind == PathKind::Datagram);
        let owed = &mut self.owed[index(class)];
        owed.packets = owed.packets.saturating_add(1);
        let at_once = datagram && (gap || (class.is_stream() && owed.packets >= 2));
        let due = if at_once { now } else { now + ACKNOWLEDGE_WITHIN };
        owed.at = Some(owed.at.map_or(due, |at| at.min(due)));
    }

    fn acknowledged(&mut self, ack: &Ack, now: Moment) -> Result<(), WireError> {
        let news = if ack.class.is_stream() {
            self.out_streams[stream(ack.class)].acknowledged(ack)?
        } else {
            self.out_states[state(ack.class)].acknowledged(ack.next)?
        };
        if !news {
            return Ok(());
        }
        let (streams, states) = (&self.out_streams, &self.out_states);
        let has_arrived = |sent: &Sent| match sent {
            Sent::Data { class, from, to, .. } => {
                *class == ack.class && streams[stream(*class)].has_arrived(*from, *to)
            }
            Sent::State { class, number } => {
                *class == ack.class && states[state(*class)].has_arrived(*number)
            }
        };
        let (mut lost, mut doubted) = (Vec::new(), false);
        for path in &mut self.paths {
            let (lost_here, worse) = path.acknowledged(has_arrived, now);
            lost.extend(lost_here);
            doubted |= worse && Some(path.id) == self.active;
        }
        self.send_again(&lost);
        self.doubt(doubted, now);
        Ok(())
    }

    /// The path in use may have become a worse one: if so, all are measured anew.
    fn doubt(&mut self, doubted: bool, now: Moment) {
        if doubted && self.paths.len() > 1 && self.choice.measure_again(now) {
            self.paths.iter_mut().for_each(Path::measure);
        }
    }

    fn note_usable(&mut self, now: Moment) {
        self.paths.iter_mut().for_each(|path| path.was_usable = path.is_usable(now));
    }

    fn send_again(&mut self, lost: &[Sent]) {
        for sent in lost {
            match sent {
                Sent::Data { class, from, to, .. } => self.out_streams[stream(*class)].lost(*from, *to),
                Sent::State { class, number } => self.out_states[state(*class)].lost(*number),
            }
        }
    }

    /// Looks which path is the best now.
    fn choose(&mut self, now: Moment) {
        self.note_usable(now);
        let next = self.choice.next(&self.paths, self.active, now);
        if next == self.active {
            return;
        }
        self.active = next;
        self.outputs.push_back(Output::Active(next));
        if next.is_some() {
            self.paths.iter_mut().for_each(Path::forget);
            self.out_streams.iter_mut().for_each(OutStream::all_lost);
            self.out_states.iter_mut().for_each(OutState::all_lost);
            for class in Class::ALL {
                let received = if class.is_stream() {
                    self.in_streams[stream(class)].has_received()
                } else {
                    self.in_states[state(class)].has_received()
                };
                if received {
                    self.owed[index(class)].at = Some(now);
                }
            }
        }
    }
}

/// Where a class stands among all.
fn index(class: Class) -> usize {
    match class {
        Class::Ordered => 0,
        Class::Input => 1,
        Class::Screen => 2,
        Class::Cursor => 3,
        Class::Seen => 4,
    }
}

/// Where a class stands among the streams. Only for streams.
fn stream(class: Class) -> usize {
    index(class).min(STREAMS - 1)
}

/// Where a class stands among the states. Only for states.
fn state(class: Class) -> usize {
    index(class).saturating_sub(STREAMS).min(1)
}
