//! Bounds of the gateway: how much anybody may hold, how fast a session may go, and for how long.

use belay_wire::Moment;
use std::time::Duration;

/// Bounds that keep one stranger, or one session, from hurting others.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Legs in all, admitted or not.
    pub legs: usize,
    /// Legs of one address, admitted or not: many people may sit behind one.
    pub legs_per_address: u32,
    /// Legs that are not admitted yet, so that strangers alone cannot fill the gateway.
    pub strangers: usize,
    /// Legs of one address that are not admitted yet.
    pub strangers_per_address: u32,
    /// Time for `Hello`, and for the website's answer.
    pub admit_within: Duration,
    /// Silence after which a leg is lost.
    pub silence: Duration,
    /// The longest a leg lives; then it has to come back with its return ticket, which is good for 12 hours.
    pub life: Duration,
    /// Reports one applet may make.
    pub reports: u32,
    /// Bytes that wait for a leg above which its partner is not read from, until they are down to a quarter.
    pub waiting_bytes: usize,
    /// Bytes a second of one session, both ways together; a second's worth may come at once. Who sends faster is read
    /// from more slowly, nothing is lost.
    pub session_bytes: u64,
    /// How often a leg gets new credentials for the STUN and TURN service.
    pub relaying_every: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            legs: 20_000,
            legs_per_address: 2_000,
            strangers: 4_000,
            strangers_per_address: 64,
            admit_within: Duration::from_secs(10),
            silence: Duration::from_secs(45),
            life: Duration::from_secs(11 * 3600),
            reports: 1000,
            waiting_bytes: 256 * 1024,
            session_bytes: 50_000_000,
            relaying_every: Duration::from_secs(45 * 60),
        }
    }
}

/// What a session may still send: refills with time, and may be overdrawn by one frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Bytes; negative: overdrawn.
    left: i64,
    at: Moment,
}

impl Budget {
    pub(crate) fn full(rate: u64, now: Moment) -> Budget {
        Budget { left: i64::try_from(rate).unwrap_or(i64::MAX), at: now }
    }

    /// Takes `cost` whatever is there, and says until when nothing more may be taken, if anything was overdrawn.
    pub(crate) fn spend(&mut self, cost: usize, rate: u64, now: Moment) -> Option<Moment> {
        let rate = rate.max(1);
        let micros = now.0.saturating_sub(self.at.0);
        // In whole bytes only, so that frequent calls lose no fractions.
        let refill = u128::from(micros) * u128::from(rate) / 1_000_000;
        if refill > 0 {
            let most = i64::try_from(rate).unwrap_or(i64::MAX);
            self.left = self.left.saturating_add(i64::try_from(refill).unwrap_or(i64::MAX)).min(most);
            self.at = now;
        }
        self.left = self.left.saturating_sub(i64::try_from(cost).unwrap_or(i64::MAX));
        let debt = u128::from(self.left.min(0).unsigned_abs());
        let wait = (debt * 1_000_000).div_ceil(u128::from(rate));
        (debt > 0).then(|| now + Duration::from_micros(u64::try_from(wait).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_as_told_sends_at_the_rate_and_not_faster() {
        let start = Moment(0);
        let mut budget = Budget::full(1000, start);
        let mut now = start;
        let mut sent = 0;
        while now.since(start) < Duration::from_secs(100) {
            sent += 300;
            if let Some(until) = budget.spend(300, 1000, now) {
                assert!(until > now);
                now = until;
            }
        }
        assert!((100_000..=101_600).contains(&sent), "{sent}");
    }
}
