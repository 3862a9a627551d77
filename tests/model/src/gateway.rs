//! The gateway and the connections to it: the relay with a driver, and a website that knows who belongs where.

use belay_relay::admission::Admission;
use belay_relay::{LegId, Limits, Output, Relay};
use belay_wire::gateway::{Refusal, Role};
use belay_wire::{LegTicket, Moment, SessionId};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// What an end may have under way before its connection takes no more.
const UNREAD: usize = 128 * 1024;
/// A connection that does not take what is sent to it for so long is given up.
const SEND_WITHIN: Duration = Duration::from_secs(20);

/// One way of a connection: in order and complete.
#[derive(Clone, Copy)]
pub(crate) struct Pipe {
    pub(crate) delay: Duration,
    pub(crate) bytes_per_second: u64,
    pub(crate) free: Moment,
}

impl Pipe {
    /// When this much has left, and when it arrives, if it is sent now.
    pub(crate) fn send(&mut self, bytes: usize, now: Moment) -> (Moment, Moment) {
        let takes = Duration::from_micros((bytes as u64 + 60) * 1_000_000 / self.bytes_per_second);
        self.free = self.free.max(now) + takes;
        (self.free, self.free + self.delay)
    }
}

/// A connection of one end with the gateway.
pub(crate) struct Wire {
    pub(crate) session: usize,
    pub(crate) end: usize,
    pub(crate) up: Pipe,
    pub(crate) down: Pipe,
    /// Nothing arrives any more, and nobody has noticed.
    pub(crate) dead: bool,
    /// What the leg has sent and the gateway not read.
    pub(crate) unread: usize,
    /// What has arrived while the gateway did not read.
    inbox: VecDeque<Vec<u8>>,
    held: bool,
    rests_until: Moment,
}

impl Wire {
    pub(crate) fn new(session: usize, end: usize, up: Pipe, down: Pipe) -> Wire {
        let (dead, held) = (false, false);
        Wire { session, end, up, down, dead, unread: 0, inbox: VecDeque::new(), held, rests_until: Moment(0) }
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.unread < UNREAD
    }
}

/// What the driver wants the world to do.
pub(crate) enum Errand {
    /// These bytes leave the gateway and are taken then, and arrive then.
    Send { leg: LegId, bytes: Vec<u8>, taken: Moment, arrives: Moment },
    /// The connection does not take anything: at this time it is given up.
    GiveUp(LegId, Moment),
    /// The gateway has closed the connection; the leg sees it then.
    Closed(LegId, Moment),
    /// The gateway reads again from this leg then.
    Read(LegId, Moment),
}

pub(crate) struct Gateway {
    relay: Relay,
    pub(crate) wires: BTreeMap<LegId, Wire>,
    tickets: HashMap<Vec<u8>, (usize, usize)>,
    next_ticket: u64,
    /// Frames from one leg to another.
    pub(crate) forwarded: u64,
    /// How often a leg was held or had to rest.
    pub(crate) slowed: u64,
    pub(crate) strangers: u64,
}

fn limits() -> Limits {
    Limits { waiting_bytes: 8 * 1024, session_bytes: 200_000, ..Limits::default() }
}

impl Gateway {
    pub(crate) fn new() -> Gateway {
        Gateway {
            relay: Relay::new(limits()),
            wires: BTreeMap::new(),
            tickets: HashMap::new(),
            next_ticket: 0,
            forwarded: 0,
            slowed: 0,
            strangers: 0,
        }
    }

    /// A ticket that lets this end in.
    pub(crate) fn ticket(&mut self, session: usize, end: usize) -> [u8; 32] {
        self.next_ticket += 1;
        let mut ticket = [session as u8; 32];
        ticket[..8].copy_from_slice(&self.next_ticket.to_be_bytes());
        self.tickets.insert(ticket.to_vec(), (session, end));
        ticket
    }

    /// The process ends and begins again; every connection is gone. Says whose.
    pub(crate) fn restart(&mut self) -> Vec<LegId> {
        self.relay = Relay::new(limits());
        std::mem::take(&mut self.wires).into_keys().collect()
    }

