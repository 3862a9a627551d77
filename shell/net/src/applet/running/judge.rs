//! What is told of a pairing without anything having come: interruptions, a silent console, and what somebody on the way does.

use belay_wire::Moment;
use std::time::{Duration, Instant};

use super::super::Event;
use super::{Flow, Running};
use crate::pairing::Pairing;

/// How long somebody who was heard counts as there, although no ping was answered yet: when a network comes back, what was
/// on its way arrives first.
const HEARD: Duration = Duration::from_secs(3);
/// How often interference is told of at most; what comes later is told with the next packet or ping.
const INTERFERENCE_EVERY: Duration = Duration::from_secs(1);
/// Silence of the console, which pings every five seconds on each path, after which nothing should be held for it.
const QUIET: Duration = Duration::from_secs(8);

impl Running {
    /// Tells of an interruption when the last path has gone, and not only the gateway's.
    pub(super) async fn judge(&mut self) -> Flow {
        let confirmed = self.pairing.as_ref().is_some_and(Pairing::is_confirmed);
        let heard = self.heard().is_some_and(|at| self.now().since(at) < HEARD);
        if let Some(broken) = &self.broken
            && confirmed
            && !heard
            && !self.interrupted
            && !self.has_way()
        {
            let event = Event::Interrupted(broken.clone());
            self.interrupted = true;
            self.tell(event).await?;
        }
        if self.quiet_at().is_some_and(|at| at <= self.now()) {
            self.quiet = self.heard();
            tracing::info!("the console has been silent for {} seconds", QUIET.as_secs());
            self.tell(Event::Quiet).await?;
        }
        self.tell_interference().await?;
        self.tell_path(false).await
    }

    /// Tells what somebody on the way has done, when it is more than before; not more often than people can read it.
    async fn tell_interference(&mut self) -> Flow {
        // Before that it is not known whether the two ends mean the same pairing.
        let Some(pairing) = self.pairing.as_ref().filter(|pairing| pairing.is_confirmed()) else {
            return Flow::Continue(());
        };
        let now = pairing.interference();
        let (before, at) = self.interference;
        if now == before || at.is_some_and(|at| at.elapsed() < INTERFERENCE_EVERY) {
            return Flow::Continue(());
        }
        self.interference = (now, Some(Instant::now()));
        self.tell(Event::Interference(now)).await
    }

    /// When something of the console's came last, on whatever path.
    fn heard(&self) -> Option<Moment> {
        self.pairing.as_ref().and_then(Pairing::heard)
    }

    /// When the console's silence is to be told, unless it was.
    fn quiet_at(&self) -> Option<Moment> {
        self.heard().filter(|heard| self.quiet != Some(*heard)).map(|heard| heard + QUIET)
    }

    /// When somebody who was heard counts as there no more, or has been silent for too long.
    pub(super) fn judge_again_at(&self) -> Option<Moment> {
        let open = self.broken.is_some() && !self.interrupted;
        let gone = self.heard().filter(|_| open).map(|at| at + HEARD).filter(|at| *at > self.now());
        gone.into_iter().chain(self.quiet_at()).min()
    }
}
