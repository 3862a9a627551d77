//! Fuzz targets: each takes bytes of a stranger and panics when something that must hold does not.
//!
//! `cargo xtask fuzz TARGET` lets libFuzzer search; `cargo test -p belay-fuzz` replays the committed corpus.

use belay_wire::gateway::{FromGateway, ToGateway};
use belay_wire::link::Packet;
use belay_wire::message::ScreenUpdate;
use belay_wire::seal::SealFrame;
use belay_wire::{Message, Moment};

/// A target: its name, which is also its corpus folder, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 6] = [
    ("gateway", gateway),
    ("seal", seal),
    ("packet", packet),
    ("message", message),
    ("relay", relay),
    ("screen", screen),
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
    if let Ok(packet) = Packet::decode(data) {
        assert_eq!(packet.encode(), data);
    }
    let mut link = belay_link::Link::new();
    link.path_up(belay_link::PathId(1), belay_link::PathKind::Datagram, Moment(0));
    for (at, chunk) in data.chunks(40).enumerate() {
        let now = Moment(at as u64 * 10_000);
        if link.received(chunk, now).is_ok() {
            link.tick(now);
        }
        while link.poll().is_some() {}
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
