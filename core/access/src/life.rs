//! How long PINs, links, tickets and sign-ins live, and the rule each follows. The numbers are the contract's
//! (`docs/protocol/http.md`).

use std::time::Duration;

use belay_wire::Moment;

/// Life of a PIN: 20 minutes, single use.
pub const PIN: Duration = Duration::from_secs(20 * 60);
/// Life of a link, and of the session that waits for it: 24 hours, single use.
pub const LINK: Duration = Duration::from_secs(24 * 60 * 60);
/// Life of the ticket of a join: 30 minutes.
pub const JOIN_TICKET: Duration = Duration::from_secs(30 * 60);
/// Life of the session id in a downloaded applet: 30 minutes from the download, admitted once.
pub const SESSION_AUTHENTICATION: Duration = Duration::from_secs(30 * 60);
/// Life of a console's ticket for the gateway: 60 seconds, single use.
pub const CONSOLE_TICKET: Duration = Duration::from_secs(60);
/// Life of a leg's ticket to come back: 12 hours, single use; it dies with its session.
pub const RETURN_TICKET: Duration = Duration::from_secs(12 * 60 * 60);
/// How long a return ticket that was used is taken once more, while its successor was not: the answer that carried the
/// successor may have been lost with the connection.
pub const RETURN_TICKET_AGAIN: Duration = Duration::from_secs(2 * 60);
/// Life of a charter: 12 hours.
pub const CHARTER: Duration = Duration::from_secs(12 * 60 * 60);
/// A sign-in ends after this long, however busy.
pub const SIGN_IN_MAX: Duration = Duration::from_secs(12 * 60 * 60);

/// Something that lives until a moment and may be used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneUse {
    /// It is dead from this moment on.
    pub expires_at: Moment,
    /// When it was used, if it was.
    pub used_at: Option<Moment>,
}

/// What a [`OneUse`] is worth at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// It may be used now.
    Usable,
    /// It has been used.
    Used,
    /// Its time is over.
    Expired,
}

impl OneUse {
    /// What it is worth at `now`. A used one says `Used` even after its time.
    pub fn worth(self, now: Moment) -> Worth {
        if self.used_at.is_some() {
            Worth::Used
        } else if now >= self.expires_at {
            Worth::Expired
        } else {
            Worth::Usable
        }
    }
}

/// Is a sign-in still good at `now`? Not after `idle` without activity, and not after [`SIGN_IN_MAX`].
pub fn sign_in_holds(created_at: Moment, last_seen_at: Moment, idle: Duration, now: Moment) -> bool {
    now < last_seen_at + idle && now < created_at + SIGN_IN_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_use_is_one_use_and_ends_on_time() {
        let fresh = OneUse { expires_at: Moment(100), used_at: None };
        assert_eq!(fresh.worth(Moment(99)), Worth::Usable);
        assert_eq!(fresh.worth(Moment(100)), Worth::Expired);
        let used = OneUse { used_at: Some(Moment(50)), ..fresh };
        assert_eq!(used.worth(Moment(51)), Worth::Used);
        assert_eq!(used.worth(Moment(500)), Worth::Used);
    }

    #[test]
    fn a_sign_in_ends_by_idleness_and_by_age() {
        let start = Moment(1_000);
        let idle = Duration::from_secs(900);
        assert!(sign_in_holds(start, start, idle, start + Duration::from_secs(899)));
        assert!(!sign_in_holds(start, start, idle, start + idle));
        let busy = start + Duration::from_secs(12 * 3600 - 1);
        assert!(sign_in_holds(start, busy, idle, busy));
        assert!(!sign_in_holds(start, start + SIGN_IN_MAX, idle, start + SIGN_IN_MAX));
    }
}
