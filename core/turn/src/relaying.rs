//! The data path: what a client sends to a peer, and what a peer sends to a client.

use crate::allocation::Allocation;
use crate::stun::{Class, Message, Method, Transaction, Writer, attribute};
use crate::{Client, Forward, Reach, RelayId, Turn, plain};
use belay_relay::LegId;
use belay_wire::gateway::Role;
use belay_wire::{Moment, SessionId};
use std::net::{IpAddr, SocketAddr};

/// Bytes that must be free in front of what a peer sent: the header of ChannelData.
pub const HEADROOM: usize = 4;
/// The lowest port outside that a relayed address talks to (RFC 4787, REQ-3: a NAT keeps to the ports from here on).
const LOWEST_PORT: u16 = 1024;

/// Where a peer's address is.
enum Place {
    /// A relayed address of this server.
    Inside(RelayId),
    /// Outside.
    Outside,
}

/// How a client is told.
enum Way {
    Channel(u16),
    Indication,
}

impl Turn {
    /// A client sent a whole message (from a stream: as [`crate::framing::first`] cut it). What is to be relayed is
    /// returned and must be sent at once; everything else is said by [`Turn::poll`].
    pub fn received<'a>(
        &'a mut self,
        client: Client,
        message: &'a mut [u8],
        now: Moment,
    ) -> Option<Forward<'a>> {
        match message.first()? {
            0x40..=0x7F => self.channel_data(client, message, now),
            0x00..=0x3F => {
                let read = Message::read(message)?;
                match (read.method(), read.class()) {
                    (Method::Send, Class::Indication) => self.send_indication(client, message, now),
                    (_, Class::Request) => {
                        self.request(client, &read, now);
                        None
                    }
                    (_, Class::Indication | Class::Success | Class::Error) => None,
                }
            }
            _ => None,
        }
    }

    /// A datagram arrived at a relay port. Its bytes start at [`HEADROOM`] of `packet`.
    pub fn from_peer<'a>(
        &'a mut self,
        relay: RelayId,
        from: SocketAddr,
        packet: &'a mut [u8],
        now: Moment,
    ) -> Option<Forward<'a>> {
        let allocation = self.allocations.get(&relay)?;
        let from = plain(from);
        let len = packet.len().checked_sub(HEADROOM)?;
        let way = way(allocation, from, now)?;
        let (client, session) = (allocation.client, allocation.session);
        let known = from.port() >= LOWEST_PORT
            && self.registered(session, allocation.leg, allocation.role, from.ip());
        if !known || !self.afford(session, len, now) {
            return None;
        }
        match way {
            Way::Channel(number) => {
                channel_header(packet, number, len);
                Some(Forward::Client(client, packet))
            }
            Way::Indication => self.indication(client, from, &packet[HEADROOM..]),
        }
    }

    fn channel_data<'a>(
        &'a mut self,
        client: Client,
        message: &'a mut [u8],
        now: Moment,
    ) -> Option<Forward<'a>> {
        let [a, b, c, d] = *message.first_chunk::<4>()?;
        let len = usize::from(u16::from_be_bytes([c, d]));
        let whole = message.get_mut(..4 + len)?;
        let relay = *self.clients.get(&client)?;
        let allocation = self.allocations.get(&relay)?;
        let peer = allocation.peer_of(u16::from_be_bytes([a, b]), now)?;
        let place = self.may_send(allocation, peer, now)?;
        let (session, own) = (allocation.session, allocation.relayed?);
        if !self.afford(session, len, now) {
            return None;
        }
        let to = match place {
            Place::Outside => return Some(Forward::Peer(relay, peer, &whole[4..])),
            Place::Inside(to) => self.allocations.get(&to)?,
        };
        let to_client = to.client;
        match way(to, own, now)? {
            Way::Channel(number) => {
                channel_header(whole, number, len);
                Some(Forward::Client(to_client, whole))
            }
            Way::Indication => self.indication(to_client, own, &whole[4..]),
        }
    }

    fn send_indication<'a>(
        &'a mut self,
        client: Client,
        message: &'a mut [u8],
        now: Moment,
    ) -> Option<Forward<'a>> {
        let read = Message::read(message)?;
        let (data, at) = read.find(attribute::DATA)?;
        let peer = plain(read.address(attribute::XOR_PEER_ADDRESS)?);
        let known =
            |number| number >= 0x8000 || matches!(number, attribute::DATA | attribute::XOR_PEER_ADDRESS);
        if !read.attributes().all(|(number, ..)| known(number)) {
            return None;
        }
        let (at, len) = (at + 4, data.len());
        let relay = *self.clients.get(&client)?;
        let allocation = self.allocations.get(&relay)?;
        let place = self.may_send(allocation, peer, now)?;
        let (session, own) = (allocation.session, allocation.relayed?);
        if !self.afford(session, len, now) {
            return None;
        }
        let to = match place {
            Place::Outside => return Some(Forward::Peer(relay, peer, &message[at..at + len])),
            Place::Inside(to) => self.allocations.get(&to)?,
        };
        let to_client = to.client;
        match way(to, own, now)? {
            Way::Channel(number) => {
                // The header of ChannelData is put where the attribute's own header was.
                let whole = &mut message[at - 4..at + len];
                channel_header(whole, number, len);
                Some(Forward::Client(to_client, whole))
            }
            Way::Indication => self.indication(to_client, own, &message[at..at + len]),
        }
    }

    fn indication(&mut self, client: Client, peer: SocketAddr, data: &[u8]) -> Option<Forward<'_>> {
        let mut id = [0; 12];
        id[4..].copy_from_slice(&self.next_indication.to_be_bytes());
        self.next_indication = self.next_indication.wrapping_add(1);
        self.scratch.clear();
        Writer::new(&mut self.scratch, Method::Data, Class::Indication, Transaction(id))
            .add_address(attribute::XOR_PEER_ADDRESS, peer)
            .add(attribute::DATA, data);
        Some(Forward::Client(client, &self.scratch))
    }

    fn may_send(&self, from: &Allocation, peer: SocketAddr, now: Moment) -> Option<Place> {
        if !from.permits(peer.ip(), now) {
            return None;
        }
        self.place(from, peer)
    }

    /// Where a peer is that this allocation may reach at all. `None` for every address in the world but the partner's.
    fn place(&self, from: &Allocation, peer: SocketAddr) -> Option<Place> {
        if let Some(&relay) = self.relayed.get(&peer) {
            let to = self.allocations.get(&relay)?;
            let partner = to.session == from.session && self.partners(from.leg, from.role, to.leg, to.role);
            return partner.then_some(Place::Inside(relay));
        }
        // No NAT gives out a port below, and what listens there is a service and not the partner.
        let possible = peer.port() >= LOWEST_PORT;
        (possible && self.registered(from.session, from.leg, from.role, peer.ip())).then_some(Place::Outside)
    }

    /// Whether an allocation may bind a channel to this peer.
    pub(crate) fn reaches(&self, from: &Allocation, peer: SocketAddr) -> bool {
        self.place(from, peer).is_some()
    }

    /// Whether an allocation may permit this address: the partner was seen there, or has a relayed address on it.
    /// A permission is for an address, whatever the port (RFC 8656 section 9); each packet is judged once more.
    pub(crate) fn permits_naming(&self, from: &Allocation, peer: IpAddr) -> bool {
        let Some(session) = self.sessions.get(&from.session) else { return false };
        self.registered(from.session, from.leg, from.role, peer)
            || session.legs.iter().filter_map(|leg| self.legs.get(leg).map(|known| (*leg, known))).any(
                |(leg, known)| {
                    let relayed = |relay| self.allocations.get(relay).and_then(|a| a.relayed);
                    self.partners(from.leg, from.role, leg, known.role)
                        && known.allocations.iter().filter_map(relayed).any(|own| own.ip() == peer)
                },
            )
    }

    fn registered(&self, session: SessionId, leg: LegId, role: Role, peer: IpAddr) -> bool {
        let Some(session) = self.sessions.get(&session) else { return false };
        session
            .addresses
            .iter()
            .any(|&(address, of, its)| address == peer && self.partners(leg, role, of, its))
    }

    /// Whether two legs of one session may talk.
    fn partners(&self, a: LegId, a_role: Role, b: LegId, b_role: Role) -> bool {
        match self.settings.reach {
            Reach::Partner => a != b && a_role != b_role,
            Reach::Session => true,
        }
    }

    fn afford(&mut self, session: SessionId, bytes: usize, now: Moment) -> bool {
        let rate = self.settings.limits.session_bytes;
        let Some(session) = self.sessions.get_mut(&session) else { return false };
        session.budget.take(bytes as u64, rate, rate, now)
    }
}

/// How this client hears of that peer, if it lets the peer in.
fn way(to: &Allocation, peer: SocketAddr, now: Moment) -> Option<Way> {
    to.permits(peer.ip(), now).then(|| match to.channel_of(peer, now) {
        Some(number) => Way::Channel(number),
        None => Way::Indication,
    })
}

fn channel_header(packet: &mut [u8], number: u16, len: usize) {
    packet[..2].copy_from_slice(&number.to_be_bytes());
    packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
}
