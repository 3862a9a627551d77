//! The test vectors of RFC 5769, and another implementation reading what this one writes.

use belay_turn::stun::{Class, Message, Method, Transaction, Writer, attribute};
use belay_turn::{Integrity, framing, long_term_key};
use stun_types::message::IntegrityAlgorithm;

fn unhex(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae 80220010 5354554e207465737420636c69656e74
    00240004 6e0001ff 80290008 932ff9b151263b36 00060009 6576746a3a683676592020 20
    00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004 e57a3bcf";
const RESPONSE_4: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220
    00200008 0001a147e112a643 00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96";
const RESPONSE_6: &str = "010100482112a442b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220
    00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9 00080014 a382954e4be67bf11784c97c8292c275bfe3ed41
    80280004 c8fb0b4c";
const LONG_TERM: &str = "000100602112a44278ad3433c6ad72c029da412e 00060012 e3839ee38388e383aae38383e382af
    e382b90000 0015001c 662f2f3439396b39353464364f4c33346f4c394653547679363473 41
    0014000b 6578616d706c652e6f726700 00080014 f67024656dd64a3e02b8e0712e85c9a28ca89666";

#[test]
fn rfc_5769() {
    let password = b"VOkJxbRl1RmTxUk/WvJxBt";
    for (text, class) in
        [(REQUEST, Class::Request), (RESPONSE_4, Class::Success), (RESPONSE_6, Class::Success)]
    {
        let bytes = unhex(text);
        let message = Message::read(&bytes).unwrap();
        assert_eq!((message.method(), message.class()), (Method::Binding, class));
        assert!(Integrity::Sha1.verify(&message, password));
        assert!(!Integrity::Sha1.verify(&message, b"another"));
        for at in 0..bytes.len() - 8 {
            let mut changed = bytes.clone();
            changed[at] ^= 4;
            assert!(Message::read(&changed).is_none(), "the fingerprint shows a change at {at}");
        }
    }
    let address = |text| Message::read(&unhex(text)).unwrap().address(attribute::XOR_MAPPED_ADDRESS).unwrap();
    assert_eq!(address(RESPONSE_4), "192.0.2.1:32853".parse().unwrap());
    assert_eq!(address(RESPONSE_6), "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap());
    let bytes = unhex(LONG_TERM);
    let message = Message::read(&bytes).unwrap();
    assert_eq!(message.text(attribute::USERNAME), Some("マトリックス"));
    let key = long_term_key("マトリックス", "example.org", "TheMatrIX");
    assert!(Integrity::Sha1.verify(&message, &key));
}

#[test]
fn another_implementation_reads_what_is_written() {
    for (integrity, theirs) in
        [(Integrity::Sha1, IntegrityAlgorithm::Sha1), (Integrity::Sha256, IntegrityAlgorithm::Sha256)]
    {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, Method::Allocate, Class::Request, Transaction([5; 12]));
        writer.add(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
        writer.add_address(attribute::XOR_PEER_ADDRESS, "[2001:db8::1]:9".parse().unwrap());
        writer.add(attribute::USERNAME, b"17:5").add(attribute::REALM, b"r").add(attribute::NONCE, b"n");
        integrity.add(&mut writer, b"secret");
        writer.finish();
        let message = stun_types::message::Message::from_bytes(&bytes).unwrap();
        let credentials = stun_types::message::ShortTermCredentials::new("secret".into());
        assert_eq!(message.validate_integrity(&credentials.into()).unwrap(), theirs);
    }
}

#[test]
fn a_stream_is_cut_into_messages() {
    let request = unhex(REQUEST);
    let mut stream = request.clone();
    stream.extend_from_slice(&[0x40, 0x00, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0]);
    stream.extend_from_slice(&[0x4F, 0xFF, 0, 0]);
    let mut cuts = Vec::new();
    let mut at = 0;
    for end in 0..=stream.len() {
        while let framing::Framed::Message { message, whole } = framing::first(&stream[at..end]) {
            cuts.push((at, message));
            at += whole;
        }
    }
    let after = request.len();
    assert_eq!(cuts, [(0, after), (after, 9), (after + 12, 4)]);
    for garbage in [
        &b"\x99PUT"[..],
        &[0x80, 0, 0, 0],
        &[0xFF, 0xFF, 0, 0],
        &[0, 1, 0, 3, 0x21],
        &[0, 1, 0, 0, 1, 1, 1, 1],
    ] {
        assert_eq!(framing::first(garbage), framing::Framed::Garbage, "{garbage:?}");
    }
    assert!(framing::begins_stun(0) && !framing::begins_stun(b'G') && !framing::begins_stun(0x16));
}
