//! Reads `turn.*`.

use std::ops::RangeInclusive;

use toml::Value;

use super::{ConfigError, Origin, Reader};
use crate::config::{RelayAddress, Turn};

/// Fewer relay ports than this serve nobody.
const FEWEST_PORTS: u16 = 16;

pub(super) fn read(read: &Reader<'_>, turn: &mut Turn) -> Result<(), ConfigError> {
    if let Some(enabled) = read.flag("turn.enabled")? {
        turn.enabled = enabled;
    }
    turn.udp_port = read.number("turn.udp_port", 1, 65_535)?.and_then(|port| u16::try_from(port).ok());
    turn.relay_addresses = relay_addresses(read, "turn.relay_addresses")?;
    if let Some(ports) =
        read.parsed("turn.relay_ports", "write at least 16 ports above 1023 such as \"49152-65535\"", ports)?
    {
        turn.relay_ports = ports;
    }
    turn.host = read.parsed("turn.host", "write a name or an address such as \"turn.example.com\"", host)?;
    Ok(())
}

fn relay_addresses(read: &Reader<'_>, key: &'static str) -> Result<Vec<RelayAddress>, ConfigError> {
    let entries = match read.written.get(key).map(|(value, _)| value) {
        None => return Ok(Vec::new()),
        Some(Value::Array(entries)) => {
            entries.iter().map(|entry| RelayAddress::parse(entry.as_str()?)).collect::<Option<Vec<_>>>()
        }
        Some(_) => None,
    };
    let one_each = |found: &Vec<RelayAddress>| {
        let four = found.iter().filter(|address| address.public.is_ipv4()).count();
        four <= 1 && found.len() - four <= 1
    };
    match entries.filter(one_each) {
        Some(found) => Ok(found),
        None => read.refuse(
            key,
            "write at most one IPv4 and one IPv6 address, such as [\"192.0.2.1\"], or [\"192.0.2.1/10.0.0.4\"] for a public one and this computer's own",
        ),
    }
}

fn ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-')?;
    let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first > 1023 && last.checked_sub(first)? >= FEWEST_PORTS - 1).then_some(first..=last)
}

/// A host as it stands in an origin.
fn host(text: &str) -> Option<String> {
    let origin = Origin::parse(&format!("https://{text}"))?;
    (origin.host() == text.to_ascii_lowercase()).then(|| origin.host().to_owned())
}
