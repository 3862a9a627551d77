//! Interruptions: nothing is captured and nothing moves while nobody can see it, and after five minutes nothing is granted.

use std::time::Duration;

use belay_permission::{Admission, Input as Consent};
use belay_wire::{Message, Moment};

use super::{Conductor, Now};
use crate::deeds::{Deed, Far, Show, State, Story};
use crate::host_log::Entry;

/// After so long every grant is withdrawn; the console counts alike.
const OFFLINE: Duration = Duration::from_secs(5 * 60);
/// How long after a sleep a broken connection is put down to it: the gateway's silence is noticed after 45 seconds.
const NOTICED: Duration = Duration::from_secs(2 * 60);

/// An interruption.
#[derive(Clone, Debug)]
pub(super) struct Away {
    far: Far,
    /// When it was noticed.
    since: Now,
    /// How much of it was slept through before that.
    slept: Duration,
    /// Where the session stood before it.
    before: State,
    lasting: Lasting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lasting {
    Reconnecting,
    Offline,
}

impl Away {
    /// When the interruption has lasted too long, if it has not yet.
    pub(super) fn next_timeout(&self) -> Option<Moment> {
        match self.lasting {
            Lasting::Reconnecting => Some(self.since.moment + OFFLINE.saturating_sub(self.slept)),
            Lasting::Offline => None,
        }
    }

    /// By the clock on the wall too, for the other one stands still while the computer sleeps.
    fn lasted(&self, now: Now) -> Duration {
        let by_wall = Duration::from_micros(now.unix.saturating_sub(self.since.unix));
        self.slept + now.moment.since(self.since.moment).max(by_wall)
    }

    fn state(&self) -> State {
        match self.lasting {
            Lasting::Reconnecting => State::Reconnecting(self.far, self.since.moment),
            Lasting::Offline => State::Offline(self.far, self.since.moment),
        }
    }
}

/// Notices that the computer slept: the clock on the wall went on, the other did not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sleep {
    last: Option<Now>,
    woken: Option<(Moment, Duration)>,
}

impl Sleep {
    pub(super) fn watch(&mut self, now: Now) {
        if let Some(last) = self.last {
            let by_wall = Duration::from_micros(now.unix.saturating_sub(last.unix));
            let slept = by_wall.saturating_sub(now.moment.since(last.moment));
            if slept >= Duration::from_secs(1) {
                self.woken = Some((now.moment, slept));
            }
        }
        self.last = Some(now);
    }

    fn just_before(&self, now: Now) -> Duration {
        match self.woken {
            Some((at, slept)) if now.moment.since(at) <= NOTICED => slept,
            Some(_) | None => Duration::ZERO,
        }
    }
}

impl Conductor {
    /// The way broke, or broke in another place too.
    pub(super) fn interrupted(&mut self, far: Far, now: Now) {
        // Without a pairing only the gateway can be missed.
        if !self.paired && far == Far::Technician {
            return;
        }
        let end = match far {
            Far::Server => "server",
            Far::Technician => "technician",
        };
        if let Some(away) = &mut self.away {
            if away.far != far {
                away.far = far;
                let state = away.state();
                self.log(Entry::Interrupted { end });
                self.enter(state);
            }
            return;
        }
        if self.paired {
            // First of all the machine is let go of; only then is anybody told.
            self.deeds.push_back(Deed::LetGo);
            let was_open = self.opening.is_some();
            self.close_screen();
            self.reopen = was_open;
        }
        let (slept, before) = (self.sleep.just_before(now), self.state.clone());
        let away = Away { far, since: now, slept, before, lasting: Lasting::Reconnecting };
        let state = away.state();
        self.away = Some(away);
        self.log(Entry::Interrupted { end });
        self.story(Story::Interrupted(far));
        if self.paired {
            self.consent(Consent::Interrupted, now);
            self.deeds.push_back(Deed::Show(Show::Typing(false)));
        }
        self.enter(state);
        self.settle_absence(now);
    }

    /// The gateway is there again; with a pairing, its console is still missed.
    pub(super) fn returned(&mut self, now: Now) {
        let Some(mut away) = self.away.take() else { return };
        if self.paired {
            away.far = Far::Technician;
            let state = away.state();
            self.away = Some(away);
            return self.enter(state);
        }
        self.log(Entry::Resumed { seconds: away.lasted(now).as_secs() });
        self.story(Story::Resumed);
        self.enter(away.before);
    }

    /// The same console, the same keys: it goes on where it was, with a whole picture first.
    pub(super) fn resumed(&mut self, now: Now) {
        if !self.paired {
            return;
        }
        self.settle_absence(now);
        let Some(away) = self.away.take() else { return };
        let reopen = std::mem::take(&mut self.reopen);
        self.consent(Consent::Resumed, now);
        self.log(Entry::Resumed { seconds: away.lasted(now).as_secs() });
        self.story(Story::Resumed);
        self.enter(away.before);
        let view = self.view;
        if reopen && let Ok(Admission::With(admitted)) = self.permission.admit(&Message::ScreenOpen(view)) {
            self.open_screen(admitted, view);
        }
    }

    /// The console is gone for good: what is shown now depends on whether the gateway is there.
    pub(super) fn lonely(&mut self) {
        match &mut self.away {
            Some(away) if away.far == Far::Server => away.before = State::Left,
            Some(_) | None => {
                self.away = None;
                self.enter(State::Left);
            }
        }
    }

    /// What has lasted too long costs every grant.
    pub(super) fn settle_absence(&mut self, now: Now) {
        let Some(away) = &mut self.away else { return };
        if away.lasting == Lasting::Offline || away.lasted(now) < OFFLINE {
            return;
        }
        away.lasting = Lasting::Offline;
        let state = away.state();
        self.log(Entry::Offline);
        self.consent(Consent::Offline, now);
        self.story(Story::Offline);
        self.enter(state);
    }
}
