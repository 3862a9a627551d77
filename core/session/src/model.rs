//! Model tests: every short history and many long ones, against a reference that is written another way.
//!
//! The reference keeps no state but the list of commands that took effect, and answers every question by looking
//! through that list.

use belay_wire::{MemberId, Moment};

use crate::{
    AWAY_LIFE_MICROS, Command, EndedBy, Ender, Event, Phase, Platform, RECONNECTING_MICROS, Refusal, Report,
    ReportKind, State, WAITING_LIFE_MICROS, create, decide,
};

const CREATOR: MemberId = MemberId::from_bytes([1; 16]);
const OTHER: MemberId = MemberId::from_bytes([2; 16]);
const HOUR: u64 = 60 * 60 * 1_000_000;
const LINK_LIFE: u64 = 24 * HOUR;

/// A command and the time that passes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Join,
    JoinNameless,
    Download,
    Wait,
    PickUp(MemberId),
    Report,
    EndByUser,
    EndBy(MemberId),
    LegLost,
    Return,
    Close,
    ConsoleLeft,
    Tick,
    TickAfterReconnecting,
    TickAfterAway,
    TickAfterQueue,
    TickAfterLink,
    Restart,
}

const STEPS: [Step; 20] = [
    Step::Join,
    Step::JoinNameless,
    Step::Download,
    Step::Wait,
    Step::PickUp(CREATOR),
    Step::PickUp(OTHER),
    Step::Report,
    Step::EndByUser,
    Step::EndBy(CREATOR),
    Step::EndBy(OTHER),
    Step::LegLost,
    Step::Return,
    Step::Close,
    Step::ConsoleLeft,
    Step::Tick,
    Step::TickAfterReconnecting,
    Step::TickAfterAway,
    Step::TickAfterQueue,
    Step::TickAfterLink,
    Step::Restart,
];

impl Step {
    fn passes(self) -> u64 {
        match self {
            Step::TickAfterQueue => WAITING_LIFE_MICROS,
            Step::TickAfterLink => LINK_LIFE,
            Step::TickAfterReconnecting => RECONNECTING_MICROS,
            Step::TickAfterAway => AWAY_LIFE_MICROS,
            _ => 1,
        }
    }

    fn command(self) -> Command {
        match self {
            Step::Join => Command::Join { name: " Una User ".into() },
            Step::JoinNameless => Command::Join { name: " \u{7}".into() },
            Step::Download => Command::Downloaded { platform: Platform::LinuxX86_64 },
            Step::Wait => Command::ApplicationWaiting { address: "192.0.2.7".into() },
            Step::PickUp(technician) => Command::PickUp { technician },
            Step::Report => {
                Command::AppletReport(Report { kind: ReportKind::Granted, detail: "desktop_view".into() })
            }
            Step::EndByUser => Command::End { by: Ender::EndUser },
            Step::EndBy(member) => Command::End { by: Ender::Technician(member) },
            Step::LegLost => Command::LegLost,
            Step::Return => Command::AppletReturned { address: "198.51.100.9".into() },
            Step::Close => Command::AppletClosed,
            Step::ConsoleLeft => Command::ConsoleLeft,
            step if step.ticks() => Command::Tick,
            _ => Command::ServerRestarted,
        }
    }

    fn ticks(self) -> bool {
        matches!(
            self,
            Step::Tick
                | Step::TickAfterReconnecting
                | Step::TickAfterAway
                | Step::TickAfterQueue
                | Step::TickAfterLink
        )
    }
}

/// The reference: what took effect, and when.
#[derive(Clone, Default)]
struct Reference {
    effects: Vec<(Step, u64)>,
    ended: Option<(Phase, EndedBy, u64)>,
}

impl Reference {
    fn when(&self, wanted: impl Fn(Step) -> bool) -> Option<(Step, u64)> {
        self.effects.iter().copied().find(|(step, _)| wanted(*step))
    }

    fn technician(&self) -> Option<MemberId> {
        self.when(|step| matches!(step, Step::PickUp(_))).and_then(|(step, _)| match step {
            Step::PickUp(member) => Some(member),
            _ => None,
        })
    }

    fn waiting_since(&self) -> Option<u64> {
        self.when(|step| step == Step::Wait).map(|(_, at)| at)
    }

