//! A TURN client made of bytes, and a driver that gives out ports.

use belay_relay::LegId;
use belay_turn::stun::{Class, Message, Method, Transaction, Writer, attribute};
use belay_turn::{
    Carrier, Client, Credentials, Family, Forward, Integrity, Output, RelayId, Settings, Turn, long_term_key,
};
use belay_wire::gateway::Role;
use belay_wire::{Moment, SessionId};
use std::collections::HashMap;
use std::net::{Ipv6Addr, SocketAddr};

pub const REALM: &str = "gateway.example.com";
/// Where the random histories start: the clock counts from 1970.
pub const START: Moment = Moment(1_790_000_000_000_000);

/// The machine with its ports and its clock.
pub struct World {
    pub turn: Turn,
    pub now: Moment,
    pub ports: HashMap<RelayId, SocketAddr>,
    pub next_port: u16,
    pub hung_up: Vec<Client>,
    transaction: u64,
}

/// Bytes that left the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    Client(Client, Vec<u8>),
    Peer(RelayId, SocketAddr, Vec<u8>),
}

impl World {
    pub fn new(settings: Settings) -> World {
        World {
            turn: Turn::new(settings, &[7; 64]),
            now: START,
            ports: HashMap::new(),
            next_port: 50_000,
            hung_up: Vec::new(),
            transaction: 0,
        }
    }

    pub fn transaction(&mut self) -> Transaction {
        self.transaction += 1;
        let mut id = [9; 12];
        id[..8].copy_from_slice(&self.transaction.to_be_bytes());
        Transaction(id)
    }

    pub fn admit(&mut self, leg: u64, session: u8, role: Role) -> Credentials {
        let until = self.now + std::time::Duration::from_secs(3600);
        self.turn.admit(LegId(leg), SessionId::from_bytes([session; 16]), role, until, self.now).unwrap()
    }

    /// Hands in a client's message and says what left.
    pub fn send(&mut self, client: Client, bytes: &[u8]) -> Vec<Sent> {
        let mut bytes = bytes.to_vec();
        let mut sent: Vec<Sent> =
            self.turn.received(client, &mut bytes, self.now).map(own).into_iter().collect();
        sent.extend(self.drain());
        sent
    }

    /// Hands in what a peer sent to a relay port.
    pub fn peer(&mut self, relay: RelayId, from: SocketAddr, bytes: &[u8]) -> Option<Sent> {
        let mut packet = vec![0; 4];
        packet.extend_from_slice(bytes);
        self.turn.from_peer(relay, from, &mut packet, self.now).map(own)
    }

    pub fn drain(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        while let Some(output) = self.turn.poll() {
            match output {
                Output::Send(client, bytes) => sent.push(Sent::Client(client, bytes)),
                Output::Open(relay, family, _) => {
                    let address = match family {
                        Family::V4 => SocketAddr::from(([192, 0, 2, 1], self.next_port)),
                        Family::V6 => {
                            SocketAddr::from((Ipv6Addr::from(0x2001_0db8 << 96 | 1u128), self.next_port))
                        }
                    };
                    self.next_port = if self.next_port > 60_000 { 50_000 } else { self.next_port + 1 };
                    self.ports.insert(relay, address);
                    self.turn.opened(relay, Some(address), self.now);
                }
                Output::Close(relay) => drop(self.ports.remove(&relay)),
                Output::HangUp(client) => self.hung_up.push(client),
            }
        }
        sent
    }
}

fn own(forward: Forward<'_>) -> Sent {
    match forward {
        Forward::Client(client, bytes) => Sent::Client(client, bytes.to_vec()),
        Forward::Peer(relay, to, bytes) => Sent::Peer(relay, to, bytes.to_vec()),
    }
}

/// A client at an address, with credentials.
#[derive(Clone)]
pub struct Caller {
    pub client: Client,
    pub credentials: Credentials,
    pub nonce: String,
    pub integrity: Integrity,
}

impl Caller {
    pub fn udp(remote: &str, credentials: Credentials) -> Caller {
        let client = Client { carrier: Carrier::Udp(0), remote: remote.parse().unwrap() };
        Caller { client, credentials, nonce: String::new(), integrity: Integrity::Sha1 }
    }

    pub fn request(
        &self,
        world: &mut World,
        method: Method,
        fill: impl FnOnce(&mut Writer<'_>),
    ) -> (Transaction, Vec<u8>) {
        let transaction = world.transaction();
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, method, Class::Request, transaction);
        fill(&mut writer);
        writer.add(attribute::USERNAME, self.credentials.username.as_bytes());
        writer.add(attribute::REALM, REALM.as_bytes());
        writer.add(attribute::NONCE, self.nonce.as_bytes());
        let key = long_term_key(&self.credentials.username, REALM, &self.credentials.password);
        self.integrity.add(&mut writer, &key);
        writer.finish();
        (transaction, bytes)
    }

