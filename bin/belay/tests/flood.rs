//! A flood against the real server on loopback while the two legs of a session exchange frames: wrong ids, half-open TLS,
//! half-open WebSockets, malformed STUN by UDP and by TCP. The legs stay, and not a frame is lost.
//!
//! Bounded in count and in time. `cargo xtask bench flood` runs the ignored test, which lasts longer and prints figures.
#![allow(clippy::unwrap_used)]

#[path = "kit/stack.rs"]
mod stack;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use belay_wire::gateway::{FromGateway, Hello, Refusal, Role, ToGateway};
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use stack::{Leg, Server, Stack, tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;

/// What the flood does; each kind in so many tasks, one thing after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    WrongId,
    HalfTls,
    HalfWebSocket,
    StunByUdp,
    StunByTcp,
}

const KINDS: [(Kind, usize); 5] = [
    (Kind::WrongId, 4),
    (Kind::HalfTls, 4),
    (Kind::HalfWebSocket, 4),
    (Kind::StunByUdp, 1),
    (Kind::StunByTcp, 4),
];

/// Bytes from a small generator; nothing here must be unguessable.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let len = self.next() as usize % most;
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// Something like STUN: often with the right beginning.
    fn stun(&mut self) -> Vec<u8> {
        let mut bytes = self.bytes(120);
        if bytes.len() >= 8 && !self.next().is_multiple_of(4) {
            bytes[..2].copy_from_slice(&[0, [1, 3, 4, 8, 9][self.next() as usize % 5]]);
            bytes[4..8].copy_from_slice(&[0x21, 0x12, 0xA4, 0x42]);
        }
        bytes
    }
}

/// Where the flood goes, and what it needs for that.
struct Target {
    at: SocketAddr,
    tls: Arc<rustls::ClientConfig>,
    account: String,
}

