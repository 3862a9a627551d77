//! What two legs of one session can do, and for how long.

use crate::client::{Caller, Sent, World, code, read_relayed};
use belay_relay::LegId;
use belay_turn::stun::{Class, Message, Method, Transaction, Writer, attribute};
use belay_turn::{Carrier, Client, Integrity, Settings};
use belay_wire::Moment;
use belay_wire::gateway::Role;
use std::net::SocketAddr;
use std::time::Duration;

fn pair() -> (World, Caller, Caller) {
    let mut world = World::new(Settings::new(crate::client::REALM));
    let applet = world.admit(1, 1, Role::Applet);
    let console = world.admit(2, 1, Role::Console);
    (world, Caller::udp("198.51.100.1:1000", applet), Caller::udp("198.51.100.2:2000", console))
}

fn only_client(sent: &[Sent]) -> (Client, &[u8]) {
    let [Sent::Client(client, bytes)] = sent else { panic!("{sent:?}") };
    (*client, bytes)
}

#[test]
fn a_binding_request_tells_the_address() {
    let mut world = World::new(Settings::new("r"));
    for remote in ["198.51.100.9:4711", "[2001:db8::9]:4711"] {
        let client = Client { carrier: Carrier::Udp(0), remote: remote.parse().unwrap() };
        let mut bytes = Vec::new();
        Writer::new(&mut bytes, Method::Binding, Class::Request, Transaction([3; 12])).finish();
        let sent = world.send(client, &bytes);
        let (to, answer) = only_client(&sent);
        let read = Message::read(answer).unwrap();
        assert_eq!((to, read.class()), (client, Class::Success));
        assert_eq!(read.address(attribute::XOR_MAPPED_ADDRESS), Some(client.remote));
    }
}

#[test]
fn both_legs_on_the_server_talk_by_indications_and_by_channels() {
    let (mut world, mut a, mut b) = pair();
    let a_at = a.allocate(&mut world).1.unwrap();
    let b_at = b.allocate(&mut world).1.unwrap();
    assert_eq!(a.permit(&mut world, b_at), 0);
    assert!(a.send_indication(&mut world, b_at, b"early").is_empty(), "b has not let a in yet");
    assert_eq!(b.permit(&mut world, a_at), 0);
    let sent = a.send_indication(&mut world, b_at, b"hello");
    let (to, bytes) = only_client(&sent);
    assert_eq!(to, b.client);
    assert_eq!(read_relayed(bytes), (Err(a_at), b"hello".to_vec()));

    assert_eq!(a.bind(&mut world, 0x4001, b_at), 0);
    let sent = a.send_channel(&mut world, 0x4001, b"channel to indication");
    assert_eq!(read_relayed(only_client(&sent).1), (Err(a_at), b"channel to indication".to_vec()));
    let sent = b.send_indication(&mut world, a_at, b"indication to channel");
    assert_eq!(read_relayed(only_client(&sent).1), (Ok(0x4001), b"indication to channel".to_vec()));
    assert_eq!(b.bind(&mut world, 0x4FFF, a_at), 0);
    let sent = a.send_channel(&mut world, 0x4001, b"channel to channel");
    assert_eq!(read_relayed(only_client(&sent).1), (Ok(0x4FFF), b"channel to channel".to_vec()));
    // What a sender says is longer than what came is not read beyond its end; what is padded is cut.
    assert!(world.send(a.client, &[0x40, 0x01, 0, 9, 1, 2]).is_empty());
    let sent = world.send(a.client, &[0x40, 0x01, 0, 1, 7, 0, 0, 0]);
    assert_eq!(only_client(&sent).1, [0x4F, 0xFF, 0, 1, 7]);
}

