//! The state machine: no charter → open → ended, with at most one prompt.

use std::collections::VecDeque;

use belay_wire::message::Outcome;
use belay_wire::{Moment, Right, Rights};

use crate::words::{Answer, Charter, EndReason, Hidden, Input, Output, PromptId, RevokeCause};
use crate::{PROMPT_LIFE, SAFETY_DELAY};

/// What the end user has allowed, for one run of the applet.
#[derive(Clone, Debug)]
pub struct Permission {
    state: State,
    way: Way,
    next_prompt: u32,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Debug)]
enum State {
    NoCharter,
    Open(Open),
    Ended,
}

/// Whether the technician can be reached.
// INVARIANT: no prompt is open while it is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Clear,
    Interrupted,
}

#[derive(Clone, Debug)]
struct Open {
    charter: Charter,
    /// INVARIANT: remote control only together with desktop view.
    granted: Rights,
    prompt: Option<Prompt>,
}

#[derive(Clone, Copy, Debug)]
struct Prompt {
    id: PromptId,
    request: u32,
    rights: Rights,
    answerable_at: Moment,
    expires_at: Moment,
}

impl Default for Permission {
    fn default() -> Self {
        Self::new()
    }
}

impl Permission {
    /// A machine that has allowed nothing and knows no charter.
    pub fn new() -> Self {
        Self { state: State::NoCharter, way: Way::Clear, next_prompt: 1, outputs: VecDeque::new() }
    }

    /// Takes in what happened at `now`. What has run out by `now` is dealt with first, so a late answer answers nothing.
    pub fn handle(&mut self, input: Input, now: Moment) {
        self.run_out(now);
        match input {
            Input::Tick => {}
            Input::CharterAccepted(charter) => {
                if matches!(self.state, State::NoCharter) {
                    self.state = State::Open(Open { charter, granted: Rights::NONE, prompt: None });
                    self.run_out(now);
                }
            }
            Input::Request { request, rights } => self.request(request, rights, now),
            Input::Cancel { request } => self.cancel(request),
            Input::Answer { prompt, answer } => self.answer(prompt, answer, now),
            Input::Withdraw(rights) => self.revoke(rights, RevokeCause::EndUser),
            Input::Release(rights) => self.revoke(rights, RevokeCause::Technician),
            Input::Failed(rights) => self.revoke(rights, RevokeCause::Failure),
            Input::PairingLost => self.pairing_lost(),
            Input::Interrupted => self.interrupted(),
            Input::Resumed => self.way = Way::Clear,
            Input::Offline => self.offline(),
            Input::EndAll(why) => self.end(why),
        }
    }

    /// The next thing to do; drain it after every [`Permission::handle`].
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call with [`Input::Tick`] at the latest.
    pub fn next_timeout(&self) -> Option<Moment> {
        let State::Open(open) = &self.state else { return None };
        let prompt = open.prompt.map(|prompt| prompt.expires_at);
        Some(prompt.map_or(open.charter.expires, |at| at.min(open.charter.expires)))
    }

    /// The charter in force.
    pub fn charter(&self) -> Option<&Charter> {
        match &self.state {
            State::Open(open) => Some(&open.charter),
            State::NoCharter | State::Ended => None,
        }
    }

    /// What holds right now: charter **and** grant. While the way to the technician is interrupted it holds, but admits nothing.
    pub fn effective(&self) -> Rights {
        match &self.state {
            State::Open(open) => open.charter.rights.intersection(open.granted),
            State::NoCharter | State::Ended => Rights::NONE,
        }
    }

    /// What may be done right now: what holds, unless the way to the technician is interrupted.
    pub fn usable(&self) -> Rights {
        match self.way {
            Way::Clear => self.effective(),
            Way::Interrupted => Rights::NONE,
        }
    }

    /// Whether everything is over.
    pub fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    fn run_out(&mut self, now: Moment) {
        let State::Open(open) = &mut self.state else { return };
        if now >= open.charter.expires {
            return self.end(EndReason::CharterExpired);
        }
        if let Some(prompt) = open.prompt.take_if(|prompt| now >= prompt.expires_at) {
            self.close(prompt, Hidden::TimedOut, Some(Outcome::TimedOut));
        }
    }

    fn request(&mut self, request: u32, rights: Rights, now: Moment) {
        let outcome = match &self.state {
            // Nothing is said after the end: the end itself was the answer.
            State::Ended => return,
            State::NoCharter => Some(Outcome::OutOfOrder),
            // Who cannot be reached cannot ask; whatever claims to come from them comes at the wrong time.
            State::Open(_) if self.way == Way::Interrupted => Some(Outcome::OutOfOrder),
            State::Open(open) => open.objection(rights),
        };
        if let Some(outcome) = outcome {
            return self.outputs.push_back(Output::Decide { request, rights, outcome });
        }
        let State::Open(open) = &mut self.state else { return };
        let prompt = Prompt {
            id: PromptId(self.next_prompt),
            request,
            rights,
            answerable_at: now + SAFETY_DELAY,
            expires_at: now + PROMPT_LIFE,
        };
        self.next_prompt = self.next_prompt.wrapping_add(1);
        open.prompt = Some(prompt);
        self.outputs.push_back(Output::ShowPrompt {
            prompt: prompt.id,
            request,
            rights,
            answerable_at: prompt.answerable_at,
            expires_at: prompt.expires_at,
        });
    }

