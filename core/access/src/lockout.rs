//! Lock-out of a sign-in id after five failures in a row.
//!
//! Every attempt counts as a failure when it begins and is forgiven when it succeeds, so that many attempts at once
//! cannot slip past the count while their password hashes are being computed. The same count is kept for ids that do
//! not exist, so that nobody can tell the two apart.

use std::time::Duration;

use belay_wire::Moment;

/// Failures in a row that lock an id.
pub const FAILURES_MAX: u32 = 5;
/// How long a locked id stays locked.
pub const LOCKED_FOR: Duration = Duration::from_secs(15 * 60);

/// The count kept for a sign-in id. The default is an id nobody has tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lockout {
    /// Attempts since the last success or the end of the last lock.
    pub failures: u32,
    /// Set while (or after) the id is locked.
    pub locked_until: Option<Moment>,
}

/// May this attempt go on?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Check the password.
    Proceed,
    /// Answer as for a wrong password, without checking it.
    Locked {
        /// When the next attempt is possible.
        until: Moment,
    },
}

impl Lockout {
    /// An attempt begins at `now`: the count to keep, and whether the password may be checked.
    #[must_use]
    pub fn attempt(self, now: Moment) -> (Lockout, Verdict) {
        let counted = match self.locked_until {
            Some(until) if now < until => return (self, Verdict::Locked { until }),
            Some(_) => Lockout::default(),
            None => self,
        };
        let failures = counted.failures + 1;
        let locked_until = (failures >= FAILURES_MAX).then(|| now + LOCKED_FOR);
        (Lockout { failures, locked_until }, Verdict::Proceed)
    }

    /// The attempt was right: everything is forgiven.
    #[must_use]
    pub fn success(self) -> Lockout {
        Lockout::default()
    }

    /// Is the id locked at `now`?
    pub fn is_locked(self, now: Moment) -> bool {
        self.locked_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(times: u32, now: Moment) -> Lockout {
        (0..times).fold(Lockout::default(), |lockout, _| lockout.attempt(now).0)
    }

    #[test]
    fn the_fifth_failure_locks_for_a_quarter_of_an_hour() {
        let now = Moment(1_000);
        assert!(!failed(4, now).is_locked(now));
        let (fifth, verdict) = failed(4, now).attempt(now);
        assert_eq!(verdict, Verdict::Proceed, "the fifth attempt is still checked");
        assert!(fifth.is_locked(now));
        let until = now + LOCKED_FOR;
        assert_eq!(fifth.attempt(Moment(until.0 - 1)).1, Verdict::Locked { until });
        assert_eq!(fifth.attempt(until).1, Verdict::Proceed);
    }

    #[test]
    fn tries_while_locked_do_not_prolong_the_lock() {
        let now = Moment(1_000);
        let locked = failed(5, now);
        assert_eq!(locked.attempt(now + Duration::from_secs(60)).0, locked);
    }

    #[test]
    fn the_count_starts_again_after_a_lock_and_after_a_success() {
        let now = Moment(1_000);
        let after = failed(5, now).attempt(now + LOCKED_FOR).0;
        assert_eq!(after, Lockout { failures: 1, locked_until: None });
        assert_eq!(failed(4, now).success(), Lockout::default());
        assert_eq!(failed(5, now).success(), Lockout::default());
    }
}
