//! Whether the gateway is still there. Its own pings, every 15 seconds, tell too late for somebody who is being helped: so it is asked
//! as soon as the link's own silence is suspicious, and meanwhile a second connection is made. What answers first is taken.

use belay_wire::Moment;
use std::time::Duration;

/// Silence after which the gateway is asked while somebody is being helped; the console's pings come every five seconds.
const ASK_AFTER: Duration = Duration::from_secs(7);
/// Time for its answer, if a second connection cannot be made either.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Time for its answer before a second connection is made, and before that takes its place.
const SECOND_AFTER: Duration = Duration::from_millis(300);
const REPLACED_AFTER: Duration = Duration::from_millis(600);
/// Somebody who answers at the gateway is not asked again at once when it is the console that is silent.
const ASK_AGAIN: Duration = Duration::from_secs(3);
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
    /// When it was asked, if it has not answered.
    asked: Option<Moment>,
    /// When it was asked last, answered or not.
    before: Option<Moment>,
}

impl Liveness {
    pub(super) fn new(now: Moment) -> Liveness {
        Liveness { heard: now, asked: None, before: None }
    }

    /// Something came.
    pub(super) fn heard(&mut self, now: Moment) {
        (self.heard, self.asked) = (now, None);
    }

    /// This computer's addresses have changed.
    pub(super) fn moved(&mut self, now: Moment) -> Sign {
        self.ask(now)
    }

    /// Looks whether all is well. `helped`: there is a pairing; `doubted`: when its link has reason to doubt the way by the gateway.
    pub(super) fn look(&mut self, helped: bool, doubted: Option<Moment>, now: Moment) -> Sign {
        let silence = now.since(self.heard);
        match self.asked {
            Some(asked) if now.since(asked) >= ANSWER_WITHIN => Sign::Lost,
            Some(_) => Sign::Alive,
            None if silence >= SILENCE => Sign::Lost,
            None if helped && silence >= ASK_AFTER => self.ask(now),
            None if self.doubted_at(doubted).is_some_and(|at| at <= now) => self.ask(now),
            None => Sign::Alive,
        }
    }

    fn ask(&mut self, now: Moment) -> Sign {
        (self.asked, self.before) = (Some(now), Some(now));
        Sign::Ask
    }

    /// When to look next, if nothing comes before.
    pub(super) fn look_at(&self, helped: bool, doubted: Option<Moment>) -> Moment {
        match self.asked {
            Some(asked) => asked + ANSWER_WITHIN,
            None => {
                let usual = self.heard + if helped { ASK_AFTER } else { SILENCE };
                self.doubted_at(doubted).map_or(usual, |at| at.min(usual))
            }
        }
    }

    fn doubted_at(&self, doubted: Option<Moment>) -> Option<Moment> {
        let again = self.before.map_or(Moment(0), |before| before + ASK_AGAIN);
        doubted.map(|at| at.max(again))
    }

    /// From when on a second connection is made, unless the gateway answers before.
    pub(super) fn second_at(&self) -> Option<Moment> {
        self.asked.map(|asked| asked + SECOND_AFTER)
    }

    /// From when on a second connection takes the place of this one, unless the gateway answers before.
    pub(super) fn replaced_at(&self) -> Option<Moment> {
        self.asked.map(|asked| asked + REPLACED_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(seconds * 1_000_000)
    }

    #[test]
    fn silence_is_asked_about_while_somebody_is_helped() {
        let mut liveness = Liveness::new(at(0));
        assert_eq!(liveness.look(true, None, at(6)), Sign::Alive);
        assert_eq!(liveness.look_at(true, None), at(7));
        assert_eq!(liveness.look(true, None, at(7)), Sign::Ask);
        assert_eq!(liveness.look(true, None, at(8)), Sign::Alive, "the answer has time");
        liveness.heard(at(9));
        assert_eq!(liveness.look(true, None, at(12)), Sign::Alive);
        assert_eq!(liveness.look(true, None, at(16)), Sign::Ask);
        assert_eq!(liveness.look_at(true, None), at(21));
        assert_eq!(liveness.look(true, None, at(21)), Sign::Lost);
    }

    #[test]
    fn without_a_technician_the_gateways_own_pings_are_enough() {
        let mut liveness = Liveness::new(at(0));
        assert_eq!(liveness.look(false, None, at(44)), Sign::Alive);
        assert_eq!(liveness.look_at(false, None), at(45));
        assert_eq!(liveness.look(false, None, at(45)), Sign::Lost);
    }

    #[test]
    fn a_doubt_of_the_links_is_asked_about_at_once_and_a_second_connection_follows() {
        let mut liveness = Liveness::new(at(0));
        assert_eq!(liveness.look(true, Some(at(2)), at(1)), Sign::Alive);
        assert_eq!((liveness.look_at(true, Some(at(2))), liveness.second_at()), (at(2), None));
        assert_eq!(liveness.look(true, Some(at(2)), at(2)), Sign::Ask);
        assert_eq!(liveness.second_at(), Some(at(2) + SECOND_AFTER));
        assert_eq!(liveness.replaced_at(), Some(at(2) + REPLACED_AFTER));
        // It is the console that is silent: the gateway is not asked all the time.
        liveness.heard(at(2));
        assert_eq!(liveness.second_at(), None);
        assert_eq!(liveness.look(true, Some(at(2)), at(3)), Sign::Alive);
        assert_eq!(liveness.look_at(true, Some(at(2))), at(5));
        assert_eq!(liveness.look(true, Some(at(2)), at(5)), Sign::Ask);
    }
}
