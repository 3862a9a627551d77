//! Relayed addresses at the gateway (TURN, RFC 8656), by UDP: each with a socket of its own, from which it is asked for and used.

use belay_turn::Credentials;
use belay_turn::client::{ClientOutput, TurnClient};
use belay_wire::Moment;
use belay_wire::gateway::Relaying;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;
use tokio::net::UdpSocket;

/// A relayed address, asked for or there.
pub(super) struct Relayed {
    client: TurnClient,
    socket: Arc<UdpSocket>,
    /// Where the socket is bound.
    pub(super) local: SocketAddr,
    server: SocketAddr,
    started: Instant,
    /// Once it is there.
    pub(super) address: Option<SocketAddr>,
    /// Nothing more is to be expected of it.
    pub(super) failed: bool,
}

/// The addresses of the `turn:` servers that take datagrams: one of each family at most.
pub(super) async fn servers(urls: &[String]) -> (Vec<SocketAddr>, Vec<String>) {
    let (mut found, mut failures) = (Vec::<SocketAddr>::new(), Vec::new());
    for host in urls.iter().filter_map(|url| url.strip_prefix("turn:")?.strip_suffix("?transport=udp")) {
        match tokio::net::lookup_host(host).await {
            Ok(addresses) => {
                for address in addresses {
                    if found.iter().all(|known| known.is_ipv4() != address.is_ipv4()) {
                        found.push(address);
                    }
                }
            }
            Err(error) => failures.push(format!("{host} has no address: {error}")),
        }
    }
    (found, failures)
}

impl Relayed {
    /// Asks this server for an address.
    pub(super) async fn ask(
        server: SocketAddr,
        with: &Relaying,
        started: Instant,
    ) -> Result<Relayed, String> {
        let any = match server {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let bound = async {
            let socket = UdpSocket::bind((any, 0)).await?;
            // Only the server is heard on it, and the system says from where.
            socket.connect(server).await?;
            Ok::<_, std::io::Error>((socket.local_addr()?, socket))
        };
        let (local, socket) = bound.await.map_err(|error| format!("no UDP port for {server}: {error}"))?;
        let mut seed = [0; 32];
        aws_lc_rs::rand::fill(&mut seed).map_err(|_| "the system gives no random numbers".to_owned())?;
        let credentials = Credentials { username: with.user.clone(), password: with.password.clone() };
        let client = TurnClient::new(credentials, server.is_ipv6(), seed, moment(started));
        let socket = Arc::new(socket);
        Ok(Relayed { client, socket, local, server, started, address: None, failed: false })
    }

    /// Its socket, to be read from.
    pub(super) fn socket(&self) -> Arc<UdpSocket> {
        Arc::clone(&self.socket)
    }

    /// Whether it may still come.
    pub(super) fn is_awaited(&self) -> bool {
        self.address.is_none() && !self.failed
    }

    /// Takes what came from the server.
    pub(super) fn received(&mut self, from: SocketAddr, bytes: &[u8]) {
        if from == self.server && !self.client.received(bytes, moment(self.started)) {
            tracing::debug!("the relay sent what nobody asked for");
        }
    }

    /// Sends from the relayed address.
    pub(super) fn send(&mut self, to: SocketAddr, bytes: &[u8]) {
        self.client.send(to, bytes, moment(self.started));
    }

    /// When to come back with [`Relayed::tick`].
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let at = self.client.next_timeout()?;
        Some(self.started + std::time::Duration::from_micros(at.0))
    }

    /// Time has passed.
    pub(super) fn tick(&mut self) {
        self.client.tick(moment(self.started));
    }

    /// Sends what is to be sent; the next thing that is told.
    pub(super) fn poll(&mut self) -> Option<ClientOutput> {
        loop {
            match self.client.poll()? {
                ClientOutput::Send(bytes) => {
                    // What cannot be sent is lost, like any datagram; what matters is asked again.
                    let _ = self.socket.try_send(&bytes);
                }
                told => return Some(told),
            }
        }
    }
}

impl Drop for Relayed {
    /// The address is given back, so that those of many attempts do not add up.
    fn drop(&mut self) {
        self.client.close();
        while self.poll().is_some() {}
    }
}

fn moment(started: Instant) -> Moment {
    Moment(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX))
}
