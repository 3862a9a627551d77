//! What is refused, and with which number.

use crate::client::{Caller, REALM, Sent, World, code};
use belay_turn::stun::{Class, Message, Method, Transaction, Writer, attribute};
use belay_turn::{Family, Reach, Settings};
use belay_wire::gateway::Role;
use std::time::Duration;

fn world() -> World {
    World::new(Settings::new(REALM))
}

fn answer(world: &mut World, caller: &Caller, bytes: &[u8]) -> u16 {
    let sent = world.send(caller.client, bytes);
    let [Sent::Client(_, answer)] = sent.as_slice() else { panic!("{sent:?}") };
    code(&Message::read(answer).unwrap())
}

#[test]
fn strangers_and_liars() {
    let mut world = world();
    let good = world.admit(1, 1, Role::Applet);
    let mut a = Caller::udp("198.51.100.1:1", good.clone());
    let mut bare = Vec::new();
    let mut writer = Writer::new(&mut bare, Method::Allocate, Class::Request, Transaction([1; 12]));
    writer.add(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
    writer.finish();
    assert_eq!(answer(&mut world, &a, &bare), 401);
    a.credentials.password.push('x');
    assert_eq!(a.allocate(&mut world).0, 401, "wrong password");
    // A username of one's own making: another leg, a later end.
    let (expiry, _) = good.username.split_once(':').unwrap();
    world.admit(2, 2, Role::Applet);
    for made_up in
        [format!("{expiry}:2"), format!("9{expiry}:1"), "1".to_owned(), ":".to_owned(), String::new()]
    {
        let mut liar = Caller::udp("198.51.100.2:2", good.clone());
        liar.credentials.username = made_up;
        assert_eq!(liar.allocate(&mut world).0, 401);
    }
    let mut late = Caller::udp("198.51.100.1:3", good.clone());
    world.now = world.now + Duration::from_secs(3601);
    assert_eq!(late.allocate(&mut world).0, 401, "credentials end");
    assert_eq!(world.turn.allocations(), 0);
}

#[test]
fn what_a_request_may_not_ask() {
    let mut settings = Settings::new(REALM);
    settings.families = vec![Family::V4];
    let mut world = World::new(settings);
    let mut a = Caller::udp("198.51.100.1:1", world.admit(1, 1, Role::Applet));
    assert_eq!(a.refresh(&mut world, 600), 437, "nothing to refresh");
    assert_eq!(a.ask(&mut world, Method::Allocate, |_| {}).0, 400, "no transport");
    let tcp = |w: &mut Writer<'_>| {
        w.add(attribute::REQUESTED_TRANSPORT, &[6, 0, 0, 0]);
    };
    assert_eq!(a.ask(&mut world, Method::Allocate, tcp).0, 442);
    for (number, value, expected) in [
        (attribute::REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0][..], 440),
        (attribute::DONT_FRAGMENT, &[][..], 420),
        (0x7FFF, &[1][..], 420),
        (attribute::EVEN_PORT, &[0x80][..], 508),
        (attribute::RESERVATION_TOKEN, &[0; 8][..], 508),
        (attribute::EVEN_PORT, &[0][..], 0),
    ] {
        assert_eq!(
            a.allocate_with(&mut world, |w| {
                w.add(number, value);
            })
            .0,
            expected,
            "{number:04x}"
        );
    }
    assert_eq!(a.ask(&mut world, Method::CreatePermission, |_| {}).0, 400);
    assert_eq!(a.bind(&mut world, 0x3FFF, "198.51.100.2:2".parse().unwrap()), 400);
    assert_eq!(a.bind(&mut world, 0x8000, "198.51.100.2:2".parse().unwrap()), 400);
    assert_eq!(a.ask(&mut world, Method::Other(0x0A), |_| {}).0, 400);
}

