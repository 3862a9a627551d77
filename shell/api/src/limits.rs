//! How often strangers may try: token buckets in memory, for each address and in all. The number of buckets
//! is bounded; when there are too many addresses at once, newcomers share one bucket.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use belay_wire::Moment;

use crate::settings;

const ADDRESSES_AT_MOST: usize = 20_000;
const MINUTE_MICROS: u64 = 60_000_000;
/// Rows in the security log that one address may cause a minute.
const LOG_ROWS_PER_ADDRESS: u32 = 30;
/// Tries of an applet or console at the gateway from one address a minute.
const ADMISSIONS_PER_ADDRESS: u32 = 60;

/// What is being tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Tried {
    Pin,
    SignIn,
    Admission,
    LogRow,
}

#[derive(Clone, Copy)]
struct Bucket {
    /// What is left, in tries times [`MINUTE_MICROS`]: exact, so that many small waits add up to a whole try.
    left: u64,
    at: Moment,
}

impl Bucket {
    fn full(per_minute: u32, now: Moment) -> Self {
        Self { left: u64::from(per_minute) * MINUTE_MICROS, at: now }
    }

    /// Takes one try, or says how long until there is one.
    fn take(&mut self, per_minute: u32, now: Moment) -> Result<(), Duration> {
        let per_minute = u64::from(per_minute.max(1));
        let passed = now.0.saturating_sub(self.at.0).min(MINUTE_MICROS);
        self.left = (self.left + passed * per_minute).min(per_minute * MINUTE_MICROS);
        self.at = now;
        if self.left >= MINUTE_MICROS {
            self.left -= MINUTE_MICROS;
            return Ok(());
        }
        Err(Duration::from_micros((MINUTE_MICROS - self.left).div_ceil(per_minute)))
    }
}

/// All buckets.
pub(crate) struct Buckets {
    limits: settings::Limits,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    by_address: HashMap<(Tried, IpAddr), Bucket>,
    crowd: HashMap<Tried, Bucket>,
    pins_in_all: Option<Bucket>,
}

impl Buckets {
    pub(crate) fn new(limits: settings::Limits) -> Self {
        Self { limits, inner: Mutex::default() }
    }

    /// Takes one try for `address`; `Err` says how long to wait.
    pub(crate) fn take(&self, tried: Tried, address: IpAddr, now: Moment) -> Result<(), Duration> {
        let per_minute = match tried {
            Tried::Pin => self.limits.pin_per_address,
            Tried::SignIn => self.limits.sign_in_per_address,
            Tried::Admission => ADMISSIONS_PER_ADDRESS,
            Tried::LogRow => LOG_ROWS_PER_ADDRESS,
        };
        let key = (tried, network(address));
        // A poisoned lock means a panic while counting; the counts are still the best there is.
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if !inner.by_address.contains_key(&key) && inner.by_address.len() >= ADDRESSES_AT_MOST {
            inner.by_address.retain(|_, bucket| now.0.saturating_sub(bucket.at.0) < MINUTE_MICROS);
        }
        let crowded = !inner.by_address.contains_key(&key) && inner.by_address.len() >= ADDRESSES_AT_MOST;
        let fresh = Bucket::full(per_minute, now);
        let bucket = if crowded {
            inner.crowd.entry(tried).or_insert(fresh)
        } else {
            inner.by_address.entry(key).or_insert(fresh)
        };
        bucket.take(per_minute, now)?;
        match tried {
            Tried::Pin => {
                let in_all = self.limits.pin_in_all;
                inner.pins_in_all.get_or_insert(Bucket::full(in_all, now)).take(in_all, now)
            }
            Tried::SignIn | Tried::Admission | Tried::LogRow => Ok(()),
        }
    }
}

/// One home has one IPv4 address, but a whole /64 of IPv6 addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let bits = u128::from(v6) & !u128::from(u64::MAX);
            IpAddr::V6(bits.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets() -> Buckets {
        Buckets::new(settings::Limits { pin_per_address: 10, pin_in_all: 25, sign_in_per_address: 10 })
    }

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::from(0x0a00_0000 + n))
    }

    #[test]
    fn ten_a_minute_then_one_every_six_seconds() {
        let buckets = buckets();
        let start = Moment(1_000_000_000);
        for _ in 0..10 {
            buckets.take(Tried::SignIn, address(1), start).unwrap();
        }
        let wait = buckets.take(Tried::SignIn, address(1), start).unwrap_err();
        assert_eq!(wait, Duration::from_secs(6));
        assert!(buckets.take(Tried::SignIn, address(1), start + Duration::from_secs(5)).is_err());
        assert!(buckets.take(Tried::SignIn, address(1), start + Duration::from_secs(6)).is_ok());
        assert!(buckets.take(Tried::SignIn, address(2), start).is_ok());
    }

    #[test]
    fn pins_are_limited_in_all_too() {
        let buckets = buckets();
        let allowed = (0..100).filter(|n| buckets.take(Tried::Pin, address(*n), Moment(5)).is_ok()).count();
        assert_eq!(allowed, 25);
    }

    #[test]
    fn a_flood_of_addresses_neither_grows_without_end_nor_shuts_known_ones_out() {
        let buckets = buckets();
        let now = Moment(1_000_000_000);
        buckets.take(Tried::SignIn, address(0), now).unwrap();
        for n in 1..30_000 {
            let _ = buckets.take(Tried::SignIn, address(n), now);
        }
        assert_eq!(buckets.inner.lock().unwrap().by_address.len(), ADDRESSES_AT_MOST);
        assert!(buckets.take(Tried::SignIn, address(99_999), now).is_err(), "the crowd's bucket is empty");
        assert!(buckets.take(Tried::SignIn, address(0), now).is_ok());
        let later = now + Duration::from_secs(61);
        assert!(buckets.take(Tried::SignIn, address(99_999), later).is_ok());
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let buckets = buckets();
        let now = Moment(1_000_000_000);
        for n in 0..10u16 {
            let address = IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n));
            buckets.take(Tried::SignIn, address, now).unwrap();
        }
        let eleventh = "2001:db8::ffff".parse().unwrap();
        assert!(buckets.take(Tried::SignIn, eleventh, now).is_err());
    }
}
