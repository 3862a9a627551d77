//! The gateway's brain: admits legs, pairs those of one session and forwards what it cannot read.
//! `belay-gateway/1` of `docs/protocol/gateway.md`.
//!
//! Pure: the driver tells what came in and does what [`Relay::poll`] says. The relay knows nothing of accounts; it asks.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod admission;

use admission::{Admission, AdmitAnswer, AdmitRequest, LegEvent, LegNews};
use belay_wire::gateway::{FromGateway, Hello, Leaving, MAX_FRAME, Refusal, Role, ToGateway};
use belay_wire::{AccountId, Moment, SessionId};
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

/// A connection to the gateway, as the driver numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId(pub u64);

/// Bounds that keep one stranger from hurting others.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Legs in all.
    pub legs: usize,
    /// Legs of one address that are not admitted yet.
    pub strangers_per_address: usize,
    /// Time for `Hello`, and for the website's answer.
    pub admit_within: Duration,
    /// Silence after which a leg is lost.
    pub silence: Duration,
    /// Reports one applet may make.
    pub reports: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            legs: 10_000,
            strangers_per_address: 64,
            admit_within: Duration::from_secs(10),
            silence: Duration::from_secs(45),
            reports: 1000,
        }
    }
}

/// What the driver does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send these bytes as one message.
    Send(LegId, Vec<u8>),
    /// Close the connection after what was sent.
    Close(LegId),
    /// Ask the website; answer with [`Relay::answered`].
    Admit(LegId, AdmitRequest),
    /// Tell the website.
    Tell(LegNews),
}

enum State {
    Stranger,
    Asking(Role, AccountId),
    In { role: Role, account: AccountId, session: SessionId, reports: u32 },
}

struct Leg {
    address: IpAddr,
    state: State,
    since: Moment,
    heard: Moment,
}

#[derive(Default)]
struct Pair {
    applet: Option<LegId>,
    console: Option<LegId>,
    pairings: u32,
}

/// The gateway's state.
pub struct Relay {
    limits: Limits,
    legs: HashMap<LegId, Leg>,
    /// INVARIANT: a pair holds exactly the legs whose state is `In` with its session, and is removed with its last leg.
    pairs: HashMap<SessionId, Pair>,
    outputs: VecDeque<Output>,
}

impl Relay {
    /// An empty gateway.
    pub fn new(limits: Limits) -> Relay {
        Relay { limits, legs: HashMap::new(), pairs: HashMap::new(), outputs: VecDeque::new() }
    }

    /// Somebody connected.
    pub fn opened(&mut self, leg: LegId, address: IpAddr, now: Moment) {
        let strangers = self.legs.values().filter(|leg| leg.address == address && !leg.is_in()).count();
        let refusal = if self.legs.len() >= self.limits.legs {
            Some(Refusal::Full)
        } else if strangers >= self.limits.strangers_per_address {
            Some(Refusal::SlowDown)
        } else {
            None
        };
        match refusal {
            Some(reason) => self.put_out(leg, reason),
            None => {
                self.legs.insert(leg, Leg { address, state: State::Stranger, since: now, heard: now });
            }
        }
    }

    /// A leg sent a message.
    pub fn received(&mut self, leg: LegId, bytes: Vec<u8>, now: Moment) {
        let Some(known) = self.legs.get_mut(&leg) else { return };
        known.heard = now;
        if bytes.len() > MAX_FRAME {
            return self.refuse(leg, Refusal::Protocol);
        }
        // Frames are forwarded as they came: the byte before the content is the same both ways.
        if let (Some(&FRAME), State::In { .. }) = (bytes.first(), &known.state) {
            // Without a partner it is dropped: the partner may have left while the frame was under way.
            if let Some(partner) = self.partner(leg) {
                self.outputs.push_back(Output::Send(partner, bytes));
            }
            return;
        }
        let Ok(frame) = ToGateway::decode(&bytes) else { return self.refuse(leg, Refusal::Protocol) };
        match (frame, &mut known.state) {
            (ToGateway::Hello(hello), State::Stranger) => self.hello(leg, hello),
            (ToGateway::Bye(reason), State::In { .. }) => {
                self.leaves(leg, reason);
                self.outputs.push_back(Output::Close(leg));
            }
            (ToGateway::Report(kind, right), State::In { role: Role::Applet, account, session, reports }) => {
                *reports += 1;
                if *reports <= self.limits.reports {
                    let event = LegEvent::Report(kind, right);
                    let (account, session) = (*account, *session);
                    self.outputs.push_back(Output::Tell(LegNews { account, session, event }));
                }
            }
            (
                ToGateway::Hello(_) | ToGateway::Frame(_) | ToGateway::Bye(_) | ToGateway::Report(..),
                State::Stranger | State::Asking(..) | State::In { .. },
            ) => self.refuse(leg, Refusal::Protocol),
        }
    }

