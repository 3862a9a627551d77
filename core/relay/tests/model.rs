//! The relay beside a simple model over random histories: nobody hears a session that is not theirs, nothing that was sent
//! is lost while both ends are there, and nobody is sent more than it takes.
#![allow(clippy::unwrap_used)]

use belay_relay::admission::{Admission, AdmitAnswer, LegEvent};
use belay_relay::{LegId, Limits, Output, Relay};
use belay_wire::gateway::{FromGateway, Hello, Leaving, Refusal, ReportKind, Role, ToGateway};
use belay_wire::{AccountId, LegTicket, Moment, Right, SessionId};
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn session(n: u8) -> SessionId {
    SessionId::from_bytes([n; 16])
}

const RETURN: LegTicket = LegTicket::from_bytes([6; 32]);

fn admission(n: u8) -> Admission {
    Admission { session: session(n), return_ticket: RETURN }
}

fn admitted(n: u8) -> FromGateway {
    FromGateway::Admitted(session(n), RETURN)
}

fn hello(role: Role, session: u8) -> Vec<u8> {
    let mut credential = vec![0; if role == Role::Applet { 16 } else { 32 }];
    credential[0] = session;
    let account = AccountId::from_bytes([session; 16]);
    ToGateway::Hello(Hello { role, account, credential, version: "1".into(), platform: "test".into() })
        .encode()
}

/// Does what the relay wants done; the website admits everybody to the session in the first byte of the credential.
fn settle(relay: &mut Relay) -> Vec<Output> {
    settle_at(relay, Moment(0))
}

fn settle_at(relay: &mut Relay, now: Moment) -> Vec<Output> {
    let mut seen = Vec::new();
    while let Some(output) = relay.poll() {
        if let Output::Admit(leg, request) = &output {
            let answer: AdmitAnswer = if request.credential[0] == 0 {
                Err(Refusal::Unknown)
            } else {
                Ok(admission(request.credential[0]))
            };
            relay.answered(*leg, answer, now);
        }
        seen.push(output);
    }
    seen
}

fn frames(outputs: &[Output], leg: LegId) -> Vec<FromGateway> {
    let sent = outputs.iter().filter_map(|output| match output {
        Output::Send(to, bytes) if *to == leg => Some(FromGateway::decode(bytes).unwrap()),
        Output::Send(..) | Output::Close(_) | Output::Admit(..) | Output::Tell(_) => None,
        Output::Hold(_) | Output::Go(_) | Output::Rest(..) | Output::Introduce(_) => None,
    });
    sent.collect()
}

fn join(relay: &mut Relay, leg: u64, role: Role, session: u8) -> Vec<Output> {
    relay.opened(LegId(leg), ADDRESS, Moment(0));
    relay.received(LegId(leg), hello(role, session), Moment(0));
    settle(relay)
}

#[test]
fn two_legs_of_one_session_are_paired_and_hear_each_other() {
    let mut relay = Relay::new(Limits::default());
    assert_eq!(frames(&join(&mut relay, 1, Role::Applet, 7), LegId(1)), [admitted(7)]);
    let outputs = join(&mut relay, 2, Role::Console, 7);
    assert_eq!(frames(&outputs, LegId(1)), [FromGateway::Paired(1)]);
    assert_eq!(frames(&outputs, LegId(2)), [admitted(7), FromGateway::Paired(1)]);
    relay.received(LegId(2), ToGateway::Frame(vec![1, 2]).encode(), Moment(0));
    assert_eq!(frames(&settle(&mut relay), LegId(1)), [FromGateway::Frame(vec![1, 2])]);
    relay.received(LegId(1), ToGateway::Bye(Leaving::EndedByEndUser).encode(), Moment(0));
    let outputs = settle(&mut relay);
    assert_eq!(frames(&outputs, LegId(2)), [FromGateway::PartnerLeft(Leaving::EndedByEndUser)]);
    assert!(outputs.iter().any(|output| matches!(output, Output::Tell(news) if news.event == LegEvent::Left(Role::Applet, Leaving::EndedByEndUser))));
}

#[test]
fn a_second_console_takes_the_place_of_the_first() {
    let mut relay = Relay::new(Limits::default());
    join(&mut relay, 1, Role::Applet, 7);
    join(&mut relay, 2, Role::Console, 7);
    let outputs = join(&mut relay, 3, Role::Console, 7);
    assert_eq!(frames(&outputs, LegId(2)), [FromGateway::Refused(Refusal::Replaced)]);
    assert_eq!(frames(&outputs, LegId(1)), [FromGateway::PartnerLeft(Leaving::Lost), FromGateway::Paired(2)]);
    relay.received(LegId(2), ToGateway::Frame(vec![9]).encode(), Moment(0));
    assert_eq!(settle(&mut relay), []);
}