    fn cancel(&mut self, request: u32) {
        let State::Open(open) = &mut self.state else { return };
        if let Some(prompt) = open.prompt.take_if(|prompt| prompt.request == request) {
            self.close(prompt, Hidden::Cancelled, None);
        }
    }

    fn answer(&mut self, id: PromptId, answer: Answer, now: Moment) {
        let State::Open(open) = &mut self.state else { return };
        let answered = open.prompt.take_if(|prompt| {
            prompt.id == id
                && match answer {
                    Answer::Allow => now >= prompt.answerable_at,
                    Answer::Refuse => true,
                }
        });
        let Some(prompt) = answered else { return };
        match answer {
            Answer::Refuse => self.close(prompt, Hidden::Answered(answer), Some(Outcome::Refused)),
            Answer::Allow => {
                open.granted = open.granted.union(prompt.rights);
                self.close(prompt, Hidden::Answered(answer), Some(Outcome::Granted));
                self.outputs.push_back(Output::Granted(prompt.rights));
            }
        }
    }

    /// Takes back what of `rights` is granted, and what depends on it.
    fn revoke(&mut self, rights: Rights, cause: RevokeCause) {
        let State::Open(open) = &mut self.state else { return };
        let direct = open.granted.intersection(rights);
        if direct.is_empty() {
            return;
        }
        open.granted = open.granted.without(direct);
        let dependent = open.orphans();
        open.granted = open.granted.without(dependent);
        let overtaken = open.prompt.take_if(|prompt| {
            prompt.rights.contains(Right::RemoteControl)
                && !prompt.rights.union(open.granted).contains(Right::DesktopView)
        });

        // Dependants first: the mouse stops before the picture does.
        if !dependent.is_empty() {
            self.outputs.push_back(Output::Revoked { rights: dependent, cause: RevokeCause::Dependent });
        }
        self.outputs.push_back(Output::Revoked { rights: direct, cause });
        if let Some(prompt) = overtaken {
            let outcome = match cause {
                RevokeCause::EndUser => Outcome::Refused,
                RevokeCause::Technician
                | RevokeCause::Dependent
                | RevokeCause::Failure
                | RevokeCause::Offline
                | RevokeCause::PairingLost
                | RevokeCause::Ended(_) => Outcome::OutOfOrder,
            };
            self.close(prompt, Hidden::Overtaken, Some(outcome));
        }
    }

    fn interrupted(&mut self) {
        self.way = Way::Interrupted;
        let State::Open(open) = &mut self.state else { return };
        if let Some(prompt) = open.prompt.take() {
            self.close(prompt, Hidden::Interrupted, Some(Outcome::TimedOut));
        }
    }

    /// Only an interruption can last too long.
    fn offline(&mut self) {
        let State::Open(open) = &mut self.state else { return };
        if self.way == Way::Clear || open.granted.is_empty() {
            return;
        }
        let rights = std::mem::replace(&mut open.granted, Rights::NONE);
        self.outputs.push_back(Output::Revoked { rights, cause: RevokeCause::Offline });
    }

    fn pairing_lost(&mut self) {
        self.way = Way::Clear;
        let State::Open(open) = &mut self.state else { return };
        let (granted, prompt) = (open.granted, open.prompt);
        self.state = State::NoCharter;
        self.drop_all(granted, prompt, RevokeCause::PairingLost, Hidden::PairingLost);
    }

    fn end(&mut self, why: EndReason) {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Ended => return,
            State::NoCharter => {}
            State::Open(open) => {
                self.drop_all(open.granted, open.prompt, RevokeCause::Ended(why), Hidden::Ended)
            }
        }
        self.outputs.push_back(Output::Ended(why));
    }

    fn drop_all(&mut self, granted: Rights, prompt: Option<Prompt>, cause: RevokeCause, why: Hidden) {
        if !granted.is_empty() {
            self.outputs.push_back(Output::Revoked { rights: granted, cause });
        }
        if let Some(prompt) = prompt {
            self.close(prompt, why, None);
        }
    }

    fn close(&mut self, prompt: Prompt, why: Hidden, outcome: Option<Outcome>) {
        self.outputs.push_back(Output::HidePrompt { prompt: prompt.id, why });
        if let Some(outcome) = outcome {
            let Prompt { request, rights, .. } = prompt;
            self.outputs.push_back(Output::Decide { request, rights, outcome });
        }
    }
}

impl Open {
    /// Why this request is not even put to the end user.
    fn objection(&self, rights: Rights) -> Option<Outcome> {
        if rights.is_empty() {
            return Some(Outcome::OutOfOrder);
        }
        if !self.charter.rights.includes(rights) {
            return Some(Outcome::NotAllowed);
        }
        if self.prompt.is_some() {
            return Some(Outcome::Busy);
        }
        if !self.granted.intersection(rights).is_empty() {
            return Some(Outcome::OutOfOrder);
        }
        let view_is_there = self.granted.union(rights).contains(Right::DesktopView);
        if rights.contains(Right::RemoteControl) && !view_is_there {
            return Some(Outcome::OutOfOrder);
        }
        if rights.len() > 1 && !self.charter.single_prompt {
            return Some(Outcome::NotAllowed);
        }
        None
    }

    /// Granted rights that cannot stand without one that is not granted.
    fn orphans(&self) -> Rights {
        if self.granted.contains(Right::DesktopView) {
            return Rights::NONE;
        }
        self.granted.intersection(Right::RemoteControl.into())
    }
}
