//! Random histories beside a model: whatever happens, no relayed byte reaches another session.
//!
//! The model is small on purpose: it knows which leg holds which allocation and at which addresses legs were seen, and from
//! that alone it judges every byte that leaves. Every payload begins with the session and the leg that sent it.

use crate::client::{Caller, Sent, World, channel_data, read_relayed};
use belay_relay::LegId;
use belay_turn::stun::Method;
use belay_turn::{Carrier, Client, RelayId, Settings};
use belay_wire::gateway::Role;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

const LEGS: u64 = 12;
const PATHS: usize = 2;

/// At which addresses which legs were seen.
type Seen = HashSet<(IpAddr, u64)>;

struct Model {
    /// Which leg holds the allocation on this path.
    holders: HashMap<Client, u64>,
    /// The relayed address it was given.
    relayed: HashMap<Client, SocketAddr>,
}

/// Legs 0 and 1 are one session, 2 and 3 the next.
fn session(leg: u64) -> u8 {
    (leg / 2) as u8
}

fn payload(leg: u64, rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = vec![b'B', session(leg), leg as u8];
    bytes.extend((0..rng.usize(..40)).map(|_| rng.u8(..)));
    bytes
}

fn callers(world: &mut World, leg: u64) -> Vec<Caller> {
    let role = if leg.is_multiple_of(2) { Role::Applet } else { Role::Console };
    let credentials = world.admit(leg, session(leg), role);
    (0..PATHS)
        .map(|path| {
            // Two sessions share each address, as behind one NAT.
            let remote = format!("198.51.100.{}:{}", leg / 4 + 1, 1000 + leg * 10 + path as u64);
            let mut caller = Caller::udp(&remote, credentials.clone());
            if path == 1 {
                caller.client.carrier = Carrier::Stream(leg + 1);
            }
            caller
        })
        .collect()
}

impl Model {
    /// Judges what left: it must have been meant for exactly this receiver.
    fn judge(&self, sender: u64, sent: &[Sent], world: &World, seen: &Seen) -> usize {
        for one in sent {
            match one {
                Sent::Client(client, bytes) if bytes[0] >= 0x40 || bytes[..2] == [0x00, 0x17] => {
                    let data = read_relayed(bytes).1;
                    let to = self.holders[client];
                    assert_eq!(to, sender ^ 1, "only the partner hears");
                    assert_eq!(data[..3], [b'B', session(to), sender as u8]);
                }
                Sent::Client(client, _) => {
                    assert_eq!(self.holders.get(client).copied().unwrap_or(sender), sender)
                }
                Sent::Peer(relay, to, bytes) => {
                    assert!(world.ports.contains_key(relay));
                    assert!(seen.contains(&(to.ip(), sender ^ 1)), "only where the partner was seen");
                    assert_eq!(bytes[..3], [b'B', session(sender), sender as u8]);
                }
            }
        }
        let relayed = |one: &&Sent| match one {
            Sent::Client(_, bytes) => bytes[0] >= 0x40 || bytes[..2] == [0x00, 0x17],
            Sent::Peer(..) => true,
        };
        sent.iter().filter(relayed).count()
    }
}