    /// Since when the applet is away, and whether anybody has called that offline.
    fn away(&self) -> Option<(u64, bool)> {
        let back = self.effects.iter().rposition(|(step, _)| matches!(step, Step::Wait | Step::Return))?;
        let since_back = &self.effects[back..];
        let (_, lost) = *since_back.iter().find(|(step, _)| matches!(step, Step::LegLost | Step::Restart))?;
        let offline = since_back.iter().any(|(step, at)| step.ticks() && *at >= lost + RECONNECTING_MICROS);
        Some((lost, offline))
    }

    /// What counts, each µs looked at by the absence it lies in: from the pick-up to `until` without what was offline.
    fn total(&self, until: u64) -> u64 {
        let Some((_, from)) = self.when(|step| matches!(step, Step::PickUp(_))) else { return 0 };
        let mut lost = None;
        let mut total = until - from;
        let returns = self.effects.iter().copied().chain([(Step::Return, until)]);
        for (step, at) in returns.filter(|(_, at)| (from..=until).contains(at)) {
            match step {
                Step::LegLost | Step::Restart => lost = lost.or(Some(at)),
                Step::Return => {
                    let away = lost.take().map_or(0, |lost| at - lost);
                    total -= away.saturating_sub(RECONNECTING_MICROS);
                }
                _ => {}
            }
        }
        total
    }

    /// `Ok(kinds of events)` or the refusal that must come.
    fn step(&mut self, step: Step, now: u64) -> Result<Vec<&'static str>, Refusal> {
        let waits = self.waiting_since().is_some();
        let over = self.ended.is_some();
        let joined = self.when(|step| step == Step::Join).is_some();
        let away = self.away();
        let answer = match step {
            Step::LegLost | Step::Restart if waits && !over && away.is_none() => vec!["connection_lost"],
            Step::ConsoleLeft if !over && (self.technician().is_some() || away.is_some()) => {
                vec!["console_left"]
            }
            Step::ConsoleLeft => vec![],
            Step::Close if waits && !over => {
                return Ok(self.end(Phase::Aborted, EndedBy::System, now, away.is_none()));
            }
            step if step.ticks() && !over => {
                let due = match (away, self.technician(), self.waiting_since()) {
                    (Some((lost, _)), _, _) => now - lost >= AWAY_LIFE_MICROS,
                    (None, Some(_), _) => false,
                    (None, None, Some(since)) => now - since >= WAITING_LIFE_MICROS,
                    (None, None, None) => now >= LINK_LIFE,
                };
                if due {
                    return Ok(self.end(Phase::TimedOut, EndedBy::System, now, false));
                }
                match away {
                    Some((lost, false)) if now - lost >= RECONNECTING_MICROS => vec!["offline"],
                    _ => vec![],
                }
            }
            step if step.ticks() || matches!(step, Step::LegLost | Step::Restart | Step::Close) => vec![],
            Step::Return if !over && !waits => return Err(Refusal::NotWaiting),
            Step::Return if !over => vec!["reconnected"],
            Step::EndByUser | Step::EndBy(_) if over => vec![],
            Step::EndByUser => return Ok(self.end(Phase::Closed, EndedBy::EndUser, now, false)),
            Step::EndBy(member) => {
                let holder = self.technician();
                if holder.is_some_and(|holder| holder != member) || (!waits && member != CREATOR) {
                    return Err(Refusal::NotYours);
                }
                return Ok(self.end(Phase::Closed, EndedBy::Technician, now, false));
            }
            _ if over => return Err(Refusal::Ended),
            Step::Join if joined => return Err(Refusal::AlreadyJoined),
            Step::JoinNameless if joined => return Err(Refusal::AlreadyJoined),
            Step::JoinNameless => return Err(Refusal::BadName),
            Step::Download | Step::Wait if waits => return Err(Refusal::AlreadyAdmitted),
            Step::Download if !joined => return Err(Refusal::NotJoined),
            Step::Wait if self.when(|step| step == Step::Download).is_none() => {
                return Err(Refusal::NotDownloaded);
            }
            Step::PickUp(_) if away.is_some() && self.technician().is_none() => return Err(Refusal::Away),
            Step::PickUp(_) if !waits || self.technician().is_some() => return Err(Refusal::NotWaiting),
            Step::Report if self.technician().is_none() => return Err(Refusal::NotActive),
            Step::Join => vec!["joined"],
            Step::Download => vec!["downloaded"],
            Step::Wait => vec!["waiting"],
            Step::PickUp(_) => vec!["picked_up"],
            _ => vec!["granted"],
        };
        self.effects.push((step, now));
        Ok(answer)
    }

    fn end(&mut self, phase: Phase, by: EndedBy, now: u64, lost: bool) -> Vec<&'static str> {
        self.ended = Some((phase, by, now));
        if lost { vec!["connection_lost", "ended"] } else { vec!["ended"] }
    }

    fn phase(&self) -> Phase {
        if let (None, Some((_, offline))) = (self.ended, self.away()) {
            return if offline { Phase::Offline } else { Phase::Reconnecting };
        }
        match (self.ended, self.technician(), self.waiting_since()) {
            (Some((phase, ..)), _, _) => phase,
            (None, Some(_), _) => Phase::Active,
            (None, None, Some(_)) => Phase::Waiting,
            (None, None, None) => Phase::Connecting,
        }
    }
}

