//! The decisions: which command is possible when, what changes by it, what is worth an audit row.

use std::fmt;

use belay_wire::{MemberId, Moment};

use crate::event::{Event, Report};
use crate::state::{EndedBy, Ender, Phase, Platform, State, offline_micros};
use crate::{AWAY_LIFE_MICROS, NAME_MAX_CHARS, RECONNECTING_MICROS, WAITING_LIFE_MICROS};

/// What is asked of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The end user used the PIN or the link and gave a name.
    Join {
        /// 1 to [`NAME_MAX_CHARS`] characters, no control characters; white space around it is cut off.
        name: String,
    },
    /// The end user downloaded the applet (again).
    Downloaded {
        /// For this platform.
        platform: Platform,
    },
    /// The applet was admitted at a gateway.
    ApplicationWaiting {
        /// Its IP address as text.
        address: String,
    },
    /// A technician takes the session from the queue.
    PickUp {
        /// Who.
        technician: MemberId,
    },
    /// The applet reported a grant, a refusal, a withdrawal or a violation.
    AppletReport(Report),
    /// Somebody ends the session. Asking again is no error and changes nothing.
    End {
        /// Who.
        by: Ender,
    },
    /// The applet's connection is gone; the session waits for it to come back.
    LegLost,
    /// The applet was admitted again with its return ticket. It may come before anybody noticed that it was gone.
    AppletReturned {
        /// Its IP address as text, as it is now.
        address: String,
    },
    /// The applet has ended without a word on the session and will not come back: aborts it.
    AppletClosed,
    /// The console's connection is gone, or its page was closed. Changes nothing, but is worth a row.
    ConsoleLeft,
    /// Time has passed: see whether the session is offline or has timed out.
    Tick,
    /// The server was restarted, so every leg is gone; applets come back by themselves.
    ServerRestarted,
}

/// Why a command is not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The session is over.
    Ended,
    /// The name is empty, too long, or contains control characters.
    BadName,
    /// The end user has joined already.
    AlreadyJoined,
    /// The end user has not joined yet.
    NotJoined,
    /// The applet has not been downloaded yet.
    NotDownloaded,
    /// The applet has been admitted already.
    AlreadyAdmitted,
    /// Nobody waits here: not yet admitted, or somebody was faster.
    NotWaiting,
    /// The end user's connection is lost; nobody can pick the session up before it is back.
    Away,
    /// No technician is on the session yet.
    NotActive,
    /// The session belongs to another technician.
    NotYours,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Ended => "the session is over",
            Refusal::BadName => "the name must have 1 to 64 characters and no control characters",
            Refusal::AlreadyJoined => "the invitation has been used already",
            Refusal::NotJoined => "the end user has not joined yet",
            Refusal::NotDownloaded => "the applet has not been downloaded yet",
            Refusal::AlreadyAdmitted => "an applet is connected to this session already",
            Refusal::NotWaiting => {
                "the session is not waiting: not connected yet, or picked up by somebody else"
            }
            Refusal::Away => "the end user's connection is lost; wait until it is back",
            Refusal::NotActive => "no technician is on the session",
            Refusal::NotYours => "the session belongs to another technician",
        })
    }
}

impl std::error::Error for Refusal {}

/// The first decision of a session's life: it begins in `Connecting` and times out when its link does.
pub fn create(by: MemberId, link_expires_at: Moment, now: Moment) -> (State, Vec<Event>) {
    let state = State {
        phase: Phase::Connecting,
        created_by: by,
        created_at: now,
        link_expires_at,
        end_user_name: None,
        end_user_address: None,
        platform: None,
        technician: None,
        waiting_at: None,
        active_at: None,
        lost_at: None,
        offline_micros: 0,
        ended_at: None,
        ended_by: None,
    };
    (state, vec![Event::Created { by }])
}

