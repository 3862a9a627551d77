//! Sessions, their chat and their events.

use belay_session::Phase;
use belay_store as store;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Person, PlatformName};
use crate::clock::rfc3339;

/// A body without fields, kept for fields to come.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoFields {}

/// Which sessions to list.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    /// Connecting (one's own), waiting, active, reconnecting, offline.
    #[default]
    Open,
    /// Closed, timed out, aborted.
    Ended,
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SessionState {
    /// The invitation is out.
    Connecting,
    /// The end user is in the queue.
    Waiting,
    /// A technician has picked it up.
    Active,
    /// The applet's connection was lost less than five minutes ago.
    Reconnecting,
    /// The applet has been away for five minutes or more, and may still come back.
    Offline,
    /// Ended on purpose.
    Closed,
    /// Ended because nobody came.
    TimedOut,
    /// Ended because the end user's program ended without a word.
    Aborted,
}

impl From<Phase> for SessionState {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Connecting => Self::Connecting,
            Phase::Waiting => Self::Waiting,
            Phase::Active => Self::Active,
            Phase::Reconnecting => Self::Reconnecting,
            Phase::Offline => Self::Offline,
            Phase::Closed => Self::Closed,
            Phase::TimedOut => Self::TimedOut,
            Phase::Aborted => Self::Aborted,
        }
    }
}

/// On whose account a session ended.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EndedBy {
    /// The person who is helped.
    EndUser,
    /// A technician.
    Technician,
    /// A time-out, a lost connection or a restart.
    System,
}

impl From<belay_session::EndedBy> for EndedBy {
    fn from(by: belay_session::EndedBy) -> Self {
        match by {
            belay_session::EndedBy::EndUser => Self::EndUser,
            belay_session::EndedBy::Technician => Self::Technician,
            belay_session::EndedBy::System => Self::System,
        }
    }
}

/// A support session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    /// Its id.
    #[schema(format = Uuid)]
    pub id: String,
    /// Where it stands.
    pub state: SessionState,
    /// The name the end user gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub end_user_name: Option<String>,
    /// The IP address the applet was admitted from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub end_user_address: Option<String>,
    /// What the applet was downloaded for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub platform: Option<PlatformName>,
    /// Who made the invitation.
    pub created_by: Person,
    /// Who picked it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub technician: Option<Person>,
    /// When the invitation was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When the applet was admitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub waiting_at: Option<String>,
    /// When it was picked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub active_at: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub ended_at: Option<String>,
    /// On whose account it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ended_by: Option<EndedBy>,
}

impl From<&store::Session> for Session {
    fn from(session: &store::Session) -> Self {
        let state = &session.state;
        Self {
            id: session.id.to_string(),
            state: state.phase.into(),
            end_user_name: state.end_user_name.clone(),
            end_user_address: state.end_user_address.clone(),
            platform: state.platform.map(PlatformName::from),
            created_by: (&session.created_by).into(),
            technician: session.technician.as_ref().map(Person::from),
            created_at: rfc3339(state.created_at),
            waiting_at: state.waiting_at.map(rfc3339),
            active_at: state.active_at.map(rfc3339),
            ended_at: state.ended_at.map(rfc3339),
            ended_by: state.ended_by.map(EndedBy::from),
        }
    }
}

/// Sessions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionList {
    /// The sessions.
    pub sessions: Vec<Session>,
}

/// A session with all that was kept of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionDetails {
    /// The session.
    pub session: Session,
    /// Its chat, oldest first.
    pub chat: Vec<ChatLine>,
    /// What happened, oldest first.
    pub events: Vec<SessionEvent>,
}

/// Who wrote a chat line.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChatAuthor {
    /// The technician.
    Technician,
    /// The person who is helped.
    EndUser,
}

impl From<store::Author> for ChatAuthor {
    fn from(author: store::Author) -> Self {
        match author {
            store::Author::Technician => Self::Technician,
            store::Author::EndUser => Self::EndUser,
        }
    }
}

impl From<ChatAuthor> for store::Author {
    fn from(author: ChatAuthor) -> Self {
        match author {
            ChatAuthor::Technician => Self::Technician,
            ChatAuthor::EndUser => Self::EndUser,
        }
    }
}

/// A line of chat.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChatLine {
    /// Chosen by the writer; the same line sent twice is kept once.
    pub line_id: uuid::Uuid,
    /// Who wrote it.
    pub author: ChatAuthor,
    /// What they wrote, at most 16 KiB.
    pub text: String,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
}

impl From<store::ChatLine> for ChatLine {
    fn from(line: store::ChatLine) -> Self {
        Self { line_id: line.line_id, author: line.author.into(), text: line.text, at: rfc3339(line.at) }
    }
}

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SessionEventKind {
    /// The invitation was made.
    Created,
    /// The end user used the PIN or the link.
    Joined,
    /// The applet was downloaded.
    Downloaded,
    /// The applet was admitted.
    Waiting,
    /// A technician took the session.
    PickedUp,
    /// The end user allowed a right.
    Granted,
    /// The end user refused a right.
    Refused,
    /// The end user took a right back.
    Withdrawn,
    /// The console sent something no right covered.
    Violation,
    /// The applet's connection was lost.
    ConnectionLost,
    /// The technician's page went without ending the session.
    ConsoleLeft,
    /// The applet came back.
    Reconnected,
    /// The applet has been away for five minutes.
    Offline,
    /// The session is over.
    Ended,
}

/// Something that happened in a session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionEvent {
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// What.
    pub kind: SessionEventKind,
    /// A name, a right, an address: short text.
    pub detail: String,
}

/// A new session with the secrets of its invitation, shown once.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewSession {
    /// The session.
    pub session: Session,
    /// Six digits.
    pub pin: String,
    /// The PIN dies here.
    #[schema(format = DateTime)]
    pub pin_expires_at: String,
    /// `https://HOST/join#TOKEN`
    pub link: String,
}

/// What a console needs to reach the end user.
#[derive(Serialize, ToSchema)]
pub(crate) struct Connection {
    /// The session.
    pub session: Session,
    /// WebSocket URLs, best first.
    pub gateways: Vec<String>,
    /// Admits the console at a gateway: base64url of 32 bytes, once, within 60 seconds.
    pub ticket: String,
    /// Ties charter and seal to this one applet: hexadecimal of 32 bytes.
    pub binding: String,
    /// The website's word on who is about to help.
    pub charter: Charter,
}

/// A signed charter.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Charter {
    /// The document's bytes in base64.
    pub document: String,
    /// The Ed25519 signature in base64.
    pub signature: String,
}
