//! Interruptions: grants stay, nothing else does; and the security code.

use belay_wire::message::VideoFormat;

use super::identity::other_code;
use super::*;
use crate::deeds::{Check, Far};

fn states(deeds: &[Deed]) -> Vec<&State> {
    let state = |deed| if let &Deed::Show(Show::State(ref state)) = deed { Some(state) } else { None };
    deeds.iter().filter_map(state).collect()
}

fn opens(deeds: &[Deed]) -> Vec<(Opening, View)> {
    let opening = |deed: &Deed| match deed {
        Deed::Screen(ScreenDeed::Open(admitted, opening, view)) => {
            assert_eq!(admitted.right(), Right::DesktopView);
            Some((*opening, *view))
        }
        _ => None,
    };
    deeds.iter().filter_map(opening).collect()
}

const FILMS: View = View { monitor: 2, video: VideoFormat::Av1 };

/// View and control granted, monitor 2 shown with video.
fn working() -> Stage {
    let mut stage = Stage::connected();
    stage.grants(view());
    stage.grants(control());
    stage.hears(Message::ScreenOpen(FILMS));
    stage
}

#[test]
fn a_console_that_falls_silent_holds_nothing_any_more_and_keeps_its_grants() {
    let mut stage = working();
    assert_eq!(stage.happens(Happening::Quiet), [Deed::LetGo]);
    assert!(matches!(stage.hears(motion())[..], [Deed::Inject(..)]), "it is heard again");
    assert_eq!(Stage::new().happens(Happening::Quiet), [], "without a console nothing is held");
}

#[test]
fn an_interruption_stops_everything_at_once_and_takes_no_grant() {
    for far in [Far::Server, Far::Technician] {
        let mut stage = working();
        let began = stage.now.moment;
        let deeds = stage.happens(Happening::Interrupted(far));
        assert_eq!(deeds[..2], [Deed::LetGo, Deed::Screen(ScreenDeed::Close)], "before anybody is told");
        assert!(!deeds.iter().any(|deed| matches!(deed, Deed::Send(_) | Deed::Report(..))), "{deeds:?}");
        assert_eq!(states(&deeds), [&State::Reconnecting(far, began)]);
        let lines = logged(&deeds);
        assert!(lines.iter().any(|line| line.contains("event=interrupted end=")), "{lines:?}");

        // Whatever comes now was not said by anybody who can see.
        let picture = Message::CursorPosition { x: 1, y: 1 };
        assert_eq!(stage.happens(Happening::Picture(Opening(1), picture)), []);
        for message in [motion(), Message::ScreenOpen(View::of(0)), Message::ScreenResync] {
            assert_eq!(stage.hears(message), []);
        }
        stage.waits(20);
        if far == Far::Server {
            let deeds = stage.happens(Happening::Returned);
            assert_eq!(states(&deeds), [&State::Reconnecting(Far::Technician, began)]);
        }
        let deeds = stage.happens(Happening::Resumed);
        assert_eq!(opens(&deeds), [(Opening(2), FILMS)], "the same view, from nothing");
        assert!(matches!(states(&deeds)[..], [State::Connected(_)]));
        assert!(logged(&deeds).iter().any(|line| line.contains("event=resumed after=20s")));
        assert!(matches!(stage.hears(motion())[..], [Deed::Inject(..)]));
        assert!(matches!(stage.hears(Message::ScreenResync)[..], [Deed::Screen(ScreenDeed::Resync(_))]));
    }
}

#[test]
fn a_closed_screen_stays_closed() {
    let mut stage = working();
    stage.hears(Message::ScreenClose);
    stage.happens(Happening::Interrupted(Far::Technician));
    assert_eq!(opens(&stage.happens(Happening::Resumed)), []);

    let mut stage = working();
    stage.happens(Happening::Interrupted(Far::Technician));
    let deeds = stage.happens(Happening::Person(Person::Withdrew(view())));
    let withdrawn = Message::Withdrawn { rights: view(), cause: Cause::EndUser };
    assert!(deeds.contains(&Deed::Send(withdrawn)), "it waits in the link");
    assert_eq!(opens(&stage.happens(Happening::Resumed)), []);
    assert!(!stage.hears(motion()).iter().any(|deed| matches!(deed, Deed::Inject(..))));
}

