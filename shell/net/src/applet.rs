//! The applet's connection: finds a gateway, is admitted, carries messages, and comes back after every loss
//! for as long as the session lives. "Coming back" of `docs/protocol/gateway.md`.

mod addresses;
mod choice;
mod departures;
mod outbound;
mod reach;
mod running;

use belay_seal::{SealError, SecurityCode};
use belay_wire::gateway::{Leaving, Refusal, ReportKind, ToGateway};
use belay_wire::{AccountId, LegTicket, Message, Right, SessionAuthenticationId, SessionId};
use futures_util::SinkExt;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message as Socket;

use crate::dial::{Dial, DialError};
pub use crate::direct::{Attempted, PathKind, Tried};
use crate::pairing::Breach;
pub use crate::pairing::Interference;
use choice::Choice;
pub use departures::Departures;
use reach::{Admitted, Credential};
use running::{Attended, Ended, Running};

const QUEUE: usize = 256;
/// Time for a goodbye that the gateway could not hear at first; the applet's last window stays about as long.
const SAY_WITHIN: Duration = Duration::from_secs(3);
/// Tries to get in for the first time, and how long one takes that is worth repeating.
const FIRST_TRIES: u32 = 3;
const SLOW: Duration = Duration::from_secs(4);
/// Waits before the first tries to come back; the last is repeated.
const WAITS: [Duration; 6] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
];

/// Who connects.
#[derive(Clone)]
pub struct Leg {
    /// The account in the applet's tag.
    pub account: AccountId,
    /// The session authentication id in the applet's tag.
    pub id: SessionAuthenticationId,
    /// The applet's version.
    pub version: String,
    /// Operating system and architecture.
    pub platform: String,
}

/// What happens on the connection, in order. After [`Event::Refused`] and [`Event::Unreachable`] nothing follows.
#[derive(Debug)]
pub enum Event {
    /// The gateway let the applet in; the technician can see that somebody waits. Said once.
    Admitted(SessionId),
    /// The gateway did not let it in, or put it out: the session is over, or never was.
    Refused(Refusal),
    /// No gateway could be reached at the start.
    Unreachable(DialError),
    /// A technician's console is there and the seal stands. Whatever belonged to an earlier pairing is over.
    Paired(SecurityCode),
    /// The console said something.
    Message(Message),
    /// The console went for good; the session waits for another or is over.
    PartnerLeft(Leaving),
    /// The way to the console is interrupted, on our side or on the other. The pairing is kept.
    Interrupted(Interruption),
    /// The same console is back with the same keys; nothing was lost.
    Resumed,
    /// Nothing at all has come from the console for so long that nothing should be held for it any more. Told once for each silence.
    Quiet,
    /// What the applet says goes this way from now on, or its round trip has changed.
    Path(PathInUse),
    /// What an attempt at a direct path has seen so far.
    Attempted(Attempted),
    /// Somebody on the way interferes with this pairing; so far it did no harm.
    Interference(Interference),
    /// The console (or somebody in between) broke the protocol; this pairing is over.
    Breach(String),
    /// There is no secure connection to a console: somebody in between may be changing it. This pairing is over, or never was.
    Insecure(Insecure),
}

/// How it shows that a connection is not secure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insecure {
    /// The two ends have come to different keys.
    Keys,
    /// The handshake is not what its protocol says.
    Handshake,
    /// The handshake began and did not end.
    Unfinished,
    /// Packet after packet is changed on the way.
    Forged,
}

impl Insecure {
    fn of(breach: &Breach) -> Option<Insecure> {
        match breach {
            Breach::Keys => Some(Insecure::Keys),
            Breach::Handshake(SealError::Spent) => None,
            Breach::Handshake(_) => Some(Insecure::Handshake),
            Breach::Unfinished => Some(Insecure::Unfinished),
            Breach::Forged => Some(Insecure::Forged),
            Breach::Protocol(_) | Breach::Link(_) => None,
        }
    }
}

/// The path in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathInUse {
    /// How it reaches the console.
    pub kind: PathKind,
    /// Smoothed, once it was measured.
    pub round_trip: Option<Duration>,
    /// The shortest of the newest: what the way itself takes, without what a busy computer adds.
    pub shortest: Option<Duration>,
}

/// Where the way to the console broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// Our connection to the gateway, and what the system said. It is being made anew.
    Ours(String),
    /// The console's connection.
    Partner,
    /// Ours is there again; the console is not heard yet.
    Returned,
}

/// What the applet wants said.
#[derive(Debug)]
pub enum Command {
    /// To the console. Dropped while there is no pairing; kept by the link while the way is interrupted.
    Send(Message),
    /// To the website.
    Report(ReportKind, Right),
    /// Goodbye to all; the connection ends.
    Bye(Leaving),
}

/// The running connection. Dropping `commands` ends it.
pub struct Connection {
    /// What happens.
    pub events: mpsc::Receiver<Event>,
    /// What to say. Sending waits when the network does not keep up.
    pub commands: mpsc::Sender<Command>,
    /// When updates of the picture left.
    pub departures: Departures,
    /// Ends when the connection has ended and everything was sent.
    pub task: tokio::task::JoinHandle<()>,
}

