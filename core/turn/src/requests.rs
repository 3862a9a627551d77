//! Requests: who asks, whether it may, and the answer.

use crate::allocation::{Allocation, CHANNELS, NotBound};
use crate::integrity::{Integrity, Key, read_username};
use crate::stun::{Class, Message, Method, Transaction, Writer, attribute};
use crate::{Client, Family, Output, Port, RelayId, Turn, address_group, plain};
use belay_relay::LegId;
use belay_wire::Moment;
use std::cmp::Reverse;
use std::net::SocketAddr;
use std::time::Duration;

/// The protocol number of UDP, the only one that is relayed.
const UDP: u8 = 17;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    BadRequest,
    Unauthorized,
    Forbidden,
    UnknownAttribute(u16),
    Mismatch,
    StaleNonce,
    AddressFamily,
    WrongCredentials,
    Transport,
    PeerFamily,
    Quota,
    Capacity,
}

impl Refusal {
    fn code(self) -> (u16, &'static str) {
        match self {
            Refusal::BadRequest => (400, "Bad Request"),
            Refusal::Unauthorized => (401, "Unauthenticated"),
            Refusal::Forbidden => (403, "Forbidden"),
            Refusal::UnknownAttribute(_) => (420, "Unknown Attribute"),
            Refusal::Mismatch => (437, "Allocation Mismatch"),
            Refusal::StaleNonce => (438, "Stale Nonce"),
            Refusal::AddressFamily => (440, "Address Family not Supported"),
            Refusal::WrongCredentials => (441, "Wrong Credentials"),
            Refusal::Transport => (442, "Unsupported Transport Protocol"),
            Refusal::PeerFamily => (443, "Peer Address Family Mismatch"),
            Refusal::Quota => (486, "Allocation Quota Reached"),
            Refusal::Capacity => (508, "Insufficient Capacity"),
        }
    }
}

/// Somebody who has shown credentials of a leg that is there.
struct Caller<'m> {
    client: Client,
    leg: LegId,
    username: &'m str,
    key: Key,
    integrity: Integrity,
    transaction: Transaction,
    method: Method,
    /// Until when the credentials allow new allocations.
    until: Moment,
}

/// What a request is answered with.
enum Answer {
    /// Done; the attributes are added by the writer's caller.
    Done,
    Allocated(SocketAddr, Duration),
    Refreshed(Duration),
    Mapped,
    /// The driver is asked first.
    Later,
}

impl Turn {
    pub(crate) fn request(&mut self, client: Client, message: &Message<'_>, now: Moment) {
        let method = message.method();
        let bare = Integrity::of(message).is_none();
        match method {
            Method::Binding if bare => return self.bind_bare(client, message, now),
            Method::Binding
            | Method::Allocate
            | Method::Refresh
            | Method::CreatePermission
            | Method::ChannelBind => {}
            Method::Send | Method::Data | Method::Other(_) => {
                return self.refuse_stranger(client, message, Refusal::BadRequest, now);
            }
        }
        let caller = match self.caller(client, message, now) {
            Ok(caller) => caller,
            Err(refusal) => return self.refuse_stranger(client, message, refusal, now),
        };
        let answer = match unknown(message) {
            Some(number) => Err(Refusal::UnknownAttribute(number)),
            None => match method {
                Method::Binding => {
                    self.seen(&caller);
                    Ok(Answer::Mapped)
                }
                Method::Allocate => self.allocate(&caller, message, now),
                Method::Refresh => self.refresh(&caller, message, now),
                Method::CreatePermission => self.create_permission(&caller, message, now),
                Method::ChannelBind => self.channel_bind(&caller, message, now),
                Method::Send | Method::Data | Method::Other(_) => Err(Refusal::BadRequest),
            },
        };
        self.answer(&caller, answer);
    }

    /// Answers an `Open` of [`Turn::poll`]: the address of the port, or nothing when there was none.
    pub fn opened(&mut self, relay: RelayId, address: Option<SocketAddr>, now: Moment) {
        let Some(allocation) = self.allocations.get_mut(&relay) else {
            // Freed while the port was being opened; its `Close` is already on the way.
            return;
        };
        let caller = Caller {
            client: allocation.client,
            leg: allocation.leg,
            username: "",
            key: allocation.key,
            integrity: allocation.integrity,
            transaction: allocation.asked,
            method: Method::Allocate,
            until: now,
        };
        let Some(address) = address else {
            self.free(relay);
            return self.answer(&caller, Err(Refusal::Capacity));
        };
        let address = plain(address);
        allocation.relayed = Some(address);
        let left = allocation.expires.since(now);
        self.relayed.insert(address, relay);
        self.answer(&caller, Ok(Answer::Allocated(address, left)));
    }

