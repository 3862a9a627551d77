//! A second, simpler account of the rules runs beside the machine: over all short histories, and over a million random steps.

use std::collections::VecDeque;

use belay_wire::input::Input as Mouse;
use belay_wire::message::Outcome;
use belay_wire::{Message, Moment, Right, Rights, SessionId};

use crate::{
    Admission, Answer, Charter, Denied, EndReason, Hidden, Input, Output, Permission, PromptId, RevokeCause,
};

const SECOND: u64 = 1_000_000;

/// Flat variables and one `if` per sentence of the specification; times in seconds.
#[derive(Clone, Debug)]
struct Model {
    terms: Terms,
    now: u64,
    charter_until: Option<u64>,
    view: bool,
    control: bool,
    /// prompt number, asks for view, asks for control, shown at
    prompt: Option<(u32, bool, bool, u64)>,
    prompts: u32,
    away: bool,
    over: bool,
}

#[derive(Clone, Copy, Debug)]
struct Terms {
    view: bool,
    control: bool,
    single: bool,
    life: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Charter,
    Request { view: bool, control: bool },
    Cancel,
    Allow,
    AllowOld,
    Refuse,
    Withdraw { view: bool, control: bool },
    Release { view: bool, control: bool },
    Fail,
    PairingLost,
    Interrupted,
    Resumed,
    Offline,
    End(EndReason),
    Wait(u64),
}

/// What the model foretells of one step; the order among different kinds is checked by the invariants.
#[derive(Debug, Default, PartialEq, Eq)]
struct Foretold {
    decisions: Vec<(Rights, Outcome)>,
    granted: Vec<Rights>,
    revoked: Vec<Rights>,
    shown: u32,
    hidden: u32,
    ended: u32,
}

fn set(view: bool, control: bool) -> Rights {
    let mut rights = Rights::NONE;
    if view {
        rights = rights.with(Right::DesktopView);
    }
    if control {
        rights = rights.with(Right::RemoteControl);
    }
    rights
}

impl Model {
    fn new(terms: Terms) -> Model {
        Model {
            terms,
            now: 0,
            charter_until: None,
            view: false,
            control: false,
            prompt: None,
            prompts: 0,
            away: false,
            over: false,
        }
    }

    fn lose_everything(&mut self, f: &mut Foretold) {
        if self.view || self.control {
            f.revoked.push(set(self.view, self.control));
        }
        f.hidden += u32::from(self.prompt.is_some());
        (self.view, self.control, self.prompt, self.charter_until) = (false, false, None, None);
    }

    fn finish(&mut self, f: &mut Foretold) {
        self.lose_everything(f);
        self.over = true;
        f.ended = 1;
    }

    fn stop(&mut self, view: bool, control: bool, refusal: Outcome, f: &mut Foretold) {
        let (had_view, had_control) = (self.view, self.control);
        if !(view && had_view || control && had_control) {
            return;
        }
        if view && had_view {
            if had_control && !control {
                f.revoked.push(set(false, true));
            }
            f.revoked.push(set(true, control && had_control));
            (self.view, self.control) = (false, false);
            if let Some((_, asks_view, asks_control, _)) = self.prompt
                && asks_control
                && !asks_view
            {
                f.hidden += 1;
                f.decisions.push((set(false, true), refusal));
                self.prompt = None;
            }
        } else {
            f.revoked.push(set(false, true));
            self.control = false;
        }
    }

