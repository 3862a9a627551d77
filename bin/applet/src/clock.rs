//! The program's clock: one monotonic origin for every machine, and the computer's time for the record.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use belay_wire::Moment;

use crate::conductor::Now;

/// Counts from the program's start.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// Starts counting.
    pub fn start() -> Clock {
        Clock { origin: Instant::now() }
    }

    /// Now, on the machines' clock.
    pub fn moment(self) -> Moment {
        Moment(micros(self.origin.elapsed()))
    }

    /// Now, by both clocks.
    pub fn now(self) -> Now {
        Now { moment: self.moment(), unix: unix() }
    }

    /// When a moment comes.
    pub fn instant(self, moment: Moment) -> Instant {
        self.origin + Duration::from_micros(moment.0)
    }
}

/// µs since 1970 by this computer's clock; 0 before that.
pub fn unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, micros)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Hour and minute where the person is.
#[allow(unsafe_code)]
pub fn wall_time() -> (i32, i32) {
    let seconds = libc::time_t::try_from(unix() / 1_000_000).unwrap_or(0);
    // SAFETY: all-zero bytes are a valid `tm`, and localtime_r only writes through the valid pointer it is given.
    let parts = unsafe {
        let mut parts: libc::tm = std::mem::zeroed();
        libc::localtime_r(&seconds, &mut parts);
        parts
    };
    (parts.tm_hour, parts.tm_min)
}