#[test]
fn acknowledgements_of_an_earlier_opening_do_not_count() {
    let mut stage = working();
    stage.happens(Happening::Interrupted(Far::Technician));
    stage.happens(Happening::Resumed);
    assert_eq!(stage.hears(Message::ScreenSeen { number: 900 }), []);
}

#[test]
fn a_prompt_counts_as_not_answered_and_is_no_refusal() {
    let mut stage = Stage::connected();
    let prompt = stage.asks(view());
    stage.waits(5);
    let deeds = stage.happens(Happening::Interrupted(Far::Server));
    position(&deeds, |deed| *deed == Deed::Show(Show::HidePrompt(prompt)));
    let decision = Message::Decision { request: 7, rights: view(), outcome: Outcome::TimedOut };
    assert!(deeds.contains(&Deed::Send(decision)));
    assert!(!deeds.iter().any(|deed| matches!(deed, Deed::Report(..))));
    assert!(logged(&deeds).iter().any(|line| line.contains("event=prompt_interrupted rights=desktop_view")));
    assert_eq!(stage.happens(Happening::Person(Person::Answered(prompt, Answer::Allow))), []);
    stage.happens(Happening::Resumed);
    assert_eq!(stage.happens(Happening::Person(Person::Answered(prompt, Answer::Allow))), []);
    assert!(stage.grants(view()).contains(&Deed::Report(ReportKind::Granted, Right::DesktopView)));
}

#[test]
fn after_five_minutes_nothing_is_granted_and_the_technician_may_ask_again() {
    let mut stage = working();
    let began = stage.now.moment;
    stage.happens(Happening::Interrupted(Far::Technician));
    let due = began + Duration::from_secs(300);
    assert_eq!(stage.conductor.next_timeout(), Some(due));
    assert_eq!(stage.waits(299), []);
    let deeds = stage.waits(1);
    let both = view().union(control());
    assert!(deeds.contains(&Deed::Send(Message::Withdrawn { rights: both, cause: Cause::Offline })));
    assert_eq!(states(&deeds), [&State::Offline(Far::Technician, began)]);
    let lines = logged(&deeds);
    for event in ["event=offline", "withdrawn rights=desktop_view,remote_control cause=offline"] {
        assert!(lines.iter().any(|line| line.contains(event)), "{event} in {lines:?}");
    }
    // It may break in another place meanwhile, and goes on trying.
    let deeds = stage.happens(Happening::Interrupted(Far::Server));
    assert_eq!(states(&deeds), [&State::Offline(Far::Server, began)]);
    assert_eq!(stage.waits(600), []);
    let deeds = stage.happens(Happening::Resumed);
    assert_eq!(opens(&deeds), []);
    assert!(matches!(states(&deeds)[..], [State::Connected(_)]));
    assert!(!stage.hears(motion()).iter().any(|deed| matches!(deed, Deed::Inject(..))));
    stage.grants(view());
    assert_eq!(opens(&stage.hears(Message::ScreenOpen(View::of(0)))).len(), 1);
}