    /// A plain STUN question: answered without remembering anything.
    fn bind_bare(&mut self, client: Client, message: &Message<'_>, now: Moment) {
        if !self.strangers.answer(client.remote.ip().to_canonical(), now) {
            return;
        }
        let mut bytes = Vec::with_capacity(64);
        match unknown(message) {
            Some(number) => {
                let mut writer =
                    Writer::new(&mut bytes, Method::Binding, Class::Error, message.transaction());
                add_refusal(&mut writer, Refusal::UnknownAttribute(number));
                writer.finish();
            }
            None => {
                Writer::new(&mut bytes, Method::Binding, Class::Success, message.transaction())
                    .add_address(attribute::XOR_MAPPED_ADDRESS, plain(client.remote))
                    .finish();
            }
        }
        self.outputs.push_back(Output::Send(client, bytes));
    }

    fn caller<'m>(&self, client: Client, message: &Message<'m>, now: Moment) -> Result<Caller<'m>, Refusal> {
        let integrity = Integrity::of(message).ok_or(Refusal::Unauthorized)?;
        let username = message.text(attribute::USERNAME).ok_or(Refusal::BadRequest)?;
        let realm = message.text(attribute::REALM).ok_or(Refusal::BadRequest)?;
        let nonce = message.text(attribute::NONCE).ok_or(Refusal::BadRequest)?;
        if realm != self.settings.realm {
            return Err(Refusal::Unauthorized);
        }
        if !self.secrets.nonce_good(nonce, client, now, self.settings.lives.nonce) {
            return Err(Refusal::StaleNonce);
        }
        let (leg, until) = read_username(username).ok_or(Refusal::Unauthorized)?;
        if !self.legs.contains_key(&leg) {
            return Err(Refusal::Unauthorized);
        }
        let own = self.clients.get(&client).and_then(|relay| self.allocations.get(relay));
        let key = match own {
            Some(allocation) if *allocation.username == *username => allocation.key,
            Some(_) | None => self.secrets.key(username, realm),
        };
        if !integrity.verify(message, &key) {
            return Err(Refusal::Unauthorized);
        }
        let (transaction, method) = (message.transaction(), message.method());
        Ok(Caller { client, leg, username, key, integrity, transaction, method, until })
    }

    fn seen(&mut self, caller: &Caller<'_>) {
        // The nonce (of a stream: its handshake too) has proved that the leg receives there.
        self.register(caller.leg, caller.client.remote.ip());
    }

    fn allocate(
        &mut self,
        caller: &Caller<'_>,
        message: &Message<'_>,
        now: Moment,
    ) -> Result<Answer, Refusal> {
        if let Some(existing) = self.clients.get(&caller.client).and_then(|relay| self.allocations.get(relay))
        {
            return match existing.relayed {
                _ if existing.asked != caller.transaction => Err(Refusal::Mismatch),
                Some(address) => Ok(Answer::Allocated(address, existing.expires.since(now))),
                None => Ok(Answer::Later),
            };
        }
        let lifetime = self.asked_for(message).max(self.settings.lives.allocation);
        let limits = &self.settings.limits;
        if caller.until <= now {
            return Err(Refusal::Unauthorized);
        }
        match message.value(attribute::REQUESTED_TRANSPORT) {
            Some([UDP, ..]) => {}
            Some(_) => return Err(Refusal::Transport),
            None => return Err(Refusal::BadRequest),
        }
        let even = message.value(attribute::EVEN_PORT);
        let port = match (even, message.value(attribute::RESERVATION_TOKEN)) {
            (Some(_), Some(_)) => return Err(Refusal::BadRequest),
            // No port is held for later: nobody who may come here asks for it.
            (None, Some(_)) => return Err(Refusal::Capacity),
            (Some([flags, ..]), None) if flags & 0x80 != 0 => return Err(Refusal::Capacity),
            (Some(_), None) => Port::Even,
            (None, None) => Port::Any,
        };
        let family = match message.value(attribute::REQUESTED_ADDRESS_FAMILY) {
            None | Some([1, ..]) => Family::V4,
            Some([2, ..]) => Family::V6,
            Some(_) => return Err(Refusal::AddressFamily),
        };
        if !self.settings.families.contains(&family) {
            return Err(Refusal::AddressFamily);
        }
        if self.allocations.len() >= limits.allocations {
            return Err(Refusal::Capacity);
        }
        let network = address_group(caller.client.remote);
        let (per_leg, per_address) = (limits.per_leg, limits.per_address);
        let leg = self.legs.get_mut(&caller.leg).ok_or(Refusal::Unauthorized)?;
        if leg.allocations.len() >= per_leg
            || self.per_address.get(&network).is_some_and(|&n| n >= per_address)
        {
            return Err(Refusal::Quota);
        }
        let relay = RelayId(self.next_relay);
        self.next_relay += 1;
        leg.allocations.push(relay);
        let allocation = Allocation {
            client: caller.client,
            leg: caller.leg,
            session: leg.session,
            role: leg.role,
            relayed: None,
            username: caller.username.into(),
            key: caller.key,
            expires: now + lifetime,
            timer: now + lifetime,
            asked: caller.transaction,
            integrity: caller.integrity,
            permissions: Vec::new(),
            channels: Vec::new(),
        };
        self.timers.push(Reverse((allocation.expires, relay)));
        self.allocations.insert(relay, allocation);
        self.clients.insert(caller.client, relay);
        *self.per_address.entry(network).or_insert(0) += 1;
        self.outputs.push_back(Output::Open(relay, family, port));
        self.seen(caller);
        Ok(Answer::Later)
    }

    /// The lifetime a client asks for, within bounds.
    fn asked_for(&self, message: &Message<'_>) -> Duration {
        let lives = &self.settings.lives;
        match message.number(attribute::LIFETIME) {
            Some(seconds) => Duration::from_secs(u64::from(seconds)).min(lives.longest),
            None => lives.allocation,
        }
    }

    /// The caller's own allocation on this path, made with the same credentials.
    fn own(&mut self, caller: &Caller<'_>) -> Result<RelayId, Refusal> {
        let relay = *self.clients.get(&caller.client).ok_or(Refusal::Mismatch)?;
        let allocation = self.allocations.get(&relay).ok_or(Refusal::Mismatch)?;
        if allocation.relayed.is_none() {
            return Err(Refusal::Mismatch);
        }
        // Another username of the same leg is a renewed one.
        if allocation.leg != caller.leg {
            return Err(Refusal::WrongCredentials);
        }
        Ok(relay)
    }

    fn refresh(
        &mut self,
        caller: &Caller<'_>,
        message: &Message<'_>,
        now: Moment,
    ) -> Result<Answer, Refusal> {
        let relay = self.own(caller)?;
        let allocation = self.allocations.get(&relay).ok_or(Refusal::Mismatch)?;
        let family = allocation.relayed.map(|address| Family::of(address.ip()));
        match message.value(attribute::REQUESTED_ADDRESS_FAMILY) {
            None => {}
            Some([1, ..]) if family == Some(Family::V4) => {}
            Some([2, ..]) if family == Some(Family::V6) => {}
            Some(_) => return Err(Refusal::PeerFamily),
        }
        let asked = self.asked_for(message);
        if asked.is_zero() {
            self.free(relay);
            return Ok(Answer::Refreshed(asked));
        }
        let lifetime = asked.max(self.settings.lives.allocation);
        if let Some(allocation) = self.allocations.get_mut(&relay) {
            allocation.expires = now + lifetime;
            if allocation.expires < allocation.timer {
                allocation.timer = allocation.expires;
                self.timers.push(Reverse((allocation.timer, relay)));
            }
        }
        Ok(Answer::Refreshed(lifetime))
    }

    fn create_permission(
        &mut self,
        caller: &Caller<'_>,
        message: &Message<'_>,
        now: Moment,
    ) -> Result<Answer, Refusal> {
        let relay = self.own(caller)?;
        let mut peers = Vec::new();
        for (number, value, _) in message.attributes() {
            match number {
                attribute::XOR_PEER_ADDRESS => {
                    let peer = crate::stun::unmix(value, caller.transaction).ok_or(Refusal::BadRequest)?;
                    peers.push(plain(peer));
                }
                attribute::MESSAGE_INTEGRITY | attribute::MESSAGE_INTEGRITY_SHA256 => break,
                _ => {}
            }
        }
        if peers.is_empty() {
            return Err(Refusal::BadRequest);
        }
        for &peer in &peers {
            let allocation = self.same_family(relay, peer)?;
            if !self.permits_naming(allocation, peer.ip()) {
                return Err(Refusal::Forbidden);
            }
        }
        let most = self.settings.limits.peers;
        let allocation = self.allocations.get_mut(&relay).ok_or(Refusal::Mismatch)?;
        for peer in peers {
            allocation.permit(peer.ip(), most, &self.settings.lives, now).map_err(not_bound)?;
        }
        Ok(Answer::Done)
    }

    fn channel_bind(
        &mut self,
        caller: &Caller<'_>,
        message: &Message<'_>,
        now: Moment,
    ) -> Result<Answer, Refusal> {
        let relay = self.own(caller)?;
        let Some([high, low, ..]) = message.value(attribute::CHANNEL_NUMBER) else {
            return Err(Refusal::BadRequest);
        };
        let number = u16::from_be_bytes([*high, *low]);
        let peer = plain(message.address(attribute::XOR_PEER_ADDRESS).ok_or(Refusal::BadRequest)?);
        if !CHANNELS.contains(&number) || peer.port() == 0 {
            return Err(Refusal::BadRequest);
        }
        let allocation = self.same_family(relay, peer)?;
        if !self.reaches(allocation, peer) {
            return Err(Refusal::Forbidden);
        }
        let most = self.settings.limits.peers;
        let allocation = self.allocations.get_mut(&relay).ok_or(Refusal::Mismatch)?;
        allocation.bind(number, peer, most, &self.settings.lives, now).map_err(not_bound)?;
        Ok(Answer::Done)
    }

    fn same_family(&self, relay: RelayId, peer: SocketAddr) -> Result<&Allocation, Refusal> {
        let allocation = self.allocations.get(&relay).ok_or(Refusal::Mismatch)?;
        let own = allocation.relayed.ok_or(Refusal::Mismatch)?;
        if Family::of(own.ip()) != Family::of(peer.ip()) {
            return Err(Refusal::PeerFamily);
        }
        Ok(allocation)
    }

    fn answer(&mut self, caller: &Caller<'_>, answer: Result<Answer, Refusal>) {
        let mut bytes = Vec::with_capacity(128);
        let class = if answer.is_ok() { Class::Success } else { Class::Error };
        let mut writer = Writer::new(&mut bytes, caller.method, class, caller.transaction);
        match answer {
            Ok(Answer::Later) => return,
            Ok(Answer::Done) => {}
            Ok(Answer::Mapped) => {
                writer.add_address(attribute::XOR_MAPPED_ADDRESS, plain(caller.client.remote));
            }
            Ok(Answer::Refreshed(lifetime)) => {
                writer.add(attribute::LIFETIME, &seconds(lifetime));
            }
            Ok(Answer::Allocated(relayed, lifetime)) => {
                writer.add_address(attribute::XOR_RELAYED_ADDRESS, relayed);
                writer.add(attribute::LIFETIME, &seconds(lifetime));
                writer.add_address(attribute::XOR_MAPPED_ADDRESS, plain(caller.client.remote));
            }
            Err(refusal) => add_refusal(&mut writer, refusal),
        }
        caller.integrity.add(&mut writer, &caller.key);
        writer.finish();
        self.outputs.push_back(Output::Send(caller.client, bytes));
    }

    /// Refuses somebody who has shown no credentials, if the address has not had too many answers.
    fn refuse_stranger(&mut self, client: Client, message: &Message<'_>, refusal: Refusal, now: Moment) {
        if !self.strangers.answer(client.remote.ip().to_canonical(), now) {
            return;
        }
        let mut bytes = Vec::with_capacity(160);
        let mut writer = Writer::new(&mut bytes, message.method(), Class::Error, message.transaction());
        add_refusal(&mut writer, refusal);
        if matches!(refusal, Refusal::Unauthorized | Refusal::StaleNonce) {
            writer.add(attribute::REALM, self.settings.realm.as_bytes());
            writer.add(attribute::NONCE, self.secrets.nonce(client, now).as_bytes());
        }
        writer.finish();
        self.outputs.push_back(Output::Send(client, bytes));
    }
}

