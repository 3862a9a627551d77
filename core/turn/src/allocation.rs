//! One allocation: a client's relayed address, whom it lets in, and its channels.

use crate::integrity::{Integrity, Key};
use crate::stun::Transaction;
use crate::{Client, Lives};
use belay_relay::LegId;
use belay_wire::gateway::Role;
use belay_wire::{Moment, SessionId};
use std::net::{IpAddr, SocketAddr};

/// Channel numbers a client may bind: those of RFC 8656 (to 0x4FFF) and, because clients in use still take them, those of
/// RFC 5766.
pub(crate) const CHANNELS: std::ops::RangeInclusive<u16> = 0x4000..=0x7FFF;

pub(crate) struct Allocation {
    pub client: Client,
    pub leg: LegId,
    pub session: SessionId,
    pub role: Role,
    /// `None` until the driver has opened the port.
    pub relayed: Option<SocketAddr>,
    pub username: Box<str>,
    pub key: Key,
    pub expires: Moment,
    /// INVARIANT: the earliest of its entries among the timers, and not later than `expires`.
    pub timer: Moment,
    /// The request that made it: sent again, it is answered again.
    pub asked: Transaction,
    pub integrity: Integrity,
    pub permissions: Vec<(IpAddr, Moment)>,
    pub channels: Vec<Channel>,
}

pub(crate) struct Channel {
    pub number: u16,
    pub peer: SocketAddr,
    pub expires: Moment,
}

/// Why a permission or a channel is not given.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotBound {
    /// The allocation has as many as it may.
    Full,
    /// Number or peer are bound otherwise.
    Taken,
}

impl Allocation {
    pub(crate) fn permits(&self, peer: IpAddr, now: Moment) -> bool {
        self.permissions.iter().any(|&(ip, expires)| ip == peer && expires > now)
    }

    /// The peer of a channel that still lives.
    pub(crate) fn peer_of(&self, number: u16, now: Moment) -> Option<SocketAddr> {
        let found = self.channels.iter().find(|channel| channel.number == number)?;
        (found.expires > now).then_some(found.peer)
    }

    /// The channel of a peer that still lives.
    pub(crate) fn channel_of(&self, peer: SocketAddr, now: Moment) -> Option<u16> {
        let found = self.channels.iter().find(|channel| channel.peer == peer && channel.expires > now)?;
        Some(found.number)
    }

    pub(crate) fn permit(
        &mut self,
        peer: IpAddr,
        most: usize,
        lives: &Lives,
        now: Moment,
    ) -> Result<(), NotBound> {
        let until = now + lives.permission;
        if let Some((_, expires)) = self.permissions.iter_mut().find(|(ip, _)| *ip == peer) {
            *expires = until;
            return Ok(());
        }
        self.permissions.retain(|&(_, expires)| expires > now);
        if self.permissions.len() >= most {
            return Err(NotBound::Full);
        }
        self.permissions.push((peer, until));
        Ok(())
    }

    /// Binds a channel, or refreshes it.
    pub(crate) fn bind(
        &mut self,
        number: u16,
        peer: SocketAddr,
        most: usize,
        lives: &Lives,
        now: Moment,
    ) -> Result<(), NotBound> {
        self.channels.retain(|channel| channel.expires > now);
        let until = now + lives.channel;
        let same = self.channels.iter_mut().find(|channel| channel.number == number || channel.peer == peer);
        match same {
            Some(channel) if channel.number == number && channel.peer == peer => channel.expires = until,
            Some(_) => return Err(NotBound::Taken),
            None => {
                if self.channels.len() >= most {
                    return Err(NotBound::Full);
                }
                self.channels.push(Channel { number, peer, expires: until });
            }
        }
        self.permit(peer.ip(), most, lives, now)
    }
}