/// Applies a command.
///
/// Nothing changed is `Ok` with no events (a tick too early, the end of an ended session); what is not possible is a
/// [`Refusal`]. Commands of the system (`LegLost`, `AppletClosed`, `ConsoleLeft`,
/// `Tick`, `ServerRestarted`) are never refused.
pub fn decide(state: &State, command: Command, now: Moment) -> Result<(State, Vec<Event>), Refusal> {
    let mut next = state.clone();
    let events = match command {
        Command::Join { name } => join(&mut next, &name)?,
        Command::Downloaded { platform } => downloaded(&mut next, platform)?,
        Command::ApplicationWaiting { address } => application_waiting(&mut next, address, now)?,
        Command::PickUp { technician } => pick_up(&mut next, technician, now)?,
        Command::AppletReport(report) => applet_report(&next, report)?,
        Command::End { by } => end(&mut next, by, now)?,
        Command::LegLost | Command::ServerRestarted => leg_lost(&mut next, now),
        Command::AppletReturned { address } => applet_returned(&mut next, address, now)?,
        Command::AppletClosed => applet_closed(&mut next, now),
        Command::ConsoleLeft => console_left(&next),
        Command::Tick => tick(&mut next, now),
    };
    Ok((next, events))
}

fn join(state: &mut State, name: &str) -> Result<Vec<Event>, Refusal> {
    match state.phase {
        Phase::Connecting => {}
        Phase::Waiting | Phase::Active | Phase::Reconnecting | Phase::Offline => {
            return Err(Refusal::AlreadyJoined);
        }
        Phase::Closed | Phase::TimedOut | Phase::Aborted => return Err(Refusal::Ended),
    }
    if state.end_user_name.is_some() {
        return Err(Refusal::AlreadyJoined);
    }
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX_CHARS || name.chars().any(char::is_control) {
        return Err(Refusal::BadName);
    }
    state.end_user_name = Some(name.to_owned());
    Ok(vec![Event::Joined { name: name.to_owned() }])
}

fn downloaded(state: &mut State, platform: Platform) -> Result<Vec<Event>, Refusal> {
    match state.phase {
        Phase::Connecting => {}
        Phase::Waiting | Phase::Active | Phase::Reconnecting | Phase::Offline => {
            return Err(Refusal::AlreadyAdmitted);
        }
        Phase::Closed | Phase::TimedOut | Phase::Aborted => return Err(Refusal::Ended),
    }
    if state.end_user_name.is_none() {
        return Err(Refusal::NotJoined);
    }
    state.platform = Some(platform);
    Ok(vec![Event::Downloaded { platform }])
}

fn application_waiting(state: &mut State, address: String, now: Moment) -> Result<Vec<Event>, Refusal> {
    match state.phase {
        Phase::Connecting => {}
        Phase::Waiting | Phase::Active | Phase::Reconnecting | Phase::Offline => {
            return Err(Refusal::AlreadyAdmitted);
        }
        Phase::Closed | Phase::TimedOut | Phase::Aborted => return Err(Refusal::Ended),
    }
    if state.platform.is_none() {
        return Err(Refusal::NotDownloaded);
    }
    state.phase = Phase::Waiting;
    state.waiting_at = Some(now);
    state.end_user_address = Some(address.clone());
    Ok(vec![Event::Waiting { address }])
}

fn pick_up(state: &mut State, technician: MemberId, now: Moment) -> Result<Vec<Event>, Refusal> {
    match state.phase {
        Phase::Waiting => {}
        Phase::Reconnecting | Phase::Offline if state.technician.is_none() => return Err(Refusal::Away),
        Phase::Connecting | Phase::Active | Phase::Reconnecting | Phase::Offline => {
            return Err(Refusal::NotWaiting);
        }
        Phase::Closed | Phase::TimedOut | Phase::Aborted => return Err(Refusal::Ended),
    }
    state.phase = Phase::Active;
    state.active_at = Some(now);
    state.technician = Some(technician);
    Ok(vec![Event::PickedUp { technician }])
}

fn applet_report(state: &State, report: Report) -> Result<Vec<Event>, Refusal> {
    match state.phase {
        Phase::Active => Ok(vec![Event::Reported(report)]),
        // A report may be overtaken by the news that its connection was lost.
        Phase::Reconnecting | Phase::Offline if state.technician.is_some() => {
            Ok(vec![Event::Reported(report)])
        }
        Phase::Connecting | Phase::Waiting | Phase::Reconnecting | Phase::Offline => Err(Refusal::NotActive),
        Phase::Closed | Phase::TimedOut | Phase::Aborted => Err(Refusal::Ended),
    }
}