    pub(crate) fn opened(&mut self, leg: LegId, wire: Option<Wire>, now: Moment) -> Vec<Errand> {
        self.strangers += u64::from(wire.is_none());
        if let Some(wire) = wire {
            self.wires.insert(leg, wire);
        }
        self.relay.opened(leg, IpAddr::V4(Ipv4Addr::LOCALHOST), now);
        self.obey(now)
    }

    /// Bytes of a leg that has no wire: a stranger's.
    pub(crate) fn nonsense(&mut self, leg: LegId, bytes: Vec<u8>, now: Moment) -> Vec<Errand> {
        self.relay.received(leg, bytes, now);
        self.obey(now)
    }

    pub(crate) fn arrived(&mut self, leg: LegId, bytes: Vec<u8>, now: Moment) -> Vec<Errand> {
        if let Some(wire) = self.wires.get_mut(&leg) {
            wire.inbox.push_back(bytes);
        }
        self.read(leg, now)
    }

    /// Reads what has arrived, as far as the relay wants it.
    pub(crate) fn read(&mut self, leg: LegId, now: Moment) -> Vec<Errand> {
        let mut errands = Vec::new();
        while let Some(wire) = self.wires.get_mut(&leg)
            && !wire.held
            && wire.rests_until <= now
            && let Some(bytes) = wire.inbox.pop_front()
        {
            wire.unread = wire.unread.saturating_sub(bytes.len());
            self.relay.received(leg, bytes, now);
            errands.extend(self.obey(now));
        }
        errands
    }

    pub(crate) fn taken(&mut self, leg: LegId, bytes: usize, now: Moment) -> Vec<Errand> {
        self.relay.taken(leg, 1, bytes, now);
        self.obey(now)
    }

    /// The connection is gone, as far as the gateway can see.
    pub(crate) fn closed(&mut self, leg: LegId, now: Moment) -> Vec<Errand> {
        self.wires.remove(&leg);
        self.relay.closed(leg, now);
        self.obey(now)
    }

    pub(crate) fn tick(&mut self, now: Moment) -> Vec<Errand> {
        self.relay.tick(now);
        self.obey(now)
    }

    /// Those that live have answered the gateway's ping.
    pub(crate) fn hears_the_living(&mut self, now: Moment) {
        for (&leg, wire) in &self.wires {
            if !wire.dead && !wire.held && wire.rests_until <= now {
                self.relay.heard(leg, now);
            }
        }
    }

    fn obey(&mut self, now: Moment) -> Vec<Errand> {
        let mut errands = Vec::new();
        while let Some(output) = self.relay.poll() {
            match output {
                Output::Send(leg, bytes) => {
                    let Some(wire) = self.wires.get_mut(&leg) else { continue };
                    if wire.dead {
                        errands.push(Errand::GiveUp(leg, now + SEND_WITHIN));
                    } else {
                        let (taken, arrives) = wire.down.send(bytes.len(), now);
                        errands.push(Errand::Send { leg, bytes, taken, arrives });
                    }
                }
                Output::Close(leg) => {
                    if let Some(mut wire) = self.wires.remove(&leg)
                        && !wire.dead
                    {
                        errands.push(Errand::Closed(leg, wire.down.send(0, now).1));
                    }
                }
                Output::Admit(leg, request) => {
                    let known = self.tickets.get(&request.credential).copied();
                    let belongs =
                        known.filter(|(_, end)| (*end == crate::APPLET) == (request.role == Role::Applet));
                    let answer = belongs.ok_or(Refusal::Unknown).map(|(session, end)| Admission {
                        session: SessionId::from_bytes([session as u8; 16]),
                        return_ticket: LegTicket::from_bytes(self.ticket(session, end)),
                    });
                    self.relay.answered(leg, answer, now);
                }
                Output::Hold(leg) => {
                    self.slowed += 1;
                    if let Some(wire) = self.wires.get_mut(&leg) {
                        wire.held = true;
                    }
                }
                Output::Go(leg) => {
                    if let Some(wire) = self.wires.get_mut(&leg) {
                        wire.held = false;
                        errands.push(Errand::Read(leg, now));
                    }
                }
                Output::Rest(leg, until) => {
                    self.slowed += 1;
                    if let Some(wire) = self.wires.get_mut(&leg) {
                        wire.rests_until = until;
                        errands.push(Errand::Read(leg, until));
                    }
                }
                Output::Introduce(_) | Output::Tell(_) => {}
            }
        }
        errands
    }
}
