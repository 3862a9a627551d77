//! Joins connection, consent, screen, input, record and windows. Decides only; the doing is in what it hands out.
//!
//! Like the machines in `core/`: [`Conductor::handle`] what happened, then drain [`Conductor::poll`], and come back at
//! [`Conductor::next_timeout`]. So that the whole program can be tested without a window, a network or a desktop.

mod away;
mod connection;
mod consent;
mod identity;
mod known_lines;
mod violation;

use std::collections::VecDeque;
use std::time::Duration;

use belay_permission::{Admission, Admitted, EndReason, Input as Consent, Permission, PromptId};
use belay_seal::{LinkSecret, SecurityCode};
use belay_wire::gateway::{Leaving, Refusal};
use belay_wire::message::{CharterVerdict, EndedBy, View};
use belay_wire::{Message, Moment, Right, Rights};

use crate::charter::{self, Expected};
use crate::deeds::{Deed, Happening, Opening, Over, Partner, Person, ScreenDeed, Show, State, Story};
use crate::exit::Exit;
use crate::foreign_text;
use crate::host_log::{Entry, Whom};
use away::{Away, Sleep};
use connection::Connection;
use identity::Identity;
use known_lines::KnownLines;
use violation::Violations;

/// How long the last window stays when nobody closes it: after an ended session, and after bad news.
const GOOD_BYE: Duration = Duration::from_secs(5);
const BAD_NEWS: Duration = Duration::from_secs(10);
const REFUSED: Duration = Duration::from_secs(15);
/// Time for a look at the way to the server, and for reading what was found.
const FACTS: Duration = Duration::from_secs(120);
/// What must be read before anything else is done.
const ALARM: Duration = Duration::from_secs(600);
/// Time between two lines about input into our own windows.
const BURST: Duration = Duration::from_secs(10);

/// Now, by two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The machines' clock: monotonic, any origin.
    pub moment: Moment,
    /// This computer's clock, µs since 1970; it may be wrong.
    pub unix: u64,
}

/// What the conductor knows from the start.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What a charter must fit.
    pub expected: Expected,
    /// The website of the tag.
    pub origin: String,
    /// This program's version.
    pub version: String,
    /// Operating system and architecture.
    pub platform: String,
    /// Language of the windows, such as `de`.
    pub language: &'static str,
    /// The secret of the invitation link, where the download came by one.
    pub link_secret: Option<LinkSecret>,
}

/// The program's mind.
pub struct Conductor {
    facts: Facts,
    permission: Permission,
    violations: Violations,
    known_lines: KnownLines,
    state: State,
    partner: Partner,
    whom: Whom,
    /// The opening whose pictures are sent, if the screen is shown.
    opening: Option<Opening>,
    openings: u32,
    /// What that opening shows, or the one to start again with after an interruption.
    view: View,
    /// What the console wants to see as soon as it may.
    wanted: Option<View>,
    /// The last picture that was sent of that opening.
    sent: u32,
    /// The screen was shown when the interruption began.
    reopen: bool,
    paired: bool,
    /// The way is interrupted.
    away: Option<Away>,
    sleep: Sleep,
    identity: Identity,
    connection: Connection,
    prompt: Option<(PromptId, Rights)>,
    quiet_until: Option<Moment>,
    deeds: VecDeque<Deed>,
}

impl Conductor {
    /// A conductor of a program that is about to connect.
    pub fn new(facts: Facts) -> Conductor {
        Conductor {
            facts,
            permission: Permission::new(),
            violations: Violations::default(),
            known_lines: KnownLines::default(),
            state: State::Connecting,
            partner: Partner::default(),
            whom: Whom::default(),
            opening: None,
            openings: 0,
            view: View::default(),
            wanted: None,
            sent: 0,
            reopen: false,
            paired: false,
            away: None,
            sleep: Sleep::default(),
            identity: Identity::default(),
            connection: Connection::default(),
            prompt: None,
            quiet_until: None,
            deeds: VecDeque::from([Deed::Show(Show::State(State::Connecting))]),
        }
    }

    /// The next thing to do; drain it after every [`Conductor::handle`].
    pub fn poll(&mut self) -> Option<Deed> {
        self.deeds.pop_front()
    }

    /// When to come back with [`Happening::Tick`] at the latest.
    pub fn next_timeout(&self) -> Option<Moment> {
        let away = self.away.as_ref().and_then(Away::next_timeout);
        [self.permission.next_timeout(), self.violations.next_timeout(), away].into_iter().flatten().min()
    }

