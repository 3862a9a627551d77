//! Relay ports: opened where the machine asks, one socket and one small task each.

use super::{RelayAt, Server};
use crate::udp::Datagrams;
use aws_lc_rs::rand::SecureRandom;
use belay_turn::{Family, Port, RelayId};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::rc::Rc;
use tokio::task::AbortHandle;

/// Ports tried at random before the request is refused.
const TRIES: usize = 64;

/// The open ports.
pub(super) struct Ports {
    relay: Vec<RelayAt>,
    range: RangeInclusive<u16>,
    open: HashMap<RelayId, (Rc<Datagrams>, AbortHandle)>,
}

impl Ports {
    pub(super) fn new(relay: Vec<RelayAt>, range: RangeInclusive<u16>) -> Ports {
        Ports { relay, range, open: HashMap::new() }
    }

    pub(super) fn socket(&self, relay: RelayId) -> Option<&Datagrams> {
        self.open.get(&relay).map(|(socket, _)| &**socket)
    }

    pub(super) fn close(&mut self, relay: RelayId) {
        if let Some((_, task)) = self.open.remove(&relay) {
            task.abort();
        }
    }

    pub(super) fn close_all(&mut self) {
        self.open.drain().for_each(|(_, (_, task))| task.abort());
    }

    /// A socket at a port nobody can guess, so that nobody can send to it before it is told.
    fn bind(&self, family: Family, port: Port) -> Option<(UdpSocket, IpAddr)> {
        let RelayAt { bind, public } = *self.relay.iter().find(|at| Family::of(at.public) == family)?;
        let (first, last) = (u32::from(*self.range.start()), u32::from(*self.range.end()));
        let random = aws_lc_rs::rand::SystemRandom::new();
        for _ in 0..TRIES {
            let mut bytes = [0; 4];
            random.fill(&mut bytes).ok()?;
            let mut number = first + u32::from_be_bytes(bytes) % (last - first + 1);
            if port == Port::Even {
                number &= !1;
            }
            let number = u16::try_from(number).ok()?;
            if let Ok(socket) = UdpSocket::bind(SocketAddr::new(bind, number)) {
                return Some((socket, public));
            }
        }
        None
    }
}

/// Opens a port and listens on it.
pub(super) fn open(server: &Rc<Server>, relay: RelayId, family: Family, port: Port) -> Option<SocketAddr> {
    let (socket, public) = server.ports.borrow().bind(family, port)?;
    let socket = match Datagrams::new(socket, None) {
        Ok(socket) => Rc::new(socket),
        Err(error) => {
            tracing::warn!(%error, "a relay port cannot be used; is the limit of open files too low?");
            return None;
        }
    };
    let address = SocketAddr::new(public, socket.local_address().ok()?.port());
    let (its_server, its_socket) = (Rc::clone(server), Rc::clone(&socket));
    let task = tokio::task::spawn_local(async move {
        while its_socket.readable().await.is_ok() {
            its_server.peers_sent(relay, &its_socket);
            tokio::task::yield_now().await;
        }
    });
    server.ports.borrow_mut().open.insert(relay, (socket, task.abort_handle()));
    Some(address)
}
