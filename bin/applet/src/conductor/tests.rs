//! The whole program's decisions, without a window, a network or a desktop.

mod connection;
mod identity;
mod interruptions;

use belay_permission::{Answer, PromptId};
use belay_wire::SessionId;
use belay_wire::gateway::ReportKind;
use belay_wire::input::{Input, Place};
use belay_wire::message::{Cause, CharterVerdict, Outcome};

use super::*;
use crate::charter::CharterError;
use crate::charter::tests::{UNIX, document, expected, sign};
use crate::host_log;

const CODE: SecurityCode = SecurityCode { digits: 462_748, transcript: [4; 32] };

struct Stage {
    conductor: Conductor,
    now: Now,
}

fn session() -> SessionId {
    "01234567-89ab-cdef-0001-020304050607".parse().unwrap()
}

fn view() -> Rights {
    Right::DesktopView.into()
}

fn control() -> Rights {
    Right::RemoteControl.into()
}

fn motion() -> Message {
    Message::Input(Input::Move(Place { monitor: 0, x: 1, y: 2 }))
}

impl Stage {
    fn new() -> Stage {
        Stage::with_secret(None)
    }

    fn with_secret(link_secret: Option<LinkSecret>) -> Stage {
        let facts = Facts {
            expected: expected(),
            origin: "https://help.example.org".into(),
            version: "0.1.0".into(),
            platform: "test".into(),
            language: "en",
            link_secret,
        };
        let mut stage =
            Stage { conductor: Conductor::new(facts), now: Now { moment: Moment(1_000_000), unix: UNIX } };
        stage.drain();
        stage
    }

    fn drain(&mut self) -> Vec<Deed> {
        std::iter::from_fn(|| self.conductor.poll()).collect()
    }

    fn happens(&mut self, happening: Happening) -> Vec<Deed> {
        self.conductor.handle(happening, self.now);
        self.drain()
    }

    fn hears(&mut self, message: Message) -> Vec<Deed> {
        self.happens(Happening::Message(message))
    }

    fn waits(&mut self, seconds: u64) -> Vec<Deed> {
        self.now.moment = self.now.moment + Duration::from_secs(seconds);
        self.happens(Happening::Tick)
    }

    fn charter(&mut self) -> Vec<Deed> {
        let document = document();
        self.hears(Message::Charter { signature: sign(&document), document: document.into_bytes() })
    }

    fn connected() -> Stage {
        Stage::connected_with(None, CODE)
    }

    fn connected_with(link_secret: Option<LinkSecret>, code: SecurityCode) -> Stage {
        let mut stage = Stage::with_secret(link_secret);
        stage.happens(Happening::Admitted(session()));
        stage.happens(Happening::Paired(code));
        stage.charter();
        stage
    }

    fn asks(&mut self, rights: Rights) -> PromptId {
        let deeds = self.hears(Message::Request { request: 7, rights });
        deeds
            .iter()
            .find_map(|deed| match deed {
                Deed::Show(Show::Prompt { prompt, .. }) => Some(*prompt),
                _ => None,
            })
            .unwrap()
    }

    fn grants(&mut self, rights: Rights) -> Vec<Deed> {
        let prompt = self.asks(rights);
        self.waits(3);
        self.happens(Happening::Person(Person::Answered(prompt, Answer::Allow)))
    }
}

fn logged(deeds: &[Deed]) -> Vec<String> {
    deeds
        .iter()
        .filter_map(|deed| match deed {
            Deed::Log(whom, entry) => Some(host_log::line(0, whom, entry)),
            _ => None,
        })
        .collect()
}

fn position(deeds: &[Deed], wanted: impl Fn(&Deed) -> bool) -> usize {
    deeds.iter().position(wanted).unwrap_or_else(|| panic!("not in {deeds:#?}"))
}

#[test]
fn a_hostile_console_moves_nothing() {
    let mut stage = Stage::connected();
    let deeds = stage.hears(motion());
    assert!(!deeds.iter().any(|deed| matches!(deed, Deed::Inject(..))));
    assert!(deeds.contains(&Deed::Send(Message::Denied { right: Right::RemoteControl, kind: 0x40 })));
    assert!(deeds.contains(&Deed::Report(ReportKind::Violation, Right::RemoteControl)));
    let lines = logged(&deeds);
    assert!(lines[0].contains("event=violation right=remote_control message=40 more=0"), "{lines:?}");

    let deeds = stage.hears(Message::ScreenOpen(View::of(255)));
    assert!(!deeds.iter().any(|deed| matches!(deed, Deed::Screen(_))));
    assert!(deeds.contains(&Deed::Send(Message::Denied { right: Right::DesktopView, kind: 0x21 })));
}

