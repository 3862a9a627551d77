//! What happened in a session: every event becomes an audit row.

use belay_wire::MemberId;

use crate::state::{EndedBy, Phase, Platform, words};

words!(
    /// What an applet may report of an active session.
    ReportKind {
        /// The end user allowed a right.
        Granted = "granted",
        /// The end user refused a right, or let the prompt time out.
        Refused = "refused",
        /// The end user took a right back.
        Withdrawn = "withdrawn",
        /// The console sent something no right covered.
        Violation = "violation",
    }
);

/// A report of the applet, passed on by the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What kind of thing happened.
    pub kind: ReportKind,
    /// Which right, or what was tried: short technical text.
    pub detail: String,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The invitation was made.
    Created {
        /// By whom.
        by: MemberId,
    },
    /// The end user used the PIN or the link.
    Joined {
        /// The name given.
        name: String,
    },
    /// The applet was downloaded.
    Downloaded {
        /// For this platform.
        platform: Platform,
    },
    /// The applet was admitted and waits.
    Waiting {
        /// From this address.
        address: String,
    },
    /// A technician took the session.
    PickedUp {
        /// Who.
        technician: MemberId,
    },
    /// The applet reported something.
    Reported(Report),
    /// The applet's connection was lost.
    ConnectionLost,
    /// The technician's page went without ending the session; it may come back.
    ConsoleLeft,
    /// The applet came back.
    Reconnected {
        /// From this address.
        address: String,
    },
    /// The applet has been away so long that the session counts as offline.
    Offline,
    /// The session is over.
    Ended {
        /// On whose account.
        by: EndedBy,
        /// How: one of the ended phases.
        phase: Phase,
    },
}

impl Event {
    /// The stable word for rows and messages.
    pub const fn kind(&self) -> &'static str {
        match self {
            Event::Created { .. } => "created",
            Event::Joined { .. } => "joined",
            Event::Downloaded { .. } => "downloaded",
            Event::Waiting { .. } => "waiting",
            Event::PickedUp { .. } => "picked_up",
            Event::Reported(report) => report.kind.word(),
            Event::ConnectionLost => "connection_lost",
            Event::ConsoleLeft => "console_left",
            Event::Reconnected { .. } => "reconnected",
            Event::Offline => "offline",
            Event::Ended { .. } => "ended",
        }
    }
}