fn check_step(before: &State, reference: &mut Reference, step: Step, now: u64, history: &[Step]) -> State {
    let expected = reference.step(step, now);
    let found = decide(before, step.command(), Moment(now));
    let context = || format!("after {history:?}: {step:?}");
    let after = match (expected, found) {
        (Ok(kinds), Ok((after, events))) => {
            assert_eq!(events.iter().map(Event::kind).collect::<Vec<_>>(), kinds, "{}", context());
            after
        }
        (Err(expected), Err(found)) => {
            assert_eq!(found, expected, "{}", context());
            before.clone()
        }
        (expected, found) => panic!("{}: expected {expected:?}, found {found:?}", context()),
    };
    check_invariants(before, &after, &context);
    assert_eq!(after.phase, reference.phase(), "{}", context());
    assert_eq!(after.technician, reference.technician(), "{}", context());
    assert_eq!(after.waiting_at.map(|at| at.0), reference.waiting_since(), "{}", context());
    let ended = after.ended_at.zip(after.ended_by).map(|(at, by)| (after.phase, by, at.0));
    assert_eq!(ended, reference.ended, "{}", context());
    let until = reference.ended.map_or(now, |(.., at)| at);
    assert_eq!(after.total_micros(Moment(now)), reference.total(until), "total time {}", context());
    after
}

fn check_invariants(before: &State, after: &State, context: &dyn Fn() -> String) {
    if before.phase.is_ended() {
        assert_eq!(after, before, "an ended session changed {}", context());
    }
    assert_eq!(after.phase.is_ended(), after.ended_at.is_some(), "{}", context());
    assert_eq!(after.ended_at.is_some(), after.ended_by.is_some(), "{}", context());
    assert_eq!(after.active_at.is_some(), after.technician.is_some(), "{}", context());
    let away = matches!(after.phase, Phase::Reconnecting | Phase::Offline);
    assert_eq!(away, after.lost_at.is_some(), "{}", context());
    if after.phase == Phase::Active && before.phase != Phase::Active {
        let may = before.phase == Phase::Waiting || (before.lost_at.is_some() && before.technician.is_some());
        assert!(may, "active without waiting {}", context());
    }
    if after.phase == Phase::Waiting && before.lost_at.is_some() {
        assert!(before.technician.is_none(), "an active session came back as a waiting one {}", context());
    }
    if after.waiting_at.is_some() {
        let known =
            after.end_user_name.is_some() && after.platform.is_some() && after.end_user_address.is_some();
        assert!(known, "waiting without a name, platform or address {}", context());
    }
    for (was, is) in [
        (before.waiting_at, after.waiting_at),
        (before.active_at, after.active_at),
        (before.ended_at, after.ended_at),
    ] {
        assert!(was.is_none() || was == is, "a time was set twice {}", context());
    }
    assert!(before.technician.is_none() || before.technician == after.technician, "{}", context());
}

fn start() -> State {
    create(CREATOR, Moment(LINK_LIFE), Moment(0)).0
}

/// Goes down every history of a length.
fn every_history(state: &State, reference: &Reference, now: u64, history: &mut Vec<Step>, left: u32) -> u64 {
    if left == 0 {
        return 1;
    }
    let mut count = 0;
    for step in STEPS {
        let mut reference = reference.clone();
        let later = now + step.passes();
        let next = check_step(state, &mut reference, step, later, history);
        history.push(step);
        count += every_history(&next, &reference, later, history, left - 1);
        history.pop();
    }
    count
}

#[test]
fn every_history_of_five_commands_agrees_with_the_reference() {
    let count = every_history(&start(), &Reference::default(), 0, &mut Vec::new(), 5);
    assert_eq!(count, 20u64.pow(5));
}