#[test]
fn a_partner_outside_is_reached_where_it_was_seen_and_nowhere_else() {
    let (mut world, mut a, mut b) = pair();
    a.allocate(&mut world);
    let relay = *world.ports.keys().next().unwrap();
    let seen = b.client.remote;
    assert_eq!(a.permit(&mut world, seen), 403, "nobody was seen there yet");
    // A question with credentials shows the partner's address.
    assert_eq!(b.ask(&mut world, Method::Binding, |_| {}).0, 0);
    assert_eq!(a.bind(&mut world, 0x4000, seen), 0);
    assert_eq!(a.send_channel(&mut world, 0x4000, b"out"), [Sent::Peer(relay, seen, b"out".to_vec())]);
    assert_eq!(a.send_indication(&mut world, seen, b"out"), [Sent::Peer(relay, seen, b"out".to_vec())]);
    let back = world.peer(relay, seen, b"back").unwrap();
    let Sent::Client(to, bytes) = back else { panic!() };
    assert_eq!((to, read_relayed(&bytes)), (a.client, (Ok(0x4000), b"back".to_vec())));
    // Its NAT may give it another port for the relay than for this server; below 1024 nobody's NAT does.
    let other_port = SocketAddr::new(seen.ip(), seen.port() + 1);
    assert!(world.peer(relay, other_port, b"another port").is_some());
    let out = Sent::Peer(relay, other_port, b"out".to_vec());
    assert_eq!(a.send_indication(&mut world, other_port, b"out"), [out]);
    let service = SocketAddr::new(seen.ip(), 53);
    assert_eq!(a.bind(&mut world, 0x4001, service), 403);
    assert!(a.send_indication(&mut world, service, b"out").is_empty());
    assert_eq!(world.peer(relay, service, b"in"), None);
    let elsewhere = "198.51.100.3:2000".parse().unwrap();
    assert_eq!(world.peer(relay, elsewhere, b"stranger"), None);
    assert_eq!((a.permit(&mut world, elsewhere), a.bind(&mut world, 0x4001, elsewhere)), (403, 403));
    // The leg goes, and with it the right to reach it.
    world.turn.dismiss(LegId(2));
    assert!(a.send_channel(&mut world, 0x4000, b"out").is_empty());
    assert_eq!(world.peer(relay, seen, b"back"), None);
}

#[test]
fn where_the_websocket_comes_from_counts_and_where_nobody_can_be_does_not() {
    let mut settings = Settings::new(crate::client::REALM);
    settings.own = vec!["192.0.2.1".parse().unwrap()];
    for loopback in [false, true] {
        settings.loopback = loopback;
        let mut world = World::new(settings.clone());
        let mut a = Caller::udp("198.51.100.1:1000", world.admit(1, 1, Role::Applet));
        world.admit(2, 1, Role::Console);
        a.allocate(&mut world);
        for (ip, reached) in [
            ("203.0.113.9", true),
            ("::ffff:203.0.113.10", true),
            ("10.1.2.3", true),
            ("127.0.0.1", loopback),
            ("192.0.2.1", loopback),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("169.254.169.254", false),
            ("255.255.255.255", false),
        ] {
            let ip: std::net::IpAddr = ip.parse().unwrap();
            world.turn.register(LegId(2), ip);
            let code = a.permit(&mut world, SocketAddr::new(ip.to_canonical(), 5000));
            assert_eq!(code, if reached { 0 } else { 403 }, "{ip} {loopback}");
        }
        assert_eq!(a.permit(&mut world, "10.1.2.4:5000".parse().unwrap()), 403, "a neighbour in its network");
    }
}

#[test]
fn things_end_when_they_should() {
    let (mut world, mut a, mut b) = pair();
    let a_at = a.allocate(&mut world).1.unwrap();
    let b_at = b.allocate(&mut world).1.unwrap();
    assert_eq!(b.bind(&mut world, 0x4000, a_at), 0);
    assert_eq!(a.bind(&mut world, 0x4000, b_at), 0);
    let start = world.now;
    world.now = start + Duration::from_secs(299);
    assert_eq!(a.send_channel(&mut world, 0x4000, b"x").len(), 1);
    world.now = start + Duration::from_secs(300);
    assert!(a.send_channel(&mut world, 0x4000, b"x").is_empty(), "permissions last five minutes");
    assert_eq!((a.permit(&mut world, b_at), b.permit(&mut world, a_at)), (0, 0));
    assert_eq!(a.send_channel(&mut world, 0x4000, b"x").len(), 1, "the channel is still there");
    assert_eq!(a.refresh(&mut world, 0xFFFF_FFFF), 0);
    world.now = start + Duration::from_secs(600);
    world.turn.tick(world.now);
    world.drain();
    assert_eq!(world.turn.allocations(), 1, "b was not refreshed");
    assert!(a.send_channel(&mut world, 0x4000, b"x").is_empty());
    let due = world.turn.next_timeout().unwrap();
    assert_eq!(due, start + Duration::from_secs(300 + 3600), "an hour at most");
    world.now = due;
    world.turn.tick(due);
    world.drain();
    assert_eq!((world.turn.allocations(), world.ports.len(), world.turn.next_timeout()), (0, 0, None));
}

