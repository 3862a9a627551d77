//! What travels as JSON: the names and shapes of `openapi/belay.json`.

mod join;
mod people;
mod session;

use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use join::{
    Gateway, GatewayList, JoinDownload, JoinLink, JoinPin, Platform, PlatformName, Ticket,
};
pub(crate) use people::{Account, Me, Member, Person, SecurityEvent, SecurityLog, SignIn};
pub(crate) use session::{
    Charter, ChatAuthor, ChatLine, Connection, NewSession, NoFields, Scope, Session, SessionDetails,
    SessionEvent, SessionEventKind, SessionList,
};

/// The body of every refusal.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Error {
    /// What was refused.
    pub error: ErrorBody,
}

/// A refusal: the code is stable, the message is for people and may change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// Stable word in kebab-case.
    pub code: String,
    /// What was wrong and what to do.
    pub message: String,
}
