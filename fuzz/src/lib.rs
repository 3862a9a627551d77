//! Fuzz targets: each takes bytes of a stranger and panics when something that must hold does not.
//!
//! `cargo xtask fuzz TARGET` lets libFuzzer search; `cargo test -p belay-fuzz` replays the committed corpus.

use belay_wire::gateway::{FromGateway, ToGateway};
use belay_wire::message::ScreenUpdate;
use belay_wire::seal::SealFrame;
use belay_wire::{Message, Moment};

/// A target: its name, which is also its corpus folder, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 7] = [
    ("gateway", gateway),
    ("seal", seal),
    ("packet", packet),
    ("message", message),
    ("relay", relay),
    ("screen", screen),
    ("turn", turn),
];

/// Frames of the gateway: what decodes reads the same after it is written again.
fn gateway(data: &[u8]) {
    if let Ok(frame) = ToGateway::decode(data) {
        assert_eq!(ToGateway::decode(&frame.encode()).as_ref(), Ok(&frame));
    }
    if let Ok(frame) = FromGateway::decode(data) {
        assert_eq!(FromGateway::decode(&frame.encode()).as_ref(), Ok(&frame));
    }
}

/// Frames of the seal: what decodes is written back byte for byte.
fn seal(data: &[u8]) {
    if let Ok(frame) = SealFrame::decode(data) {
        assert_eq!(frame.encode(), data);
    }
}

/// Packets of the link, read alone and by a link with a path.
fn packet(data: &[u8]) {
    if let Ok(pieces) = belay_wire::link::decode(data) {
        assert_eq!(belay_wire::link::encode(&pieces), data);
    }
    let mut link = belay_link::Link::new();
    link.path_up(belay_link::PathId(1), belay_link::PathKind::Datagram, Moment(0));
    for (at, chunk) in data.chunks(40).enumerate() {
        let now = Moment(at as u64 * 10_000);
        if link.received(belay_link::PathId(1), chunk, now).is_ok() {
            link.tick(now);
        }
        while link.poll(now).is_some() {}
    }
}

/// Messages between console and applet: what decodes is written back byte for byte.
fn message(data: &[u8]) {
    if let Ok(message) = Message::decode(data) {
        assert_eq!(message.encode(), data);
    }
}

/// A gateway with three legs that send whatever they like.
fn relay(data: &[u8]) {
    use belay_relay::{LegId, Limits, Output, Relay};
    let address = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    let mut relay = Relay::new(Limits::default());
    let mut rest = data;
    let mut now = Moment(0);
    while let [leg, len, tail @ ..] = rest {
        let (bytes, tail) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = tail;
        now = Moment(now.0 + 500_000);
        let id = LegId(u64::from(leg % 3));
        match leg / 3 {
            0 => relay.opened(id, address, now),
            1 => relay.closed(id),
            2 => relay.tick(now),
            _ => relay.received(id, bytes.to_vec(), now),
        }
        while let Some(output) = relay.poll() {
            if let Output::Admit(leg, request) = output {
                let session = [request.credential.first().copied().unwrap_or(0) % 2; 16];
                let admission = belay_relay::admission::Admission {
                    session: belay_wire::SessionId::from_bytes(session),
                    return_ticket: belay_wire::LegTicket::from_bytes([0; 32]),
                };
                relay.answered(leg, Ok(admission));
            }
        }
    }
    assert!(relay.legs() <= 3);
}

/// The reference decoder of screen updates: corrupt operations and corrupt compression are errors, never a crash, and what
/// is refused leaves the decoder usable.
fn screen(data: &[u8]) {
    let update = |number, base, raw_len: usize, operations_zstd| ScreenUpdate {
        number,
        base,
        width: 96,
        height: 64,
        more: false,
        raw_len: u32::try_from(raw_len).unwrap_or(u32::MAX),
        operations_zstd,
    };
    let compress = |bytes: &[u8]| zstd::bulk::compress(bytes, 1).unwrap_or_default();
    let mut decoder = belay_screen::Decoder::new();
    let black = [2, 0, 0, 0, 0, 0, 96, 0, 64, 0, 0, 0];
    let good = || update(1, 0, black.len(), compress(&black));
    decoder.apply(&good()).unwrap_or_else(|error| panic!("a good update was refused: {error}"));
    for corrupt in [update(2, 1, data.len(), compress(data)), update(2, 1, 4096, data.to_vec())] {
        if decoder.apply(&corrupt).is_err() {
            decoder.apply(&good()).unwrap_or_else(|error| panic!("not usable after an error: {error}"));
        }
        let (width, height, pixels) = decoder.picture();
        assert_eq!((width, height, pixels.len()), (96, 64, 96 * 64));
    }
}

/// A TURN server with one leg's allocation and its partner seen outside: streams are cut, datagrams come from clients and
/// to the relay port, time passes. Nothing but the partner's address may ever be sent to.
fn turn(data: &[u8]) {
    use belay_relay::LegId;
    use belay_turn::framing::{self, Framed};
    use belay_turn::{Carrier, Client, Forward, Output, Settings, Turn};
    use belay_wire::gateway::Role;
    let address = |port: u16| std::net::SocketAddr::from(([192, 0, 2, 1], port));
    let mut now = Moment(1_000_000_000);
    let mut server = Turn::new(Settings::new("r"), &[1; 64]);
    let session = belay_wire::SessionId::from_bytes([1; 16]);
    for (leg, role) in [(1, Role::Applet), (2, Role::Console)] {
        let minted = server.admit(LegId(leg), session, role, Moment(u64::MAX), now);
        assert!(minted.is_ok_and(|credentials| !credentials.password.is_empty()));
    }
    let partner = address(2).ip();
    server.register(LegId(2), partner);
    let mut stream = data.to_vec();
    let mut at = 0;
    while let Framed::Message { message, whole } = framing::first(&stream[at..]) {
        let client = Client { carrier: Carrier::Stream(1), remote: address(1) };
        let forward = server.received(client, &mut stream[at..at + message], now);
        assert!(!matches!(forward, Some(Forward::Peer(_, to, _)) if to.ip() != partner || to.port() < 1024));
        at += whole;
    }
    let mut rest = data;
    while let [what, len, tail @ ..] = rest {
        let (bytes, tail) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = tail;
        now = Moment(now.0 + 1_000_000 * u64::from(what >> 4));
        let client =
            Client { carrier: Carrier::Udp(what & 1), remote: address(u16::from(what >> 1 & 1) + 1) };
        let mut bytes = bytes.to_vec();
        let forward = match what >> 2 & 3 {
            0 | 1 => server.received(client, &mut bytes, now),
            2 => server.from_peer(belay_turn::RelayId(1), address(2002), &mut bytes, now),
            _ => {
                server.tick(now);
                None
            }
        };
        assert!(!matches!(forward, Some(Forward::Peer(_, to, _)) if to.ip() != partner || to.port() < 1024));
        while let Some(output) = server.poll() {
            if let Output::Open(relay, ..) = output {
                server.opened(relay, Some(address(50_000)), now);
            }
        }
    }
}
