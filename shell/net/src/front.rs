//! The front door: one TCP port, where HTTPS, TURN and what is neither are told apart, and where those who have not yet
//! said what they want are counted.

use crate::mux::{Mux, Secured, Sorted};
use crate::turn::TurnServer;
use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Time a plain HTTP request has to arrive, and its answer to be taken.
const HTTP_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a plain HTTP request that are read.
const HTTP_HEAD: usize = 4096;
/// Pause after the system had no more file descriptors.
const BREATH: Duration = Duration::from_millis(100);

/// How many connections may wait: those that have not finished their TLS handshake, or have not asked anything yet.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// In all.
    pub in_all: usize,
    /// Of one address (IPv6: one /64).
    pub per_address: usize,
}

impl Default for Waiting {
    fn default() -> Waiting {
        Waiting { in_all: 4096, per_address: 128 }
    }
}

/// An HTTPS connection, sorted out.
pub struct Https {
    /// The connection.
    pub stream: Secured,
    /// The other end.
    pub address: SocketAddr,
    /// Its place among those that wait: drop it when the first request is there.
    pub place: Place,
}

/// The front door.
#[derive(Clone)]
pub struct Front {
    mux: Mux,
    turn: Option<TurnServer>,
    origin: Arc<str>,
    room: Arc<Room>,
}

impl Front {
    /// A front door. Who comes by plain HTTP is sent to `origin`; who speaks TURN is let in if there is a TURN server.
    pub fn new(mux: Mux, turn: Option<TurnServer>, origin: &str, waiting: Waiting) -> Front {
        Front { mux, turn, origin: origin.into(), room: Arc::new(Room { waiting, taken: Mutex::default() }) }
    }

    /// Accepts connections until `stop`; each HTTPS one is given to `serve`. Then they have `grace` to end.
    pub async fn run<F>(
        self,
        listener: TcpListener,
        serve: impl Fn(Https) -> F + Clone + Send + 'static,
        stop: impl Future<Output = ()>,
        grace: Duration,
    ) where
        F: Future<Output = ()> + Send,
    {
        let mut stop = std::pin::pin!(stop);
        let mut doing = JoinSet::new();
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(_) = doing.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, address)) => {
                        let Some(place) = self.room.enter(address.ip()) else {
                            tracing::debug!(%address, "too many connections wait, closed");
                            continue;
                        };
                        let (front, serve) = (self.clone(), serve.clone());
                        doing.spawn(async move {
                            if let Some(stream) = front.sort(stream, address).await {
                                serve(Https { stream, address, place }).await;
                            }
                        });
                    }
                    // One connection's own misfortune, or no more file descriptors; the others go on.
                    Err(error) => {
                        tracing::debug!(%error, "a connection could not be accepted");
                        tokio::time::sleep(BREATH).await;
                    }
                },
            }
        }
        drop(listener);
        let ended = async { while doing.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, ended).await.is_err() {
            tracing::debug!(connections = doing.len(), "cut after the time of grace");
        }
    }

    /// The connection, if it is HTTPS; the others find their place here.
    async fn sort(&self, stream: TcpStream, address: SocketAddr) -> Option<Secured> {
        match self.mux.sort(stream, address).await {
            Ok(Sorted::Https(stream)) => return Some(stream),
            Ok(Sorted::Turn(stream)) => {
                if let Some(turn) = &self.turn
                    && turn.serve(stream, address).await.is_err()
                {
                    tracing::debug!(%address, "the TURN server is gone");
                }
            }
            Ok(Sorted::Http(stream)) => {
                if tokio::time::timeout(HTTP_WITHIN, redirect(stream, &self.origin)).await.is_err() {
                    tracing::debug!(%address, "plain HTTP, too slow");
                }
            }
            Err(error) => tracing::debug!(error = ?error, "a connection is not served"),
        }
        None
    }
}

/// Sends whoever speaks plain HTTP to the same page by HTTPS.
async fn redirect(mut stream: TcpStream, origin: &str) {
    let mut head = Vec::new();
    while head.len() < HTTP_HEAD && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut some = [0; 1024];
        match stream.read(&mut some).await {
            Ok(count @ 1..) => head.extend_from_slice(&some[..count]),
            Ok(0) | Err(_) => return,
        }
    }
    let answer = format!(
        "HTTP/1.1 308 Permanent Redirect\r\nlocation: {origin}{}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        path(&head)
    );
    // Who does not take it has gone.
    drop(stream.write_all(answer.as_bytes()).await);
    drop(stream.shutdown().await);
}

/// The path a request asks for, if it may be repeated in a header as it is.
fn path(head: &[u8]) -> &str {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let asked = std::str::from_utf8(line).ok().and_then(|line| line.split(' ').nth(1)).unwrap_or("/");
    let plain = asked.starts_with('/') && asked.bytes().all(|byte| byte.is_ascii_graphic());
    if plain { asked } else { "/" }
}

struct Room {
    waiting: Waiting,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    in_all: usize,
    /// INVARIANT: holds no address with nobody waiting.
    addresses: HashMap<IpAddr, usize>,
}

/// A place among the connections that wait, given back when it is dropped.
pub struct Place {
    room: Arc<Room>,
    group: IpAddr,
}

impl Room {
    fn enter(self: &Arc<Self>, ip: IpAddr) -> Option<Place> {
        let group = match ip.to_canonical() {
            IpAddr::V4(ip) => IpAddr::V4(ip),
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from(u128::from(ip) & (u128::MAX << 64))),
        };
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = taken.addresses.get(&group).copied().unwrap_or(0);
        if taken.in_all >= self.waiting.in_all || of_address >= self.waiting.per_address {
            return None;
        }
        taken.in_all += 1;
        taken.addresses.insert(group, of_address + 1);
        Some(Place { room: Arc::clone(self), group })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.room.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.in_all -= 1;
        if let Some(of_address) = taken.addresses.get_mut(&self.group) {
            *of_address -= 1;
            if *of_address == 0 {
                taken.addresses.remove(&self.group);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_wait_and_each_gives_its_place_back() {
        let room = Arc::new(Room { waiting: Waiting { in_all: 3, per_address: 2 }, taken: Mutex::default() });
        let [a, b] = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse().unwrap());
        let first = room.enter(a).unwrap();
        let second = room.enter(a).unwrap();
        assert!(room.enter(a).is_none(), "two of an address");
        let third = room.enter(b).unwrap();
        drop(first);
        let again = room.enter(a).unwrap();
        assert!(room.enter(b).is_none(), "three in all");
        drop((second, third, again));
        assert!(room.taken.lock().unwrap().addresses.is_empty());
    }

    #[test]
    fn a_redirection_repeats_nothing_that_could_break_a_header() {
        for (head, expected) in [
            (&b"GET /join?a=b HTTP/1.1\r\nhost: x\r\n\r\n"[..], "/join?a=b"),
            (b"GET http://elsewhere/ HTTP/1.1\r\n\r\n", "/"),
            (b"GET /a\nb HTTP/1.1\r\n\r\n", "/"),
            (b"GET /\xc3\xa4 HTTP/1.1\r\n\r\n", "/"),
            (b"GET", "/"),
        ] {
            assert_eq!(path(head), expected);
        }
    }
}
