//! What the conductor hears and what it has done: the seam between deciding and doing.

use belay_net::applet::{Attempted, Insecure, Interference, PathInUse};
use belay_net::check as way;
use belay_permission::{Admitted, Answer, EndReason, PromptId};
use belay_seal::SecurityCode;
use belay_wire::gateway::{Leaving, Refusal, ReportKind};
use belay_wire::input::Input;
use belay_wire::message::View;
use belay_wire::{Message, Moment, Right, Rights, SessionId};

use crate::charter::CharterError;
use crate::connection::Report;
use crate::exit::Exit;
use crate::host_log::{Entry, Whom};

/// One opening of the screen; what comes from an earlier one is too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opening(pub u32);

/// Something happened.
#[derive(Debug)]
pub enum Happening {
    /// The gateway let this program in.
    Admitted(SessionId),
    /// The gateway did not, or put it out.
    Refused(Refusal),
    /// No gateway could be reached.
    Unreachable,
    /// What works of the way to the server, step by step.
    Examined(Vec<way::Check>),
    /// A console is there, sealed; an earlier one is over.
    Paired(SecurityCode),
    /// The way to the console is interrupted; the pairing is kept.
    Interrupted(Far),
    /// The console has been silent for so long that nothing should be held for it.
    Quiet,
    /// The gateway is there again; the console is not heard yet.
    Returned,
    /// The same console is back with the same keys.
    Resumed,
    /// The console said something.
    Message(Message),
    /// The console went.
    PartnerLeft(Leaving),
    /// The console broke the protocol; this pairing is over.
    Breach(String),
    /// There is no secure connection to a console.
    Insecure(Insecure),
    /// Somebody on the way interferes, without harm so far.
    Interference(Interference),
    /// Another way is used, or it was measured anew.
    Path(PathInUse),
    /// A direct way was tried.
    Attempted(Attempted),
    /// The connection is gone and does not come back.
    Lost(String),
    /// The person at this computer did something.
    Person(Person),
    /// The capture thread has something for the console.
    Picture(Opening, Message),
    /// A tool does not work on this computer.
    Failed(Right, String),
    /// The capture of this opening ended by itself.
    CaptureEnded(Opening),
    /// Input into our own windows was dropped.
    OwnWindow,
    /// The host log could not be written.
    LogFailed,
    /// Only the time has passed.
    Tick,
}

/// What the person at this computer did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Person {
    /// Answered a prompt.
    Answered(PromptId, Answer),
    /// Took rights back.
    Withdrew(Rights),
    /// Pressed End, or closed the main window.
    Left,
    /// Pressed the panic key.
    Panicked,
    /// Wrote a chat line; the id is fresh and random.
    Said {
        /// The line's id.
        line: [u8; 16],
        /// What they wrote.
        text: String,
    },
    /// Began or stopped to type.
    Typing(bool),
    /// Found the security code to be the same on both screens.
    Compared,
    /// Opened the connection report.
    WantsReport,
}

/// Who cannot be reached while the way is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Far {
    /// The gateway, and so everybody behind it.
    Server,
    /// The console; the gateway is there.
    Technician,
}

/// Something to be done, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Deed {
    /// Say this to the console.
    Send(Message),
    /// Let the website know.
    Report(ReportKind, Right),
    /// Say goodbye to the gateway; nothing follows.
    Leave(Leaving),
    /// For the capture thread.
    Screen(ScreenDeed),
    /// Move mouse or keyboard.
    Inject(Admitted, Input),
    /// Let go of every key and button, and drop what still waits to be injected.
    LetGo,
    /// Write into the host log.
    Log(Whom, Entry),
    /// Look which step of the way to the server does not work.
    Examine,
    /// Show the person at this computer.
    Show(Show),
    /// End the program with this code when the time comes, or when the person closes the window.
    Finish(Exit, Moment),
}

/// For the capture thread.
#[derive(Debug, PartialEq, Eq)]
pub enum ScreenDeed {
    /// Have ready what it takes to show this: the end user is being asked. Nothing is looked at. `None`: it is not needed any more.
    Ready(Option<View>),
    /// Show a monitor, from nothing.
    Open(Admitted, Opening, View),
    /// The viewer lost track.
    Resync(Admitted),
    /// The viewer has drawn this update.
    Seen(u32),
    /// Whether to tell how long the stages take.
    Watch(bool),
    /// Stop at once.
    Close,
}

/// Who is at the other end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partner {
    /// The technician's name, cleaned.
    pub technician: String,
    /// The company's name, cleaned.
    pub company: String,
    /// The domain the website vouches for, cleaned.
    pub domain: String,
}

/// What the windows show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Show {
    /// Where the session stands.
    State(State),
    /// Ask.
    Prompt {
        /// Which prompt.
        prompt: PromptId,
        /// What is asked.
        rights: Rights,
        /// From when on it can be allowed.
        answerable_at: Moment,
        /// When it counts as refused.
        expires_at: Moment,
        /// Who asks.
        partner: Partner,
        /// What to compare first.
        check: Check,
    },
    /// How it is known that nobody sits in between.
    Check(Check),
    /// Take the prompt away.
    HidePrompt(PromptId),
    /// What is shared from now on.
    Shared(Rights, Partner),
    /// A chat line, cleaned.
    Chat {
        /// Whether the person at this computer wrote it.
        mine: bool,
        /// What it says.
        text: String,
    },
    /// Whether the technician is writing.
    Typing(bool),
    /// Something for the list of what happened.
    Story(Story),
    /// What there is to know of the connection.
    Connection(Box<Report>),
}

/// How it is known that the technician's side is the technician's, and nobody sits in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// There is nobody, or the end user has found the codes to be the same.
    #[default]
    Nothing,
    /// The end user compares this code with the technician's.
    Compare(SecurityCode),
    /// The same, and with more reason: we hold the secret of a link, and the technician's side has not shown it.
    Unproved(SecurityCode),
    /// Both ends hold the secret of the invitation link.
    Verified,
}

/// Where the session stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Looking for a gateway.
    Connecting,
    /// In the queue.
    Waiting,
    /// Waiting again after a technician went for good.
    Left,
    /// The way is interrupted, since then; nothing is captured and nothing moves.
    Reconnecting(Far, Moment),
    /// It has been for so long that nothing is granted any more; the tries go on.
    Offline(Far, Moment),
    /// A console is there; who it is is not known yet.
    Greeting,
    /// A technician with a good charter is there.
    Connected(Partner),
    /// A technician with a bad charter is there.
    Untrusted(CharterError),
    /// The connection to a technician was not secure; it waits for another.
    Insecure(Insecure),
    /// Over.
    Over(Over),
}

/// Why it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The session ended.
    Ended(EndReason),
    /// The server closed it.
    Closed,
    /// The connection is gone for good.
    Lost,
    /// The gateway did not let the program in.
    Refused(Refusal),
    /// No gateway was reached.
    Unreachable,
}

/// One thing that happened, for the person's own list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Story {
    Connected,
    Technician(Partner),
    Left,
    Interrupted(Far),
    Resumed,
    Offline,
    Compared,
    Verified,
    Way(way::Check),
    Breach,
    Insecure(Insecure),
    Interference,
    Untrusted,
    Asked(Right),
    Granted(Right),
    Refused(Right),
    TimedOut(Right),
    Cancelled(Right),
    Cut(Right),
    ViewStarted,
    ViewEnded,
    ControlEnded,
    Withdrawn(Right),
    Released(Right),
    Failed(Right),
    Violation(Right),
    Over(Over),
    LogFailed,
}
