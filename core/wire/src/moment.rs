//! One clock for every pure machine: microseconds, handed in from outside.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time in microseconds. On a server since the Unix epoch; inside one program any monotonic origin will do,
/// as long as one machine sees one origin only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// The time from `earlier` to `self`, or zero when `earlier` is later.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// Microseconds as the signed number that databases hold.
    pub fn as_micros_i64(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// The moment a database number stands for; negative numbers become the origin.
    pub fn from_micros_i64(micros: i64) -> Moment {
        Moment(u64::try_from(micros).unwrap_or(0))
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;
    fn add(self, rest: Duration) -> Moment {
        Moment(self.0.saturating_add(u64::try_from(rest.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Moment;
    fn sub(self, rest: Duration) -> Moment {
        Moment(self.0.saturating_sub(u64::try_from(rest.as_micros()).unwrap_or(u64::MAX)))
    }
}
