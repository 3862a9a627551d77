//! The time of day, handed to everything below as a value, so that tests can turn it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use belay_wire::Moment;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

const MICROS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// Where the website takes the time from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The computer's clock.
    System,
    /// A clock that stands still until it is moved.
    Standing(Arc<AtomicU64>),
}

impl Clock {
    /// A clock that stands at `at`.
    #[must_use]
    pub fn standing(at: Moment) -> Self {
        Self::Standing(Arc::new(AtomicU64::new(at.0)))
    }

    /// Moves a standing clock forward; the computer's clock moves by itself.
    pub fn advance(&self, by: Duration) {
        match self {
            Self::System => {}
            Self::Standing(at) => {
                at.fetch_add(u64::try_from(by.as_micros()).unwrap_or(u64::MAX), Ordering::SeqCst);
            }
        }
    }

    /// What time it is, in microseconds since 1970.
    #[must_use]
    pub fn now(&self) -> Moment {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Moment(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
            }
            Self::Standing(at) => Moment(at.load(Ordering::SeqCst)),
        }
    }
}

/// A moment as RFC 3339 in UTC with microseconds.
pub(crate) fn rfc3339(at: Moment) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1000)
        .ok()
        .and_then(|at| at.format(MICROS).ok())
        .unwrap_or_else(|| "9999-12-31T23:59:59.999999Z".to_owned())
}

/// Reads RFC 3339; `None` for anything else and for times before 1970.
pub(crate) fn parse_rfc3339(text: &str) -> Option<Moment> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(at.unix_timestamp_nanos() / 1000).ok().map(Moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_with_microseconds_and_read_back() {
        let at = Moment(1_790_000_000_000_042);
        assert_eq!(rfc3339(at), "2026-09-21T14:13:20.000042Z");
        assert_eq!(parse_rfc3339(&rfc3339(at)), Some(at));
        assert_eq!(parse_rfc3339("2026-09-21T16:13:20.000042+02:00"), Some(at));
        assert_eq!(parse_rfc3339("yesterday"), None);
        assert_eq!(parse_rfc3339("1969-12-31T23:59:59Z"), None);
    }
}
