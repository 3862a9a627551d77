//! `GET /events`: what changes, as server-sent events. Rows are the truth: a notice only says which session to
//! read, and a gap in the notices becomes `resync`.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use belay_access::Action;
use belay_store::{Heard, Notice, StoreError, Subscription};
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::error::ApiError;
use crate::extract::SignedIn;
use crate::sessions::is_visible;
use crate::types::{Error, Session};
use crate::website::Website;

/// How long a stream may outlive the sign-in it belongs to.
const SIGN_IN_CHECK: Duration = Duration::from_secs(5);
/// A comment keeps proxies from closing a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Changes as server-sent events.
///
/// `session` carries a `Session`; `resync` at the start and after a gap says to load the lists again;
/// `signed-out` is the last one. Listening is no activity.
#[utoipa::path(
    get,
    path = "/events",
    tag = "sessions",
    responses(
        (status = 200, description = "`session` (data: `Session`), `resync`, `signed-out`", body = String, content_type = "text/event-stream"),
        (status = 401, description = "signed-out", body = Error),
    )
)]
pub(crate) async fn events(
    State(website): State<Website>,
    who: SignedIn,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    who.may(Action::SeeSessions, &website)?;
    let notices = website.store().bus().subscribe(who.account);
    let mut check = interval(SIGN_IN_CHECK);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let listener = Listener { website, who, notices, check, stage: Stage::Begin };
    let stream = unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

enum Stage {
    Begin,
    Open,
    Ended,
}

struct Listener {
    website: Website,
    who: SignedIn,
    notices: Subscription,
    check: Interval,
    stage: Stage,
}

impl Listener {
    /// The next event, `None` after the last one.
    async fn next(&mut self) -> Option<Event> {
        match self.stage {
            Stage::Ended => return None,
            Stage::Begin => {
                self.stage = Stage::Open;
                return Some(resync());
            }
            Stage::Open => {}
        }
        loop {
            tokio::select! {
                _ = self.check.tick() => match self.is_signed_in().await {
                    Ok(true) => {}
                    Ok(false) => {
                        self.stage = Stage::Ended;
                        return Some(Event::default().event("signed-out").data("{}"));
                    }
                    Err(error) => return self.give_up(&error),
                },
                heard = self.notices.next() => match heard {
                    Heard::Gap => return Some(resync()),
                    Heard::Closed => return None,
                    Heard::Notice(Notice::SessionChanged { session, .. }) => {
                        match self.changed(session).await {
                            Ok(Some(event)) => return Some(event),
                            Ok(None) => {}
                            Err(error) => return self.give_up(&error),
                        }
                    }
                },
            }
        }
    }

    async fn changed(&self, id: belay_wire::SessionId) -> Result<Option<Event>, StoreError> {
        let session = self.website.store().view(self.who.account).await?.session(id).await?;
        Ok(session.filter(|session| is_visible(session, self.who.member.id)).map(|session| {
            match Event::default().event("session").json_data(Session::from(&session)) {
                Ok(event) => event,
                Err(error) => {
                    tracing::error!(%error, "a session could not be written as JSON");
                    resync()
                }
            }
        }))
    }

    async fn is_signed_in(&self) -> Result<bool, StoreError> {
        let (idle, now) = (self.website.settings().idle, self.website.now());
        let directory = self.website.store().directory();
        Ok(directory.web_session(&self.who.token, idle, now).await?.is_some())
    }

    /// Ends the stream; the page opens a new one and loads its lists again.
    fn give_up(&mut self, error: &StoreError) -> Option<Event> {
        tracing::error!(%error, "an event stream ends because the store failed");
        self.stage = Stage::Ended;
        None
    }
}

fn resync() -> Event {
    Event::default().event("resync").data("{}")
}
