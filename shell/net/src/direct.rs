//! The direct path as the applet drives it: one WebRTC peer connection for each offer of the console, which carries
//! sealed frames in a data channel. `docs/protocol/paths.md`.
//!
//! Each attempt is a task that ends with its [`Direct`]. Everything it takes from strangers is bounded: sockets,
//! connections, candidates, queues.

mod answer;
mod gather;
mod peer;
mod reflexive;
mod relayed;
mod tcp;

use belay_wire::gateway::Relaying;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

/// Frames and candidates that may wait for the peer connection.
const ORDERS: usize = 512;
/// Bytes waiting for the data channel from which on nothing more should be sent.
const FULL: usize = 64 << 10;

/// How the applet reaches the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// Through the gateway by WebSocket.
    Relay,
    /// Datagrams through a TURN service.
    RelayedUdp,
    /// Datagrams straight to the other computer.
    DirectUdp,
    /// A TCP connection straight to the other computer.
    DirectTcp,
}

/// What an attempt at a direct path has seen, for the connection report. Holds addresses of both computers: it is
/// shown to its people and kept nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempted {
    /// The attempt's number within its pairing.
    pub attempt: u32,
    /// Our candidates, as they were sent.
    pub ours: Vec<String>,
    /// The console's candidates that could be read.
    pub theirs: Vec<String>,
    /// How many of the console's could not be read, such as names of a local network.
    pub unreadable: u32,
    /// The gateway's STUN servers were asked, and none of them answered.
    pub servers_silent: bool,
    /// Where we have looked for the console.
    pub tried: Vec<Tried>,
    /// The path that came out of it, and how long it took.
    pub opened: Option<(PathKind, Duration)>,
    /// What went wrong, in order.
    pub failures: Vec<String>,
}

/// One pair of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Whether it is TCP; otherwise UDP.
    pub tcp: bool,
    /// From where.
    pub from: SocketAddr,
    /// To where.
    pub to: SocketAddr,
    /// Whether anything came back.
    pub heard: bool,
}

/// Something new of an attempt.
pub(crate) struct News {
    /// Which attempt, as its maker numbers them.
    pub(crate) serial: u64,
    pub(crate) what: What,
}

/// What is new.
pub(crate) enum What {
    /// The answer for the console.
    Answer(String),
    /// One of our candidates; empty after the last.
    Candidate(String),
    /// The data channel is open.
    Open(PathKind),
    /// It goes another way now.
    Kind(PathKind),
    /// A frame of the console.
    Frame(Vec<u8>),
    /// There is room for more again.
    Room,
    /// What has been seen so far.
    Attempted(Attempted),
    /// It is over.
    Gone,
}

enum Order {
    Candidate(String),
    Frame(Vec<u8>),
    Moved(Vec<IpAddr>),
}