    fn step(&mut self, step: Step) -> Foretold {
        let mut f = Foretold::default();
        if let Step::Wait(seconds) = step {
            self.now += seconds;
        }
        if self.over {
            return f;
        }
        if self.charter_until.is_some_and(|until| self.now >= until) {
            self.finish(&mut f);
            return f;
        }
        if let Some((_, view, control, shown)) = self.prompt
            && self.now >= shown + 30
        {
            self.prompt = None;
            f.hidden += 1;
            f.decisions.push((set(view, control), Outcome::TimedOut));
        }
        match step {
            Step::Wait(_) | Step::AllowOld => {}
            Step::Charter => {
                if self.charter_until.is_none() {
                    self.charter_until = Some(self.now + self.terms.life);
                }
            }
            Step::Request { view, control } => {
                let beyond = view && !self.terms.view || control && !self.terms.control;
                let has_already = view && self.view || control && self.control;
                let no_view = control && !view && !self.view;
                let outcome = if self.charter_until.is_none() || self.away || !(view || control) {
                    Some(Outcome::OutOfOrder)
                } else if beyond {
                    Some(Outcome::NotAllowed)
                } else if self.prompt.is_some() {
                    Some(Outcome::Busy)
                } else if has_already || no_view {
                    Some(Outcome::OutOfOrder)
                } else if view && control && !self.terms.single {
                    Some(Outcome::NotAllowed)
                } else {
                    None
                };
                match outcome {
                    Some(outcome) => f.decisions.push((set(view, control), outcome)),
                    None => {
                        self.prompts += 1;
                        self.prompt = Some((self.prompts, view, control, self.now));
                        f.shown = 1;
                    }
                }
            }
            Step::Cancel => f.hidden += u32::from(self.prompt.take().is_some()),
            Step::Allow => {
                if let Some((_, view, control, shown)) = self.prompt
                    && self.now >= shown + 3
                {
                    self.prompt = None;
                    self.view |= view;
                    self.control |= control;
                    f.hidden += 1;
                    f.decisions.push((set(view, control), Outcome::Granted));
                    f.granted.push(set(view, control));
                }
            }
            Step::Refuse => {
                if let Some((_, view, control, _)) = self.prompt.take() {
                    f.hidden += 1;
                    f.decisions.push((set(view, control), Outcome::Refused));
                }
            }
            Step::Withdraw { view, control } => self.stop(view, control, Outcome::Refused, &mut f),
            Step::Release { view, control } => self.stop(view, control, Outcome::OutOfOrder, &mut f),
            Step::Fail => self.stop(true, false, Outcome::OutOfOrder, &mut f),
            Step::PairingLost => {
                self.away = false;
                if self.charter_until.is_some() {
                    self.lose_everything(&mut f);
                }
            }
            Step::Interrupted => {
                self.away = true;
                if let Some((_, view, control, _)) = self.prompt.take() {
                    f.hidden += 1;
                    f.decisions.push((set(view, control), Outcome::TimedOut));
                }
            }
            Step::Resumed => self.away = false,
            Step::Offline => {
                if self.away && (self.view || self.control) {
                    f.revoked.push(set(self.view, self.control));
                    (self.view, self.control) = (false, false);
                }
            }
            Step::End(_) => self.finish(&mut f),
        }
        f
    }
}

/// Machine and model side by side.
#[derive(Clone)]
struct Pair {
    machine: Permission,
    model: Model,
}

impl Pair {
    fn new(terms: Terms) -> Pair {
        Pair { machine: Permission::new(), model: Model::new(terms) }
    }

    fn input(&self, step: Step) -> Input {
        let open = self.model.prompt.map_or(self.model.prompts, |(number, ..)| number);
        match step {
            Step::Charter => Input::CharterAccepted(Charter {
                session: SessionId::from_bytes([1; 16]),
                account: String::new(),
                technician: String::new(),
                domain: String::new(),
                rights: set(self.model.terms.view, self.model.terms.control),
                single_prompt: self.model.terms.single,
                expires: Moment((self.model.now + self.model.terms.life) * SECOND),
            }),
            Step::Request { view, control } => {
                Input::Request { request: self.model.prompts + 1, rights: set(view, control) }
            }
            Step::Cancel => Input::Cancel { request: open },
            Step::Allow => Input::Answer { prompt: PromptId(open), answer: Answer::Allow },
            Step::AllowOld => Input::Answer { prompt: PromptId(open.wrapping_sub(1)), answer: Answer::Allow },
            Step::Refuse => Input::Answer { prompt: PromptId(open), answer: Answer::Refuse },
            Step::Withdraw { view, control } => Input::Withdraw(set(view, control)),
            Step::Release { view, control } => Input::Release(set(view, control)),
            Step::Fail => Input::Failed(set(true, false)),
            Step::PairingLost => Input::PairingLost,
            Step::Interrupted => Input::Interrupted,
            Step::Resumed => Input::Resumed,
            Step::Offline => Input::Offline,
            Step::End(why) => Input::EndAll(why),
            Step::Wait(_) => Input::Tick,
        }
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        let (input, before) = (self.input(step), self.machine.effective());
        let foretold = self.model.step(step);
        self.machine.handle(input, Moment(self.model.now * SECOND));
        let mut seen = Foretold::default();
        let mut held = before;
        while let Some(output) = self.machine.poll() {
            if seen.ended > 0 {
                return Err(format!("{output:?} after the end"));
            }
            match output {
                Output::ShowPrompt { answerable_at, expires_at, .. } => {
                    seen.shown += 1;
                    if expires_at.since(answerable_at).as_secs() != 27 {
                        return Err("a prompt lives 30 s, 3 of them locked".into());
                    }
                }
                Output::HidePrompt { why, .. } => {
                    seen.hidden += 1;
                    if why == Hidden::Answered(Answer::Allow) && step != Step::Allow {
                        return Err("allowed without an answer".into());
                    }
                }
                Output::Decide { rights, outcome, .. } => seen.decisions.push((rights, outcome)),
                Output::Granted(rights) => {
                    held = held.union(rights);
                    seen.granted.push(rights);
                }
                Output::Revoked { rights, cause } => {
                    if rights.is_empty() || !held.includes(rights) {
                        return Err(format!("{rights:?} revoked, {held:?} held"));
                    }
                    if cause == RevokeCause::Dependent && rights != set(false, true) {
                        return Err("only control depends on something".into());
                    }
                    held = held.without(rights);
                    seen.revoked.push(rights);
                }
                Output::Ended(_) => seen.ended += 1,
            }
        }
        self.compare(&foretold, &seen, held)
    }

