//! Our own client against our own server: what the applet does with the gateway.

use crate::client::{REALM, Sent, World};
use belay_turn::client::{ClientOutput, Failure, TurnClient};
use belay_turn::stun::{Class, Message, Method, Writer, attribute};
use belay_turn::{Carrier, Client, Credentials, Settings};
use belay_wire::gateway::Role;
use std::net::SocketAddr;
use std::time::Duration;

/// A client at an address, and what it has heard.
struct End {
    client: TurnClient,
    at: Client,
    relayed: Option<SocketAddr>,
    heard: Vec<(SocketAddr, Vec<u8>)>,
    failed: Option<Failure>,
    sent: usize,
}

impl End {
    fn new(world: &World, remote: &str, credentials: Credentials) -> End {
        let remote: SocketAddr = remote.parse().unwrap();
        let client = TurnClient::new(credentials, remote.is_ipv6(), [remote.port() as u8; 32], world.now);
        let at = Client { carrier: Carrier::Udp(0), remote };
        End { client, at, relayed: None, heard: Vec::new(), failed: None, sent: 0 }
    }
}

/// Carries packets between the clients and the server until nothing moves; `loses` says which of the clients' packets get lost.
fn settle(world: &mut World, ends: &mut [&mut End], mut loses: impl FnMut(&[u8]) -> bool) {
    loop {
        let mut moved = false;
        for at in 0..ends.len() {
            while let Some(output) = ends[at].client.poll() {
                moved = true;
                match output {
                    ClientOutput::Send(bytes) => {
                        ends[at].sent += 1;
                        if loses(&bytes) {
                            continue;
                        }
                        for sent in world.send(ends[at].at, &bytes) {
                            deliver(world, ends, sent);
                        }
                    }
                    ClientOutput::Allocated(relayed) => ends[at].relayed = Some(relayed),
                    ClientOutput::Data(peer, bytes) => ends[at].heard.push((peer, bytes)),
                    ClientOutput::Failed(why) => ends[at].failed = Some(why),
                }
            }
        }
        if !moved {
            return;
        }
    }
}

fn deliver(world: &World, ends: &mut [&mut End], sent: Sent) {
    let Sent::Client(to, bytes) = sent else { return };
    for end in ends.iter_mut().filter(|end| end.at == to) {
        assert!(end.client.received(&bytes, world.now), "{bytes:?}");
    }
}

fn two() -> (World, End, End) {
    let mut world = World::new(Settings::new(REALM));
    let (applet, console) = (world.admit(1, 1, Role::Applet), world.admit(2, 1, Role::Console));
    let a = End::new(&world, "198.51.100.1:1000", applet);
    let b = End::new(&world, "198.51.100.2:2000", console);
    (world, a, b)
}

#[test]
fn two_clients_get_addresses_and_talk() {
    let (mut world, mut a, mut b) = two();
    settle(&mut world, &mut [&mut a, &mut b], |_| false);
    let (a_at, b_at) = (a.relayed.unwrap(), b.relayed.unwrap());
    // The first packets open the way: each lets the other in.
    a.client.send(b_at, b"1", world.now);
    b.client.send(a_at, b"2", world.now);
    settle(&mut world, &mut [&mut a, &mut b], |_| false);
    a.client.send(b_at, b"3", world.now);
    b.client.send(a_at, b"4", world.now);
    settle(&mut world, &mut [&mut a, &mut b], |_| false);
    assert!(b.heard.contains(&(a_at, b"3".to_vec())), "{:?}", b.heard);
    assert!(a.heard.contains(&(b_at, b"4".to_vec())), "{:?}", a.heard);
}

#[test]
fn a_peer_that_has_no_relayed_address_reaches_ours_and_is_answered() {
    let (mut world, mut a, mut b) = two();
    settle(&mut world, &mut [&mut a, &mut b], |_| false);
    // The partner was seen at this address; another of its ports speaks.
    let peer: SocketAddr = "198.51.100.2:5555".parse().unwrap();
    a.client.send("198.51.100.2:4444".parse().unwrap(), b"let it in", world.now);
    settle(&mut world, &mut [&mut a, &mut b], |_| false);
    let (relay, _) =
        world.ports.iter().find(|(_, at)| Some(**at) == a.relayed).map(|(id, at)| (*id, *at)).unwrap();
    let sent = world.peer(relay, peer, b"hello").unwrap();
    deliver(&world, &mut [&mut a], sent);
    settle(&mut world, &mut [&mut a, &mut b], |_| false);
    assert_eq!(a.heard, [(peer, b"hello".to_vec())]);
    // A stranger is not let in, whatever we say to it.
    a.client.send("203.0.113.9:9999".parse().unwrap(), b"x", world.now);
    settle(&mut world, &mut [&mut a, &mut b], |_| false);
    let before = a.sent;
    a.client.send("203.0.113.9:9999".parse().unwrap(), b"y", world.now);
    settle(&mut world, &mut [&mut a, &mut b], |_| false);
    assert_eq!(a.sent, before, "the server had refused that peer");
}

