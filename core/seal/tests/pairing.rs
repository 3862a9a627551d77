//! Both sides of the seal against each other, and against somebody in between.
#![allow(clippy::unwrap_used)]

use belay_seal::{
    AppletHandshake, AppletStep, Binding, ConsoleHandshake, LinkSecret, Seal, SealError, Secrets, Side,
    WrongProof,
};

const BINDING: Binding = Binding([9; 32]);

fn secrets(seed: u8) -> Secrets {
    let mut rng = fastrand::Rng::with_seed(u64::from(seed));
    let mut bytes = || std::array::from_fn(|_| rng.u8(..));
    Secrets { key: bytes(), nonce: bytes() }
}

fn answer(applet: AppletHandshake, commit: &[u8]) -> (AppletHandshake, Vec<u8>) {
    match applet.received(commit).unwrap() {
        AppletStep::Send(next, answer) => (*next, answer),
        AppletStep::Sealed(_) => panic!("sealed before the console opened"),
    }
}

fn pair() -> (Seal, Seal) {
    pair_with(BINDING, BINDING)
}

fn pair_with(console: Binding, applet: Binding) -> (Seal, Seal) {
    let (console, commit) = ConsoleHandshake::start(secrets(1), console).unwrap();
    let (applet, answer) = answer(AppletHandshake::new(secrets(2), applet).unwrap(), &commit);
    let (console, open) = console.answered(&answer).unwrap();
    match applet.received(&open).unwrap() {
        AppletStep::Sealed(applet) => (console, *applet),
        AppletStep::Send(..) => panic!("not sealed after the console opened"),
    }
}

#[test]
fn both_sides_read_each_other_and_show_one_code() {
    let (mut console, mut applet) = pair();
    assert_eq!(console.security_code(), applet.security_code());
    for text in [&b"hello"[..], b"", &[7; 70_000]] {
        let frame = console.seal(text).unwrap();
        assert!(!text.is_empty() && text.len() < 6 || frame.windows(5).all(|w| w != b"hello"));
        assert_eq!(applet.open(&frame).unwrap(), text);
        let frame = applet.seal(text).unwrap();
        assert_eq!(console.open(&frame).unwrap(), text);
    }
}

#[test]
fn every_flipped_bit_is_noticed_and_harmless() {
    let (mut console, mut applet) = pair();
    let frame = console.seal(b"consent").unwrap();
    for at in 0..frame.len() * 8 {
        let mut bad = frame.clone();
        bad[at / 8] ^= 1 << (at % 8);
        assert!(applet.open(&bad).is_err(), "bit {at}");
    }
    for len in 0..frame.len() {
        assert!(applet.open(&frame[..len]).is_err(), "cut to {len}");
    }
    assert_eq!(applet.open(&frame).unwrap(), b"consent");
}

#[test]
fn replay_and_reflection_are_refused_reordering_is_not() {
    let (mut console, mut applet) = pair();
    let (first, second) = (console.seal(b"1").unwrap(), console.seal(b"2").unwrap());
    assert_eq!(applet.open(&second).unwrap(), b"2");
    assert_eq!(applet.open(&first).unwrap(), b"1");
    assert_eq!(applet.open(&first), Err(SealError::Replayed));
    assert_eq!(console.open(&second), Err(SealError::Forged));
}

#[test]
fn what_comes_very_late_is_no_repetition() {
    let (mut console, mut applet) = pair();
    let first = console.seal(b"slow").unwrap();
    for _ in 0..2000 {
        applet.open(&console.seal(b"x").unwrap()).unwrap();
    }
    assert_eq!(applet.open(&first), Err(SealError::Late));
}

#[test]
fn a_pairing_of_another_session_does_not_open() {
    let (mut console, mut applet) = pair_with(BINDING, Binding([8; 32]));
    assert_eq!(applet.open(&console.seal(b"x").unwrap()), Err(SealError::Forged));
    assert_ne!(console.security_code(), applet.security_code());
}

