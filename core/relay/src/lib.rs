//! The gateway's brain: admits legs, pairs those of one session and forwards what it cannot read.
//! `belay-gateway/1` of `docs/protocol/gateway.md`.
//!
//! Pure: the driver tells what came in and does what [`Relay::poll`] says. The relay knows nothing of accounts; it asks.
//! Nobody is sent more than its connection takes: the driver says what was taken ([`Relay::taken`]), and who sends to a leg
//! that does not keep up is not read from for a while.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod admission;
mod census;
mod flow;
mod limits;

pub use limits::Limits;

use admission::{Admission, AdmitAnswer, AdmitRequest, LegEvent, LegNews};
use belay_wire::gateway::{FromGateway, Hello, Leaving, MAX_FRAME, Refusal, Role, ToGateway};
use belay_wire::{AccountId, Moment, SessionId};
use census::Census;
use limits::Budget;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

/// A connection to the gateway, as the driver numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId(pub u64);

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
    /// Read nothing more from this leg until [`Output::Go`]: its partner does not take what it sends.
    Hold(LegId),
    /// Read from this leg again.
    Go(LegId),
    /// Read nothing from this leg before then: its session has used up its share.
    Rest(LegId, Moment),
    /// Give this leg (new) credentials for the STUN and TURN service, and tell it.
    Introduce(Introduction),
}

/// A leg that may use the gateway's STUN and TURN service, until it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// The leg.
    pub leg: LegId,
    /// Its session.
    pub session: SessionId,
    /// Which end it is.
    pub role: Role,
    /// Where it connects from.
    pub address: IpAddr,
}

enum State {
    Stranger,
    Asking(Role, AccountId),
    In { role: Role, account: AccountId, session: SessionId, reports: u32, introduced: Moment },
}

struct Leg {
    address: IpAddr,
    state: State,
    since: Moment,
    heard: Moment,
    /// What was sent to it and not taken, as [`flow::weight`] counts.
    waiting: usize,
    /// INVARIANT: the driver was told to hold it, and not yet to go on. Only while its partner is there.
    held: bool,
}

struct Pair {
    applet: Option<LegId>,
    console: Option<LegId>,
    pairings: u32,
    budget: Budget,
}

/// The gateway's state.
pub struct Relay {
    limits: Limits,
    legs: HashMap<LegId, Leg>,
    /// INVARIANT: counts exactly `legs`.
    census: Census,
    /// INVARIANT: a pair holds exactly the legs whose state is `In` with its session, and is removed with its last leg.
    pairs: HashMap<SessionId, Pair>,
    outputs: VecDeque<Output>,
}

impl Relay {
    /// An empty gateway.
    pub fn new(limits: Limits) -> Relay {
        Relay {
            limits,
            legs: HashMap::new(),
            census: Census::default(),
            pairs: HashMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Somebody connected.
    pub fn opened(&mut self, leg: LegId, address: IpAddr, now: Moment) {
        let of_address = self.census.of(address);
        let limits = &self.limits;
        let refusal = if self.legs.len() >= limits.legs || self.census.strangers() >= limits.strangers {
            Some(Refusal::Full)
        } else if of_address.strangers >= limits.strangers_per_address
            || of_address.legs >= limits.legs_per_address
        {
            Some(Refusal::SlowDown)
        } else {
            None
        };
        match refusal {
            Some(reason) => self.put_out(leg, reason),
            None => {
                self.census.came(address);
                let state = State::Stranger;
                let known = Leg { address, state, since: now, heard: now, waiting: 0, held: false };
                self.legs.insert(leg, known);
            }
        }
    }

    /// A leg sent a message.
    pub fn received(&mut self, leg: LegId, bytes: Vec<u8>, now: Moment) {
        let Some(known) = self.legs.get_mut(&leg) else { return };
        known.heard = now;
        if bytes.len() > MAX_FRAME {
            return self.refuse(leg, Refusal::Protocol, now);
        }
        if let State::In { session, .. } = known.state {
            self.charge(leg, session, &bytes, now);
        }
        let Some(known) = self.legs.get_mut(&leg) else { return };
        // Frames are forwarded as they came: the byte before the content is the same both ways.
        if let (Some(&FRAME), State::In { .. }) = (bytes.first(), &known.state) {
            return self.forward(leg, bytes);
        }
        let Ok(frame) = ToGateway::decode(&bytes) else { return self.refuse(leg, Refusal::Protocol, now) };
        match (frame, &mut known.state) {
            (ToGateway::Hello(hello), State::Stranger) => self.hello(leg, hello, now),
            (ToGateway::Bye(reason), State::In { .. }) => {
                self.leaves(leg, reason, now);
                self.outputs.push_back(Output::Close(leg));
            }
            (
                ToGateway::Report(kind, right),
                State::In { role: Role::Applet, account, session, reports, .. },
            ) => {
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
            ) => self.refuse(leg, Refusal::Protocol, now),
        }
    }

    /// A leg showed that it is alive without sending a message.
    pub fn heard(&mut self, leg: LegId, now: Moment) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.heard = now;
        }
    }