#[test]
fn every_history_of_four_commands_after_waiting_after_pick_up_and_after_a_loss_agrees_with_the_reference() {
    for lead in [
        &[Step::Join, Step::Download, Step::Wait][..],
        &[Step::Join, Step::Download, Step::Wait, Step::PickUp(OTHER)][..],
        &[Step::Join, Step::Download, Step::Wait, Step::LegLost][..],
        &[Step::Join, Step::Download, Step::Wait, Step::PickUp(OTHER), Step::Restart][..],
    ] {
        let (mut state, mut reference, mut now) = (start(), Reference::default(), 0);
        for (at, step) in lead.iter().enumerate() {
            now += step.passes();
            state = check_step(&state, &mut reference, *step, now, &lead[..at]);
        }
        every_history(&state, &reference, now, &mut lead.to_vec(), 4);
    }
}

#[test]
fn long_random_histories_agree_with_the_reference() {
    let mut random = fastrand::Rng::with_seed(20_261_123);
    let mut phases = [0u32; 8];
    for _ in 0..100_000 {
        let (mut state, mut reference, mut now) = (start(), Reference::default(), 0);
        let mut history = Vec::new();
        let mut ends = 0;
        for _ in 0..40 {
            // Mostly on the way to an active session, so that the far states are reached often.
            let step = if random.u8(..) < 90 {
                match state.phase {
                    Phase::Connecting if state.end_user_name.is_none() => Step::Join,
                    Phase::Connecting if state.platform.is_none() => Step::Download,
                    Phase::Connecting => Step::Wait,
                    _ => Step::Report,
                }
            } else {
                STEPS[random.usize(..STEPS.len())]
            };
            now += step.passes();
            let before = state.phase;
            state = check_step(&state, &mut reference, step, now, &history);
            ends += u32::from(!before.is_ended() && state.phase.is_ended());
            history.push(step);
        }
        assert!(ends <= 1, "{history:?}");
        phases[Phase::ALL.iter().position(|phase| *phase == state.phase).unwrap()] += 1;
    }
    assert!(phases.iter().filter(|count| **count > 0).count() >= 6, "the walk is too timid: {phases:?}");
}

#[test]
fn names_are_trimmed_and_bounded() {
    let join = |name: &str| decide(&start(), Command::Join { name: name.into() }, Moment(1));
    assert_eq!(join(" Ünal \n").unwrap().0.end_user_name.as_deref(), Some("Ünal"));
    assert!(join(&"ü".repeat(64)).is_ok());
    for name in ["", "  ", &"x".repeat(65), "a\u{0}b", "a\nb"] {
        assert_eq!(join(name).unwrap_err(), Refusal::BadName, "{name:?}");
    }
}

#[test]
fn words_read_back() {
    for phase in Phase::ALL {
        assert_eq!(phase.word().parse(), Ok(*phase));
    }
    for platform in Platform::ALL {
        assert_eq!(platform.word().parse(), Ok(*platform));
    }
    assert!("Waiting".parse::<Phase>().is_err());
}

#[test]
fn five_minutes_make_offline_and_twelve_hours_the_end_and_offline_is_not_counted() {
    const MINUTE: u64 = 60 * 1_000_000;
    let mut now = 0;
    let mut state = start();
    let mut after = |minutes: u64, step: Step| {
        now += minutes * MINUTE;
        state = decide(&state, step.command(), Moment(now)).unwrap().0;
        (state.phase, state.total_micros(Moment(now)) / MINUTE)
    };
    for step in [Step::Join, Step::Download, Step::Wait] {
        after(0, step);
    }
    assert_eq!(after(1, Step::LegLost), (Phase::Reconnecting, 0));
    assert_eq!(after(4, Step::Tick), (Phase::Reconnecting, 0));
    assert_eq!(after(1, Step::Tick), (Phase::Offline, 0));
    assert_eq!(after(1, Step::Return), (Phase::Waiting, 0));
    assert_eq!(after(1, Step::PickUp(OTHER)), (Phase::Active, 0));
    assert_eq!(after(10, Step::Restart), (Phase::Reconnecting, 10));
    assert_eq!(after(3, Step::Return), (Phase::Active, 13), "reconnecting is counted");
    assert_eq!(after(0, Step::LegLost), (Phase::Reconnecting, 13));
    assert_eq!(after(60, Step::Tick), (Phase::Offline, 18), "offline is not");
    assert_eq!(after(60, Step::Return), (Phase::Active, 18));
    assert_eq!(after(1, Step::LegLost), (Phase::Reconnecting, 19));
    assert_eq!(after(12 * 60 - 1, Step::Tick), (Phase::Offline, 24));
    assert_eq!(after(1, Step::Tick), (Phase::TimedOut, 24));
}
