//! The gateway's TURN and STUN server (RFC 8656, RFC 8489) as one machine without sockets: `docs/protocol/turn.md`.
//!
//! Unlike a general TURN server it relays only between the two legs of one session. The driver hands in what arrived with
//! [`Turn::received`] and [`Turn::from_peer`], sends at once what they return, and then does what [`Turn::poll`] says;
//! [`Turn::next_timeout`] says when to call [`Turn::tick`]. Every packet costs a fixed number of table look-ups.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod allocation;
pub mod client;
pub mod framing;
mod integrity;
mod quota;
mod relaying;
mod requests;
pub mod stun;

pub use integrity::{Credentials, Integrity, long_term_key};
pub use quota::{Limits, Lives};

use allocation::Allocation;
use belay_relay::LegId;
use belay_wire::gateway::Role;
use belay_wire::{Moment, SessionId};
use integrity::Secrets;
use quota::{Bucket, Strangers};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

/// What carries a client's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// Datagrams of the driver's UDP socket of this number.
    Udp(u8),
    /// The driver's stream of this number (TCP, or TLS over TCP). Numbers are never used twice.
    Stream(u64),
}

impl Carrier {
    fn number(self) -> u64 {
        match self {
            Carrier::Udp(socket) => u64::from(socket),
            Carrier::Stream(stream) => stream.saturating_add(256),
        }
    }
}

/// A client: where its messages come from and go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    /// What carries its messages.
    pub carrier: Carrier,
    /// Its address as the server sees it.
    pub remote: SocketAddr,
}

/// A relayed address, as the machine numbers it. Numbers are never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelayId(pub u64);

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(ip: IpAddr) -> Family {
        match ip {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }
}

/// Which port a client would like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// Any.
    Any,
    /// An even one.
    Even,
}

/// What the driver does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this message to the client.
    Send(Client, Vec<u8>),
    /// Take a relay port; answer with [`Turn::opened`].
    Open(RelayId, Family, Port),
    /// Give the relay port back.
    Close(RelayId),
    /// The client's leg is gone: close its stream. Never for UDP.
    HangUp(Client),
}

/// What the driver sends at once: bytes in the buffer that came in, or in the machine's own.
#[derive(Debug, PartialEq, Eq)]
pub enum Forward<'a> {
    /// To a client. On a stream the driver pads with zeros to a multiple of four.
    Client(Client, &'a [u8]),
    /// From this relay port to a peer.
    Peer(RelayId, SocketAddr, &'a [u8]),
}

/// Whom a leg's relayed addresses may talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The other leg of the session. What the product uses.
    Partner,
    /// Any leg of the session, the same one too: for tools that know one pair of credentials only.
    Session,
}

/// Settings of the server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The realm of the credentials, by custom the gateway's host name.
    pub realm: String,
    /// Families in which the driver can open relay ports. Without `Family::V4` clients must ask for the other.
    pub families: Vec<Family>,
    /// Bounds.
    pub limits: Limits,
    /// How long things last.
    pub lives: Lives,
    /// Whom a leg's relayed addresses may talk to.
    pub reach: Reach,
    /// Addresses of the server's own computer. They count as nobody's: what listens there is not the partner.
    pub own: Vec<IpAddr>,
    /// Whether the server serves only its own computer, so that a leg on a loopback address is a leg like others.
    pub loopback: bool,
}

impl Settings {
    /// The product's settings for this realm, IPv4 and IPv6.
    pub fn new(realm: impl Into<String>) -> Settings {
        Settings {
            realm: realm.into(),
            families: vec![Family::V4, Family::V6],
            limits: Limits::default(),
            lives: Lives::default(),
            reach: Reach::Partner,
            own: Vec::new(),
            loopback: false,
        }
    }

    /// Whether a leg can be outside at this address at all.
    fn may_register(&self, ip: IpAddr) -> bool {
        let nobody = match ip {
            IpAddr::V4(ip) => {
                ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast() || ip.is_link_local()
            }
            IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local(),
        };
        !nobody && (self.loopback || (!ip.is_loopback() && !self.own.contains(&ip)))
    }
}

struct Leg {
    session: SessionId,
    role: Role,
    allocations: Vec<RelayId>,
}

struct Session {
    legs: Vec<LegId>,
    /// Addresses outside this server at which legs were seen.
    addresses: Vec<(IpAddr, LegId, Role)>,
    budget: Bucket,
}

/// The server's state.
pub struct Turn {
    settings: Settings,
    secrets: Secrets,
    legs: HashMap<LegId, Leg>,
    /// INVARIANT: holds exactly the sessions of `legs`.
    sessions: HashMap<SessionId, Session>,
    allocations: HashMap<RelayId, Allocation>,
    /// INVARIANT: one entry for each allocation.
    clients: HashMap<Client, RelayId>,
    /// INVARIANT: one entry for each allocation whose port is open.
    relayed: HashMap<SocketAddr, RelayId>,
    /// INVARIANT: the number of allocations whose client is of that network.
    per_address: HashMap<IpAddr, u32>,
    /// At least one entry for each allocation; what is out of date is passed over, what comes too early is put back.
    timers: BinaryHeap<Reverse<(Moment, RelayId)>>,
    strangers: Strangers,
    outputs: VecDeque<Output>,
    scratch: Vec<u8>,
    next_relay: u64,
    next_indication: u64,
}

