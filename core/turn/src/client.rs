//! The other end: a TURN client (RFC 8656) for one relayed address by UDP, as the applet needs it. Without sockets, like the server.
//!
//! Hand in what came from the server with [`TurnClient::received`] and what is to go to a peer with [`TurnClient::send`], call
//! [`TurnClient::tick`] when [`TurnClient::next_timeout`] says so, and do what [`TurnClient::poll`] says. Peers get a channel each; a
//! packet for a peer whose channel is not there yet waits for it, as far as there is room.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use aws_lc_rs::digest;
use belay_wire::Moment;

use crate::stun::{Class, Message, Method, Transaction, Writer, attribute};
use crate::{Credentials, Integrity, long_term_key};

/// The transport that is asked for: UDP (RFC 8656, 18.7).
const UDP: [u8; 4] = [17, 0, 0, 0];
/// When a request goes again if it is not answered, counted from its first sending; after the last it has failed.
const AGAIN: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_millis(1500),
    Duration::from_millis(3500),
    Duration::from_millis(7500),
    Duration::from_millis(11_500),
];
/// A channel is bound anew this often: its permission lasts five minutes.
const BIND_AGAIN: Duration = Duration::from_secs(240);
/// Peers with a channel: what a server has for an allocation at least.
const MAX_CHANNELS: usize = 30;
const FIRST_CHANNEL: u16 = 0x4000;
/// Packets that wait for a channel.
const MAX_WAITING: usize = 4;
/// Answers in a row that ask for another nonce.
const MAX_STALE: u32 = 3;

/// What the client wants done, or tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientOutput {
    /// Send this to the server.
    Send(Vec<u8>),
    /// There is a relayed address now.
    Allocated(SocketAddr),
    /// A peer has sent this to it.
    Data(SocketAddr, Vec<u8>),
    /// There is none, or no longer; nothing follows.
    Failed(Failure),
}

/// Why there is no relayed address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server does not answer.
    Silent,
    /// It refuses, with this number.
    Refused(u16),
    /// Its answer makes no sense.
    Answer,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Silent => f.write_str("the relay does not answer"),
            Failure::Refused(number) => write!(f, "the relay refuses with {number}"),
            Failure::Answer => f.write_str("the relay gives an answer that makes no sense"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Allocate,
    Refresh,
    Bind(u16),
}

struct Pending {
    what: What,
    transaction: Transaction,
    bytes: Vec<u8>,
    began: Moment,
    sent: usize,
}

enum Standing {
    /// Asked for; these wait.
    Asked(Vec<Vec<u8>>),
    Bound,
    /// The server does not let this peer in.
    Refused,
}

struct Channel {
    number: u16,
    peer: SocketAddr,
    standing: Standing,
    again: Moment,
}

/// A client of one TURN server.
pub struct TurnClient {
    credentials: Credentials,
    is_ipv6: bool,
    seed: [u8; 32],
    requests: u64,
    /// What the server wants in each request, once it has said so: realm, nonce, key.
    asked: Option<(String, String, [u8; 16])>,
    stale: u32,
    pending: Vec<Pending>,
    relayed: Option<SocketAddr>,
    refresh_at: Option<Moment>,
    channels: Vec<Channel>,
    outputs: VecDeque<ClientOutput>,
    over: bool,
}

impl TurnClient {
    /// Asks for a relayed address of the family of the server's own. `seed`: 32 random bytes, from which the numbers of the requests
    /// are made.
    pub fn new(credentials: Credentials, is_ipv6: bool, seed: [u8; 32], now: Moment) -> TurnClient {
        let mut client = TurnClient {
            credentials,
            is_ipv6,
            seed,
            requests: 0,
            asked: None,
            stale: 0,
            pending: Vec::new(),
            relayed: None,
            refresh_at: None,
            channels: Vec::new(),
            outputs: VecDeque::new(),
            over: false,
        };
        client.request(What::Allocate, now);
        client
    }