#[test]
fn address_and_channels_outlive_their_times_and_a_stale_nonce() {
    let (mut world, mut a, mut b) = two();
    settle(&mut world, &mut [&mut a, &mut b], |_| false);
    let (a_at, b_at) = (a.relayed.unwrap(), b.relayed.unwrap());
    for round in 0..60u8 {
        a.client.send(b_at, &[round], world.now);
        b.client.send(a_at, &[round], world.now);
        settle(&mut world, &mut [&mut a, &mut b], |_| false);
        for _ in 0..60 {
            world.now = world.now + Duration::from_secs(1);
            world.turn.tick(world.now);
            for end in [&mut a, &mut b] {
                if end.client.next_timeout().is_some_and(|at| at <= world.now) {
                    end.client.tick(world.now);
                }
            }
            settle(&mut world, &mut [&mut a, &mut b], |_| false);
        }
    }
    assert_eq!((a.failed, b.failed), (None, None));
    assert!(b.heard.contains(&(a_at, vec![59])) && a.heard.contains(&(b_at, vec![59])));
}

#[test]
fn what_gets_lost_is_asked_again_and_silence_ends_it() {
    let (mut world, mut a, mut b) = two();
    let mut losing = 2;
    let mut loses = |_: &[u8]| {
        losing -= 1;
        losing >= 0
    };
    settle(&mut world, &mut [&mut a], &mut loses);
    for _ in 0..4 {
        world.now = a.client.next_timeout().unwrap();
        a.client.tick(world.now);
        settle(&mut world, &mut [&mut a], &mut loses);
        if a.relayed.is_some() {
            break;
        }
    }
    assert!(a.relayed.is_some());
    let began = world.now;
    while b.failed.is_none() {
        settle(&mut world, &mut [&mut b], |_| true);
        let Some(next) = b.client.next_timeout() else { break };
        world.now = next;
        b.client.tick(world.now);
    }
    settle(&mut world, &mut [&mut b], |_| true);
    assert_eq!(b.failed, Some(Failure::Silent));
    assert!(world.now.since(began) < Duration::from_secs(20));
}

#[test]
fn a_wrong_password_and_a_forged_yes_lead_to_nothing() {
    let (mut world, _, mut b) = two();
    let wrong = Credentials { username: "1790003600:1".into(), password: "wrong".into() };
    let mut a = End::new(&world, "198.51.100.1:1000", wrong.clone());
    settle(&mut world, &mut [&mut a, &mut b], |_| false);
    assert!(matches!(a.failed, Some(Failure::Refused(401))), "{:?}", a.failed);

    let mut a = End::new(&world, "198.51.100.1:1000", wrong);
    let Some(ClientOutput::Send(asked)) = a.client.poll() else { panic!("nothing was asked") };
    let transaction = Message::read(&asked).unwrap().transaction();
    let mut yes = Vec::new();
    Writer::new(&mut yes, Method::Allocate, Class::Success, transaction)
        .add_address(attribute::XOR_RELAYED_ADDRESS, "203.0.113.1:1".parse().unwrap())
        .finish();
    assert!(!a.client.received(&yes, world.now));
    assert_eq!(a.client.poll(), None);
}

#[test]
fn whatever_comes_from_the_server_does_no_harm() {
    let (mut world, mut a, mut b) = two();
    settle(&mut world, &mut [&mut a, &mut b], |_| false);
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..20_000 {
        let mut bytes: Vec<u8> = (0..random.usize(..60)).map(|_| random.u8(..)).collect();
        if let Some(first) = bytes.first_mut().filter(|_| random.bool()) {
            *first = 0x40;
        }
        a.client.received(&bytes, world.now);
    }
    settle(&mut world, &mut [&mut a, &mut b], |_| false);
    assert_eq!((a.failed, a.heard.len()), (None, 0));
}
