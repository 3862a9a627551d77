//! The relay beside a simple model over random histories: nobody hears a session that is not theirs.
#![allow(clippy::unwrap_used)]

use belay_relay::admission::{Admission, AdmitAnswer, LegEvent};
use belay_relay::{LegId, Limits, Output, Relay};
use belay_wire::gateway::{FromGateway, Hello, Leaving, Refusal, ReportKind, Role, ToGateway};
use belay_wire::{AccountId, LegTicket, Moment, Right, SessionId};
use std::collections::HashMap;
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
    let mut seen = Vec::new();
    while let Some(output) = relay.poll() {
        if let Output::Admit(leg, request) = &output {
            let answer: AdmitAnswer = if request.credential[0] == 0 {
                Err(Refusal::Unknown)
            } else {
                Ok(admission(request.credential[0]))
            };
            relay.answered(*leg, answer);
        }
        seen.push(output);
    }
    seen
}

fn frames(outputs: &[Output], leg: LegId) -> Vec<FromGateway> {
    let sent = outputs.iter().filter_map(|output| match output {
        Output::Send(to, bytes) if *to == leg => Some(FromGateway::decode(bytes).unwrap()),
        Output::Send(..) | Output::Close(_) | Output::Admit(..) | Output::Tell(_) => None,
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
    let mut relay = Relay::new(Limits { strangers_per_address: 1, ..Limits::default() });
    relay.opened(LegId(1), ADDRESS, Moment(0));
    relay.opened(LegId(2), ADDRESS, Moment(0));
    assert_eq!(frames(&settle(&mut relay), LegId(2)), [FromGateway::Refused(Refusal::SlowDown)]);
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

#[test]
fn no_history_lets_a_leg_hear_another_session() {
    let mut forwarded = 0;
    for seed in 0..300 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut relay = Relay::new(Limits::default());
        // The model: which session a leg said hello to, as long as it is not closed.
        let mut joined: HashMap<LegId, (u8, Role)> = HashMap::new();
        let (mut next, mut now) = (0, Moment(0));
        for _ in 0..300 {
            now = now + Duration::from_millis(rng.u64(..3000));
            let any = |rng: &mut fastrand::Rng, next: u64| LegId(rng.u64(..next.max(1)));
            match rng.u8(..12) {
                0..=2 => {
                    let role = if rng.bool() { Role::Applet } else { Role::Console };
                    let session = rng.u8(1..4);
                    relay.opened(LegId(next), ADDRESS, now);
                    relay.received(LegId(next), hello(role, session), now);
                    joined.insert(LegId(next), (session, role));
                    next += 1;
                }
                3 => relay.closed(any(&mut rng, next)),
                4 => relay.received(any(&mut rng, next), ToGateway::Bye(Leaving::Closed).encode(), now),
                5 => relay.end(session(rng.u8(1..4))),
                6 => relay.tick(now),
                7 => {
                    let mut bytes = vec![0; rng.usize(..60)];
                    rng.fill(&mut bytes);
                    relay.received(any(&mut rng, next), bytes, now);
                }
                _ => {
                    let from = any(&mut rng, next);
                    // The frame says where it comes from.
                    let says = joined
                        .get(&from)
                        .map_or(0, |(session, role)| session * 2 + u8::from(*role == Role::Applet));
                    relay.received(from, ToGateway::Frame(vec![says]).encode(), now);
                }
            }
            for output in settle(&mut relay) {
                if let Output::Send(to, bytes) = output
                    && let Ok(FromGateway::Frame(content)) = FromGateway::decode(&bytes)
                    && let [says] = content[..]
                {
                    let (session, role) = joined[&to];
                    if says / 2 < 4 && says > 1 {
                        assert_eq!(says, session * 2 + u8::from(role == Role::Console), "seed {seed}");
                        forwarded += 1;
                    }
                }
            }
        }
    }
    assert!(forwarded > 1000, "only {forwarded} frames were forwarded");
}