    /// Takes in what happened.
    pub fn handle(&mut self, happening: Happening, now: Now) {
        // What has run out has run out, whatever comes next.
        self.consent(Consent::Tick, now);
        self.settle_violations(now);
        self.sleep.watch(now);
        self.settle_absence(now);
        if self.is_over() {
            return self.afterwards(happening, now);
        }
        match happening {
            Happening::Tick => {}
            Happening::Admitted(session) => {
                self.whom.session = Some(session);
                self.facts.expected.session = Some(session);
                self.log(Entry::SessionStarted { origin: self.facts.origin.clone() });
                self.story(Story::Connected);
                self.enter(State::Waiting);
            }
            Happening::Refused(refusal) => self.refused(refusal, now),
            Happening::Unreachable => {
                self.over(Over::Unreachable, Exit::NoGateway, FACTS, now);
                self.deeds.push_back(Deed::Examine);
            }
            Happening::Examined(checks) => self.examined(checks),
            Happening::Path(path) => self.goes_by(path),
            Happening::Attempted(attempted) => self.attempted(attempted),
            Happening::Interference(interference) => self.interfered(interference, now),
            Happening::Insecure(how) => self.insecure(how, now),
            Happening::Paired(code) => self.paired(code, now),
            Happening::Interrupted(far) => self.interrupted(far, now),
            // A key or button that stays down although its release is stuck somewhere would be the end user's trouble.
            Happening::Quiet if self.paired => self.deeds.push_back(Deed::LetGo),
            Happening::Quiet => {}
            Happening::Returned => self.returned(now),
            Happening::Resumed => self.resumed(now),
            Happening::Message(message) => self.message(message, now),
            Happening::PartnerLeft(leaving) => self.partner_left(leaving, now),
            Happening::Breach(what) => {
                self.log(Entry::Breach { what });
                self.story(Story::Breach);
                self.partner_gone(now);
            }
            Happening::Lost(why) => {
                tracing::warn!(%why, "connection lost");
                self.log(Entry::ConnectionLost { end: "server" });
                self.consent(Consent::EndAll(EndReason::LinkLost), now);
            }
            Happening::Person(person) => self.person(person, now),
            Happening::Picture(opening, message) => {
                if self.opening == Some(opening) {
                    if let Message::ScreenUpdate(update) = &message {
                        self.sent = update.number;
                    }
                    self.deeds.push_back(Deed::Send(message));
                }
            }
            Happening::Failed(right, why) => self.failed(right, why, now),
            Happening::CaptureEnded(opening) => {
                if self.opening == Some(opening) {
                    self.failed(Right::DesktopView, "the capture ended".to_owned(), now);
                }
            }
            Happening::OwnWindow => {
                if self.quiet_until.is_none_or(|until| now.moment >= until) {
                    self.log(Entry::OwnWindow);
                }
                self.quiet_until = Some(now.moment + BURST);
            }
            Happening::LogFailed => self.story(Story::LogFailed),
        }
    }

