//! The direct path as the applet drives it: one WebRTC peer connection for each offer of the console, which carries
//! sealed frames in a data channel. `docs/protocol/paths.md`.
//!
//! Each attempt is a task that ends with its [`Direct`]. Everything it takes from strangers is bounded: sockets,
//! connections, candidates, queues.

mod gather;
mod peer;
mod reflexive;
mod tcp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

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
#[derive(Clone, Debug, Default)]
pub struct Attempted {
    /// The attempt's number within its pairing.
    pub attempt: u32,
    /// Our candidates, as they were sent.
    pub ours: Vec<String>,
    /// The console's candidates that could be read.
    pub theirs: Vec<String>,
    /// How many of the console's could not be read, such as names of a local network.
    pub unreadable: u32,
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
}

/// An attempt at a direct path, and the path once it stands.
pub(crate) struct Direct {
    orders: mpsc::Sender<Order>,
    waiting: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Direct {
    /// Answers an offer. `servers` are the URLs of the gateway's service, of which only `stun:` is used here: the
    /// relayed candidates of the console's browser are enough to come together at the gateway.
    pub(crate) fn answer(
        serial: u64,
        attempt: u32,
        offer: String,
        servers: Vec<String>,
        news: mpsc::Sender<News>,
    ) -> Direct {
        let (orders, wanted) = mpsc::channel(ORDERS);
        let waiting = Arc::new(AtomicUsize::new(0));
        let teller = Teller { serial, news };
        let written = Arc::clone(&waiting);
        let task = tokio::spawn(async move {
            peer::run(attempt, &offer, &servers, wanted, written, &teller).await;
            teller.tell(What::Gone).await;
        });
        Direct { orders, waiting, task }
    }

    /// The console may be there. What is too much is forgotten.
    pub(crate) fn candidate(&self, candidate: String) {
        if self.orders.try_send(Order::Candidate(candidate)).is_err() {
            tracing::debug!("a candidate too many");
        }
    }

    /// Sends a frame; like every datagram it may get lost.
    pub(crate) fn send(&self, frame: Vec<u8>) {
        let len = frame.len();
        self.waiting.fetch_add(len, Ordering::AcqRel);
        if self.orders.try_send(Order::Frame(frame)).is_err() {
            self.waiting.fetch_sub(len, Ordering::AcqRel);
        }
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
