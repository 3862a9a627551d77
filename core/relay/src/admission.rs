//! What passes between gateway and website: the seam at which the relay learns who may come in.

use belay_wire::gateway::{Leaving, Refusal, ReportKind, Role};
use belay_wire::{AccountId, LegTicket, Right, SessionId};
use std::fmt;
use std::net::IpAddr;

/// A leg asks to come in.
#[derive(Clone, PartialEq, Eq)]
pub struct AdmitRequest {
    /// Which end of a session it says it is.
    pub role: Role,
    /// The account it says it belongs to.
    pub account: AccountId,
    /// 16 bytes session authentication id, or 32 bytes leg ticket or return ticket. Secret.
    pub credential: Vec<u8>,
    /// Where it connects from.
    pub address: IpAddr,
    /// Its program's version; hostile text.
    pub version: String,
    /// Its platform; hostile text.
    pub platform: String,
}

impl fmt::Debug for AdmitRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AdmitRequest({:?}, {}, from {}, credential hidden)", self.role, self.account, self.address)
    }
}

/// A leg may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The session it belongs to.
    pub session: SessionId,
    /// What lets it in once more after its connection was lost.
    pub return_ticket: LegTicket,
}

/// Whether the leg may come in, or why it stays out.
pub type AdmitAnswer = Result<Admission, Refusal>;

/// Something the website records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegNews {
    /// The account.
    pub account: AccountId,
    /// The session.
    pub session: SessionId,
    /// What happened.
    pub event: LegEvent,
}

/// What happened to an admitted leg. That it was admitted the website knows already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegEvent {
    /// The applet reports what the end user decided, or what the console tried.
    Report(ReportKind, Right),
    /// The leg went.
    Left(Role, Leaving),
}