    /// Whether the session is over, one way or another.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over(_))
    }

    /// Whoever ends a session whose connection just broke has ended it, whatever the network says. What was found of the
    /// way to the server is told.
    fn afterwards(&mut self, happening: Happening, now: Now) {
        if let Happening::Examined(checks) = happening {
            checks.into_iter().for_each(|check| self.story(Story::Way(check)));
            return;
        }
        if self.state == State::Over(Over::Lost) && matches!(happening, Happening::Person(Person::Panicked)) {
            self.log(Entry::Ended(EndReason::PanicKey));
            self.over(Over::Ended(EndReason::PanicKey), Exit::Ended, GOOD_BYE, now);
        }
    }

    fn failed(&mut self, right: Right, why: String, now: Now) {
        if self.permission.effective().contains(right) {
            self.log(Entry::Failed { right, why });
            self.consent(Consent::Failed(right.into()), now);
        }
    }

    fn paired(&mut self, code: SecurityCode, now: Now) {
        self.partner_gone(now);
        self.paired = true;
        // Whoever is newly here came on a way that is clear.
        self.away = None;
        self.deeds.push_back(Deed::Send(Message::Welcome {
            version: self.facts.version.clone(),
            platform: self.facts.platform.clone(),
            language: self.facts.language.to_owned(),
        }));
        self.meet(code);
        self.enter(State::Greeting);
    }

    /// The console is gone: whatever it was allowed is over, and nobody is named any more.
    fn partner_gone(&mut self, now: Now) {
        self.consent(Consent::PairingLost, now);
        self.close_screen();
        if self.paired {
            self.deeds.push_back(Deed::Show(Show::Typing(false)));
            self.lonely();
            self.forget_connection();
        }
        self.paired = false;
        if self.wanted.take().is_some() {
            self.deeds.push_back(Deed::Screen(ScreenDeed::Ready(None)));
        }
        self.part();
        self.partner = Partner::default();
        self.whom.technician = None;
        self.whom.company = None;
        self.violations.forget();
    }

    fn partner_left(&mut self, leaving: Leaving, now: Now) {
        match leaving {
            Leaving::EndedByTechnician => self.consent(Consent::EndAll(EndReason::Technician), now),
            Leaving::Lost | Leaving::Closed | Leaving::EndedByEndUser => {
                if self.paired {
                    self.log(Entry::ConnectionLost { end: "technician" });
                    self.story(Story::Left);
                }
                self.partner_gone(now);
            }
        }
    }

    fn refused(&mut self, refusal: Refusal, now: Now) {
        if self.whom.session.is_none() {
            return self.over(Over::Refused(refusal), Exit::of_refusal(refusal), REFUSED, now);
        }
        // The server puts an admitted applet out: the session is over there.
        self.partner_gone(now);
        self.log(Entry::Closed);
        self.over(Over::Closed, Exit::Ended, GOOD_BYE, now);
    }

    fn message(&mut self, message: Message, now: Now) {
        if !self.paired {
            return;
        }
        if self.away.is_some() && !matches!(message, Message::End(_)) {
            // The connection says first that the way is clear again, and then what came on it.
            tracing::warn!(kind = message.kind(), "a message on a way that is interrupted was dropped");
            return;
        }
        let admission = match self.permission.admit(&message) {
            Ok(admission) => admission,
            Err(denied) => return self.denied(denied, now),
        };
        match (message, admission) {
            (Message::Charter { document, signature }, _) => self.charter(&document, &signature, now),
            (Message::Chat { line, text }, _) => {
                let text = foreign_text::chat(&text);
                if !text.is_empty() && self.known_lines.is_new(line) {
                    self.deeds.push_back(Deed::Show(Show::Typing(false)));
                    self.deeds.push_back(Deed::Show(Show::Chat { mine: false, text }));
                }
            }
            (Message::Typing(on), _) => self.deeds.push_back(Deed::Show(Show::Typing(on))),
            (Message::End(EndedBy::Technician | EndedBy::EndUser), _) => {
                self.consent(Consent::EndAll(EndReason::Technician), now);
            }
            (Message::Request { request, rights }, _) => {
                self.consent(Consent::Request { request, rights }, now);
            }
            (Message::Cancel { request }, _) => self.consent(Consent::Cancel { request }, now),
            (Message::Release(rights), _) => self.consent(Consent::Release(rights), now),
            (Message::LinkProof(proof), _) => self.link_proof(&proof, now),
            (Message::ScreenOpen(view), Admission::With(admitted)) => {
                self.open_screen(admitted, view);
            }
            (Message::ScreenClose, _) => self.close_screen(),
            (Message::ScreenWanted(view), _) => self.wanted = Some(view),
            (Message::ScreenResync, Admission::With(admitted)) => {
                if self.opening.is_some() {
                    self.deeds.push_back(Deed::Screen(ScreenDeed::Resync(admitted)));
                }
            }
            (Message::ScreenSeen { number }, _) => {
                // What was seen of an earlier opening says nothing about this one.
                if self.opening.is_some() && number <= self.sent {
                    self.deeds.push_back(Deed::Screen(ScreenDeed::Seen(number)));
                }
            }
            (Message::ScreenWatch(on), _) => {
                if self.opening.is_some() {
                    self.deeds.push_back(Deed::Screen(ScreenDeed::Watch(on)));
                }
            }
            (Message::Input(input), Admission::With(admitted)) => {
                self.deeds.push_back(Deed::Inject(admitted, input));
            }
            (Message::ScreenOpen(_) | Message::ScreenResync | Message::Input(_), Admission::Free) => {
                unreachable!("these messages need a right, so they are never free")
            }
            (
                Message::Decision { .. }
                | Message::Withdrawn { .. }
                | Message::Denied { .. }
                | Message::CharterChecked(_)
                | Message::LinkProved(_)
                | Message::NoLinkSecret
                | Message::Welcome { .. }
                | Message::Monitors { .. }
                | Message::CursorShape(_)
                | Message::ScreenUpdate(_)
                | Message::ScreenTimings(_)
                | Message::CursorPosition { .. },
                _,
            ) => tracing::warn!("the console sent a message that only an applet sends"),
            (
                Message::PathOffer { .. }
                | Message::PathAnswer { .. }
                | Message::PathCandidate { .. }
                | Message::PathGone { .. },
                _,
            ) => tracing::warn!("a message about paths came through the connection, which keeps them"),
        }
    }

    fn charter(&mut self, document: &[u8], signature: &[u8; belay_wire::charter::SIGNATURE], now: Now) {
        if self.permission.charter().is_some() {
            tracing::warn!("a second charter in one pairing changes nothing");
            return;
        }
        match charter::verify(document, signature, &self.facts.expected, now.moment, now.unix) {
            Ok(charter) => {
                self.partner = Partner {
                    technician: charter.technician.clone(),
                    company: charter.account.clone(),
                    domain: charter.domain.clone(),
                };
                self.whom.technician = Some(charter.technician.clone());
                self.whom.company = Some(charter.account.clone());
                self.consent(Consent::CharterAccepted(charter), now);
                self.deeds.push_back(Deed::Send(Message::CharterChecked(CharterVerdict::Accepted)));
                self.log(Entry::TechnicianConnected);
                self.story(Story::Technician(self.partner.clone()));
                self.enter(State::Connected(self.partner.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "charter refused");
                self.deeds.push_back(Deed::Send(Message::CharterChecked(error.verdict())));
                self.log(Entry::CharterRefused(error));
                self.story(Story::Untrusted);
                self.enter(State::Untrusted(error));
            }
        }
    }

    fn person(&mut self, person: Person, now: Now) {
        match person {
            Person::Answered(prompt, answer) => self.consent(Consent::Answer { prompt, answer }, now),
            Person::Withdrew(rights) => self.consent(Consent::Withdraw(rights), now),
            Person::Left => self.consent(Consent::EndAll(EndReason::EndUser), now),
            Person::Panicked => self.consent(Consent::EndAll(EndReason::PanicKey), now),
            Person::Said { line, text } => {
                let text = foreign_text::chat(&text);
                if self.paired && !text.is_empty() {
                    // Cut by characters above, and by bytes here, as the protocol wants it.
                    let wire = cut_bytes(&text, belay_wire::message::MAX_CHAT).to_owned();
                    self.deeds.push_back(Deed::Send(Message::Chat { line, text: wire }));
                    self.deeds.push_back(Deed::Show(Show::Chat { mine: true, text }));
                }
            }
            Person::Compared => self.compared(),
            Person::WantsReport => self.examine(),
            Person::Typing(on) => {
                if self.paired && self.away.is_none() {
                    self.deeds.push_back(Deed::Send(Message::Typing(on)));
                }
            }
        }
    }

    fn open_screen(&mut self, admitted: Admitted, view: View) {
        if !self.begin(admitted, view) {
            self.view_started();
        }
    }

    fn view_started(&mut self) {
        self.log(Entry::ViewStarted);
        self.story(Story::ViewStarted);
    }

    /// Begins to show a view. Whether another was shown until now.
    fn begin(&mut self, admitted: Admitted, view: View) -> bool {
        let was_open = self.opening.is_some();
        self.openings += 1;
        let opening = Opening(self.openings);
        self.opening = Some(opening);
        (self.view, self.sent, self.reopen) = (view, 0, false);
        self.deeds.push_back(Deed::Screen(ScreenDeed::Open(admitted, opening, view)));
        was_open
    }

    fn close_screen(&mut self) {
        self.reopen = false;
        if self.opening.take().is_some() {
            self.deeds.push_back(Deed::Screen(ScreenDeed::Close));
            self.log(Entry::ViewEnded);
            self.story(Story::ViewEnded);
        }
    }

    fn over(&mut self, over: Over, exit: Exit, stay: Duration, now: Now) {
        self.away = None;
        self.part();
        self.story(Story::Over(over));
        self.enter(State::Over(over));
        self.deeds.push_back(Deed::Finish(exit, now.moment + stay));
    }

    fn enter(&mut self, state: State) {
        if self.state != state {
            self.state = state.clone();
            self.deeds.push_back(Deed::Show(Show::State(state)));
        }
    }

    fn log(&mut self, entry: Entry) {
        self.deeds.push_back(Deed::Log(self.whom.clone(), entry));
    }

    fn story(&mut self, story: Story) {
        self.deeds.push_back(Deed::Show(Show::Story(story)));
    }

    fn stop(&mut self, rights: Rights) {
        if rights.contains(Right::RemoteControl) {
            self.deeds.push_back(Deed::LetGo);
            self.log(Entry::ControlEnded);
            self.story(Story::ControlEnded);
        }
        if rights.contains(Right::DesktopView) {
            self.close_screen();
        }
    }
}

fn cut_bytes(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests;