#[test]
fn a_stale_nonce_is_replaced_and_serves_only_the_address_it_was_given_to() {
    let (mut world, mut a, _) = pair();
    a.allocate(&mut world);
    let old = a.nonce.clone();
    let mut elsewhere = a.clone();
    elsewhere.client.remote.set_port(1);
    let (_, bytes) = elsewhere.request(&mut world, Method::Allocate, |w| {
        w.add(0x19, &[17, 0, 0, 0]);
    });
    let sent = world.send(elsewhere.client, &bytes);
    assert_eq!(code(&Message::read(only_client(&sent).1).unwrap()), 438);
    assert_eq!(a.refresh(&mut world, 3600), 0);
    assert_eq!(a.nonce, old);
    world.now = world.now + Duration::from_secs(601);
    assert_eq!(a.refresh(&mut world, 600), 0);
    assert_ne!(a.nonce, old);
}

#[test]
fn an_allocate_sent_again_is_answered_again() {
    let (mut world, mut a, _) = pair();
    a.allocate(&mut world);
    a.refresh(&mut world, 0);
    let fill = |w: &mut Writer<'_>| {
        w.add(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
    };
    let (_, bytes) = a.request(&mut world, Method::Allocate, fill);
    let first = world.send(a.client, &bytes);
    assert_eq!(world.send(a.client, &bytes), first);
    assert_eq!(world.ports.len(), 1);
    assert_eq!(a.allocate(&mut world).0, 437, "another one on the same path");
}

#[test]
fn a_leg_that_goes_takes_everything_along() {
    let (mut world, mut a, mut b) = pair();
    a.client.carrier = Carrier::Stream(5);
    let a_at = a.allocate(&mut world).1.unwrap();
    b.allocate(&mut world);
    assert_eq!(b.bind(&mut world, 0x4000, a_at), 0);
    world.turn.dismiss(LegId(1));
    world.drain();
    assert_eq!((world.turn.allocations(), world.ports.len()), (1, 1));
    assert_eq!(world.hung_up, [a.client]);
    assert!(b.send_channel(&mut world, 0x4000, b"x").is_empty());
    assert_eq!(a.allocate(&mut world).0, 401);
    // The port given to somebody else is not reached by the old partner's channel.
    world.next_port = a_at.port();
    let mut stranger = Caller::udp("198.51.100.7:7", world.admit(9, 9, Role::Console));
    assert_eq!(stranger.allocate(&mut world).1, Some(a_at));
    assert!(b.send_channel(&mut world, 0x4000, b"x").is_empty());
    world.turn.dismiss(LegId(2));
    world.turn.dismiss(LegId(9));
    world.drain();
    assert_eq!((world.turn.allocations(), world.turn.legs(), world.ports.len()), (0, 0, 0));
}

#[test]
fn ipv6_relays_and_sha256_integrity_work() {
    let (mut world, mut a, mut b) = pair();
    a.integrity = Integrity::Sha256;
    let six = |w: &mut Writer<'_>| {
        w.add(attribute::REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0]);
    };
    let a_at = a.allocate_with(&mut world, six).1.unwrap();
    let b_at = b.allocate_with(&mut world, six).1.unwrap();
    assert!(a_at.is_ipv6() && b_at.is_ipv6());
    assert_eq!((a.bind(&mut world, 0x4000, b_at), b.permit(&mut world, a_at)), (0, 0));
    let sent = a.send_channel(&mut world, 0x4000, b"six");
    assert_eq!(read_relayed(only_client(&sent).1), (Err(a_at), b"six".to_vec()));
    assert_eq!(a.permit(&mut world, "198.51.100.2:2000".parse().unwrap()), 443);
}

#[test]
fn a_session_has_its_share_of_bytes() {
    let mut settings = Settings::new(crate::client::REALM);
    settings.limits.session_bytes = 1000;
    let mut world = World::new(settings);
    let mut a = Caller::udp("198.51.100.1:1000", world.admit(1, 1, Role::Applet));
    let mut b = Caller::udp("198.51.100.2:2000", world.admit(2, 1, Role::Console));
    let a_at = a.allocate(&mut world).1.unwrap();
    let b_at = b.allocate(&mut world).1.unwrap();
    a.bind(&mut world, 0x4000, b_at);
    b.permit(&mut world, a_at);
    let through = |world: &mut World, a: &Caller| {
        (0..30).filter(|_| !a.send_channel(world, 0x4000, &[0; 100]).is_empty()).count()
    };
    assert_eq!(through(&mut world, &a), 10);
    world.now = world.now + Duration::from_millis(500);
    assert_eq!(through(&mut world, &a), 5);
    world.now = Moment(world.now.0 - 5);
    assert_eq!(through(&mut world, &a), 0, "a clock that steps back gives nothing");
}