/// Why a leg gets no credentials: the server is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Turn {
    /// A server with nobody on it. `random` are bytes nobody can guess; they make its secrets.
    pub fn new(settings: Settings, random: &[u8; 64]) -> Turn {
        Turn {
            secrets: Secrets::new(random),
            legs: HashMap::new(),
            sessions: HashMap::new(),
            allocations: HashMap::new(),
            clients: HashMap::new(),
            relayed: HashMap::new(),
            per_address: HashMap::new(),
            timers: BinaryHeap::new(),
            strangers: Strangers::new(settings.limits.stranger_answers),
            outputs: VecDeque::new(),
            scratch: Vec::new(),
            next_relay: 1,
            next_indication: 1,
            settings,
        }
    }

    /// A leg was admitted to a session: credentials with which it may allocate until `until`. What it allocated by then
    /// lives on while it is refreshed and the leg is there. Called again for the same leg and session it mints anew.
    pub fn admit(
        &mut self,
        leg: LegId,
        session: SessionId,
        role: Role,
        until: Moment,
        now: Moment,
    ) -> Result<Credentials, Full> {
        if self.legs.get(&leg).is_some_and(|known| known.session != session || known.role != role) {
            self.dismiss(leg);
        }
        if !self.legs.contains_key(&leg) {
            if self.legs.len() >= self.settings.limits.legs {
                return Err(Full);
            }
            self.legs.insert(leg, Leg { session, role, allocations: Vec::new() });
            let budget = Bucket::full(self.settings.limits.session_bytes, now);
            let new = || Session { legs: Vec::new(), addresses: Vec::new(), budget };
            self.sessions.entry(session).or_insert_with(new).legs.push(leg);
        }
        Ok(self.secrets.mint(leg, until))
    }

    /// A leg is gone: its credentials, allocations and addresses with it.
    pub fn dismiss(&mut self, leg: LegId) {
        let Some(gone) = self.legs.remove(&leg) else { return };
        for relay in gone.allocations {
            if let Some(client) = self.free(relay)
                && let Carrier::Stream(_) = client.carrier
            {
                self.outputs.push_back(Output::HangUp(client));
            }
        }
        if let Some(session) = self.sessions.get_mut(&gone.session) {
            session.legs.retain(|&other| other != leg);
            session.addresses.retain(|&(_, of, _)| of != leg);
            if session.legs.is_empty() {
                self.sessions.remove(&gone.session);
            }
        }
    }

    /// A leg was seen at this address outside the server: its partner's relayed addresses may send there, to any port
    /// from 1024 on, because a NAT may give the leg another port for each peer. The caller answers for it that the leg
    /// receives there. The oldest gives way when there are too many.
    pub fn register(&mut self, leg: LegId, address: IpAddr) {
        let Some(known) = self.legs.get(&leg) else { return };
        let (session, role) = (known.session, known.role);
        let address = address.to_canonical();
        if !self.settings.may_register(address) {
            return;
        }
        let most = self.settings.limits.addresses;
        let Some(session) = self.sessions.get_mut(&session) else { return };
        if session.addresses.contains(&(address, leg, role)) {
            return;
        }
        let own = session.addresses.iter().filter(|&&(_, of, _)| of == leg).count();
        if own >= most
            && let Some(oldest) = session.addresses.iter().position(|&(_, of, _)| of == leg)
        {
            session.addresses.remove(oldest);
        }
        session.addresses.push((address, leg, role));
    }

    /// A stream ended.
    pub fn gone(&mut self, client: Client) {
        if let Some(&relay) = self.clients.get(&client) {
            self.free(relay);
        }
    }

    /// Time passes.
    pub fn tick(&mut self, now: Moment) {
        while let Some(&Reverse((due, relay))) = self.timers.peek()
            && due <= now
        {
            self.timers.pop();
            let Some(allocation) = self.allocations.get_mut(&relay).filter(|found| found.timer == due) else {
                continue;
            };
            if allocation.expires > now {
                allocation.timer = allocation.expires;
                self.timers.push(Reverse((allocation.timer, relay)));
            } else {
                self.free(relay);
            }
        }
    }

    /// When to call [`Turn::tick`] at the latest.
    pub fn next_timeout(&self) -> Option<Moment> {
        self.timers.peek().map(|&Reverse((due, _))| due)
    }

    /// What to do next.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether this client holds an allocation.
    pub fn holds(&self, client: Client) -> bool {
        self.clients.contains_key(&client)
    }

    /// How many allocations there are.
    pub fn allocations(&self) -> usize {
        self.allocations.len()
    }

    /// How many legs hold credentials.
    pub fn legs(&self) -> usize {
        self.legs.len()
    }

    fn free(&mut self, relay: RelayId) -> Option<Client> {
        let gone = self.allocations.remove(&relay)?;
        self.clients.remove(&gone.client);
        if let Some(relayed) = gone.relayed {
            self.relayed.remove(&relayed);
        }
        let network = address_group(gone.client.remote);
        if let Some(count) = self.per_address.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&network);
            }
        }
        if let Some(leg) = self.legs.get_mut(&gone.leg) {
            leg.allocations.retain(|&other| other != relay);
        }
        self.outputs.push_back(Output::Close(relay));
        Some(gone.client)
    }
}

/// The group of addresses that share a quota: one IPv4 address, or an IPv6 /64.
fn address_group(address: SocketAddr) -> IpAddr {
    quota::network(address.ip().to_canonical(), 32, 64)
}

/// An address without what only the local system understands, IPv4 as IPv4.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