#[test]
fn nobody_is_reached_but_the_partner() {
    let mut world = world();
    let mut a = Caller::udp("198.51.100.1:1", world.admit(1, 1, Role::Applet));
    let mut second = Caller::udp("198.51.100.1:2", a.credentials.clone());
    let mut foreign = Caller::udp("198.51.100.3:3", world.admit(3, 2, Role::Console));
    a.allocate(&mut world);
    let second_at = second.allocate(&mut world).1.unwrap();
    let foreign_at = foreign.allocate(&mut world).1.unwrap();
    let mut peers = vec![second_at, foreign_at, foreign.client.remote, a.client.remote, second.client.remote];
    peers.extend(
        ["8.8.8.8:53", "127.0.0.1:22", "10.0.0.1:80", "169.254.169.254:80"]
            .map(|p| p.parse::<std::net::SocketAddr>().unwrap()),
    );
    for mut peer in peers {
        assert_eq!(a.permit(&mut world, peer), 403, "{peer}");
        assert_eq!(a.bind(&mut world, 0x4000, peer), 403, "{peer}");
        assert!(a.send_indication(&mut world, peer, b"x").is_empty());
        peer.set_port(0);
        assert_eq!(a.permit(&mut world, peer), 403, "{peer}");
    }
    // The same credentials on another path do not take over an allocation.
    let mut thief = Caller::udp("198.51.100.1:1", foreign.credentials.clone());
    assert_eq!(thief.refresh(&mut world, 0), 441);
    // With the wider reach of the tools, a leg may talk to itself, and still to nobody else.
    let mut settings = Settings::new(REALM);
    settings.reach = Reach::Session;
    let mut world = World::new(settings);
    let mut a = Caller::udp("198.51.100.1:1", world.admit(1, 1, Role::Applet));
    let mut second = Caller::udp("198.51.100.1:2", a.credentials.clone());
    let mut foreign = Caller::udp("198.51.100.3:3", world.admit(3, 2, Role::Console));
    a.allocate(&mut world);
    let second_at = second.allocate(&mut world).1.unwrap();
    let foreign_at = foreign.allocate(&mut world).1.unwrap();
    assert_eq!(a.permit(&mut world, second_at), 0);
    // A permission is for an address, whatever the port; each packet is judged once more.
    assert_eq!(foreign.bind(&mut world, 0x4000, foreign_at), 0);
    assert_eq!(a.bind(&mut world, 0x4000, foreign_at), 403);
    assert!(a.send_indication(&mut world, foreign_at, b"x").is_empty());
}

#[test]
fn quotas() {
    let mut settings = Settings::new(REALM);
    settings.limits.per_leg = 2;
    settings.limits.per_address = 3;
    settings.limits.allocations = 4;
    settings.limits.peers = 2;
    settings.limits.legs = 6;
    settings.limits.addresses = 2;
    let mut world = World::new(settings);
    let all: Vec<_> =
        (1..=6).map(|leg| world.admit(leg, 1, if leg == 1 { Role::Applet } else { Role::Console })).collect();
    let mut at = |leg: usize, remote: &str| {
        let mut caller = Caller::udp(remote, all[leg - 1].clone());
        let code = caller.allocate(&mut world).0;
        (code, caller)
    };
    let (first, mut a) = at(1, "198.51.100.1:1");
    assert_eq!((first, at(1, "198.51.100.1:2").0, at(1, "198.51.100.1:3").0), (0, 0, 486));
    assert_eq!((at(2, "198.51.100.1:4").0, at(3, "198.51.100.1:5").0), (0, 486));
    assert_eq!((at(3, "198.51.100.2:6").0, at(4, "198.51.100.3:7").0), (0, 508));
    let peers: Vec<_> = world.ports.values().copied().collect();
    for port in 1..=9u16 {
        world.turn.register(belay_relay::LegId(2), std::net::IpAddr::from([203, 0, 113, port as u8]));
    }
    let registered = |port: u16| std::net::SocketAddr::from(([203, 0, 113, port as u8], port));
    assert_eq!(a.permit(&mut world, registered(7)), 403, "only the newest addresses count");
    assert_eq!((a.permit(&mut world, registered(8)), a.permit(&mut world, registered(9))), (0, 0));
    let third = peers.into_iter().map(|peer| a.permit(&mut world, peer)).collect::<Vec<_>>();
    assert!(third.contains(&508) && !third.contains(&0), "{third:?}");
    assert!(
        world
            .turn
            .admit(
                belay_relay::LegId(7),
                belay_wire::SessionId::from_bytes([1; 16]),
                Role::Console,
                world.now,
                world.now
            )
            .is_err()
    );
    assert_eq!(a.refresh(&mut world, 0), 0);
    let mut again = Caller::udp("198.51.100.4:1", all[3].clone());
    assert_eq!(again.allocate(&mut world).0, 0, "room again");
}

#[test]
fn a_flood_of_strangers_is_answered_at_a_bounded_rate() {
    let mut world = world();
    let caller = Caller::udp("198.51.100.1:1", world.admit(1, 1, Role::Applet));
    let mut bytes = Vec::new();
    Writer::new(&mut bytes, Method::Binding, Class::Request, Transaction([1; 12])).finish();
    let answered =
        |world: &mut World| (0..5000).filter(|_| !world.send(caller.client, &bytes).is_empty()).count();
    assert_eq!(answered(&mut world), 1000);
    world.now = world.now + Duration::from_secs(1);
    assert_eq!(answered(&mut world), 250);
}
