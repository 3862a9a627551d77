//! Bounds: how much anybody may hold, and how fast strangers are answered.

use belay_wire::Moment;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::time::Duration;

/// Bounds of the server. Memory is at most `allocations` times a few hundred bytes plus `legs` times about as much.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Allocations in all.
    pub allocations: usize,
    /// Allocations of one leg.
    pub per_leg: usize,
    /// Allocations of one client address (IPv6: one /64).
    pub per_address: u32,
    /// Legs that may hold credentials.
    pub legs: usize,
    /// Peers an allocation may permit, and channels it may bind.
    pub peers: usize,
    /// Addresses of its own that one leg may register.
    pub addresses: usize,
    /// Relayed bytes per second of one session, both directions together. Bursts of a second are let through.
    pub session_bytes: u64,
    /// Answers per second to one address that has shown no credentials (IPv4: one /24, IPv6: one /48), with bursts of
    /// four times that.
    pub stranger_answers: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            allocations: 10_000,
            per_leg: 16,
            per_address: 1_000,
            legs: 20_000,
            peers: 32,
            addresses: 16,
            session_bytes: 50_000_000,
            stranger_answers: 250,
        }
    }
}

/// How long things last.
#[derive(Clone, Debug)]
pub struct Lives {
    /// An allocation whose client asks for nothing else.
    pub allocation: Duration,
    /// The longest an allocation can ask for.
    pub longest: Duration,
    /// A permission.
    pub permission: Duration,
    /// A channel.
    pub channel: Duration,
    /// A nonce.
    pub nonce: Duration,
}

impl Default for Lives {
    fn default() -> Lives {
        Lives {
            allocation: Duration::from_secs(600),
            longest: Duration::from_secs(3600),
            permission: Duration::from_secs(300),
            channel: Duration::from_secs(600),
            nonce: Duration::from_secs(600),
        }
    }
}

/// A budget that refills with time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    left: u64,
    at: Moment,
}

impl Bucket {
    pub(crate) fn full(burst: u64, now: Moment) -> Bucket {
        Bucket { left: burst, at: now }
    }

    /// Takes `cost` if it is there. `rate` is per second.
    pub(crate) fn take(&mut self, cost: u64, rate: u64, burst: u64, now: Moment) -> bool {
        // Refill in whole units only, so that frequent calls lose no fractions.
        let micros = now.0.saturating_sub(self.at.0);
        let refill = (u128::from(micros) * u128::from(rate) / 1_000_000) as u64;
        if refill > 0 {
            self.left = self.left.saturating_add(refill).min(burst);
            self.at = now;
        }
        let enough = self.left >= cost;
        if enough {
            self.left -= cost;
        }
        enough
    }
}

/// Answers to those who have shown no credentials: a fixed number of buckets, picked by a keyed hash of the address, so
/// that a flood costs no memory and nobody can choose whom it hits.
pub(crate) struct Strangers {
    buckets: Vec<Bucket>,
    hash: std::collections::hash_map::RandomState,
    rate: u64,
}

const BUCKETS: usize = 4096;

impl Strangers {
    pub(crate) fn new(rate: u32) -> Strangers {
        let rate = u64::from(rate);
        let buckets = vec![Bucket::full(rate * 4, Moment(0)); BUCKETS];
        Strangers { buckets, hash: std::collections::hash_map::RandomState::new(), rate }
    }

    pub(crate) fn answer(&mut self, ip: IpAddr, now: Moment) -> bool {
        let at = self.hash.hash_one(network(ip, 24, 48)) as usize % BUCKETS;
        self.buckets[at].take(1, self.rate, self.rate * 4, now)
    }
}

/// The network an address belongs to.
pub(crate) fn network(ip: IpAddr, v4: u32, v6: u32) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => IpAddr::V4((u32::from(ip) & (u32::MAX << (32 - v4))).into()),
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) & (u128::MAX << (128 - v6))).into()),
    }
}
