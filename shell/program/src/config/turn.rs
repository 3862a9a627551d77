//! `turn.*`: the STUN and TURN service of a gateway.

use std::net::IpAddr;
use std::ops::RangeInclusive;

/// The STUN and TURN service of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// `turn.enabled`: whether there is one.
    pub enabled: bool,
    /// `turn.udp_port`; `None`: the port of `listen`.
    pub udp_port: Option<u16>,
    /// `turn.relay_addresses`, at most one of each family; empty: the address of `listen`, or where that is every address of
    /// this computer, the one by which it reaches others.
    pub relay_addresses: Vec<RelayAddress>,
    /// `turn.relay_ports`: 16 ports at least.
    pub relay_ports: RangeInclusive<u16>,
    /// `turn.host`, as in a URL; `None`: the host of `public_url`.
    pub host: Option<String>,
}

/// An address on which relay ports are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayAddress {
    /// Under which others reach it.
    pub public: IpAddr,
    /// Of this computer; the same, unless a cloud translates addresses one to one.
    pub own: IpAddr,
}

impl RelayAddress {
    /// `ADDRESS`, or `PUBLIC/OWN` of one family. `None` for anything else, and for addresses nobody can be reached at.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (public, own) = text.split_once('/').unwrap_or((text, text));
        let (public, own): (IpAddr, IpAddr) = (public.parse().ok()?, own.parse().ok()?);
        let usable = |ip: IpAddr| !ip.is_unspecified() && !ip.is_multicast();
        (public.is_ipv4() == own.is_ipv4() && usable(public) && usable(own)).then_some(Self { public, own })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relay_addresses_are_read() {
        let both = |public: &str, own: &str| {
            Some(RelayAddress { public: public.parse().unwrap(), own: own.parse().unwrap() })
        };
        assert_eq!(RelayAddress::parse("192.0.2.1"), both("192.0.2.1", "192.0.2.1"));
        assert_eq!(RelayAddress::parse("192.0.2.1/10.0.0.4"), both("192.0.2.1", "10.0.0.4"));
        assert_eq!(RelayAddress::parse("2001:db8::1"), both("2001:db8::1", "2001:db8::1"));
        for bad in ["", "localhost", "192.0.2.1:3478", "0.0.0.0", "::", "224.0.0.1", "192.0.2.1/::1", "1/2/3"]
        {
            assert_eq!(RelayAddress::parse(bad), None, "{bad}");
        }
    }
}
