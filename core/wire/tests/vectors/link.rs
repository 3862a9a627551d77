//! Packets of the link and frames of the seal, with their bytes.

use belay_wire::Writer;
use belay_wire::link::{self, Ack, Class, MAX_PIECES, Piece};
use belay_wire::seal::SealFrame;
use serde_json::{Value, json};

#[test]
fn link_packets_and_seal_frames_are_what_the_vectors_say() {
    let mut vectors: Vec<Value> = packets().iter().map(packet_vector).collect();
    vectors.extend(refused().iter().map(refused_vector));
    vectors.extend(seal_frames().iter().map(seal_vector));
    super::compare_with_file("link.json", &vectors);
}

fn packets() -> Vec<Vec<Piece<'static>>> {
    let ack = |class, next, ranges: &[(u64, u64)]| Piece::Ack(Ack { class, next, ranges: ranges.to_vec() });
    let top = 0x001f_ffff_ffff_fff0;
    let mut all: Vec<Vec<Piece<'static>>> =
        Class::ALL.into_iter().map(|class| vec![ack(class, 7, &[])]).collect();
    all.push(vec![ack(Class::Screen, 100, &[(101, 102), (200, top)])]);
    all.push(vec![ack(Class::Ordered, 0, &[1, 3, 5, 7, 9, 11, 13, 15].map(|from| (from, from + 1)))]);
    for class in Class::ALL {
        all.push(vec![if class.is_stream() {
            Piece::Data { class, offset: top, bytes: &[0, 0, 0, 1, 0x03] }
        } else {
            Piece::State { class, number: top, message: &[0x61, 0x01] }
        }]);
    }
    all.push(vec![Piece::State { class: Class::Seen, number: 0, message: &[] }]);
    all.push(vec![Piece::Ping(0x0102_0304)]);
    all.push(vec![Piece::Pong(u32::MAX)]);
    all.push(vec![
        Piece::Pong(1),
        ack(Class::Input, 12, &[]),
        ack(Class::Screen, 5, &[(9, 11)]),
        Piece::Ping(2),
        Piece::Data { class: Class::Input, offset: 0, bytes: &[0x40] },
    ]);
    all
}

/// Packets that break the protocol.
fn refused() -> Vec<(&'static str, Vec<u8>)> {
    let piece = |bytes: &[u8]| bytes.to_vec();
    let ack = |ranges: &[(u64, u64)]| {
        let mut w = Writer::of(1);
        w.u8(1).u64(10).u8(ranges.len() as u8);
        ranges.iter().for_each(|(from, to)| {
            w.u64(*from).u64(*to);
        });
        w.finish()
    };
    let state_with_range = Writer::of(1).u8(0x11).u64(1).u8(1).u64(3).u64(4).finish();
    vec![
        ("empty", Vec::new()),
        ("unknown piece", piece(&[6])),
        ("unknown class", piece(&[2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
        ("data without bytes", piece(&[2, 1, 0, 0, 0, 0, 0, 0, 0, 0])),
        ("data of a state", piece(&[2, 0x11, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
        ("state of a stream", piece(&[3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
        ("offset too large", piece(&[2, 1, 0, 0x20, 0, 0, 0, 0, 0, 0, 1])),
        ("truncated ping", piece(&[4, 0, 0, 1])),
        ("range that touches next", ack(&[(10, 12)])),
        ("empty range", ack(&[(11, 11)])),
        ("ranges that touch", ack(&[(11, 12), (12, 13)])),
        ("ranges not in order", ack(&[(21, 22), (12, 13)])),
        ("nine ranges", ack(&[11, 13, 15, 17, 19, 21, 23, 25, 27].map(|from| (from, from + 1)))),
        ("ranges of a state", state_with_range),
        ("seventeen pieces", [4, 0, 0, 0, 0].repeat(MAX_PIECES + 1)),
    ]
}

fn packet_vector(pieces: &Vec<Piece<'_>>) -> Value {
    let bytes = link::encode(pieces);
    assert_eq!(link::decode(&bytes).as_ref(), Ok(pieces));
    let fields: Vec<Value> = pieces.iter().map(piece_fields).collect();
    json!({ "layer": "link", "hex": hex::encode(&bytes), "pieces": fields })
}

fn refused_vector((name, bytes): &(&'static str, Vec<u8>)) -> Value {
    assert!(link::decode(bytes).is_err(), "{name}");
    json!({ "layer": "link", "hex": hex::encode(bytes), "refused": name })
}

fn piece_fields(piece: &Piece<'_>) -> Value {
    match piece {
        Piece::Ack(Ack { class, next, ranges }) => {
            json!({ "kind": "ack", "class": name(*class), "next": next, "ranges": ranges })
        }
        Piece::Data { class, offset, bytes } => {
            json!({ "kind": "data", "class": name(*class), "offset": offset, "bytes": hex::encode(bytes) })
        }
        Piece::State { class, number, message } => {
            json!({ "kind": "state", "class": name(*class), "number": number, "message": hex::encode(message) })
        }
        Piece::Ping(number) => json!({ "kind": "ping", "number": number }),
        Piece::Pong(number) => json!({ "kind": "pong", "number": number }),
    }
}

fn name(class: Class) -> &'static str {
    match class {
        Class::Ordered => "ordered",
        Class::Input => "input",
        Class::Screen => "screen",
        Class::Cursor => "cursor",
        Class::Seen => "seen",
    }
}

fn seal_frames() -> Vec<SealFrame<'static>> {
    vec![
        SealFrame::Commit { commitment: [0xc0; 32] },
        SealFrame::Answer { key: [0xa1; 32], nonce: [0xa2; 32] },
        SealFrame::Open { key: [0xc1; 32], nonce: [0xc2; 32] },
        SealFrame::Sealed { counter: 0x0001_0000_0002, ciphertext: &[0x55; 20] },
        SealFrame::Unknown,
        SealFrame::KeysDiffer,
    ]
}

fn seal_vector(frame: &SealFrame<'_>) -> Value {
    let bytes = frame.encode();
    assert_eq!(SealFrame::decode(&bytes).as_ref(), Ok(frame));
    let fields = match frame {
        SealFrame::Commit { commitment } => {
            json!({ "kind": "commit", "commitment": hex::encode(commitment) })
        }
        SealFrame::Answer { key, nonce } => {
            json!({ "kind": "answer", "key": hex::encode(key), "nonce": hex::encode(nonce) })
        }
        SealFrame::Open { key, nonce } => {
            json!({ "kind": "open", "key": hex::encode(key), "nonce": hex::encode(nonce) })
        }
        SealFrame::Sealed { counter, ciphertext } => {
            json!({ "kind": "sealed", "counter": counter, "ciphertext": hex::encode(ciphertext) })
        }
        SealFrame::Unknown => json!({ "kind": "unknown" }),
        SealFrame::KeysDiffer => json!({ "kind": "keys_differ" }),
    };
    json!({ "layer": "seal", "hex": hex::encode(&bytes), "frame": fields })
}