#[test]
fn a_computer_that_slept_was_away_all_the_time() {
    // Asleep during the interruption: only the clock on the wall went on.
    let mut stage = working();
    stage.happens(Happening::Interrupted(Far::Server));
    stage.now.unix += 300_000_000;
    let deeds = stage.happens(Happening::Resumed);
    assert!(logged(&deeds).iter().any(|line| line.contains("event=offline")));
    assert_eq!(opens(&deeds), []);

    // Asleep before it: the break is only noticed afterwards.
    let mut stage = working();
    stage.now.unix += 600_000_000;
    stage.waits(30);
    let deeds = stage.happens(Happening::Interrupted(Far::Server));
    assert!(matches!(states(&deeds)[..], [State::Reconnecting(..), State::Offline(..)]), "{deeds:?}");

    // A clock that was set long before has nothing to do with it.
    let mut stage = working();
    stage.now.unix += 600_000_000;
    stage.waits(30);
    (stage.now.moment, stage.now.unix) =
        (stage.now.moment + Duration::from_secs(600), stage.now.unix + 600_000_000);
    let deeds = stage.happens(Happening::Interrupted(Far::Server));
    assert!(matches!(states(&deeds)[..], [State::Reconnecting(..)]), "{deeds:?}");
}

#[test]
fn before_the_first_technician_it_goes_back_to_waiting() {
    let mut stage = Stage::new();
    stage.happens(Happening::Admitted(session()));
    assert_eq!(stage.happens(Happening::Interrupted(Far::Technician)), [], "nobody was there to be missed");
    let began = stage.now.moment;
    let deeds = stage.happens(Happening::Interrupted(Far::Server));
    assert_eq!(states(&deeds), [&State::Reconnecting(Far::Server, began)]);
    assert_eq!(states(&stage.happens(Happening::Returned)), [&State::Waiting]);
    stage.happens(Happening::Paired(CODE));
    assert!(matches!(states(&stage.charter())[..], [State::Connected(_)]));
    stage.grants(view());
}

#[test]
fn the_person_ends_everything_while_it_reconnects() {
    for person in [Person::Panicked, Person::Left] {
        for far in [Far::Server, Far::Technician] {
            let mut stage = working();
            stage.happens(Happening::Interrupted(far));
            stage.waits(10);
            let deeds = stage.happens(Happening::Person(person.clone()));
            position(&deeds, |deed| matches!(deed, Deed::Finish(Exit::Ended, _)));
            position(&deeds, |deed| *deed == Deed::Leave(Leaving::EndedByEndUser));
            assert!(matches!(states(&deeds)[..], [State::Over(Over::Ended(_))]));
            assert_eq!(stage.happens(Happening::Resumed), [], "nothing follows the end");
            assert_eq!(stage.waits(400), []);
        }
    }
}

#[test]
fn a_new_console_after_an_interruption_starts_from_nothing() {
    let mut stage = working();
    stage.happens(Happening::Interrupted(Far::Technician));
    let deeds = stage.happens(Happening::Paired(other_code(1)));
    let lines = logged(&deeds);
    assert!(
        lines.iter().any(|line| line.contains("rights=desktop_view,remote_control cause=technician_gone"))
    );
    assert_eq!(stage.happens(Happening::Resumed), [], "the old one cannot come back");
    stage.charter();
    assert!(!stage.hears(motion()).iter().any(|deed| matches!(deed, Deed::Inject(..))));
    assert!(opens(&stage.hears(Message::ScreenOpen(View::of(0)))).is_empty());
}

#[test]
fn a_breach_while_the_server_is_away_leaves_nobody_to_come_back() {
    let mut stage = working();
    stage.happens(Happening::Interrupted(Far::Server));
    let deeds = stage.happens(Happening::Breach("too much waits".into()));
    assert!(logged(&deeds).iter().any(|line| line.contains("cause=technician_gone")));
    assert_eq!(stage.happens(Happening::Resumed), []);
    assert_eq!(states(&stage.happens(Happening::Returned)), [&State::Left]);
}

