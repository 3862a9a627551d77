//! One link between console and applet over whatever paths there are: `belay-link/1` of `docs/protocol/link.md`.
//!
//! Pure: messages and packets go in, packets and messages come out of [`Link::poll`]; sealing happens outside.
//! Numbers belong to the link and not to a path, so that a change of path loses and repeats nothing.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod inbox;
mod outbox;

use belay_wire::link::{Acknowledgement, Carried, Class, Packet};
use belay_wire::{Moment, WireError};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use inbox::{Inbox, Newest};
use outbox::Outbox;

/// How long an acknowledgement may wait for a packet to travel with.
pub const ACKNOWLEDGE_WITHIN: Duration = Duration::from_millis(20);

/// A path, as its owner numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PathId(pub u32);

/// What a path promises. Later kinds are preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
}

/// Why a message cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkError {
    /// Too much is waiting for acknowledgement: the other end is gone or does not keep up. The link is lost.
    Overflow(Class),
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkError::Overflow(class) => {
                write!(f, "the other end no longer acknowledges {class:?} messages")
            }
        }
    }
}

impl std::error::Error for LinkError {}

struct Path {
    id: PathId,
    kind: PathKind,
}

/// One end of a link.
#[derive(Default)]
pub struct Link {
    paths: Vec<Path>,
    ordered: Outbox,
    input: Outbox,
    from_ordered: Inbox,
    from_input: Inbox,
    sent_states: [u64; 3],
    newest: [Newest; 3],
    acknowledge_at: Option<Moment>,
    outputs: VecDeque<Output>,
}

impl Link {
    /// A link without a path.
    pub fn new() -> Link {
        Link::default()
    }

    /// A path is up. What is not acknowledged yet goes out on it, if it is now the best.
    pub fn path_up(&mut self, id: PathId, kind: PathKind, now: Moment) {
        let before = self.active().map(|path| path.id);
        self.paths.push(Path { id, kind });
        self.paths.sort_by_key(|path| std::cmp::Reverse(path.kind));
        self.resend_if_changed(before, now);
    }

    /// A path is gone.
    pub fn path_down(&mut self, id: PathId, now: Moment) {
        let before = self.active().map(|path| path.id);
        self.paths.retain(|path| path.id != id);
        self.resend_if_changed(before, now);
    }

    /// Sends a message. State messages without a path are dropped: the next one supersedes them.
    pub fn send(&mut self, class: Class, message: Vec<u8>, now: Moment) -> Result<(), LinkError> {
        match class {
            Class::Ordered | Class::Input => {
                let outbox = self.outbox(class);
                let number = outbox.push(message).ok_or(LinkError::Overflow(class))?;
                if self.active().is_some() {
                    self.transmit_kept(class, number, now);
                }
            }
            Class::Screen | Class::Cursor | Class::Seen => {
                let number = &mut self.sent_states[state_index(class)];
                let carried = Carried { class, number: *number, message: &message };
                *number += 1;
                self.transmit(Some(carried));
            }
        }
        Ok(())
    }

    /// A packet has come and was opened.
    pub fn received(&mut self, packet: &[u8], now: Moment) -> Result<(), WireError> {
        let packet = Packet::decode(packet)?;
        self.ordered.acknowledged(packet.acknowledgement.ordered, now);
        self.input.acknowledged(packet.acknowledgement.input, now);
        let Some(Carried { class, number, message }) = packet.carried else { return Ok(()) };
        match class {
            Class::Ordered | Class::Input => {
                let due = now + ACKNOWLEDGE_WITHIN;
                self.acknowledge_at = Some(self.acknowledge_at.map_or(due, |at| at.min(due)));
                let inbox =
                    if class == Class::Ordered { &mut self.from_ordered } else { &mut self.from_input };
                for message in inbox.received(number, message) {
                    self.outputs.push_back(Output::Deliver { class, message });
                }
            }
            Class::Screen | Class::Cursor | Class::Seen => {
                if self.newest[state_index(class)].is_newer(number) {
                    self.outputs.push_back(Output::Deliver { class, message: message.to_vec() });
                }
            }
        }
        Ok(())
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Moment) {
        if self.active().is_some_and(|path| path.kind == PathKind::Datagram) {
            for class in [Class::Ordered, Class::Input] {
                for number in self.outbox(class).overdue(now) {
                    self.transmit_kept(class, number, now);
                }
            }
        }
        if self.acknowledge_at.is_some_and(|at| at <= now) {
            self.acknowledge_at = None;
            self.transmit(None);
        }
    }

    /// When [`Link::tick`] has something to do, if nothing else happens before.
    pub fn next_timeout(&self) -> Option<Moment> {
        let lossy = self.active().is_some_and(|path| path.kind == PathKind::Datagram);
        let resend = lossy.then(|| [self.ordered.next_overdue(), self.input.next_overdue()]);
        resend.into_iter().flatten().flatten().chain(self.acknowledge_at).min()
    }

    /// The next thing to do, until there is none.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// How many reliable messages wait for acknowledgement.
    pub fn unacknowledged(&self) -> usize {
        self.ordered.len() + self.input.len()
    }

    fn active(&self) -> Option<&Path> {
        self.paths.first()
    }

    fn outbox(&mut self, class: Class) -> &mut Outbox {
        if class == Class::Input { &mut self.input } else { &mut self.ordered }
    }

    fn resend_if_changed(&mut self, before: Option<PathId>, now: Moment) {
        let after = self.active().map(|path| path.id);
        if after.is_none() || after == before {
            return;
        }
        for class in [Class::Ordered, Class::Input] {
            for number in self.outbox(class).numbers() {
                self.transmit_kept(class, number, now);
            }
        }
        if self.from_ordered.has_received() || self.from_input.has_received() {
            self.transmit(None);
        }
    }

    fn transmit_kept(&mut self, class: Class, number: u64, now: Moment) {
        let Some(path) = self.active().map(|path| path.id) else { return };
        let acknowledgement = self.acknowledgement();
        let Some(message) = self.outbox(class).sending(number, now) else { return };
        let packet = Packet { acknowledgement, carried: Some(Carried { class, number, message }) }.encode();
        self.acknowledge_at = None;
        self.outputs.push_back(Output::Transmit { path, packet });
    }

    fn transmit(&mut self, carried: Option<Carried<'_>>) {
        let Some(path) = self.active().map(|path| path.id) else { return };
        let packet = Packet { acknowledgement: self.acknowledgement(), carried }.encode();
        self.acknowledge_at = None;
        self.outputs.push_back(Output::Transmit { path, packet });
    }

    fn acknowledgement(&self) -> Acknowledgement {
        Acknowledgement { ordered: self.from_ordered.next(), input: self.from_input.next() }
    }
}

/// Index of a class of which only the newest matters.
fn state_index(class: Class) -> usize {
    match class {
        Class::Screen => 0,
        Class::Cursor => 1,
        Class::Seen | Class::Ordered | Class::Input => 2,
    }
}