#[test]
fn view_alone_moves_nothing_either() {
    let mut stage = Stage::connected();
    stage.grants(view());
    let opened = stage.hears(Message::ScreenOpen(View::of(0)));
    assert!(opened.iter().any(|deed| matches!(deed, Deed::Screen(ScreenDeed::Open(..)))));
    assert!(logged(&opened).iter().any(|line| line.contains("event=view_started")));
    assert!(!stage.hears(motion()).iter().any(|deed| matches!(deed, Deed::Inject(..))));
    stage.grants(control());
    let moved = stage.hears(motion());
    assert!(
        matches!(&moved[..], [Deed::Inject(admitted, Input::Move(_))] if admitted.right() == Right::RemoteControl)
    );
}

#[test]
fn what_is_wanted_opens_with_the_grant_and_not_before() {
    let opens = |deeds: &[Deed]| {
        let screen = |deed: &Deed| match deed {
            Deed::Screen(ScreenDeed::Open(_, _, view)) => Some(*view),
            _ => None,
        };
        deeds.iter().filter_map(screen).collect::<Vec<_>>()
    };
    let mut stage = Stage::connected();
    assert_eq!(stage.hears(Message::ScreenWanted(View::of(3))), []);
    // The newest counts.
    assert_eq!(stage.hears(Message::ScreenWanted(View::of(1))), []);
    let deeds = stage.grants(view());
    assert_eq!(opens(&deeds), [View::of(1)]);
    let outcome = Outcome::Granted;
    let decision = Deed::Send(Message::Decision { request: 7, rights: view(), outcome });
    let opened = position(&deeds, |deed| matches!(deed, Deed::Screen(_)));
    assert!(position(&deeds, |deed| *deed == decision) < opened, "the console hears first that it may");
    let lines = logged(&deeds);
    let line = |event: &str| lines.iter().position(|line| line.contains(&format!("event={event}")));
    assert!(line("granted").unwrap() < line("view_started").unwrap(), "{lines:?}");

    // It is used up: the next grant opens nothing by itself, nor does that of control.
    assert_eq!(opens(&stage.grants(control())), []);
    stage.happens(Happening::Person(Person::Withdrew(view())));
    assert_eq!(opens(&stage.grants(view())), []);

    // Nothing of it passes to the next pairing, and a refusal opens nothing.
    stage.happens(Happening::Person(Person::Withdrew(view())));
    stage.hears(Message::ScreenWanted(View::of(1)));
    stage.happens(Happening::PartnerLeft(Leaving::Closed));
    stage.happens(Happening::Paired(CODE));
    stage.charter();
    assert_eq!(opens(&stage.grants(view())), []);
    let mut stage = Stage::connected();
    stage.hears(Message::ScreenWanted(View::of(1)));
    let prompt = stage.asks(view());
    assert_eq!(opens(&stage.happens(Happening::Person(Person::Answered(prompt, Answer::Refuse)))), []);
}