    fn compare(&self, foretold: &Foretold, seen: &Foretold, held: Rights) -> Result<(), String> {
        let effective = self.machine.effective();
        let terms = set(self.model.terms.view, self.model.terms.control);
        if foretold != seen {
            return Err(format!("foretold {foretold:?}, seen {seen:?}"));
        }
        if held != effective || effective != set(self.model.view, self.model.control) {
            return Err(format!("announced {held:?}, effective {effective:?}"));
        }
        if !terms.includes(effective) {
            return Err("more than the charter allows".into());
        }
        if effective.contains(Right::RemoteControl) && !effective.contains(Right::DesktopView) {
            return Err("control without view".into());
        }
        if self.machine.is_ended() != self.model.over {
            return Err("one of them is over".into());
        }
        if self.model.away && self.model.prompt.is_some() {
            return Err("somebody is asked who cannot be answered".into());
        }
        let due = self.model.prompt.map(|(.., shown)| shown + 30);
        let due = [due, self.model.charter_until].into_iter().flatten().min();
        if self.machine.next_timeout() != due.map(|at| Moment(at * SECOND)) {
            return Err(format!("wakes at {:?}, due at {due:?}", self.machine.next_timeout()));
        }
        for (message, right) in [
            (Message::ScreenResync, Right::DesktopView),
            (Message::Input(Mouse::ReleaseAll), Right::RemoteControl),
        ] {
            let admitted = match self.machine.admit(&message) {
                Ok(Admission::With(admitted)) => admitted.right() == right,
                Ok(Admission::Free) => return Err("free, but it needs a right".into()),
                Err(denied) => {
                    if denied != (Denied { right, kind: message.kind() }) {
                        return Err(format!("denied as {denied:?}"));
                    }
                    false
                }
            };
            if admitted != (effective.contains(right) && !self.model.away) {
                return Err(format!("{right:?} admitted: {admitted}"));
            }
        }
        Ok(())
    }
}

const TERMS: [Terms; 4] = [
    Terms { view: true, control: true, single: true, life: 1000 },
    Terms { view: true, control: true, single: false, life: 40 },
    Terms { view: true, control: false, single: true, life: 1000 },
    Terms { view: false, control: true, single: true, life: 1000 },
];

const SHORT: [Step; 16] = [
    Step::Charter,
    Step::Request { view: true, control: false },
    Step::Request { view: false, control: true },
    Step::Request { view: true, control: true },
    Step::Cancel,
    Step::Allow,
    Step::Refuse,
    Step::Withdraw { view: true, control: false },
    Step::Release { view: false, control: true },
    Step::PairingLost,
    Step::Interrupted,
    Step::Resumed,
    Step::Offline,
    Step::End(EndReason::PanicKey),
    Step::Wait(3),
    Step::Wait(27),
];

fn all(pair: &Pair, depth: usize, history: &mut VecDeque<Step>) -> u64 {
    if depth == 0 {
        return 1;
    }
    let mut count = 0;
    for step in SHORT {
        let mut next = pair.clone();
        history.push_back(step);
        if let Err(why) = next.step(step) {
            panic!("{why}, after {history:?}");
        }
        count += all(&next, depth - 1, history);
        history.pop_back();
    }
    count
}

