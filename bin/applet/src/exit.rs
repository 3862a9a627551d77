//! Exit codes, a contract with scripts (docs/operating/handles.md).

use belay_wire::gateway::Refusal;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The session ended.
    Ended = 0,
    /// A fault of the program itself.
    Internal = 1,
    /// Wrong use: unknown option, or a file without a usable tag.
    WrongUse = 2,
    /// No gateway could be reached, or the connection failed for good.
    NoGateway = 3,
    /// The session id is not known.
    IdUnknown = 4,
    /// There is no display.
    NoDisplay = 5,
    /// The session id was used before.
    IdUsed = 6,
    /// The session id has expired.
    IdExpired = 7,
    /// The session id belongs to another account or installation.
    IdForeign = 8,
    /// Somebody sits between this program and the technician.
    Tampered = 9,
}

impl Exit {
    /// How the program ends when the gateway does not let it in.
    pub const fn of_refusal(refusal: Refusal) -> Exit {
        match refusal {
            Refusal::Unknown => Exit::IdUnknown,
            Refusal::Used => Exit::IdUsed,
            Refusal::Expired | Refusal::Replaced => Exit::IdExpired,
            Refusal::Foreign => Exit::IdForeign,
            Refusal::Full | Refusal::Protocol | Refusal::SlowDown | Refusal::Unavailable => Exit::NoGateway,
        }
    }
}