fn end(state: &mut State, by: Ender, now: Moment) -> Result<Vec<Event>, Refusal> {
    let may = match (state.phase, by) {
        (Phase::Closed | Phase::TimedOut | Phase::Aborted, Ender::EndUser | Ender::Technician(_)) => {
            return Ok(Vec::new());
        }
        (
            Phase::Connecting | Phase::Waiting | Phase::Active | Phase::Reconnecting | Phase::Offline,
            Ender::EndUser,
        ) => true,
        (Phase::Connecting, Ender::Technician(member)) => state.created_by == member,
        // The queue is shared: whoever may pick up may also send away.
        (Phase::Waiting, Ender::Technician(_)) => true,
        (Phase::Active, Ender::Technician(member)) => state.technician == Some(member),
        (Phase::Reconnecting | Phase::Offline, Ender::Technician(member)) => {
            state.technician.is_none_or(|holder| holder == member)
        }
    };
    if !may {
        return Err(Refusal::NotYours);
    }
    let by = match by {
        Ender::EndUser => EndedBy::EndUser,
        Ender::Technician(_) => EndedBy::Technician,
    };
    Ok(vec![finish(state, Phase::Closed, by, now)])
}

fn leg_lost(state: &mut State, now: Moment) -> Vec<Event> {
    match state.phase {
        Phase::Waiting | Phase::Active => {
            state.phase = Phase::Reconnecting;
            state.lost_at = Some(now);
            vec![Event::ConnectionLost]
        }
        Phase::Connecting
        | Phase::Reconnecting
        | Phase::Offline
        | Phase::Closed
        | Phase::TimedOut
        | Phase::Aborted => Vec::new(),
    }
}

fn applet_returned(state: &mut State, address: String, now: Moment) -> Result<Vec<Event>, Refusal> {
    match state.phase {
        Phase::Connecting => return Err(Refusal::NotWaiting),
        // The loss was not noticed yet: the new connection takes the place of the old one.
        Phase::Waiting | Phase::Active => {}
        Phase::Reconnecting | Phase::Offline => {
            count_absence(state, now);
            state.phase = if state.technician.is_some() { Phase::Active } else { Phase::Waiting };
        }
        Phase::Closed | Phase::TimedOut | Phase::Aborted => return Err(Refusal::Ended),
    }
    state.end_user_address = Some(address.clone());
    Ok(vec![Event::Reconnected { address }])
}

fn applet_closed(state: &mut State, now: Moment) -> Vec<Event> {
    match state.phase {
        Phase::Waiting | Phase::Active => {
            vec![Event::ConnectionLost, finish(state, Phase::Aborted, EndedBy::System, now)]
        }
        Phase::Reconnecting | Phase::Offline => vec![finish(state, Phase::Aborted, EndedBy::System, now)],
        Phase::Connecting | Phase::Closed | Phase::TimedOut | Phase::Aborted => Vec::new(),
    }
}

fn console_left(state: &State) -> Vec<Event> {
    match state.phase {
        Phase::Active | Phase::Reconnecting | Phase::Offline => vec![Event::ConsoleLeft],
        Phase::Connecting | Phase::Waiting | Phase::Closed | Phase::TimedOut | Phase::Aborted => Vec::new(),
    }
}

fn tick(state: &mut State, now: Moment) -> Vec<Event> {
    let passed = |since: Option<Moment>, life| since.is_some_and(|at| now.0.saturating_sub(at.0) >= life);
    let due = match state.phase {
        Phase::Connecting => now >= state.link_expires_at,
        Phase::Waiting => passed(state.waiting_at, WAITING_LIFE_MICROS),
        Phase::Reconnecting | Phase::Offline => passed(state.lost_at, AWAY_LIFE_MICROS),
        Phase::Active | Phase::Closed | Phase::TimedOut | Phase::Aborted => false,
    };
    if due {
        vec![finish(state, Phase::TimedOut, EndedBy::System, now)]
    } else if state.phase == Phase::Reconnecting && passed(state.lost_at, RECONNECTING_MICROS) {
        state.phase = Phase::Offline;
        vec![Event::Offline]
    } else {
        Vec::new()
    }
}

/// The applet is not away any more: what of it was offline is remembered, for the total time.
fn count_absence(state: &mut State, now: Moment) {
    if let Some(lost) = state.lost_at.take()
        && state.active_at.is_some()
    {
        state.offline_micros = state.offline_micros.saturating_add(offline_micros(lost, now));
    }
}

fn finish(state: &mut State, phase: Phase, by: EndedBy, now: Moment) -> Event {
    count_absence(state, now);
    state.phase = phase;
    state.ended_at = Some(now);
    state.ended_by = Some(by);
    Event::Ended { by, phase }
}
