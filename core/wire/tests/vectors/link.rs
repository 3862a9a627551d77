//! Packets of the link and frames of the seal, with their bytes.

use belay_wire::link::{Acknowledgement, Carried, Class, Packet};
use belay_wire::seal::SealFrame;
use serde_json::{Value, json};

#[test]
fn link_packets_and_seal_frames_are_what_the_vectors_say() {
    let mut vectors: Vec<Value> = packets().iter().map(packet_vector).collect();
    vectors.extend(seal_frames().iter().map(seal_vector));
    super::compare_with_file("link.json", &vectors);
}

fn packets() -> Vec<Packet<'static>> {
    let acknowledgement = Acknowledgement { ordered: 3, input: 0x0001_0000_0002 };
    let mut all = vec![
        Packet { acknowledgement: Acknowledgement::default(), carried: None },
        Packet { acknowledgement, carried: None },
    ];
    all.extend(Class::ALL.map(|class| Packet {
        acknowledgement,
        carried: Some(Carried { class, number: 0x001f_ffff_ffff_ffff, message: &[0x03, 0x01] }),
    }));
    all.push(Packet {
        acknowledgement,
        carried: Some(Carried { class: Class::Input, number: 0, message: &[] }),
    });
    all
}

fn packet_vector(packet: &Packet<'_>) -> Value {
    let bytes = packet.encode();
    assert_eq!(Packet::decode(&bytes).as_ref(), Ok(packet));
    let carried = packet.carried.as_ref().map(|carried| {
        let class = match carried.class {
            Class::Ordered => "ordered",
            Class::Input => "input",
            Class::Screen => "screen",
            Class::Cursor => "cursor",
            Class::Seen => "seen",
        };
        json!({ "class": class, "number": carried.number, "message": hex::encode(carried.message) })
    });
    let Acknowledgement { ordered, input } = packet.acknowledgement;
    json!({ "layer": "link", "hex": hex::encode(&bytes),
            "packet": { "acknowledgement": { "ordered": ordered, "input": input }, "carried": carried } })
}

fn seal_frames() -> Vec<SealFrame<'static>> {
    vec![
        SealFrame::Commit { commitment: [0xc0; 32] },
        SealFrame::Answer { key: [0xa1; 32], nonce: [0xa2; 32] },
        SealFrame::Open { key: [0xc1; 32], nonce: [0xc2; 32] },
        SealFrame::Sealed { counter: 0x0001_0000_0002, ciphertext: &[0x55; 20] },
        SealFrame::Unknown,
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
    };
    json!({ "layer": "seal", "hex": hex::encode(&bytes), "frame": fields })
}