#[test]
fn what_is_wanted_is_made_ready_with_the_question_and_kept_until_its_answer() {
    let ready = |deeds: &[Deed]| {
        let screen = |deed: &Deed| match deed {
            Deed::Screen(ScreenDeed::Ready(view)) => Some(*view),
            _ => None,
        };
        deeds.iter().filter_map(screen).collect::<Vec<_>>()
    };
    let ask = |stage: &mut Stage| stage.hears(Message::Request { request: 7, rights: view() });
    let mut stage = Stage::connected();
    assert_eq!(ready(&ask(&mut stage)), [], "nothing was wanted");
    stage.hears(Message::Cancel { request: 7 });
    stage.hears(Message::ScreenWanted(View::of(1)));
    let deeds = ask(&mut stage);
    assert_eq!(ready(&deeds), [Some(View::of(1))]);
    let question = position(&deeds, |deed| matches!(deed, Deed::Show(Show::Prompt { .. })));
    assert!(
        question < position(&deeds, |deed| matches!(deed, Deed::Screen(_))),
        "the end user does not wait for it"
    );
    // Who takes questions back and asks again has nothing made anew.
    assert_eq!(ready(&stage.hears(Message::Cancel { request: 7 })), []);
    let prompt = stage.asks(view());
    let refused = stage.happens(Happening::Person(Person::Answered(prompt, Answer::Refuse)));
    assert_eq!(ready(&refused), [None]);
    assert_eq!(ready(&stage.grants(view())), [], "what was allowed is not taken away again");

    let mut stage = Stage::connected();
    stage.hears(Message::ScreenWanted(View::of(1)));
    ask(&mut stage);
    stage.hears(Message::Cancel { request: 7 });
    assert_eq!(
        ready(&stage.happens(Happening::PartnerLeft(Leaving::Closed))),
        [None],
        "nobody will ask for it"
    );
}

#[test]
fn withdrawing_the_view_stops_the_machine_before_anybody_is_told() {
    let mut stage = Stage::connected();
    stage.grants(view());
    stage.hears(Message::ScreenOpen(View::of(0)));
    stage.grants(control());
    let deeds = stage.happens(Happening::Person(Person::Withdrew(view())));
    let let_go = position(&deeds, |deed| *deed == Deed::LetGo);
    let closed = position(&deeds, |deed| *deed == Deed::Screen(ScreenDeed::Close));
    let dependent = position(&deeds, |deed| {
        *deed == Deed::Send(Message::Withdrawn { rights: control(), cause: Cause::Dependent })
    });
    let withdrawn = position(&deeds, |deed| {
        *deed == Deed::Send(Message::Withdrawn { rights: view(), cause: Cause::EndUser })
    });
    assert!(let_go < dependent && closed < withdrawn);
    let lines = logged(&deeds);
    for event in ["control_ended", "view_ended", "withdrawn rights=desktop_view cause=end_user"] {
        assert!(lines.iter().any(|line| line.contains(&format!("event={event}"))), "{event} in {lines:?}");
    }
    // What was on its way is refused without an accusation.
    let late = stage.hears(motion());
    assert_eq!(late, [Deed::Send(Message::Denied { right: Right::RemoteControl, kind: 0x40 })]);
}

#[test]
fn pictures_of_a_closed_screen_do_not_leave() {
    let mut stage = Stage::connected();
    stage.grants(view());
    stage.hears(Message::ScreenOpen(View::of(0)));
    let picture = || Message::CursorPosition { x: 1, y: 1 };
    assert_eq!(stage.happens(Happening::Picture(Opening(1), picture())), [Deed::Send(picture())]);
    stage.happens(Happening::Person(Person::Withdrew(view())));
    assert_eq!(stage.happens(Happening::Picture(Opening(1), picture())), []);
}

#[test]
fn silence_is_a_refusal() {
    let mut stage = Stage::connected();
    stage.asks(view());
    let deeds = stage.waits(30);
    let decision = Message::Decision { request: 7, rights: view(), outcome: Outcome::TimedOut };
    assert!(deeds.contains(&Deed::Send(decision)));
    assert!(deeds.contains(&Deed::Report(ReportKind::Refused, Right::DesktopView)));
    assert!(logged(&deeds)[0].contains("event=timed_out rights=desktop_view"));
}

#[test]
fn the_panic_key_ends_everything_in_order() {
    let mut stage = Stage::connected();
    stage.grants(view());
    stage.grants(control());
    let deeds = stage.happens(Happening::Person(Person::Panicked));
    let let_go = position(&deeds, |deed| *deed == Deed::LetGo);
    let end = position(&deeds, |deed| *deed == Deed::Send(Message::End(EndedBy::EndUser)));
    let bye = position(&deeds, |deed| *deed == Deed::Leave(Leaving::EndedByEndUser));
    let finish = position(&deeds, |deed| matches!(deed, Deed::Finish(Exit::Ended, _)));
    assert!(let_go < end && end < bye && bye < finish);
    assert!(
        logged(&deeds)
            .iter()
            .any(|line| line.contains("event=ended by=panic_key technician=\"Tess Example\""))
    );
    assert_eq!(stage.hears(motion()), [], "nothing follows the end");
}

