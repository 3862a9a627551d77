//! Whether the gateway is still there. Its own pings, every 15 seconds, tell too late for somebody who is being helped;
//! and a change of this computer's addresses is a reason to ask at once.

use belay_wire::Moment;
use std::net::IpAddr;
use std::time::Duration;

/// How often to look.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Silence after which the gateway is asked while somebody is being helped; the console's pings come every five seconds.
const ASK_AFTER: Duration = Duration::from_secs(7);
/// Time for its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// The same when this computer's addresses have changed.
const ANSWER_SOON: Duration = Duration::from_secs(2);
/// Silence of a gateway at which nobody is waited for but in vain.
const SILENCE: Duration = Duration::from_secs(45);

/// What to think of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Alive,
    /// Ask for a sign of life.
    Ask,
    Lost,
}

/// Watches one connection to the gateway.
pub(super) struct Liveness {
    heard: Moment,
    /// Until when an answer has to come.
    until: Option<Moment>,
    addresses: Vec<IpAddr>,
}

impl Liveness {
    pub(super) fn new(now: Moment) -> Liveness {
        Liveness { heard: now, until: None, addresses: addresses() }
    }

    /// Something came.
    pub(super) fn heard(&mut self, now: Moment) {
        (self.heard, self.until) = (now, None);
    }

    /// Looks whether all is well. `helped`: there is a pairing.
    pub(super) fn look(&mut self, helped: bool, now: Moment) -> Sign {
        let addresses = addresses();
        let moved = addresses != self.addresses;
        self.addresses = addresses;
        self.judge(helped, moved, now)
    }

    fn judge(&mut self, helped: bool, moved: bool, now: Moment) -> Sign {
        let silence = now.since(self.heard);
        match self.until {
            Some(until) if until <= now => Sign::Lost,
            Some(_) if !moved => Sign::Alive,
            Some(_) | None if moved => {
                self.until = Some(now + ANSWER_SOON);
                Sign::Ask
            }
            Some(_) | None if silence >= SILENCE => Sign::Lost,
            Some(_) | None if helped && silence >= ASK_AFTER => {
                self.until = Some(now + ANSWER_WITHIN);
                Sign::Ask
            }
            Some(_) | None => Sign::Alive,
        }
    }
}

/// The addresses of this computer but those that come and go by themselves; empty when the system does not say.
fn addresses() -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = match if_addrs::get_if_addrs() {
        Ok(interfaces) => {
            interfaces.iter().filter(|one| !one.is_loopback()).map(if_addrs::Interface::ip).collect()
        }
        Err(error) => {
            tracing::debug!(%error, "the addresses of this computer cannot be listed");
            Vec::new()
        }
    };
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(seconds * 1_000_000)
    }

    #[test]
    fn silence_is_asked_about_while_somebody_is_helped() {
        let mut liveness = Liveness { heard: at(0), until: None, addresses: Vec::new() };
        assert_eq!(liveness.judge(true, false, at(6)), Sign::Alive);
        assert_eq!(liveness.judge(true, false, at(7)), Sign::Ask);
        assert_eq!(liveness.judge(true, false, at(8)), Sign::Alive, "the answer has time");
        liveness.heard(at(9));
        assert_eq!(liveness.judge(true, false, at(12)), Sign::Alive);
        assert_eq!(liveness.judge(true, false, at(16)), Sign::Ask);
        assert_eq!(liveness.judge(true, false, at(21)), Sign::Lost);
    }

    #[test]
    fn without_a_technician_the_gateways_own_pings_are_enough() {
        let mut liveness = Liveness { heard: at(0), until: None, addresses: Vec::new() };
        assert_eq!(liveness.judge(false, false, at(44)), Sign::Alive);
        assert_eq!(liveness.judge(false, false, at(45)), Sign::Lost);
    }

    #[test]
    fn a_change_of_address_is_asked_about_at_once() {
        let mut liveness = Liveness { heard: at(0), until: None, addresses: Vec::new() };
        assert_eq!(liveness.judge(false, true, at(1)), Sign::Ask);
        assert_eq!(liveness.judge(false, false, at(2)), Sign::Alive);
        assert_eq!(liveness.judge(false, false, at(3)), Sign::Lost);
    }
}
