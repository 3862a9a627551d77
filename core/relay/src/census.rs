//! How many legs there are, in all and of each address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// Legs of one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// In all.
    pub legs: u32,
    /// Those that are not admitted.
    pub strangers: u32,
}

/// Everybody counted.
#[derive(Default)]
pub(crate) struct Census {
    strangers: usize,
    /// INVARIANT: holds no address without legs.
    addresses: HashMap<IpAddr, Count>,
}

impl Census {
    pub(crate) fn strangers(&self) -> usize {
        self.strangers
    }

    pub(crate) fn of(&self, address: IpAddr) -> Count {
        self.addresses.get(&group(address)).copied().unwrap_or_default()
    }

    pub(crate) fn came(&mut self, address: IpAddr) {
        self.strangers += 1;
        let count = self.addresses.entry(group(address)).or_default();
        count.legs += 1;
        count.strangers += 1;
    }

    pub(crate) fn admitted(&mut self, address: IpAddr) {
        self.strangers = self.strangers.saturating_sub(1);
        if let Some(count) = self.addresses.get_mut(&group(address)) {
            count.strangers = count.strangers.saturating_sub(1);
        }
    }

    pub(crate) fn went(&mut self, address: IpAddr, stranger: bool) {
        if stranger {
            self.admitted(address);
        }
        let group = group(address);
        if let Some(count) = self.addresses.get_mut(&group) {
            count.legs = count.legs.saturating_sub(1);
            if count.legs == 0 {
                self.addresses.remove(&group);
            }
        }
    }
}

/// Addresses that count as one: an IPv4 address, or an IPv6 /64.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from(u128::from(ip) & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_forgotten_and_a_network_counts_as_one() {
        let mut census = Census::default();
        let [a, b, c] = ["2001:db8::1", "2001:db8::ffff:1", "::ffff:192.0.2.1"].map(|ip| ip.parse().unwrap());
        for address in [a, b, c] {
            census.came(address);
        }
        assert_eq!((census.of(a), census.strangers()), (Count { legs: 2, strangers: 2 }, 3));
        assert_eq!(census.of("192.0.2.1".parse().unwrap()), Count { legs: 1, strangers: 1 });
        census.admitted(a);
        census.went(a, false);
        assert_eq!((census.of(b), census.strangers()), (Count { legs: 1, strangers: 1 }, 2));
        census.went(b, true);
        census.went(c, true);
        assert_eq!((census.strangers(), census.addresses.len()), (0, 0));
    }
}