fn history(seed: u64, steps: usize) -> usize {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut settings = Settings::new(crate::client::REALM);
    settings.limits.stranger_answers = 1_000_000;
    let mut world = World::new(settings);
    let mut model = Model { holders: HashMap::new(), relayed: HashMap::new() };
    let mut legs: Vec<Vec<Caller>> = (0..LEGS).map(|leg| callers(&mut world, leg)).collect();
    let mut seen = Seen::new();
    // Every address anybody ever had: legs try them all.
    let mut addresses: Vec<SocketAddr> = legs.iter().flatten().map(|caller| caller.client.remote).collect();
    let mut arrived = 0;
    for _ in 0..steps {
        let leg = rng.u64(..LEGS);
        let path = rng.usize(..PATHS);
        let mut caller = legs[leg as usize][path].clone();
        let client = caller.client;
        // Half of the time somebody the leg may really reach.
        let partner = &legs[(leg ^ 1) as usize];
        let peer = match rng.u8(..4) {
            0 => addresses[rng.usize(..addresses.len())],
            1 => partner[0].client.remote,
            _ => {
                let held: Vec<_> =
                    partner.iter().filter_map(|p| model.relayed.get(&p.client).copied()).collect();
                if held.is_empty() { addresses[0] } else { held[rng.usize(..held.len())] }
            }
        };
        match rng.u8(..22) {
            0 | 1 => {
                if let (0, Some(address)) = caller.allocate(&mut world) {
                    addresses.push(address);
                    model.holders.insert(client, leg);
                    model.relayed.insert(client, address);
                    seen.insert((client.remote.ip(), leg));
                }
            }
            2 => {
                let seconds = *rng.choice(&[0, 0, 600, 4000]).unwrap();
                if caller.refresh(&mut world, seconds) == 0 && seconds == 0 {
                    model.holders.remove(&client);
                }
            }
            3..=5 => drop(caller.permit(&mut world, peer)),
            6..=8 => drop(caller.bind(&mut world, 0x4000 + rng.u16(..3), peer)),
            9..=12 => {
                let sent = caller.send_indication(&mut world, peer, &payload(leg, &mut rng));
                arrived += model.judge(leg, &sent, &world, &seen);
            }
            13..=16 => {
                let sent = caller.send_channel(&mut world, 0x4000 + rng.u16(..3), &payload(leg, &mut rng));
                arrived += model.judge(leg, &sent, &world, &seen);
            }
            17 => {
                // Somebody sends to a relay port from an address of a leg, or of nobody.
                let mut ports: Vec<RelayId> = world.ports.keys().copied().collect();
                ports.sort();
                if let Some(&relay) = rng.choice(&ports) {
                    let from = addresses[rng.usize(..addresses.len())];
                    // Behind one NAT nobody can tell the partner from a neighbour; the seal can.
                    if let Some(sent) = world.peer(relay, from, b"from outside") {
                        let Sent::Client(client, _) = sent else { panic!("{sent:?}") };
                        let partner = model.holders[&client] ^ 1;
                        assert!(seen.contains(&(from.ip(), partner)), "only from where the partner was seen");
                        arrived += 1;
                    }
                }
            }
            18 => {
                let found = caller.ask(&mut world, Method::Binding, |_| {}).0 == 0;
                if found {
                    seen.insert((client.remote.ip(), leg));
                }
            }
            19 => {
                // A damaged message.
                let mut bytes = channel_data(0x4000, &payload(leg, &mut rng));
                if rng.bool() {
                    bytes = caller.request(&mut world, Method::Refresh, |_| {}).1;
                }
                let at = rng.usize(..bytes.len());
                bytes[at] = rng.u8(..);
                bytes.truncate(rng.usize(..=bytes.len()));
                let sent = world.send(client, &bytes);
                assert!(
                    sent.iter()
                        .all(|s| !matches!(s, Sent::Peer(_, to, _) if !seen.contains(&(to.ip(), leg ^ 1))))
                );
            }
            20 => {
                world.now = world.now + Duration::from_millis(rng.u64(..60_000));
                world.turn.tick(world.now);
                world.drain();
            }
            _ if rng.u8(..6) == 0 => {
                world.turn.dismiss(LegId(leg));
                world.drain();
                for caller in &legs[leg as usize] {
                    model.holders.remove(&caller.client);
                    seen.retain(|(_, of)| *of != leg);
                }
                legs[leg as usize] = callers(&mut world, leg);
                continue;
            }
            _ => {}
        }
        legs[leg as usize][path].nonce = caller.nonce;
        if world.now.since(crate::client::START) > Duration::from_secs(3000) {
            break;
        }
        assert_eq!(world.turn.allocations(), world.ports.len());
    }
    for leg in 0..LEGS {
        world.turn.dismiss(LegId(leg));
    }
    world.drain();
    assert_eq!((world.turn.allocations(), world.turn.legs(), world.ports.len()), (0, 0, 0));
    arrived
}

#[test]
fn no_byte_reaches_another_session() {
    let arrived: usize = (0..300).map(|seed| history(seed, 2_000)).sum();
    assert!(arrived > 10_000, "the histories relay something: {arrived}");
}

#[test]
fn noise_is_harmless() {
    let mut world = World::new(Settings::new("r"));
    let mut rng = fastrand::Rng::with_seed(5);
    let client = Client { carrier: Carrier::Udp(0), remote: "198.51.100.1:1".parse().unwrap() };
    for _ in 0..200_000 {
        let mut bytes: Vec<u8> = (0..rng.usize(..80)).map(|_| rng.u8(..)).collect();
        if bytes.len() >= 20 && rng.bool() {
            bytes[4..8].copy_from_slice(&[0x21, 0x12, 0xA4, 0x42]);
            let len = (bytes.len() as u16 - 20) & !3;
            bytes.truncate(20 + usize::from(len));
            bytes[2..4].copy_from_slice(&len.to_be_bytes());
            bytes[0] &= 1;
        }
        for sent in world.send(client, &bytes) {
            assert!(matches!(sent, Sent::Client(to, _) if to == client));
        }
    }
    assert_eq!(world.turn.allocations(), 0);
}