#[test]
fn strangers_are_put_out_for_rubbish_for_silence_and_for_a_wrong_id() {
    let mut relay = Relay::new(Limits::default());
    for (leg, bytes) in [
        (1, vec![]),
        (2, vec![0xff]),
        (3, ToGateway::Frame(vec![1]).encode()),
        (4, ToGateway::Report(ReportKind::Violation, Right::DesktopView).encode()),
    ] {
        relay.opened(LegId(leg), ADDRESS, Moment(0));
        relay.received(LegId(leg), bytes, Moment(0));
        assert_eq!(
            frames(&settle(&mut relay), LegId(leg)),
            [FromGateway::Refused(Refusal::Protocol)],
            "leg {leg}"
        );
    }
    assert_eq!(
        frames(&join(&mut relay, 5, Role::Applet, 0), LegId(5)),
        [FromGateway::Refused(Refusal::Unknown)]
    );
    relay.opened(LegId(6), ADDRESS, Moment(0));
    relay.tick(Moment(0) + Duration::from_secs(10));
    assert_eq!(frames(&settle(&mut relay), LegId(6)), [FromGateway::Refused(Refusal::Protocol)]);
    assert_eq!(relay.legs(), 0);
}

#[test]
fn a_full_gateway_says_so_and_one_address_cannot_fill_it_with_strangers() {
    let mut relay = Relay::new(Limits { legs: 2, ..Limits::default() });
    join(&mut relay, 1, Role::Applet, 1);
    join(&mut relay, 2, Role::Applet, 2);
    relay.opened(LegId(3), ADDRESS, Moment(0));
    assert_eq!(frames(&settle(&mut relay), LegId(3)), [FromGateway::Refused(Refusal::Full)]);
    for (limits, refusal) in [
        (Limits { strangers_per_address: 1, ..Limits::default() }, Refusal::SlowDown),
        (Limits { legs_per_address: 1, ..Limits::default() }, Refusal::SlowDown),
        (Limits { strangers: 1, ..Limits::default() }, Refusal::Full),
    ] {
        let mut relay = Relay::new(limits);
        relay.opened(LegId(1), ADDRESS, Moment(0));
        relay.opened(LegId(2), ADDRESS, Moment(0));
        assert_eq!(frames(&settle(&mut relay), LegId(2)), [FromGateway::Refused(refusal)]);
        relay.closed(LegId(1), Moment(0));
        relay.opened(LegId(3), ADDRESS, Moment(0));
        assert_eq!(settle(&mut relay), [], "there is room again");
    }
}

#[test]
fn a_slow_receiver_slows_the_sender_down_and_nobody_else() {
    let mut relay = Relay::new(Limits { waiting_bytes: 4000, ..Limits::default() });
    for (leg, role, session) in
        [(1, Role::Applet, 7), (2, Role::Console, 7), (3, Role::Applet, 8), (4, Role::Console, 8)]
    {
        join(&mut relay, leg, role, session);
    }
    for leg in 1..=4 {
        relay.taken(LegId(leg), 10, 1000, Moment(0));
        assert_eq!(relay.waiting(LegId(leg)), 0);
    }
    let frame = ToGateway::Frame(vec![1; 1000]).encode();
    let mut sent = 0;
    let held = loop {
        relay.received(LegId(1), frame.clone(), Moment(0));
        sent += 1;
        let outputs = settle(&mut relay);
        if outputs.contains(&Output::Hold(LegId(1))) {
            break sent;
        }
        assert_eq!(outputs.len(), 1);
    };
    assert_eq!(held, 4);
    relay.received(LegId(2), frame.clone(), Moment(0));
    relay.received(LegId(3), frame.clone(), Moment(0));
    assert_eq!(settle(&mut relay).len(), 2, "the other way and the other session go on");
    // A leg that is held cannot be heard, and is not lost for that; the other one is heard.
    let later = Moment(0) + Duration::from_secs(60);
    for leg in 2..=4 {
        relay.heard(LegId(leg), later);
    }
    relay.tick(later);
    assert_eq!(settle(&mut relay), []);
    relay.taken(LegId(2), 3, 3003, later);
    assert_eq!(settle(&mut relay), [], "still more than a quarter");
    relay.taken(LegId(2), 1, 1001, later);
    assert_eq!(settle(&mut relay), [Output::Go(LegId(1))]);
    // Whoever comes in place of the slow one starts with an empty queue.
    for _ in 0..4 {
        relay.received(LegId(1), frame.clone(), later);
    }
    assert!(settle(&mut relay).contains(&Output::Hold(LegId(1))));
    assert!(join(&mut relay, 5, Role::Console, 7).contains(&Output::Go(LegId(1))));
    for _ in 0..4 {
        relay.received(LegId(1), frame.clone(), later);
    }
    assert!(settle(&mut relay).contains(&Output::Hold(LegId(1))));
    relay.closed(LegId(5), later);
    assert!(settle(&mut relay).contains(&Output::Go(LegId(1))));
}