    /// The next thing to do or to hear, until there is none.
    pub fn poll(&mut self) -> Option<ClientOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`TurnClient::tick`].
    pub fn next_timeout(&self) -> Option<Moment> {
        let again = self.pending.iter().map(Pending::due);
        let bind =
            self.channels.iter().filter(|one| matches!(one.standing, Standing::Bound)).map(|one| one.again);
        again.chain(bind).chain(self.refresh_at).min().filter(|_| !self.over)
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Moment) {
        if self.over {
            return;
        }
        let mut silent = Vec::new();
        for pending in &mut self.pending {
            if pending.due() > now {
                continue;
            }
            if pending.sent >= AGAIN.len() {
                silent.push(pending.transaction);
            } else {
                pending.sent += 1;
                self.outputs.push_back(ClientOutput::Send(pending.bytes.clone()));
            }
        }
        for transaction in silent {
            let Some(pending) = self.take(transaction) else { continue };
            match pending.what {
                What::Allocate | What::Refresh => return self.fail(Failure::Silent),
                What::Bind(number) => self.refuse(number),
            }
        }
        if self.refresh_at.is_some_and(|at| at <= now) {
            self.refresh_at = None;
            self.request(What::Refresh, now);
        }
        let due = |one: &&mut Channel| matches!(one.standing, Standing::Bound) && one.again <= now;
        let due: Vec<u16> = self
            .channels
            .iter_mut()
            .filter(due)
            .map(|one| {
                one.again = now + BIND_AGAIN;
                one.number
            })
            .collect();
        due.into_iter().for_each(|number| self.request(What::Bind(number), now));
    }

    /// Sends to a peer from the relayed address. Lost, like any datagram, where there is no such address, no room, or no way.
    pub fn send(&mut self, peer: SocketAddr, bytes: &[u8], now: Moment) {
        if self.over || self.relayed.is_none_or(|relayed| relayed.is_ipv6() != peer.is_ipv6()) {
            return;
        }
        if let Some(channel) = self.channels.iter_mut().find(|one| one.peer == peer) {
            match &mut channel.standing {
                Standing::Bound => {
                    let data = channel_data(channel.number, bytes);
                    self.outputs.push_back(ClientOutput::Send(data));
                }
                Standing::Asked(waiting) if waiting.len() < MAX_WAITING => waiting.push(bytes.to_vec()),
                Standing::Asked(_) | Standing::Refused => {}
            }
            return;
        }
        if self.channels.len() >= MAX_CHANNELS {
            return;
        }
        let number = FIRST_CHANNEL + self.channels.len() as u16;
        let standing = Standing::Asked(vec![bytes.to_vec()]);
        self.channels.push(Channel { number, peer, standing, again: now + BIND_AGAIN });
        self.request(What::Bind(number), now);
    }

    /// Gives the relayed address back. Nothing is answered any more.
    pub fn close(&mut self) {
        if !self.over && self.relayed.is_some() {
            let transaction = self.next_transaction();
            let bytes = self.written(What::Refresh, Some(0), transaction);
            self.outputs.push_back(ClientOutput::Send(bytes));
        }
        self.over = true;
    }

    /// Takes what came from the server; whether it was meant for this client.
    pub fn received(&mut self, bytes: &[u8], now: Moment) -> bool {
        if self.over {
            return false;
        }
        if let Some(&[a, b, c, d]) = bytes.first_chunk::<4>()
            && (0x40..0x80).contains(&a)
        {
            let number = u16::from_be_bytes([a, b]);
            let payload = bytes.get(4..4 + usize::from(u16::from_be_bytes([c, d])));
            let Some(channel) = self.channels.iter().find(|one| one.number == number) else { return false };
            if let Some(payload) = payload {
                self.outputs.push_back(ClientOutput::Data(channel.peer, payload.to_vec()));
            }
            return payload.is_some();
        }
        let Some(message) = Message::read(bytes) else { return false };
        match (message.class(), message.method()) {
            (Class::Indication, Method::Data) => {
                let peer = message.address(attribute::XOR_PEER_ADDRESS);
                if let (Some(peer), Some(data)) = (peer, message.value(attribute::DATA)) {
                    self.outputs.push_back(ClientOutput::Data(peer, data.to_vec()));
                }
                true
            }
            (Class::Success | Class::Error, _) => self.answered(&message, now),
            (Class::Request | Class::Indication, _) => false,
        }
    }

    fn answered(&mut self, message: &Message<'_>, now: Moment) -> bool {
        let Some(pending) = self.pending.iter().find(|one| one.transaction == message.transaction()) else {
            return false;
        };
        let what = pending.what;
        if message.class() == Class::Error {
            let number = message.value(attribute::ERROR_CODE).and_then(error_number);
            let _ = self.take(message.transaction());
            self.refused(what, number, message, now);
            return true;
        }
        // Whoever says yes must know the password too.
        let right = self.asked.as_ref().is_some_and(|(_, _, key)| {
            Integrity::of(message).is_some_and(|integrity| integrity.verify(message, key))
        });
        if !right {
            return false;
        }
        let _ = self.take(message.transaction());
        self.stale = 0;
        match what {
            What::Allocate => match message.address(attribute::XOR_RELAYED_ADDRESS) {
                Some(relayed) => {
                    self.relayed = Some(relayed);
                    self.refresh_after(message, now);
                    self.outputs.push_back(ClientOutput::Allocated(relayed));
                }
                None => self.fail(Failure::Answer),
            },
            What::Refresh => self.refresh_after(message, now),
            What::Bind(number) => {
                let Some(channel) = self.channels.iter_mut().find(|one| one.number == number) else {
                    return true;
                };
                let before = std::mem::replace(&mut channel.standing, Standing::Bound);
                channel.again = now + BIND_AGAIN;
                if let Standing::Asked(waiting) = before {
                    let sends = waiting.iter().map(|bytes| ClientOutput::Send(channel_data(number, bytes)));
                    self.outputs.extend(sends);
                }
            }
        }
        true
    }

    fn refused(&mut self, what: What, number: Option<u16>, message: &Message<'_>, now: Moment) {
        let first = number == Some(401) && self.asked.is_none();
        let stale = number == Some(438) && self.stale < MAX_STALE;
        let nonce = message.text(attribute::NONCE);
        if (first || stale)
            && let Some(nonce) = nonce
        {
            let known = self.asked.as_ref().map(|(realm, ..)| realm.clone());
            let realm = message.text(attribute::REALM).map(str::to_owned).or(known).unwrap_or_default();
            let key = long_term_key(&self.credentials.username, &realm, &self.credentials.password);
            self.asked = Some((realm, nonce.to_owned(), key));
            self.stale += u32::from(stale);
            return self.request(what, now);
        }
        match what {
            What::Allocate | What::Refresh => {
                self.fail(number.map_or(Failure::Answer, Failure::Refused));
            }
            What::Bind(number) => self.refuse(number),
        }
    }

    /// Half of what is granted, so that a lost request costs nothing.
    fn refresh_after(&mut self, message: &Message<'_>, now: Moment) {
        let granted = message.number(attribute::LIFETIME).unwrap_or(600).clamp(60, 3600);
        self.refresh_at = Some(now + Duration::from_secs(u64::from(granted / 2)));
    }

    fn refuse(&mut self, number: u16) {
        if let Some(channel) = self.channels.iter_mut().find(|one| one.number == number) {
            channel.standing = Standing::Refused;
        }
    }

    fn fail(&mut self, why: Failure) {
        self.over = true;
        self.pending.clear();
        self.outputs.push_back(ClientOutput::Failed(why));
    }

    fn take(&mut self, transaction: Transaction) -> Option<Pending> {
        let at = self.pending.iter().position(|one| one.transaction == transaction)?;
        Some(self.pending.swap_remove(at))
    }

    fn request(&mut self, what: What, now: Moment) {
        let transaction = self.next_transaction();
        let bytes = self.written(what, None, transaction);
        self.outputs.push_back(ClientOutput::Send(bytes.clone()));
        self.pending.push(Pending { what, transaction, bytes, began: now, sent: 0 });
    }

    fn next_transaction(&mut self) -> Transaction {
        self.requests += 1;
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.seed);
        context.update(&self.requests.to_be_bytes());
        let mut id = [0; 12];
        id.copy_from_slice(&context.finish().as_ref()[..12]);
        Transaction(id)
    }

    fn written(&self, what: What, lifetime: Option<u32>, transaction: Transaction) -> Vec<u8> {
        let method = match what {
            What::Allocate => Method::Allocate,
            What::Refresh => Method::Refresh,
            What::Bind(_) => Method::ChannelBind,
        };
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, method, Class::Request, transaction);
        match what {
            What::Allocate => {
                writer.add(attribute::REQUESTED_TRANSPORT, &UDP);
                if self.is_ipv6 {
                    writer.add(attribute::REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0]);
                }
            }
            What::Refresh => {
                if let Some(seconds) = lifetime {
                    writer.add(attribute::LIFETIME, &seconds.to_be_bytes());
                }
            }
            What::Bind(number) => {
                let [high, low] = number.to_be_bytes();
                writer.add(attribute::CHANNEL_NUMBER, &[high, low, 0, 0]);
                if let Some(channel) = self.channels.iter().find(|one| one.number == number) {
                    writer.add_address(attribute::XOR_PEER_ADDRESS, channel.peer);
                }
            }
        }
        if let Some((realm, nonce, key)) = &self.asked {
            writer.add(attribute::USERNAME, self.credentials.username.as_bytes());
            writer.add(attribute::REALM, realm.as_bytes());
            writer.add(attribute::NONCE, nonce.as_bytes());
            Integrity::Sha256.add(&mut writer, key);
        }
        writer.finish();
        bytes
    }
}

impl Pending {
    fn due(&self) -> Moment {
        self.began + AGAIN[self.sent.min(AGAIN.len() - 1)]
    }
}

fn channel_data(number: u16, bytes: &[u8]) -> Vec<u8> {
    // INVARIANT of callers: a packet is a datagram, so its length fits.
    let length = (bytes.len() as u16).to_be_bytes();
    [number.to_be_bytes().as_slice(), length.as_slice(), bytes].concat()
}

fn error_number(value: &[u8]) -> Option<u16> {
    let [_, _, class, number, ..] = value else { return None };
    Some(u16::from(*class) * 100 + u16::from(*number))
}
