//! Direct paths over real sockets, while the gateway is there and while it is not.

use super::browser::Browser;
use super::{applet, line};
use belay_meeting::{ID, Server, start, start_with};
use belay_net::applet::{Command, Connection, Event, PathKind};
use belay_net::gateway::Service;
use belay_net::turn::{RelayAt, TurnConfig, TurnServer, TurnThread};
use belay_turn::Settings;
use belay_wire::Message;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use str0m::net::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// An applet that tells what happens to it, and a console that has reached it by the gateway.
async fn meet(tcp_only: bool) -> (Server, Connection, Browser) {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(applet.events.recv().await, Some(Event::Admitted(_))));
    let browser = Browser::open(&server, tcp_only).await;
    (server, applet, browser)
}

/// What has happened at the applet so far; the messages it heard apart.
#[derive(Default)]
struct Seen {
    messages: Vec<Message>,
    kinds: Vec<PathKind>,
    interruptions: usize,
}

impl Seen {
    fn take(&mut self, applet: &mut Connection) {
        while let Ok(event) = applet.events.try_recv() {
            match event {
                Event::Message(message) => self.messages.push(message),
                Event::Path(path) => {
                    if self.kinds.last() != Some(&path.kind) {
                        self.kinds.push(path.kind);
                    }
                }
                Event::Interrupted(_) | Event::Resumed => self.interruptions += 1,
                Event::Paired(_) | Event::Attempted(_) | Event::Quiet => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Lets the console go on until the applet has seen something.
async fn until(
    browser: &mut Browser,
    applet: &mut Connection,
    seen: &mut Seen,
    what: &str,
    is_so: impl Fn(&Seen) -> bool,
) {
    let limit = std::time::Instant::now() + Duration::from_secs(120);
    loop {
        seen.take(applet);
        if is_so(seen) {
            return;
        }
        assert!(std::time::Instant::now() < limit, "not within two minutes: {what}");
        browser.step().await;
    }
}

async fn goes_direct(tcp_only: bool, kind: PathKind) {
    let (server, mut applet, mut browser) = meet(tcp_only).await;
    let mut seen = Seen::default();
    browser.offer().await;
    browser.until("the console sends directly", Browser::is_direct).await;
    until(&mut browser, &mut applet, &mut seen, "the applet sends directly", |seen| {
        seen.kinds.last() == Some(&kind)
    })
    .await;
    assert_eq!(seen.kinds, [PathKind::Relay, kind]);

    // Without the gateway the session goes on, and nobody is told of an interruption.
    server.cut();
    browser.lose_gateway();
    for n in 1..=50 {
        browser.say(&line(n)).await;
        applet.commands.send(Command::Send(line(100 + n))).await.unwrap();
    }
    browser.until("the applet is heard directly", |browser| browser.heard.len() == 50).await;
    until(&mut browser, &mut applet, &mut seen, "the console is heard directly", |seen| {
        seen.messages.len() == 51
    })
    .await;
    assert_eq!(browser.heard, (101..=150).map(line).collect::<Vec<_>>());
    assert_eq!(seen.messages, (0..=50).map(line).collect::<Vec<_>>());

    // The way by the gateway is made again beside it.
    browser.come_back(&server).await;
    browser.say(&line(51)).await;
    until(&mut browser, &mut applet, &mut seen, "it goes on", |seen| seen.messages.len() == 52).await;
    assert_eq!(seen.interruptions, 0, "an interruption was told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_direct_udp_path_carries_the_session_even_without_the_gateway() {
    goes_direct(false, PathKind::DirectUdp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_datagram_passes_a_tcp_connection_does() {
    goes_direct(true, PathKind::DirectTcp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_dies_in_mid_transfer_loses_and_repeats_nothing() {
    let (_server, mut applet, mut browser) = meet(false).await;
    let mut seen = Seen::default();
    browser.offer().await;
    browser.until("the console sends directly", Browser::is_direct).await;
    until(&mut browser, &mut applet, &mut seen, "the applet sends directly", |seen| {
        seen.kinds.last() == Some(&PathKind::DirectUdp)
    })
    .await;
    let long = |n: u32| {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&n.to_be_bytes());
        Message::Chat { line: id, text: format!("{n} ").repeat(500) }
    };
    for n in 0..400 {
        applet.commands.send(Command::Send(long(n))).await.unwrap();
        browser.say(&long(n)).await;
        browser.step().await;
        seen.take(&mut applet);
        if n == 200 {
            browser.silent = true;
        }
    }
    browser.until("all of the applet's lines", |browser| browser.heard.len() == 400).await;
    until(&mut browser, &mut applet, &mut seen, "all of the console's lines", |seen| {
        seen.messages.len() == 401
    })
    .await;
    assert!(browser.heard.iter().zip(0..).all(|(heard, n)| *heard == long(n)), "out of order");
    assert!(seen.messages[1..].iter().zip(0..).all(|(heard, n)| *heard == long(n)), "out of order");
    until(&mut browser, &mut applet, &mut seen, "the applet sends by the gateway", |seen| {
        seen.kinds.last() == Some(&PathKind::Relay)
    })
    .await;
    assert_eq!(seen.interruptions, 0);
    // And the attempt is given up long before ICE would, so that another can be made.
    let begun = std::time::Instant::now();
    browser.until("the applet gives the path up", |browser| browser.gone == [1]).await;
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    browser.silent = false;
    browser.offer().await;
    browser.until("a second path", Browser::is_direct).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_who_knows_only_the_addresses_is_not_answered() {
    let (_server, _applet, mut browser) = meet(false).await;
    // The console's own datagrams wait, so that the stranger comes first.
    browser.silent = true;
    browser.offer().await;
    browser
        .until("candidates of both kinds", |browser| {
            let has = |proto| browser.candidates.iter().any(|candidate| candidate.proto() == proto);
            has(Protocol::Udp) && has(Protocol::Tcp)
        })
        .await;
    let at = |proto| {
        let found = browser.candidates.iter().find(|candidate| candidate.proto() == proto);
        found.unwrap().addr()
    };
    let (udp, tcp) = (at(Protocol::Udp), at(Protocol::Tcp));
    // A check with a made-up user name, the beginning of a DTLS handshake, and nothing in particular.
    let mut check = Vec::new();
    let mut writer = belay_turn::stun::Writer::new(
        &mut check,
        belay_turn::stun::Method::Binding,
        belay_turn::stun::Class::Request,
        belay_turn::stun::Transaction([5; 12]),
    );
    writer.add(belay_turn::stun::attribute::USERNAME, b"abcd:efgh");
    writer.add(belay_turn::stun::attribute::PRIORITY, &[0x6e, 0, 1, 0xff]);
    writer.finish();
    let hello = [&[22, 0xfe, 0xfd][..], &[0; 60]].concat();
    let stranger = UdpSocket::bind((udp.ip(), 0)).await.unwrap();
    for packet in [&check[..], &hello, b"hello?"] {
        stranger.send_to(packet, udp).await.unwrap();
        let mut connection = TcpStream::connect(tcp).await.unwrap();
        let mut framed = u16::try_from(packet.len()).unwrap().to_be_bytes().to_vec();
        framed.extend_from_slice(packet);
        connection.write_all(&framed).await.unwrap();
        let closed = tokio::time::timeout(Duration::from_secs(45), connection.read(&mut [0; 100])).await;
        assert!(matches!(closed.unwrap(), Ok(0) | Err(_)), "the stranger was answered");
    }
    // The closed connections show that everything sent before them was looked at.
    let answer = stranger.try_recv_from(&mut [0; 100]);
    assert!(answer.is_err(), "the stranger was answered: {answer:?}");
    // The console, who knows the description, still comes through.
    browser.silent = false;
    browser.until("the console sends directly", Browser::is_direct).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_cross_a_direct_path_whole_and_in_order() {
    let (_server, mut applet, mut browser) = meet(false).await;
    let mut seen = Seen::default();
    browser.offer().await;
    browser.until("the console sends directly", Browser::is_direct).await;
    until(&mut browser, &mut applet, &mut seen, "the applet sends directly", |seen| {
        seen.kinds.last() == Some(&PathKind::DirectUdp)
    })
    .await;
    let picture = |number: u32| {
        Message::ScreenUpdate(belay_wire::message::ScreenUpdate {
            number,
            base: number.saturating_sub(1),
            width: 1920,
            height: 1080,
            more: false,
            raw_len: 12,
            operations_zstd: vec![number as u8; 300_000],
        })
    };
    let begun = std::time::Instant::now();
    for n in 1..=20 {
        applet.commands.send(Command::Send(picture(n))).await.unwrap();
    }
    browser.until("twenty pictures", |browser| browser.heard.len() == 20).await;
    println!("6 MB in {:?}", begun.elapsed());
    assert_eq!(browser.heard, (1..=20).map(picture).collect::<Vec<_>>());
}

/// A STUN and TURN service on the loopback.
fn turn() -> (Service, TurnThread) {
    let at = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut machine = Settings::new("gateway.example.com");
    machine.loopback = true;
    let config = TurnConfig {
        machine,
        listen: vec![SocketAddr::new(at, 0)],
        relay: vec![RelayAt::own(at)],
        ports: 40_000..=49_999,
        streams: 10,
        streams_per_address: 10,
    };
    let (turn, thread) = TurnServer::start(config).unwrap();
    let port = turn.addresses()[0].port();
    let urls = ["stun:127.0.0.1:PORT", "turn:127.0.0.1:PORT?transport=udp"];
    let urls = urls.map(|url| url.replace("PORT", &port.to_string())).to_vec();
    (Service { turn, urls }, thread)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_applets_own_relayed_address_is_enough() {
    let (service, _thread) = turn();
    let server = start_with(Some(service)).await;
    let mut applet = applet(&server, ID);
    assert!(matches!(applet.events.recv().await, Some(Event::Admitted(_))));
    // A browser without relayed addresses of its own, to which nothing comes directly.
    let mut browser = Browser::open(&server, false).await;
    browser.only_relayed = true;
    let mut seen = Seen::default();
    browser.offer().await;
    browser.until("the console sends by the relayed address", Browser::is_direct).await;
    until(&mut browser, &mut applet, &mut seen, "the applet sends by its relayed address", |seen| {
        seen.kinds.last() == Some(&PathKind::RelayedUdp)
    })
    .await;
    for n in 0..20 {
        applet.commands.send(Command::Send(line(n))).await.unwrap();
    }
    browser.until("twenty lines", |browser| browser.heard.len() == 20).await;
    assert_eq!(browser.heard, (0..20).map(line).collect::<Vec<_>>());
}