#[test]
fn a_session_that_uses_up_its_share_rests_and_loses_nothing() {
    let limits = Limits { session_bytes: 100_000, waiting_bytes: usize::MAX / 2, ..Limits::default() };
    let mut relay = Relay::new(limits);
    join(&mut relay, 1, Role::Applet, 7);
    join(&mut relay, 2, Role::Console, 7);
    let (mut now, mut sent, mut arrived) = (Moment(0), 0, 0);
    while now < Moment(0) + Duration::from_secs(100) {
        relay.received(LegId(1), ToGateway::Frame(vec![0; 3000]).encode(), now);
        sent += 1;
        for output in settle(&mut relay) {
            match output {
                Output::Send(leg, _) => arrived += usize::from(leg == LegId(2)),
                Output::Rest(leg, until) => {
                    assert_eq!(leg, LegId(1));
                    now = until;
                }
                other => panic!("{other:?}"),
            }
        }
        relay.heard(LegId(2), now);
        relay.tick(now);
    }
    assert_eq!(sent, arrived);
    assert!((3200..=3350).contains(&sent), "{sent} frames of 3 kB in 100 s at 100 kB/s");
}

#[test]
fn a_leg_is_introduced_again_and_again_and_lives_half_a_day() {
    let mut relay = Relay::new(Limits::default());
    let introduced =
        |outputs: &[Output]| outputs.iter().filter(|output| matches!(output, Output::Introduce(_))).count();
    assert_eq!(introduced(&join(&mut relay, 1, Role::Applet, 7)), 1);
    let (mut again, mut now) = (0, Moment(0));
    while relay.legs() == 1 {
        now = now + Duration::from_secs(30);
        relay.heard(LegId(1), now);
        relay.tick(now);
        let outputs = settle(&mut relay);
        again += introduced(&outputs);
        assert_eq!(relay.legs() == 0, outputs.contains(&Output::Close(LegId(1))));
    }
    assert_eq!((now, again), (Moment(0) + Duration::from_secs(11 * 3600), 14));
}

#[test]
fn the_website_ends_a_session_for_both() {
    let mut relay = Relay::new(Limits::default());
    join(&mut relay, 1, Role::Applet, 7);
    join(&mut relay, 2, Role::Console, 7);
    relay.end(session(7));
    let outputs = settle(&mut relay);
    for leg in [LegId(1), LegId(2)] {
        assert_eq!(frames(&outputs, leg), [FromGateway::PartnerLeft(Leaving::EndedByTechnician)]);
        assert!(outputs.contains(&Output::Close(leg)));
    }
}

/// The driver and the world around the relay: each leg's queue, and who is read from.
#[derive(Default)]
struct World {
    /// Which session a leg said hello to, as long as it is not closed.
    joined: HashMap<LegId, (u8, Role)>,
    /// What was sent to a leg and not taken yet.
    queues: HashMap<LegId, VecDeque<Vec<u8>>>,
    held: HashSet<LegId>,
    rests: HashMap<LegId, Moment>,
    /// The number of the last frame that a leg sent, and of the last one that it heard from each other leg.
    sent: HashMap<LegId, u32>,
    heard: HashMap<(LegId, LegId), u32>,
    forwarded: usize,
    holds: usize,
}

impl World {
    fn reads(&self, leg: LegId, now: Moment) -> bool {
        !self.held.contains(&leg) && self.rests.get(&leg).is_none_or(|&until| until <= now)
    }

    fn obey(&mut self, outputs: Vec<Output>, seed: u64) {
        for output in outputs {
            match output {
                Output::Send(to, bytes) => {
                    if let Ok(FromGateway::Frame(content)) = FromGateway::decode(&bytes)
                        && content.len() >= 13
                    {
                        self.arrives(to, &content, seed);
                    }
                    self.queues.entry(to).or_default().push_back(bytes);
                }
                Output::Close(leg) => {
                    self.queues.remove(&leg);
                    self.held.remove(&leg);
                }
                Output::Hold(leg) => {
                    assert!(self.held.insert(leg), "seed {seed}: held twice");
                    self.holds += 1;
                }
                Output::Go(leg) => assert!(self.held.remove(&leg), "seed {seed}: not held"),
                Output::Rest(leg, until) => drop(self.rests.insert(leg, until)),
                Output::Introduce(introduction) => {
                    let (session, role) = self.joined[&introduction.leg];
                    assert_eq!((introduction.session, introduction.role), (self::session(session), role));
                }
                Output::Admit(..) | Output::Tell(_) => {}
            }
        }
    }