#[test]
fn a_console_that_changes_its_key_after_the_answer_is_caught() {
    let (_, commit) = ConsoleHandshake::start(secrets(1), BINDING).unwrap();
    let (applet, first_answer) = answer(AppletHandshake::new(secrets(2), BINDING).unwrap(), &commit);
    let (other, _) = ConsoleHandshake::start(secrets(3), BINDING).unwrap();
    let (_, open) = other.answered(&first_answer).unwrap();
    assert!(matches!(applet.received(&open), Err(SealError::CommitmentBroken)));
}

/// Somebody in between with a handshake of their own on either side: the seals of console and applet.
fn pair_through_a_hostile_gateway() -> (Seal, Seal) {
    let (console, commit) = ConsoleHandshake::start(secrets(1), BINDING).unwrap();
    let (evil_console, evil_commit) = ConsoleHandshake::start(secrets(4), BINDING).unwrap();
    let (applet, applet_answer) = answer(AppletHandshake::new(secrets(2), BINDING).unwrap(), &evil_commit);
    let (evil_applet, evil_answer) = answer(AppletHandshake::new(secrets(5), BINDING).unwrap(), &commit);
    let (console, open) = console.answered(&evil_answer).unwrap();
    let (_, evil_open) = evil_console.answered(&applet_answer).unwrap();
    let AppletStep::Sealed(applet) = applet.received(&evil_open).unwrap() else { panic!("not sealed") };
    assert!(matches!(evil_applet.received(&open), Ok(AppletStep::Sealed(_))));
    (console, *applet)
}

#[test]
fn a_gateway_that_swaps_keys_gets_two_different_codes() {
    let (console, applet) = pair_through_a_hostile_gateway();
    assert_ne!(console.security_code().digits, applet.security_code().digits);
}

#[test]
fn the_secret_of_a_link_proves_each_side_to_the_other() {
    let (console, applet) = pair();
    let (secret, code) = (LinkSecret::from_bytes([7; 32]), console.security_code());
    for side in [Side::Console, Side::Applet] {
        let proof = secret.proof(side, &code);
        assert_eq!(secret.check(side, &applet.security_code(), &proof), Ok(()));
        for bit in 0..256 {
            let mut bad = proof;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(secret.check(side, &code, &bad), Err(WrongProof), "bit {bit}");
        }
        let other = LinkSecret::from_bytes([8; 32]);
        assert_eq!(other.check(side, &code, &proof), Err(WrongProof));
    }
    // What one side said cannot be sent back to it.
    let proof = secret.proof(Side::Console, &code);
    assert_eq!(secret.check(Side::Applet, &code, &proof), Err(WrongProof));
    assert!(!format!("{secret:?}").contains('7'));
}

#[test]
fn a_gateway_that_swaps_keys_has_no_proof_that_fits() {
    let (console, applet) = pair_through_a_hostile_gateway();
    let secret = LinkSecret::from_bytes([7; 32]);
    let shown = secret.proof(Side::Console, &console.security_code());
    assert_eq!(secret.check(Side::Console, &applet.security_code(), &shown), Err(WrongProof));
    let shown = secret.proof(Side::Applet, &applet.security_code());
    assert_eq!(secret.check(Side::Applet, &console.security_code(), &shown), Err(WrongProof));
}

#[test]
fn frames_out_of_order_and_zero_keys_end_the_handshake() {
    let applet = || AppletHandshake::new(secrets(2), BINDING).unwrap();
    let (console, commit) = ConsoleHandshake::start(secrets(1), BINDING).unwrap();
    let (next, first_answer) = answer(applet(), &commit);
    assert!(matches!(next.received(&commit), Err(SealError::OutOfOrder)));
    assert!(matches!(applet().received(&first_answer), Err(SealError::OutOfOrder)));
    assert!(matches!(console.answered(&commit), Err(SealError::OutOfOrder)));
    let (console, _) = ConsoleHandshake::start(secrets(1), BINDING).unwrap();
    let zero = belay_wire::seal::SealFrame::Answer { key: [0; 32], nonce: [0; 32] }.encode();
    assert!(matches!(console.answered(&zero), Err(SealError::BadKey)));
}

