//! Where this computer may be reached: its addresses, with a UDP socket and a TCP listener on each.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpListener, UdpSocket};

/// Addresses that are tried; a computer with more has virtual networks that help nobody.
const MAX_ADDRESSES: usize = 8;

/// The sockets of one attempt.
#[derive(Default)]
pub(super) struct Sockets {
    pub(super) udp: Vec<(SocketAddr, Arc<UdpSocket>)>,
    pub(super) tcp: Vec<(SocketAddr, TcpListener)>,
    pub(super) failures: Vec<String>,
}

/// Opens sockets on every address of this computer; on the loopback only if there is nothing else.
pub(super) async fn sockets() -> Sockets {
    let mut sockets = Sockets::default();
    let addresses = match if_addrs::get_if_addrs() {
        Ok(interfaces) => chosen(interfaces.iter().map(if_addrs::Interface::ip).collect()),
        Err(error) => {
            sockets.failures.push(format!("the system does not tell its addresses: {error}"));
            return sockets;
        }
    };
    for ip in addresses {
        match UdpSocket::bind((ip, 0)).await.and_then(|socket| Ok((socket.local_addr()?, socket))) {
            Ok((at, socket)) => sockets.udp.push((at, Arc::new(socket))),
            Err(error) => sockets.failures.push(format!("no UDP port on {ip}: {error}")),
        }
        match TcpListener::bind((ip, 0)).await.and_then(|socket| Ok((socket.local_addr()?, socket))) {
            Ok((at, socket)) => sockets.tcp.push((at, socket)),
            Err(error) => sockets.failures.push(format!("no TCP port on {ip}: {error}")),
        }
    }
    sockets
}

/// The addresses worth a try.
fn chosen(mut all: Vec<IpAddr>) -> Vec<IpAddr> {
    all.retain(|ip| !ip.is_unspecified() && !ip.is_multicast() && !is_link_local(ip));
    all.sort_unstable();
    all.dedup();
    if all.iter().any(|ip| !ip.is_loopback()) {
        all.retain(|ip| !ip.is_loopback());
    }
    all.truncate(MAX_ADDRESSES);
    all
}

/// IPv6 link-local addresses need a zone that a candidate cannot carry.
fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_counts_only_when_there_is_nothing_else() {
        let ips = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        assert_eq!(chosen(ips(&["127.0.0.1", "::1", "fe80::1"])), ips(&["127.0.0.1", "::1"]));
        assert_eq!(
            chosen(ips(&["127.0.0.1", "192.0.2.7", "fe80::1", "2001:db8::1"])),
            ips(&["192.0.2.7", "2001:db8::1"])
        );
    }
}