    /// A leg showed that it is alive without sending a message.
    pub fn heard(&mut self, leg: LegId, now: Moment) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.heard = now;
        }
    }

    /// The website's answer on a leg.
    pub fn answered(&mut self, leg: LegId, answer: AdmitAnswer) {
        let Some(Leg { state, .. }) = self.legs.get_mut(&leg) else {
            return;
        };
        let State::Asking(role, account) = state else { return };
        let (role, account) = (*role, *account);
        let Admission { session, return_ticket } = match answer {
            Ok(admission) => admission,
            Err(reason) => return self.refuse(leg, reason),
        };
        *state = State::In { role, account, session, reports: 0 };
        let pair = self.pairs.entry(session).or_default();
        let place = match role {
            Role::Applet => &mut pair.applet,
            Role::Console => &mut pair.console,
        };
        let before = place.replace(leg);
        if let Some(before) = before {
            self.legs.remove(&before);
            self.put_out(before, Refusal::Replaced);
        }
        self.send(leg, FromGateway::Admitted(session, return_ticket));
        let Some(Pair { applet, console, pairings }) = self.pairs.get_mut(&session) else { return };
        if let (Some(applet), Some(console)) = (*applet, *console) {
            *pairings += 1;
            let pairing = *pairings;
            if before.is_some() {
                let other = if applet == leg { console } else { applet };
                // The one before may be the same program whose connection died unnoticed.
                self.send(other, FromGateway::PartnerLeft(Leaving::Lost));
            }
            self.send(applet, FromGateway::Paired(pairing));
            self.send(console, FromGateway::Paired(pairing));
        }
    }

    /// The connection of a leg is gone, or has to go because it does not take what is sent to it.
    pub fn closed(&mut self, leg: LegId) {
        self.leaves(leg, Leaving::Lost);
    }

    /// The website says that a session is over: both legs go.
    pub fn end(&mut self, session: SessionId) {
        let Some(pair) = self.pairs.remove(&session) else { return };
        for leg in [pair.applet, pair.console].into_iter().flatten() {
            self.legs.remove(&leg);
            self.send(leg, FromGateway::PartnerLeft(Leaving::EndedByTechnician));
            self.outputs.push_back(Output::Close(leg));
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Moment) {
        let mut late = Vec::new();
        let mut silent = Vec::new();
        for (id, leg) in &self.legs {
            if !leg.is_in() && now.since(leg.since) >= self.limits.admit_within {
                late.push(*id);
            } else if now.since(leg.heard) >= self.limits.silence {
                silent.push(*id);
            }
        }
        late.sort_unstable();
        for leg in late {
            let asking = self.legs.get(&leg).is_some_and(|leg| matches!(leg.state, State::Asking(..)));
            self.refuse(leg, if asking { Refusal::Unavailable } else { Refusal::Protocol });
        }
        silent.sort_unstable();
        for leg in silent {
            self.leaves(leg, Leaving::Lost);
            self.outputs.push_back(Output::Close(leg));
        }
    }

    /// The next thing to do, until there is none.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// How many legs there are.
    pub fn legs(&self) -> usize {
        self.legs.len()
    }

    fn hello(&mut self, leg: LegId, hello: Hello) {
        let Hello { role, account, credential, version, platform } = hello;
        let returning_or_console = credential.len() == belay_wire::LegTicket::LEN;
        let first = role == Role::Applet && credential.len() == belay_wire::SessionAuthenticationId::LEN;
        if !returning_or_console && !first {
            return self.refuse(leg, Refusal::Protocol);
        }
        let Some(known) = self.legs.get_mut(&leg) else { return };
        known.state = State::Asking(role, account);
        let address = known.address;
        let request = AdmitRequest { role, account, credential, address, version, platform };
        self.outputs.push_back(Output::Admit(leg, request));
    }

    fn partner(&self, leg: LegId) -> Option<LegId> {
        let State::In { role, session, .. } = &self.legs.get(&leg)?.state else { return None };
        let pair = self.pairs.get(session)?;
        match role {
            Role::Applet => pair.console,
            Role::Console => pair.applet,
        }
    }

    fn leaves(&mut self, leg: LegId, reason: Leaving) {
        let partner = self.partner(leg);
        let Some(Leg { state: State::In { role, account, session, .. }, .. }) = self.legs.remove(&leg) else {
            return;
        };
        if let Some(pair) = self.pairs.get_mut(&session) {
            match role {
                Role::Applet => pair.applet = None,
                Role::Console => pair.console = None,
            }
            if pair.applet.is_none() && pair.console.is_none() {
                self.pairs.remove(&session);
            }
        }
        if let Some(partner) = partner {
            self.send(partner, FromGateway::PartnerLeft(reason));
        }
        let event = LegEvent::Left(role, reason);
        self.outputs.push_back(Output::Tell(LegNews { account, session, event }));
    }

    fn refuse(&mut self, leg: LegId, reason: Refusal) {
        self.leaves(leg, Leaving::Lost);
        self.legs.remove(&leg);
        self.put_out(leg, reason);
    }

    fn put_out(&mut self, leg: LegId, reason: Refusal) {
        self.send(leg, FromGateway::Refused(reason));
        self.outputs.push_back(Output::Close(leg));
    }

    fn send(&mut self, leg: LegId, frame: FromGateway) {
        self.outputs.push_back(Output::Send(leg, frame.encode()));
    }
}

const FRAME: u8 = belay_wire::gateway::FRAME;

impl Leg {
    fn is_in(&self) -> bool {
        matches!(self.state, State::In { .. })
    }
}