#[test]
fn keys_change_on_the_way_and_survive_reordering_at_the_change() {
    let (mut console, mut applet) = pair();
    let mut late = None;
    for n in 0..(3u64 << 16) {
        let frame = console.seal(&n.to_be_bytes()).unwrap();
        if n == (1 << 16) - 1 {
            late = Some(frame);
            continue;
        }
        assert_eq!(applet.open(&frame).unwrap(), n.to_be_bytes(), "packet {n}");
        if n == (1 << 16) + 3 {
            let frame = late.take().unwrap();
            assert_eq!(applet.open(&frame).unwrap(), ((1u64 << 16) - 1).to_be_bytes());
        }
    }
}

#[test]
fn a_forged_number_does_not_push_the_keys_on() {
    let (mut console, mut applet) = pair();
    let mut forged = console.seal(b"x").unwrap();
    for counter in [1u64 << 16, 1 << 17, u64::MAX - 1] {
        forged[1..9].copy_from_slice(&counter.to_be_bytes());
        assert_eq!(applet.open(&forged), Err(SealError::Forged));
    }
    assert_eq!(applet.open(&console.seal(b"y").unwrap()).unwrap(), b"y");
}

/// The vector that the TypeScript side checks too: `docs/protocol/vectors/seal.json`.
#[test]
fn the_golden_vector_is_up_to_date() {
    let (console, commit) = ConsoleHandshake::start(secrets(1), BINDING).unwrap();
    let (applet, first_answer) = answer(AppletHandshake::new(secrets(2), BINDING).unwrap(), &commit);
    let (mut console, open) = console.answered(&first_answer).unwrap();
    let AppletStep::Sealed(mut applet) = applet.received(&open).unwrap() else { panic!("not sealed") };
    let packets = |from: &mut Seal, to: &mut Seal, name: &str| -> Vec<serde_json::Value> {
        let sealed = (0..2).map(|n| {
            let packet = format!("{name} {n}");
            let frame = from.seal(packet.as_bytes()).unwrap();
            assert_eq!(to.open(&frame).unwrap(), packet.as_bytes());
            serde_json::json!({"packet": hex::encode(packet), "frame": hex::encode(frame)})
        });
        sealed.collect()
    };
    let console_packets = packets(&mut console, &mut applet, "console");
    let applet_packets = packets(&mut applet, &mut console, "applet");
    let mut after_key_changes = Vec::new();
    for n in 2..=2u64 << 16 {
        let packet = format!("console {n}");
        let frame = console.seal(packet.as_bytes()).unwrap();
        assert_eq!(applet.open(&frame).unwrap(), packet.as_bytes());
        if n % (1 << 16) == 0 {
            after_key_changes
                .push(serde_json::json!({"packet": hex::encode(packet), "frame": hex::encode(frame)}));
        }
    }
    let secret = LinkSecret::from_bytes([7; 32]);
    let vector = serde_json::json!({
        "binding": hex::encode(BINDING.0),
        "console": {"private_key": hex::encode(secrets(1).key), "nonce": hex::encode(secrets(1).nonce)},
        "applet": {"private_key": hex::encode(secrets(2).key), "nonce": hex::encode(secrets(2).nonce)},
        "commit": hex::encode(commit), "answer": hex::encode(first_answer), "open": hex::encode(open),
        "security_code": console.security_code().to_string(),
        "transcript": hex::encode(console.security_code().transcript),
        "link": {
            "secret": hex::encode([7; 32]),
            "console_proof": hex::encode(secret.proof(Side::Console, &console.security_code())),
            "applet_proof": hex::encode(secret.proof(Side::Applet, &console.security_code())),
        },
        "console_packets": console_packets, "applet_packets": applet_packets,
        "console_packets_after_key_changes": after_key_changes,
    });
    let text = serde_json::to_string_pretty(&vector).unwrap() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol/vectors/seal.json");
    if std::env::var_os("BELAY_WRITE_VECTORS").is_some() {
        std::fs::create_dir_all(std::path::Path::new(path).parent().unwrap()).unwrap();
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        text,
        "run with BELAY_WRITE_VECTORS=1 and look at the difference"
    );
}