    /// A frame says who sent it, of which session, and its number.
    fn arrives(&mut self, to: LegId, content: &[u8], seed: u64) {
        let from = LegId(u64::from_be_bytes(content[..8].try_into().unwrap()));
        let number = u32::from_be_bytes(content[8..12].try_into().unwrap());
        let (session, role) = self.joined[&to];
        let (its_session, its_role) = self.joined[&from];
        assert_eq!(session, its_session, "seed {seed}: a frame of another session");
        assert_ne!(role, its_role, "seed {seed}");
        let last = self.heard.insert((to, from), number);
        // Between two frames that one leg hears of another nothing is lost: what is missing was sent before they met.
        if let Some(last) = last {
            assert_eq!(number, last + 1, "seed {seed}: {from:?} to {to:?}");
        }
        self.forwarded += 1;
    }
}

#[test]
fn no_history_lets_a_leg_hear_another_session_loses_a_frame_or_fills_the_memory() {
    let (mut forwarded, mut holds) = (0, 0);
    for seed in 0..300 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let limits = Limits { waiting_bytes: 2000, session_bytes: 20_000, ..Limits::default() };
        let mut relay = Relay::new(limits);
        let mut world = World::default();
        let (mut next, mut now) = (0, Moment(0));
        for _ in 0..600 {
            now = now + Duration::from_millis(rng.u64(..300));
            let any =
                |rng: &mut fastrand::Rng, next: u64| LegId(rng.u64(next.saturating_sub(9)..next.max(1)));
            match rng.u8(..40) {
                0..=3 => {
                    let role = if rng.bool() { Role::Applet } else { Role::Console };
                    let session = rng.u8(1..4);
                    world.joined.insert(LegId(next), (session, role));
                    relay.opened(LegId(next), ADDRESS, now);
                    relay.received(LegId(next), hello(role, session), now);
                    next += 1;
                }
                4 => {
                    let leg = any(&mut rng, next);
                    relay.closed(leg, now);
                    world.held.remove(&leg);
                    world.queues.remove(&leg);
                }
                5 => relay.received(any(&mut rng, next), ToGateway::Bye(Leaving::Closed).encode(), now),
                6 => relay.end(session(rng.u8(1..4))),
                7 => relay.tick(now),
                8 => {
                    let mut bytes = vec![0; rng.usize(..12)];
                    rng.fill(&mut bytes);
                    relay.received(any(&mut rng, next), bytes, now);
                }
                9..=19 => {
                    let leg = any(&mut rng, next);
                    let queue = world.queues.entry(leg).or_default();
                    let some = rng.usize(..=queue.len());
                    let bytes = queue.drain(..some).map(|message| message.len()).sum();
                    relay.taken(leg, some, bytes, now);
                }
                _ => {
                    let from = any(&mut rng, next);
                    if world.reads(from, now) {
                        let number = world.sent.entry(from).or_default();
                        *number += 1;
                        let mut content = from.0.to_be_bytes().to_vec();
                        content.extend(number.to_be_bytes());
                        content.resize(13 + rng.usize(..500), 0);
                        relay.received(from, ToGateway::Frame(content).encode(), now);
                    }
                }
            }
            let outputs = settle_at(&mut relay, now);
            world.obey(outputs, seed);
            for leg in (0..next).map(LegId) {
                assert!(relay.waiting(leg) <= 2000 + 600 + 64 * 64, "seed {seed}: bounded memory");
            }
        }
        // Everybody takes everything: nobody stays held.
        for (leg, queue) in std::mem::take(&mut world.queues) {
            relay.taken(leg, queue.len(), queue.iter().map(Vec::len).sum(), now);
        }
        let outputs = settle_at(&mut relay, now);
        world.obey(outputs, seed);
        assert_eq!(world.held, HashSet::new(), "seed {seed}");
        relay.tick(now + Duration::from_secs(3600));
        settle(&mut relay);
        assert_eq!(relay.legs(), 0);
        forwarded += world.forwarded;
        holds += world.holds;
    }
    assert!(
        forwarded > 3000 && holds > 100,
        "{forwarded} frames were forwarded, {holds} times a leg was held"
    );
}