#[test]
fn a_new_pairing_starts_from_nothing() {
    let mut stage = Stage::connected();
    stage.grants(view());
    stage.grants(control());
    stage.happens(Happening::PartnerLeft(Leaving::Lost));
    let deeds = stage.happens(Happening::Paired(CODE));
    let welcome = deeds.iter().position(|deed| matches!(deed, Deed::Send(Message::Welcome { .. })));
    let shown = deeds.iter().position(|deed| matches!(deed, Deed::Show(_)));
    assert!(welcome.is_some() && welcome < shown, "the console waits for Welcome, nobody for the window");
    let deeds = stage.hears(Message::Request { request: 1, rights: view() });
    let decision = Message::Decision { request: 1, rights: view(), outcome: Outcome::OutOfOrder };
    assert_eq!(deeds, [Deed::Send(decision)], "nothing can be asked without a charter");
    stage.charter();
    stage.now.moment = stage.now.moment + Duration::from_secs(5);
    assert!(!stage.hears(motion()).iter().any(|deed| matches!(deed, Deed::Inject(..))));
}

#[test]
fn a_charter_of_somebody_else_is_said_to_be_one() {
    let mut stage = Stage::new();
    stage.happens(Happening::Admitted(SessionId::from_bytes([9; 16])));
    stage.happens(Happening::Paired(CODE));
    let deeds = stage.charter();
    assert!(deeds.contains(&Deed::Send(Message::CharterChecked(CharterVerdict::Foreign))));
    assert!(deeds.contains(&Deed::Show(Show::State(State::Untrusted(CharterError::Foreign)))));
    let deeds = stage.hears(Message::Request { request: 1, rights: view() });
    assert!(
        deeds
            .iter()
            .all(|deed| matches!(deed, Deed::Send(Message::Decision { outcome: Outcome::OutOfOrder, .. })))
    );
}

#[test]
fn a_lost_server_ends_all_rights_and_the_program() {
    let mut stage = Stage::connected();
    stage.grants(view());
    stage.grants(control());
    let deeds = stage.happens(Happening::Lost("cable".into()));
    let let_go = position(&deeds, |deed| *deed == Deed::LetGo);
    let finish = position(&deeds, |deed| matches!(deed, Deed::Finish(Exit::NoGateway, _)));
    assert!(let_go < finish);
    assert!(deeds.contains(&Deed::Show(Show::State(State::Over(Over::Lost)))));
    let deeds = stage.happens(Happening::Person(Person::Panicked));
    position(&deeds, |deed| matches!(deed, Deed::Finish(Exit::Ended, _)));
}

#[test]
fn a_server_that_cannot_be_reached_is_looked_at() {
    use belay_net::check::{Check as WayCheck, Step, Verdict};
    let mut stage = Stage::new();
    let deeds = stage.happens(Happening::Unreachable);
    assert!(deeds.contains(&Deed::Examine));
    assert!(deeds.contains(&Deed::Show(Show::State(State::Over(Over::Unreachable)))));
    let check = WayCheck {
        step: Step::Name,
        host: "help.example.org".into(),
        verdict: Verdict::Good,
        took: Duration::ZERO,
        addresses: Vec::new(),
        certificate: None,
    };
    let deeds = stage.happens(Happening::Examined(vec![check.clone()]));
    assert_eq!(deeds, [Deed::Show(Show::Story(Story::Way(check)))]);
}

#[test]
fn refusals_have_exit_codes_of_their_own() {
    for (refusal, exit) in [
        (Refusal::Unknown, Exit::IdUnknown),
        (Refusal::Used, Exit::IdUsed),
        (Refusal::Expired, Exit::IdExpired),
        (Refusal::Foreign, Exit::IdForeign),
        (Refusal::Full, Exit::NoGateway),
    ] {
        let deeds = Stage::new().happens(Happening::Refused(refusal));
        assert!(
            deeds.iter().any(|deed| matches!(deed, Deed::Finish(code, _) if *code == exit)),
            "{refusal:?}"
        );
    }
}

