//! What goes into the permission machine and what comes out of it.

use belay_wire::message::{Cause, Outcome};
use belay_wire::{Moment, Rights, SessionId};

/// The website's signed word, as far as it matters here: already verified by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charter {
    /// Which session.
    pub session: SessionId,
    /// The company that helps. Hostile text.
    pub account: String,
    /// The person who helps. Hostile text.
    pub technician: String,
    /// The domain the website vouches for. Hostile text.
    pub domain: String,
    /// What may be asked at most.
    pub rights: Rights,
    /// Whether several rights may be asked in one prompt.
    pub single_prompt: bool,
    /// When everything ends by itself, on the caller's clock.
    pub expires: Moment,
}

/// Names one prompt, so that an answer meant for an earlier one changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PromptId(pub u32);

/// What the end user says to a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Allows what is asked.
    Allow,
    /// Refuses it, also by closing the prompt.
    Refuse,
}

/// Why everything is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// The end user pressed the button or closed the window.
    EndUser,
    /// The end user pressed the panic key.
    PanicKey,
    /// The technician ended the session.
    Technician,
    /// The connection is gone for good.
    LinkLost,
    /// The charter's life is over.
    CharterExpired,
    /// Somebody sits between the two ends.
    Tampered,
}

/// What happens to the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A verified charter arrived. Taken once in a pairing; a second one changes nothing.
    CharterAccepted(Charter),
    /// The technician asks for rights.
    Request {
        /// The console's number for it.
        request: u32,
        /// What is asked.
        rights: Rights,
    },
    /// The technician no longer asks.
    Cancel {
        /// Which request.
        request: u32,
    },
    /// The end user answers a prompt.
    Answer {
        /// Which prompt.
        prompt: PromptId,
        /// What they say.
        answer: Answer,
    },
    /// The end user takes rights back.
    Withdraw(Rights),
    /// The technician gives rights back.
    Release(Rights),
    /// The tool of these rights failed on this computer.
    Failed(Rights),
    /// The technician's end is gone or made anew (page reloaded): everything starts from nothing, with a new charter.
    PairingLost,
    /// The way to the technician is interrupted, the pairing is kept: what is granted stays granted, but nothing is admitted until
    /// [`Input::Resumed`], and an open prompt goes away unanswered.
    Interrupted,
    /// The same technician is back, with the same keys.
    Resumed,
    /// The interruption lasts too long: every grant is withdrawn. The charter stays, so that the technician can ask again once back.
    Offline,
    /// Everything is over.
    EndAll(EndReason),
    /// Only the time has passed.
    Tick,
}

/// Why a prompt goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hidden {
    /// The end user answered.
    Answered(Answer),
    /// Nobody answered in time: a refusal.
    TimedOut,
    /// The technician no longer asks.
    Cancelled,
    /// What it asks can no longer be granted (the view it builds on ended).
    Overtaken,
    /// The way to the technician is interrupted: not answered, it has to be asked again.
    Interrupted,
    /// The technician's end is gone.
    PairingLost,
    /// The session is over.
    Ended,
}

/// Why rights ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RevokeCause {
    /// The end user withdrew them.
    EndUser,
    /// The technician gave them back.
    Technician,
    /// The right they depend on ended.
    Dependent,
    /// The tool failed.
    Failure,
    /// The way to the technician was interrupted for too long.
    Offline,
    /// The technician's end is gone.
    PairingLost,
    /// The session is over.
    Ended(EndReason),
}

impl RevokeCause {
    /// How the console is told; `None` when there is no console to tell, or when the end of the session tells it.
    pub const fn wire(self) -> Option<Cause> {
        match self {
            RevokeCause::EndUser => Some(Cause::EndUser),
            RevokeCause::Technician => Some(Cause::Technician),
            RevokeCause::Dependent => Some(Cause::Dependent),
            RevokeCause::Failure => Some(Cause::Failure),
            // Waits in the link until the console is back.
            RevokeCause::Offline => Some(Cause::Offline),
            RevokeCause::PairingLost | RevokeCause::Ended(_) => None,
        }
    }
}

/// What the caller must do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Ask the end user.
    ShowPrompt {
        /// Names the prompt in the answer.
        prompt: PromptId,
        /// The console's number for the request.
        request: u32,
        /// What is asked.
        rights: Rights,
        /// From when on it can be allowed.
        answerable_at: Moment,
        /// When it counts as refused.
        expires_at: Moment,
    },
    /// Take the prompt away.
    HidePrompt {
        /// Which prompt.
        prompt: PromptId,
        /// Why.
        why: Hidden,
    },
    /// Tell the console what became of its request.
    Decide {
        /// The console's number for it.
        request: u32,
        /// What was asked.
        rights: Rights,
        /// What became of it.
        outcome: Outcome,
    },
    /// These rights hold from now on.
    Granted(Rights),
    /// These rights are gone: stop what runs on them before anything else.
    Revoked {
        /// Which rights; never empty.
        rights: Rights,
        /// Why.
        cause: RevokeCause,
    },
    /// Everything is over; nothing follows.
    Ended(EndReason),
}