#[test]
fn all_histories_of_six_steps_keep_to_the_model() {
    for terms in &TERMS[..3] {
        assert_eq!(all(&Pair::new(*terms), 6, &mut VecDeque::new()), 16u64.pow(6));
    }
}

/// Starts after a grant of view, so that the short histories reach control and its withdrawal too.
#[test]
fn all_histories_of_five_steps_after_a_grant_keep_to_the_model() {
    for terms in &TERMS[..2] {
        let mut pair = Pair::new(*terms);
        for step in [Step::Charter, Step::Request { view: true, control: false }, Step::Wait(3), Step::Allow]
        {
            pair.step(step).unwrap();
        }
        assert_eq!(pair.machine.effective(), set(true, false));
        all(&pair, 5, &mut VecDeque::new());
    }
}

#[test]
fn a_million_random_steps_keep_to_the_model() {
    let mut random = fastrand::Rng::with_seed(0x0be1_a701);
    let (mut steps, mut both_held) = (0u32, 0u32);
    while steps < 1_000_000 {
        let terms = TERMS[random.usize(..TERMS.len())];
        let mut pair = Pair::new(terms);
        let mut history = Vec::new();
        for _ in 0..random.u32(1..120) {
            let (view, control) = (random.bool(), random.bool());
            let step = match random.u32(..40) {
                0..5 => Step::Charter,
                5..13 => Step::Request { view, control },
                13 => Step::Cancel,
                14..22 => Step::Allow,
                22 => Step::AllowOld,
                23 => Step::Refuse,
                24 => Step::Withdraw { view, control },
                25 => Step::Release { view, control },
                26 => Step::Fail,
                27 => Step::PairingLost,
                31 if random.bool() => Step::Interrupted,
                32 | 33 => Step::Resumed,
                34 if random.bool() => Step::Offline,
                28 if random.u8(..5) == 0 => Step::End(EndReason::LinkLost),
                _ => Step::Wait(random.u64(..12)),
            };
            history.push(step);
            steps += 1;
            if let Err(why) = pair.step(step) {
                panic!("{why}, after {terms:?} {history:?}");
            }
            both_held += u32::from(pair.machine.effective().len() == 2);
        }
    }
    assert!(
        both_held > 10_000,
        "the walk must reach what it is about, it held both rights {both_held} times"
    );
}

#[test]
fn an_allow_within_the_safety_delay_leaves_the_prompt_open() {
    let mut pair = Pair::new(TERMS[0]);
    pair.step(Step::Charter).unwrap();
    pair.step(Step::Request { view: true, control: false }).unwrap();
    pair.step(Step::Wait(2)).unwrap();
    pair.step(Step::Allow).unwrap();
    assert_eq!(pair.machine.effective(), Rights::NONE);
    pair.step(Step::Wait(1)).unwrap();
    pair.step(Step::Allow).unwrap();
    assert_eq!(pair.machine.effective(), set(true, false));
}

#[test]
fn an_interruption_keeps_what_is_granted_and_admits_nothing_of_it() {
    let mut pair = Pair::new(TERMS[0]);
    for step in [Step::Charter, Step::Request { view: true, control: true }, Step::Wait(3), Step::Allow] {
        pair.step(step).unwrap();
    }
    pair.step(Step::Interrupted).unwrap();
    assert_eq!((pair.machine.effective(), pair.machine.usable()), (set(true, true), Rights::NONE));
    pair.step(Step::Resumed).unwrap();
    assert_eq!(pair.machine.usable(), set(true, true));
    pair.step(Step::Interrupted).unwrap();
    pair.step(Step::Offline).unwrap();
    pair.step(Step::Resumed).unwrap();
    assert_eq!(pair.machine.effective(), Rights::NONE);
    assert!(pair.machine.charter().is_some(), "the technician can ask again");
}

#[test]
fn an_expired_charter_opens_nothing() {
    let mut machine = Permission::new();
    let pair = Pair::new(Terms { life: 0, ..TERMS[0] });
    machine.handle(pair.input(Step::Charter), Moment(0));
    assert_eq!(machine.poll(), Some(Output::Ended(EndReason::CharterExpired)));
    assert!(machine.is_ended());
}