#[test]
fn chat_is_cleaned_both_ways_and_fits_the_wire() {
    let mut stage = Stage::connected();
    let deeds = stage.hears(Message::Chat { line: [0; 16], text: "a\u{202e}b\u{7}".into() });
    assert!(deeds.contains(&Deed::Show(Show::Chat { mine: false, text: "ab".into() })));
    let again = stage.hears(Message::Chat { line: [0; 16], text: "ab".into() });
    assert!(
        !again.iter().any(|deed| matches!(deed, Deed::Show(Show::Chat { .. }))),
        "a line said again: {again:?}"
    );
    let said = Person::Said { line: [1; 16], text: "ä".repeat(4000) };
    let deeds = stage.happens(Happening::Person(said));
    let Deed::Send(message @ Message::Chat { .. }) = &deeds[0] else { panic!("{deeds:?}") };
    assert_eq!(Message::decode(&message.encode()).as_ref(), Ok(message));
}

#[test]
fn times_are_told_of_what_is_shown_and_of_nothing_else() {
    let mut stage = Stage::connected();
    assert_eq!(stage.hears(Message::ScreenWatch(true)), [], "nothing is shown");
    stage.grants(view());
    stage.hears(Message::ScreenOpen(View::of(0)));
    for on in [true, false] {
        assert_eq!(stage.hears(Message::ScreenWatch(on)), [Deed::Screen(ScreenDeed::Watch(on))]);
    }
}

/// Whatever a hostile console sends, in whatever order: only what the person allowed, while they allow it.
#[test]
fn a_random_hostile_console_gets_only_what_was_allowed() {
    let mut random = fastrand::Rng::with_seed(41);
    let (mut injected, mut steps) = (0, 0);
    for _ in 0..400 {
        let mut stage = Stage::connected();
        let (mut may_see, mut may_control) = (false, false);
        let mut prompt: Option<(PromptId, Rights)> = None;
        for _ in 0..200 {
            steps += 1;
            let deeds = match random.u8(..17) {
                16 => stage.hears(Message::ScreenWatch(random.bool())),
                0 => stage.hears(Message::Request { request: random.u32(..), rights: view() }),
                1 => stage.hears(Message::Request { request: random.u32(..), rights: control() }),
                2 => stage.hears(Message::Release(if random.bool() { view() } else { control() })),
                3 => stage.hears(Message::Cancel { request: random.u32(..3) }),
                4 if random.bool() => stage.hears(Message::ScreenWanted(View::of(random.u8(..)))),
                4 => stage.hears(Message::ScreenOpen(View::of(random.u8(..)))),
                5 => stage.hears(Message::ScreenClose),
                6 => stage.hears(Message::ScreenResync),
                7 => stage.hears(Message::Withdrawn { rights: view(), cause: Cause::Failure }),
                8 => stage.charter(),
                9 => stage.waits(random.u64(..6)),
                10..13 => match prompt {
                    Some((id, _)) => stage.happens(Happening::Person(Person::Answered(id, Answer::Allow))),
                    None => stage.hears(motion()),
                },
                13 if random.u8(..8) == 0 => {
                    stage.happens(Happening::PartnerLeft(Leaving::Lost));
                    stage.happens(Happening::Paired(CODE));
                    (may_see, may_control, prompt) = (false, false, None);
                    stage.charter()
                }
                _ => stage.hears(motion()),
            };
            for deed in &deeds {
                match deed {
                    Deed::Show(Show::Prompt { prompt: id, rights, .. }) => prompt = Some((*id, *rights)),
                    Deed::Show(Show::HidePrompt(_)) => prompt = None,
                    Deed::Send(Message::Decision { rights, outcome: Outcome::Granted, .. }) => {
                        may_see |= rights.contains(Right::DesktopView);
                        may_control |= rights.contains(Right::RemoteControl);
                    }
                    Deed::Send(Message::Withdrawn { rights, .. }) => {
                        may_see &= !rights.contains(Right::DesktopView);
                        may_control &= !rights.contains(Right::RemoteControl);
                    }
                    Deed::Inject(..) => {
                        assert!(may_control && may_see);
                        injected += 1;
                    }
                    Deed::Screen(ScreenDeed::Open(..) | ScreenDeed::Resync(_)) => assert!(may_see),
                    _ => {}
                }
            }
        }
    }
    assert!(injected > 500, "{injected} of {steps} steps moved the mouse");
}