    /// Asks and says how it was answered: 0 for success, else the error's number, with the answer itself.
    pub fn ask(
        &mut self,
        world: &mut World,
        method: Method,
        fill: impl Fn(&mut Writer<'_>),
    ) -> (u16, Vec<u8>) {
        for _ in 0..2 {
            let (transaction, bytes) = self.request(world, method, &fill);
            let sent = world.send(self.client, &bytes);
            let [Sent::Client(to, answer)] = sent.as_slice() else { panic!("{method:?}: {sent:?}") };
            assert_eq!(*to, self.client);
            let read = Message::read(answer).unwrap();
            assert_eq!(read.transaction(), transaction);
            assert_eq!(read.method(), method);
            if let (438, Some(nonce)) = (code(&read), read.text(attribute::NONCE)) {
                self.nonce = nonce.to_owned();
                continue;
            }
            if let Some(integrity) = Integrity::of(&read) {
                let key = long_term_key(&self.credentials.username, REALM, &self.credentials.password);
                assert_eq!(integrity, self.integrity);
                assert!(integrity.verify(&read, &key), "the answer's integrity");
            }
            return (code(&read), answer.clone());
        }
        panic!("{method:?}: the new nonce was stale as well");
    }

    pub fn allocate(&mut self, world: &mut World) -> (u16, Option<SocketAddr>) {
        self.allocate_with(world, |_| {})
    }

    pub fn allocate_with(
        &mut self,
        world: &mut World,
        more: impl Fn(&mut Writer<'_>),
    ) -> (u16, Option<SocketAddr>) {
        let (code, answer) = self.ask(world, Method::Allocate, |writer| {
            writer.add(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
            more(writer);
        });
        (code, Message::read(&answer).unwrap().address(attribute::XOR_RELAYED_ADDRESS))
    }

    pub fn permit(&mut self, world: &mut World, peer: SocketAddr) -> u16 {
        self.ask(world, Method::CreatePermission, |writer| {
            writer.add_address(attribute::XOR_PEER_ADDRESS, peer);
        })
        .0
    }

    pub fn bind(&mut self, world: &mut World, number: u16, peer: SocketAddr) -> u16 {
        self.ask(world, Method::ChannelBind, |writer| {
            writer.add(attribute::CHANNEL_NUMBER, &[(number >> 8) as u8, number as u8, 0, 0]);
            writer.add_address(attribute::XOR_PEER_ADDRESS, peer);
        })
        .0
    }

    pub fn refresh(&mut self, world: &mut World, seconds: u32) -> u16 {
        self.ask(world, Method::Refresh, |writer| {
            writer.add(attribute::LIFETIME, &seconds.to_be_bytes());
        })
        .0
    }

    pub fn send_indication(&self, world: &mut World, peer: SocketAddr, data: &[u8]) -> Vec<Sent> {
        let transaction = world.transaction();
        let mut bytes = Vec::new();
        Writer::new(&mut bytes, Method::Send, Class::Indication, transaction)
            .add_address(attribute::XOR_PEER_ADDRESS, peer)
            .add(attribute::DATA, data);
        world.send(self.client, &bytes)
    }

    pub fn send_channel(&self, world: &mut World, number: u16, data: &[u8]) -> Vec<Sent> {
        world.send(self.client, &channel_data(number, data))
    }
}

pub fn channel_data(number: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend_from_slice(&(data.len() as u16).to_be_bytes());
    bytes.extend_from_slice(data);
    bytes
}

/// The error's number, or 0 for success.
pub fn code(message: &Message<'_>) -> u16 {
    match message.class() {
        Class::Success => 0,
        Class::Error => {
            let value = message.value(attribute::ERROR_CODE).unwrap();
            u16::from(value[2]) * 100 + u16::from(value[3])
        }
        Class::Request | Class::Indication => panic!("not an answer"),
    }
}

/// What a client reads from what it was sent: the peer's channel or address, and the data.
pub fn read_relayed(bytes: &[u8]) -> (Result<u16, SocketAddr>, Vec<u8>) {
    if bytes[0] >= 0x40 {
        let len = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
        return (Ok(u16::from_be_bytes([bytes[0], bytes[1]])), bytes[4..4 + len].to_vec());
    }
    let message = Message::read(bytes).unwrap();
    assert_eq!((message.method(), message.class()), (Method::Data, Class::Indication));
    let peer = message.address(attribute::XOR_PEER_ADDRESS).unwrap();
    (Err(peer), message.value(attribute::DATA).unwrap().to_vec())
}
