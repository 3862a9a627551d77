//! The gateway's STUN and TURN service: where it listens and relays, and under which URLs legs are told of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use anyhow::bail;
use belay_net::gateway::Service;
use belay_net::turn::{RelayAt, TurnConfig, TurnError, TurnServer, TurnThread};
use belay_program::Config;
use belay_program::config::Origin;
use belay_turn::Settings;

/// TURN over TCP and TLS: connections at a time, and of one address.
const STREAMS: usize = 4_000;
const STREAMS_PER_ADDRESS: usize = 256;

/// Starts it, if the configuration wants it. `listen` is where the HTTPS listener really is.
pub fn start(
    config: &Config,
    listen: SocketAddr,
    public: &Origin,
) -> anyhow::Result<Option<(Service, TurnThread)>> {
    if !config.turn.enabled {
        return Ok(None);
    }
    let udp = SocketAddr::new(listen.ip(), config.turn.udp_port.unwrap_or(listen.port()));
    let host = host(config, listen, public);
    let mut machine = Settings::new(host.trim_matches(['[', ']']));
    machine.loopback = listen.ip().is_loopback();
    let wanted = TurnConfig {
        machine,
        listen: vec![udp],
        relay: relay(config, listen.ip())?,
        ports: config.turn.relay_ports.clone(),
        streams: STREAMS,
        streams_per_address: STREAMS_PER_ADDRESS,
    };
    let (turn, thread) = TurnServer::start(wanted).map_err(|error| match error {
        TurnError::Listen { address, source } if address == udp => anyhow::anyhow!(
            "cannot listen on UDP {address} ({source}); stop the program that uses it, give another port in turn.udp_port, \
             or set turn.enabled to false"
        ),
        TurnError::Listen { address, source } => anyhow::anyhow!(
            "cannot relay at {} ({source}); give addresses of this computer in turn.relay_addresses",
            address.ip()
        ),
        TurnError::Start(_) | TurnError::Full | TurnError::Stopped => error.into(),
    })?;
    let urls = urls(&host, udp.port(), config, public);
    tracing::info!(%udp, ?urls, "STUN and TURN are served");
    Ok(Some((Service { turn, urls }, thread)))
}

/// Whether UDP can be had at a port that the system chose for TCP.
pub fn free(config: &Config, listen: SocketAddr) -> bool {
    !config.turn.enabled || config.turn.udp_port.is_some() || UdpSocket::bind(listen).is_ok()
}

/// The host in the URLs. A name for this computer alone may stand for an address on which nothing listens.
fn host(config: &Config, listen: SocketAddr, public: &Origin) -> String {
    match (&config.turn.host, listen.ip()) {
        (Some(host), _) => host.clone(),
        (None, IpAddr::V4(ip)) if ip.is_loopback() && public.host() == "localhost" => ip.to_string(),
        (None, IpAddr::V6(ip)) if ip.is_loopback() && public.host() == "localhost" => format!("[{ip}]"),
        (None, _) => public.host().to_owned(),
    }
}

fn urls(host: &str, udp: u16, config: &Config, public: &Origin) -> Vec<String> {
    // Whoever translates the HTTPS port translates the same port of UDP, unless it was given by itself.
    let udp = if config.turn.udp_port.is_some() { udp } else { public.port() };
    let tcp = public.port();
    vec![
        format!("stun:{host}:{udp}"),
        format!("turn:{host}:{udp}?transport=udp"),
        format!("turn:{host}:{tcp}?transport=tcp"),
        format!("turns:{host}:{tcp}?transport=tcp"),
    ]
}

fn relay(config: &Config, listen: IpAddr) -> anyhow::Result<Vec<RelayAt>> {
    let given = &config.turn.relay_addresses;
    if !given.is_empty() {
        return Ok(given.iter().map(|at| RelayAt { bind: at.own, public: at.public }).collect());
    }
    if !listen.is_unspecified() {
        return Ok(vec![RelayAt::own(listen.to_canonical())]);
    }
    let found: Vec<RelayAt> = [
        outgoing(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into()),
        listen.is_ipv6().then(|| outgoing(Ipv6Addr::UNSPECIFIED.into(), documentation_v6())).flatten(),
    ]
    .into_iter()
    .flatten()
    .map(RelayAt::own)
    .collect();
    if found.is_empty() {
        bail!(
            "no address of this computer leads to others, so none can be used for relaying; give one in turn.relay_addresses, \
             or set turn.enabled to false"
        );
    }
    Ok(found)
}

fn documentation_v6() -> IpAddr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()
}

/// The address by which this computer reaches others: connecting a UDP socket asks the system and sends nothing.
fn outgoing(any: IpAddr, other: IpAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
    socket.connect(SocketAddr::new(other, 9)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified() && !ip.is_loopback()).then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_what_is_public() {
        let listen = "0.0.0.0:8443".parse().unwrap();
        let public = Origin::new("help.example.com", 443);
        let mut config = Config::default();
        let of = |config: &Config, listen, public: &Origin| {
            urls(&host(config, listen, public), config.turn.udp_port.unwrap_or(listen.port()), config, public)
        };
        assert_eq!(
            of(&config, listen, &public),
            [
                "stun:help.example.com:443",
                "turn:help.example.com:443?transport=udp",
                "turn:help.example.com:443?transport=tcp",
                "turns:help.example.com:443?transport=tcp"
            ]
        );
        config.turn.udp_port = Some(3478);
        config.turn.host = Some("[2001:db8::1]".to_owned());
        assert_eq!(
            of(&config, listen, &public)[..2],
            ["stun:[2001:db8::1]:3478", "turn:[2001:db8::1]:3478?transport=udp"]
        );
        let config = Config::default();
        let (listen, public) = ("127.0.0.1:8443".parse().unwrap(), Origin::new("localhost", 8443));
        assert_eq!(of(&config, listen, &public)[3], "turns:127.0.0.1:8443?transport=tcp");
    }
}