/// An attempt at a direct path, and the path once it stands.
pub(crate) struct Direct {
    /// `None` once it is given up.
    orders: Option<mpsc::Sender<Order>>,
    waiting: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Direct {
    /// Answers an offer. `servers`: the gateway's service, of which STUN and TURN by UDP are used here.
    pub(crate) fn answer(
        serial: u64,
        attempt: u32,
        offer: String,
        servers: Option<Relaying>,
        news: mpsc::Sender<News>,
    ) -> Direct {
        let (orders, wanted) = mpsc::channel(ORDERS);
        let waiting = Arc::new(AtomicUsize::new(0));
        let teller = Teller { serial, news };
        let written = Arc::clone(&waiting);
        let task = tokio::spawn(async move {
            let mut running = JoinSet::new();
            let tells = teller.clone();
            running.spawn(async move { peer::run(attempt, &offer, servers, wanted, written, &tells).await });
            // A bug there that a stranger's bytes set off costs this attempt and nothing else.
            if let Some(Err(error)) = running.join_next().await {
                tracing::error!(%error, attempt, "a direct path failed");
            }
            teller.tell(What::Gone).await;
        });
        Direct { orders: Some(orders), waiting, task }
    }

    /// The console may be there. What is too much is forgotten.
    pub(crate) fn candidate(&self, candidate: String) {
        if !self.order(Order::Candidate(candidate)) {
            tracing::debug!("a candidate too many");
        }
    }

    /// Sends a frame; like every datagram it may get lost.
    pub(crate) fn send(&self, frame: Vec<u8>) {
        let len = frame.len();
        self.waiting.fetch_add(len, Ordering::AcqRel);
        if !self.order(Order::Frame(frame)) {
            self.waiting.fetch_sub(len, Ordering::AcqRel);
        }
    }

    /// This computer has these addresses from now on, beside the loopback's.
    pub(crate) fn moved(&self, addresses: &[IpAddr]) {
        if !self.order(Order::Moved(addresses.to_vec())) {
            tracing::debug!("a direct path does not hear of new addresses");
        }
    }

    /// It is not wanted any more: it tells what it has seen, and that it is gone.
    pub(crate) fn give_up(&mut self) {
        self.orders = None;
    }

    /// Whether nothing but its end is awaited.
    pub(crate) fn is_given_up(&self) -> bool {
        self.orders.is_none()
    }

    fn order(&self, order: Order) -> bool {
        self.orders.as_ref().is_some_and(|orders| orders.try_send(order).is_ok())
    }

    /// Whether more should wait until [`What::Room`].
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Acquire) >= FULL
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Tells the news of one attempt.
#[derive(Clone)]
struct Teller {
    serial: u64,
    news: mpsc::Sender<News>,
}

impl Teller {
    async fn tell(&self, what: What) {
        // Nobody listens any more: then the attempt is about to be ended.
        let _ = self.news.send(News { serial: self.serial, what }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use belay_turn::stun::{Class, Message, Method, Writer, attribute};
    use str0m::channel::ChannelConfig;

    /// A STUN server that sees everybody at one address.
    async fn stun(seen: SocketAddr) -> SocketAddr {
        let socket = tokio::net::UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
        let at = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 1500];
            loop {
                let (len, from) = socket.recv_from(&mut buffer).await.unwrap();
                let transaction = Message::read(&buffer[..len]).unwrap().transaction();
                let mut answer = Vec::new();
                Writer::new(&mut answer, Method::Binding, Class::Success, transaction)
                    .add_address(attribute::XOR_MAPPED_ADDRESS, seen)
                    .finish();
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        at
    }

    fn named(servers: Vec<String>) -> Option<Relaying> {
        Some(Relaying { seconds: 60, user: "u".into(), password: "p".into(), servers })
    }

    fn offer() -> String {
        let mut rtc = str0m::Rtc::builder().clear_codecs().build(std::time::Instant::now());
        let mut changes = rtc.sdp_api();
        changes.add_channel_with_config(ChannelConfig { negotiated: Some(0), ..ChannelConfig::default() });
        changes.apply().unwrap().0.to_sdp_string()
    }

    #[tokio::test]
    async fn the_address_that_a_stun_server_sees_is_a_candidate() {
        let seen = "198.51.100.7:4000".parse().unwrap();
        let server = stun(seen).await;
        let (news, mut told) = mpsc::channel(100);
        let _direct = Direct::answer(1, 1, offer(), named(vec![format!("stun:{server}")]), news);
        let found = tokio::time::timeout(Duration::from_secs(20), async {
            loop {
                match told.recv().await.unwrap().what {
                    What::Candidate(candidate) if candidate.contains("srflx") => return candidate,
                    What::Answer(sdp) => assert!(sdp.contains("a=max-message-size")),
                    _ => {}
                }
            }
        })
        .await
        .unwrap();
        assert!(found.contains("198.51.100.7 4000 typ srflx"), "{found}");
    }

    #[tokio::test]
    async fn what_is_given_up_tells_what_it_has_seen() {
        let (news, mut told) = mpsc::channel(100);
        let mut direct = Direct::answer(1, 3, offer(), None, news);
        let mut seen = Attempted::default();
        let told = async {
            while let Some(News { what, .. }) = told.recv().await {
                match what {
                    // There are no more.
                    What::Candidate(candidate) if candidate.is_empty() => direct.give_up(),
                    What::Attempted(facts) => seen = facts,
                    What::Gone => return,
                    _ => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), told).await.unwrap();
        assert!(direct.is_given_up());
        assert_eq!((seen.attempt, seen.opened), (3, None));
        assert!(seen.ours.iter().any(|candidate| candidate.contains("tcptype passive")), "{seen:?}");
        assert_eq!(seen.failures.len(), 1, "{seen:?}");
    }

    #[tokio::test]
    async fn an_offer_that_cannot_be_read_ends_only_its_attempt() {
        for offer in [String::new(), "v=0\r\n".to_owned(), offer().replace("a=fingerprint", "a=finger")] {
            let (news, mut told) = mpsc::channel(100);
            let _direct = Direct::answer(1, 7, offer, None, news);
            let mut failures = Vec::new();
            while let Some(News { what, .. }) = told.recv().await {
                match what {
                    What::Attempted(facts) => failures = facts.failures,
                    What::Gone => break,
                    _ => panic!("an answer to nothing"),
                }
            }
            assert_eq!(failures.len(), 1, "{failures:?}");
        }
    }
}