fn not_bound(why: NotBound) -> Refusal {
    match why {
        NotBound::Full => Refusal::Capacity,
        NotBound::Taken => Refusal::BadRequest,
    }
}

fn seconds(duration: Duration) -> [u8; 4] {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX).to_be_bytes()
}

fn add_refusal(writer: &mut Writer<'_>, refusal: Refusal) {
    let (code, reason) = refusal.code();
    writer.add_error(code, reason);
    if let Refusal::UnknownAttribute(number) = refusal {
        writer.add(attribute::UNKNOWN_ATTRIBUTES, &number.to_be_bytes());
    }
}

/// The first attribute that must be understood and is not. DONT-FRAGMENT is among them, as RFC 8656 section 7.2 wants
/// of a server that does not offer it.
fn unknown(message: &Message<'_>) -> Option<u16> {
    let known = |number: u16| {
        number >= 0x8000
            || matches!(
                number,
                attribute::MAPPED_ADDRESS
                    | attribute::USERNAME
                    | attribute::MESSAGE_INTEGRITY
                    | attribute::CHANNEL_NUMBER
                    | attribute::LIFETIME
                    | attribute::XOR_PEER_ADDRESS
                    | attribute::DATA
                    | attribute::REALM
                    | attribute::NONCE
                    | attribute::REQUESTED_ADDRESS_FAMILY
                    | attribute::EVEN_PORT
                    | attribute::REQUESTED_TRANSPORT
                    | attribute::MESSAGE_INTEGRITY_SHA256
                    | attribute::XOR_MAPPED_ADDRESS
                    | attribute::RESERVATION_TOKEN
                    | attribute::PRIORITY
                    | attribute::USE_CANDIDATE
            )
    };
    message.attributes().map(|(number, ..)| number).find(|&number| !known(number))
}