#[test]
fn the_code_is_shown_in_every_prompt_until_it_was_compared() {
    let code_of = |deeds: &[Deed]| {
        let prompt = |deed: &Deed| match deed {
            Deed::Show(Show::Prompt { check, .. }) => Some(*check),
            _ => None,
        };
        deeds.iter().find_map(prompt).unwrap()
    };
    let ask = || Message::Request { request: 1, rights: view() };
    let mut stage = Stage::new();
    stage.happens(Happening::Admitted(session()));
    let deeds = stage.happens(Happening::Paired(CODE));
    assert!(deeds.contains(&Deed::Show(Show::Check(Check::Compare(CODE)))));
    stage.charter();
    assert_eq!(code_of(&stage.hears(ask())), Check::Compare(CODE));
    stage.happens(Happening::Interrupted(Far::Technician));
    stage.happens(Happening::Resumed);
    assert_eq!(code_of(&stage.hears(ask())), Check::Compare(CODE), "the same seal has the same code");
    stage.hears(Message::Cancel { request: 1 });
    let deeds = stage.happens(Happening::Person(Person::Compared));
    assert!(deeds.contains(&Deed::Show(Show::Check(Check::Nothing))));
    assert!(logged(&deeds)[0].contains("event=code_compared"));
    assert_eq!(code_of(&stage.hears(ask())), Check::Nothing);
    let other = other_code(12);
    let deeds = stage.happens(Happening::Paired(other));
    assert!(
        deeds.contains(&Deed::Show(Show::Check(Check::Compare(other)))),
        "another seal, another comparison"
    );
}

/// What a bystander can tell of the program without knowing how it decides.
#[derive(Default)]
struct Bystander {
    paired: bool,
    away_since: Option<Moment>,
    granted: Rights,
    capturing: Option<Opening>,
    prompt: Option<PromptId>,
    injected: u32,
}

impl Bystander {
    fn sees(&mut self, deeds: &[Deed]) {
        let may = |granted: Rights, away: bool, right| granted.contains(right) && !away;
        for deed in deeds {
            let away = self.away_since.is_some();
            match deed {
                Deed::Show(Show::Prompt { prompt, .. }) => {
                    assert!(self.paired && !away, "asked for nobody");
                    self.prompt = Some(*prompt);
                }
                Deed::Show(Show::HidePrompt(_)) => self.prompt = None,
                Deed::Report(ReportKind::Granted, right) => {
                    assert!(self.paired && !away);
                    self.granted = self.granted.with(*right);
                }
                Deed::Report(ReportKind::Withdrawn, right) => {
                    self.granted = self.granted.without((*right).into());
                }
                Deed::Inject(..) => {
                    assert!(may(self.granted, away, Right::RemoteControl));
                    self.injected += 1;
                }
                Deed::Screen(ScreenDeed::Open(_, opening, _)) => {
                    assert!(may(self.granted, away, Right::DesktopView));
                    self.capturing = Some(*opening);
                }
                Deed::Screen(ScreenDeed::Resync(_)) => {
                    assert!(may(self.granted, away, Right::DesktopView));
                }
                Deed::Screen(ScreenDeed::Close) => self.capturing = None,
                Deed::Send(Message::CursorPosition { .. }) => {
                    assert!(may(self.granted, away, Right::DesktopView), "a picture left");
                }
                _ => {}
            }
        }
    }

    fn settled(&self, stage: &Stage) {
        let effective = stage.conductor.permission.effective();
        assert!(self.granted.includes(effective), "{effective:?} in force, {:?} granted", self.granted);
        assert!(effective.is_empty() || self.paired, "in force for nobody");
        if let Some(since) = self.away_since {
            assert_eq!(self.capturing, None, "captured while nobody can see it");
            assert_eq!(self.prompt, None, "asked while nobody waits for it");
            if stage.now.moment.since(since) >= Duration::from_secs(300) {
                assert!(effective.is_empty(), "granted for longer than five minutes away");
            }
        }
        if self.capturing.is_some() {
            assert!(effective.contains(Right::DesktopView));
        }
    }
}