    /// The website's answer on a leg.
    pub fn answered(&mut self, leg: LegId, answer: AdmitAnswer, now: Moment) {
        let Some(Leg { state, address, .. }) = self.legs.get_mut(&leg) else {
            return;
        };
        let address = *address;
        let State::Asking(role, account) = state else { return };
        let (role, account) = (*role, *account);
        let Admission { session, return_ticket } = match answer {
            Ok(admission) => admission,
            Err(reason) => return self.refuse(leg, reason, now),
        };
        *state = State::In { role, account, session, reports: 0, introduced: now };
        self.census.admitted(address);
        let rate = self.limits.session_bytes;
        let pair = self.pairs.entry(session).or_insert_with(|| Pair {
            applet: None,
            console: None,
            pairings: 0,
            budget: Budget::full(rate, now),
        });
        let place = match role {
            Role::Applet => &mut pair.applet,
            Role::Console => &mut pair.console,
        };
        let before = place.replace(leg);
        if let Some(before) = before {
            self.forget(before);
            self.put_out(before, Refusal::Replaced);
        }
        self.send(leg, FromGateway::Admitted(session, return_ticket));
        self.outputs.push_back(Output::Introduce(Introduction { leg, session, role, address }));
        let Some(Pair { applet, console, pairings, .. }) = self.pairs.get_mut(&session) else { return };
        if let (Some(applet), Some(console)) = (*applet, *console) {
            *pairings += 1;
            let pairing = *pairings;
            if before.is_some() {
                let other = if applet == leg { console } else { applet };
                self.release(other, now);
                // The one before may be the same program whose connection died unnoticed.
                self.send(other, FromGateway::PartnerLeft(Leaving::Lost));
            }
            self.send(applet, FromGateway::Paired(pairing));
            self.send(console, FromGateway::Paired(pairing));
        }
    }

    /// The connection of a leg is gone, or has to go because it does not take what is sent to it.
    pub fn closed(&mut self, leg: LegId, now: Moment) {
        self.leaves(leg, Leaving::Lost, now);
    }

    /// The website says that a session is over: both legs go.
    pub fn end(&mut self, session: SessionId) {
        let Some(pair) = self.pairs.remove(&session) else { return };
        for leg in [pair.applet, pair.console].into_iter().flatten() {
            self.forget(leg);
            self.send(leg, FromGateway::PartnerLeft(Leaving::EndedByTechnician));
            self.outputs.push_back(Output::Close(leg));
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Moment) {
        let mut late = Vec::new();
        let mut lost = Vec::new();
        let mut renewed = Vec::new();
        for (&id, leg) in &mut self.legs {
            let age = now.since(leg.since);
            match &mut leg.state {
                State::Stranger | State::Asking(..) if age >= self.limits.admit_within => late.push(id),
                State::Stranger | State::Asking(..) => {}
                // A leg that is held cannot be heard.
                State::In { .. } if !leg.held && now.since(leg.heard) >= self.limits.silence => lost.push(id),
                State::In { .. } if age >= self.limits.life => lost.push(id),
                State::In { role, session, introduced, .. } => {
                    if now.since(*introduced) >= self.limits.relaying_every {
                        *introduced = now;
                        let (session, role, address) = (*session, *role, leg.address);
                        renewed.push(Introduction { leg: id, session, role, address });
                    }
                }
            }
        }
        late.sort_unstable();
        for leg in late {
            let asking = self.legs.get(&leg).is_some_and(|leg| matches!(leg.state, State::Asking(..)));
            self.refuse(leg, if asking { Refusal::Unavailable } else { Refusal::Protocol }, now);
        }
        lost.sort_unstable();
        for leg in lost {
            self.leaves(leg, Leaving::Lost, now);
            self.outputs.push_back(Output::Close(leg));
        }
        renewed.sort_unstable_by_key(|renewed| renewed.leg);
        self.outputs.extend(renewed.into_iter().map(Output::Introduce));
    }

    /// The next thing to do, until there is none.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// How many legs there are.
    pub fn legs(&self) -> usize {
        self.legs.len()
    }

    fn hello(&mut self, leg: LegId, hello: Hello, now: Moment) {
        let Hello { role, account, credential, version, platform } = hello;
        let returning_or_console = credential.len() == belay_wire::LegTicket::LEN;
        let first = role == Role::Applet && credential.len() == belay_wire::SessionAuthenticationId::LEN;
        if !returning_or_console && !first {
            return self.refuse(leg, Refusal::Protocol, now);
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

    fn leaves(&mut self, leg: LegId, reason: Leaving, now: Moment) {
        let partner = self.partner(leg);
        let Some(Leg { state: State::In { role, account, session, .. }, .. }) = self.forget(leg) else {
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
            self.release(partner, now);
            self.send(partner, FromGateway::PartnerLeft(reason));
        }
        let event = LegEvent::Left(role, reason);
        self.outputs.push_back(Output::Tell(LegNews { account, session, event }));
    }

    fn refuse(&mut self, leg: LegId, reason: Refusal, now: Moment) {
        self.leaves(leg, Leaving::Lost, now);
        self.forget(leg);
        self.put_out(leg, reason);
    }

    fn forget(&mut self, leg: LegId) -> Option<Leg> {
        let gone = self.legs.remove(&leg)?;
        self.census.went(gone.address, !gone.is_in());
        Some(gone)
    }

    fn put_out(&mut self, leg: LegId, reason: Refusal) {
        self.send(leg, FromGateway::Refused(reason));
        self.outputs.push_back(Output::Close(leg));
    }

    fn send(&mut self, leg: LegId, frame: FromGateway) {
        self.queue(leg, frame.encode());
    }
}

const FRAME: u8 = belay_wire::gateway::FRAME;

impl Leg {
    fn is_in(&self) -> bool {
        matches!(self.state, State::In { .. })
    }
}