impl Target {
    async fn secure(&self) -> Option<tokio_rustls::client::TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.at).await.ok()?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await.ok()
    }

    /// Does one thing of the kind. What is kept open goes into `kept`. `None`: the server did not let it come that far.
    async fn strike(&self, kind: Kind, noise: &mut Noise, kept: &mut Vec<Box<dyn Send>>) -> Option<()> {
        match kind {
            Kind::WrongId => {
                let stream = self.secure().await?;
                let url = format!("ws://localhost:{}/gateway/v1", self.at.port());
                let mut request =
                    tokio_tungstenite::tungstenite::client::IntoClientRequest::into_client_request(url)
                        .unwrap();
                let protocol = belay_wire::gateway::SUBPROTOCOL.parse().unwrap();
                request.headers_mut().insert("sec-websocket-protocol", protocol);
                let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.ok()?;
                let mut credential = noise.bytes(200);
                credential.resize(16, 0);
                let hello = Hello {
                    role: Role::Applet,
                    account: self.account.parse().unwrap(),
                    credential,
                    version: "0".into(),
                    platform: "flood".into(),
                };
                socket.send(Message::Binary(ToGateway::Hello(hello).encode().into())).await.ok()?;
                let answer = socket.next().await?.ok()?;
                let refused = FromGateway::decode(&answer.into_data()).ok()?;
                assert!(matches!(refused, FromGateway::Refused(_)), "{refused:?}");
            }
            Kind::HalfTls => {
                let mut stream = TcpStream::connect(self.at).await.ok()?;
                stream.write_all(&[0x16, 3, 1, 2, 0, 1]).await.ok()?;
                kept.push(Box::new(stream));
            }
            Kind::HalfWebSocket => {
                let mut stream = self.secure().await?;
                stream
                    .write_all(b"GET /gateway/v1 HTTP/1.1\r\nhost: localhost\r\nupgrade: websock")
                    .await
                    .ok()?;
                kept.push(Box::new(stream));
            }
            Kind::StunByUdp => {
                let socket = UdpSocket::bind("127.0.0.1:0").ok()?;
                for _ in 0..200 {
                    // A full buffer loses it, as it may.
                    drop(socket.send_to(&noise.stun(), self.at));
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Kind::StunByTcp => {
                let mut stream = TcpStream::connect(self.at).await.ok()?;
                let mut bytes = noise.stun();
                bytes.insert(0, 0);
                stream.write_all(&bytes).await.ok()?;
                let mut answer = [0; 256];
                let wait = stream.read(&mut answer);
                drop(tokio::time::timeout(Duration::from_millis(20), wait).await);
                kept.push(Box::new(stream));
            }
        }
        Some(())
    }
}

/// How often each kind was done, and how often it was not let in.
#[derive(Default)]
struct Done {
    done: AtomicU64,
    shut_out: AtomicU64,
}

/// Floods until `stop`, each task with at most `most` strikes.
async fn flood(target: Arc<Target>, most: u64, stop: Arc<AtomicBool>) -> Vec<(Kind, Arc<Done>)> {
    let mut tasks = tokio::task::JoinSet::new();
    let mut all = Vec::new();
    for (kind, workers) in KINDS {
        let done = Arc::new(Done::default());
        all.push((kind, Arc::clone(&done)));
        for worker in 0..workers {
            let (target, done, stop) = (Arc::clone(&target), Arc::clone(&done), Arc::clone(&stop));
            tasks.spawn(async move {
                let mut noise =
                    Noise(0x9E37_79B9_7F4A_7C15 ^ ((worker as u64 + 1) << 32 | (kind as u64 + 1)));
                let mut kept = Vec::new();
                for _ in 0..most {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let strike = target.strike(kind, &mut noise, &mut kept);
                    // The server lets those it does not answer hang for a while; the flood does not wait for them.
                    let struck = tokio::time::timeout(Duration::from_secs(2), strike).await;
                    let count = if matches!(struck, Ok(Some(()))) { &done.done } else { &done.shut_out };
                    count.fetch_add(1, Ordering::Relaxed);
                    if kept.len() > 200 {
                        kept.drain(..100);
                    }
                }
            });
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    all
}

/// Numbered frames from the console to the applet and back until `stop`; every one must arrive, in order. The round trips.
async fn exchange(applet: &mut Leg, console: &mut Leg, stop: Arc<AtomicBool>) -> Vec<Duration> {
    let mut trips = Vec::new();
    let mut number = 0u32;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let mut content = number.to_be_bytes().to_vec();
        content.resize(200, 7);
        let since = Instant::now();
        hop(console, applet, &content).await;
        hop(applet, console, &content).await;
        trips.push(since.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    trips
}

async fn hop(from: &mut Leg, to: &mut Leg, content: &[u8]) {
    from.0.send(Message::Binary(ToGateway::Frame(content.to_vec()).encode().into())).await.unwrap();
    match to.next().await {
        Some(FromGateway::Frame(arrived)) => assert_eq!(arrived, content),
        other => panic!("{other:?}"),
    }
}

/// Frames run; after `before` the flood begins. When it is over, so are the frames.
struct Outcome {
    quiet: Vec<Duration>,
    flooded: Vec<Duration>,
    lasted: Duration,
    strikes: Vec<(Kind, Arc<Done>)>,
}

async fn run(stack: &Stack, quiet: Duration, most: u64, longest: Duration) -> Outcome {
    let mut session = stack.session().await;
    let stop = |after: Duration| {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            told.store(true, Ordering::Relaxed);
        });
        stop
    };
    let before = exchange(&mut session.applet, &mut session.console, stop(quiet)).await;
    let at = SocketAddr::from(([127, 0, 0, 1], stack.server.port()));
    let target = Arc::new(Target { at, tls: tls(&stack.server.anchor()), account: session.account.clone() });
    let (over, since) = (stop(longest), Instant::now());
    let frames_over = Arc::new(AtomicBool::new(false));
    let flooding = {
        let frames_over = Arc::clone(&frames_over);
        async move {
            let done = tokio::spawn(flood(target, most, over)).await.unwrap();
            frames_over.store(true, Ordering::Relaxed);
            (done, since.elapsed())
        }
    };
    let (flooded, (strikes, lasted)) =
        tokio::join!(exchange(&mut session.applet, &mut session.console, frames_over), flooding);
    Outcome { quiet: before, flooded, lasted, strikes }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_leaves_a_running_session_alone() {
    let stack = Stack::start("[log]\nlevel = \"error\"");
    let outcome = run(&stack, Duration::from_millis(200), 60, Duration::from_secs(60)).await;
    for (kind, done) in &outcome.strikes {
        assert!(done.done.load(Ordering::Relaxed) > 0, "{kind:?}: none came through, so nothing was tried");
    }
    assert!(outcome.flooded.len() > 10, "{} frames were there and back", outcome.flooded.len());
    // Afterwards there is room again: a new session begins as ever.
    let until = Instant::now() + Duration::from_secs(60);
    while Target::new(&stack.server).secure().await.is_none() {
        assert!(Instant::now() < until, "those that hang are not dropped");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (_, account, _) = stack.joined();
    // This address has used up its tries by wrong ids, and gets new ones only as time passes.
    while let (_, FromGateway::Refused(Refusal::SlowDown)) =
        Leg::says_hello(&stack.server, &account, vec![1; 16]).await
    {
        assert!(Instant::now() < until, "the tries of this address are not forgotten");
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut session = stack.session().await;
    hop(&mut session.console, &mut session.applet, b"as ever").await;
}

impl Target {
    fn new(server: &Server) -> Target {
        let at = SocketAddr::from(([127, 0, 0, 1], server.port()));
        Target { at, tls: tls(&server.anchor()), account: String::new() }
    }
}

/// Prints Markdown for docs/benchmarks-flood.md.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: cargo xtask bench flood"]
async fn figures() {
    let seconds = std::env::var("BELAY_FLOOD_SECS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let stack = Stack::start("[log]\nlevel = \"error\"");
    let pid = stack.server.child.id();
    let Outcome { mut quiet, mut flooded, lasted, strikes } =
        run(&stack, Duration::from_secs(5), u64::MAX, Duration::from_secs(seconds)).await;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim();
    println!("| what came | tasks | done a second | shut out a second |\n| --- | --: | --: | --: |");
    for ((kind, done), (_, tasks)) in strikes.iter().zip(KINDS) {
        let each = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64 / lasted.as_secs_f64();
        println!("| {kind:?} | {tasks} | {:.0} | {:.0} |", each(&done.done), each(&done.shut_out));
    }
    println!(
        "\n| frames there and back | count | lost | p50 | p99 | longest |\n| --- | --: | --: | --: | --: | --: |"
    );
    for (name, trips) in [("before the flood", &mut quiet), ("during the flood", &mut flooded)] {
        trips.sort_unstable();
        let at = |part: usize| trips[(trips.len() * part / 1000).min(trips.len() - 1)].as_micros();
        println!("| {name} | {} | 0 | {} µs | {} µs | {} µs |", trips.len(), at(500), at(990), at(1000));
    }
    println!("\nThe flood lasted {:.0} s; the server's memory was at most {peak}.", lasted.as_secs_f64());
}