/// Whatever happens to the connection, in whatever order, and whatever a hostile console sends meanwhile.
#[test]
fn random_histories_with_interruptions_keep_every_grant_to_its_pairing() {
    let mut random = fastrand::Rng::with_seed(0x5ea1);
    let (mut injected, mut reopened, mut offline) = (0, 0, 0);
    for _ in 0..1500 {
        let mut stage = Stage::connected();
        let mut seen = Bystander { paired: true, ..Bystander::default() };
        for _ in 0..200 {
            let happening = match random.u8(..32) {
                0 if random.bool() => Happening::Interrupted(Far::Server),
                1 if random.bool() => Happening::Interrupted(Far::Technician),
                2 => Happening::Returned,
                3..6 => Happening::Resumed,
                6 if random.u8(..8) == 0 => Happening::Paired(other_code(random.u32(..1_000_000))),
                7 if random.u8(..16) == 0 => Happening::PartnerLeft(Leaving::Lost),
                8 if random.u8(..16) == 0 => Happening::Breach("x".into()),
                9 => Happening::Message(Message::ScreenClose),
                10 => Happening::Message(Message::ScreenWanted(View::of(random.u8(..)))),
                11..13 => Happening::Message(Message::ScreenOpen(View::of(random.u8(..)))),
                13 => Happening::Message(Message::ScreenResync),
                14 => Happening::Picture(
                    Opening(random.u32(..stage.conductor.openings + 2)),
                    Message::CursorPosition { x: 0, y: 0 },
                ),
                15..18 => Happening::Message(Message::Request { request: random.u32(..), rights: view() }),
                18..20 => Happening::Message(Message::Request { request: random.u32(..), rights: control() }),
                20 => Happening::Person(Person::Withdrew(if random.bool() { view() } else { control() })),
                21..26 => match seen.prompt {
                    Some(prompt) => Happening::Person(Person::Answered(prompt, Answer::Allow)),
                    None => Happening::Message(motion()),
                },
                26..28 => {
                    let document = document();
                    let signature = sign(&document);
                    Happening::Message(Message::Charter { signature, document: document.into_bytes() })
                }
                28..31 => {
                    let seconds = if random.u8(..12) == 0 { 150 } else { random.u64(..8) };
                    stage.now.moment = stage.now.moment + Duration::from_secs(seconds);
                    stage.now.unix += seconds * 1_000_000;
                    Happening::Tick
                }
                _ => Happening::Message(motion()),
            };
            // The bystander hears of the connection from the network itself.
            let (was_away, resumes) = (seen.away_since, matches!(happening, Happening::Resumed));
            match &happening {
                Happening::Interrupted(far) if seen.paired || *far == Far::Server => {
                    seen.away_since = was_away.or(Some(stage.now.moment));
                }
                Happening::Resumed if seen.paired => seen.away_since = None,
                Happening::Returned if !seen.paired => seen.away_since = None,
                Happening::Paired(_) => {
                    (seen.paired, seen.away_since, seen.granted) = (true, None, Rights::NONE);
                }
                Happening::PartnerLeft(_) | Happening::Breach(_) => {
                    (seen.paired, seen.granted) = (false, Rights::NONE);
                    let server = matches!(
                        stage.conductor.state,
                        State::Reconnecting(Far::Server, _) | State::Offline(Far::Server, _)
                    );
                    if !server {
                        seen.away_since = None;
                    }
                }
                _ => {}
            }
            let was_capturing = seen.capturing;
            let deeds = stage.happens(happening);
            assert!(!stage.conductor.is_over());
            seen.sees(&deeds);
            seen.settled(&stage);
            reopened += u32::from(resumes && was_capturing.is_none() && seen.capturing.is_some());
            offline += u32::from(states(&deeds).iter().any(|state| matches!(state, State::Offline(..))));
        }
        injected += seen.injected;
    }
    assert!(
        injected > 1000 && reopened > 100 && offline > 25,
        "the walk must reach what it is about: {injected} moved, {reopened} shown again, {offline} offline"
    );
}