/// Starts to connect. Must be called within a Tokio runtime.
pub fn connect(dial: Dial, leg: Leg) -> Connection {
    let (happened, events) = mpsc::channel(QUEUE);
    let (commands, mut wanted) = mpsc::channel(QUEUE);
    let departures = Departures::default();
    let noted = departures.clone();
    let task = tokio::spawn(async move {
        if let Some(last) = live(&dial, &leg, &happened, &mut wanted, noted).await {
            // Nobody listens any more: then nobody needs to know.
            let _ = happened.send(last).await;
        }
    });
    Connection { events, commands, departures, task }
}

/// From the first connection to the last word; the event to close with, if there is one.
async fn live(
    dial: &Dial,
    leg: &Leg,
    happened: &mpsc::Sender<Event>,
    wanted: &mut mpsc::Receiver<Command>,
    departures: Departures,
) -> Option<Event> {
    let mut choice = Choice::default();
    let (mut socket, session, mut ticket) = match first(dial, leg, &mut choice).await {
        Ok(Ok(admitted)) => admitted,
        Ok(Err(refusal)) => return Some(Event::Refused(refusal)),
        Err(error) => return Some(Event::Unreachable(error)),
    };
    happened.send(Event::Admitted(session)).await.ok()?;
    let mut running = Running::new(&leg.id, happened.clone(), departures);
    loop {
        let (mut ready, mut at_once) = match running.serve(socket, wanted, || choice.prepare(dial)).await {
            Ended::Quietly => return None,
            Ended::Refused(refusal) => return Some(Event::Refused(refusal)),
            Ended::Lost { reason, ready, at_once } => {
                running.lost(reason).await?;
                (ready, at_once)
            }
        };
        let mut tries = 0;
        socket = loop {
            if !std::mem::take(&mut at_once) {
                let wait = WAITS[tries.min(WAITS.len() - 1)];
                tries += 1;
                // A quarter more or less, so that a restarted gateway is not stormed by all at once.
                let share = f64::from(reach::random_byte()) / 255.0 * 0.5 + 0.75;
                match running.wait(wait.mul_f64(share), wanted).await {
                    ControlFlow::Continue(Attended::Done(())) => {}
                    ControlFlow::Continue(Attended::Moved) => tries = 0,
                    ControlFlow::Break(_) => {
                        say_after_all(dial, leg, &mut choice, &ticket, running.unsaid()).await;
                        return None;
                    }
                }
            }
            // The session goes on meanwhile, on a direct path if there is one.
            let credential = Credential::Return(ticket.clone());
            let coming = choice.come_back(dial, leg, &credential, ready.take());
            let reached = match running.attend(wanted, coming).await {
                ControlFlow::Continue(Attended::Done(reached)) => reached,
                ControlFlow::Continue(Attended::Moved) => {
                    (tries, at_once) = (0, true);
                    continue;
                }
                ControlFlow::Break(_) => {
                    say_after_all(dial, leg, &mut choice, &ticket, running.unsaid()).await;
                    return None;
                }
            };
            match reached {
                Ok(Ok((socket, _, next))) => {
                    ticket = next;
                    break socket;
                }
                Ok(Err(Refusal::Full | Refusal::Unavailable | Refusal::SlowDown)) => {}
                Ok(Err(refusal)) => return Some(Event::Refused(refusal)),
                Err(error) => tracing::info!(%error, tries, "not back yet"),
            }
        };
        running.returned().await?;
    }
}

/// The first way in. What failed after a long time is tried again: on a line that loses much any of its many answers may come too late.
/// What fails at once does so for a reason that stays.
async fn first(dial: &Dial, leg: &Leg, choice: &mut Choice) -> Result<Result<Admitted, Refusal>, DialError> {
    let credential = Credential::First(leg.id.clone());
    let (mut failed, mut tries) = (None, 0);
    loop {
        tries += 1;
        let began = Instant::now();
        let reached = choice.reach(dial, leg, &credential).await;
        let slow = tries < FIRST_TRIES && began.elapsed() >= SLOW;
        match (reached, failed.take()) {
            // The id counts once: the answer to it was lost on the way, and no second one will come.
            (Ok(Err(Refusal::Used)), Some(error)) => return Err(error),
            (Err(error @ (DialError::Unreachable { .. } | DialError::Answer { .. })), _) if slow => {
                tracing::info!(%error, tries, "trying again");
                failed = Some(error);
            }
            (reached, _) => return reached,
        }
    }
}

/// One try to tell a goodbye that the gateway could not hear, so that the session does not wait for an applet that is gone.
async fn say_after_all(
    dial: &Dial,
    leg: &Leg,
    choice: &mut Choice,
    ticket: &LegTicket,
    unsaid: Option<Leaving>,
) {
    let Some(reason) = unsaid else { return };
    let said = async {
        let credential = Credential::Return(ticket.clone());
        let Ok(Ok((mut socket, ..))) = choice.reach(dial, leg, &credential).await else { return false };
        let goodbye = ToGateway::Bye(reason).encode();
        socket.send(Socket::binary(goodbye)).await.is_ok() && socket.close(None).await.is_ok()
    };
    if !tokio::time::timeout(SAY_WITHIN, said).await.unwrap_or(false) {
        tracing::info!("the goodbye was not heard; the session waits until its time is over");
    }
}
