//! `GET /internal/v1/ends`: which sessions have ended, as server-sent events `ended` with the session's id. It begins
//! with those that ended lately, for a gateway that was not listening then; an end told twice is no harm. With `?at=URL`
//! the gateway says where it is reached, so that consoles can be sent to where their applets are.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use belay_store::StoreError;
use belay_wire::SessionId;
use futures_util::stream::unfold;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::Refused;
use super::gateways::Stream;
use super::proof::{Proven, is_trusted};
use crate::admission::Admission;
use crate::website::Website;

/// How soon a revoked key loses its stream.
const TRUST_CHECK: Duration = Duration::from_secs(5);
/// A gateway that hears nothing for three of these knows that the stream is dead.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Ended sessions that are told at the start, for each account.
const LATELY: u32 = 200;

#[derive(serde::Deserialize)]
pub(crate) struct Said {
    /// The address under which it is listed.
    at: Option<String>,
}

pub(crate) async fn ends(
    State(website): State<Website>,
    Query(Said { at }): Query<Said>,
    proven: Proven,
) -> Result<Sse<impl futures_util::Stream<Item = Result<Event, Infallible>>>, Refused> {
    let (ended, follower) = Admission::new(website.clone()).ended_sessions();
    // After the start of the follower, so that none falls between.
    let lately = lately(&website).await.map_err(|error| {
        tracing::error!(%error, "the sessions that ended lately could not be read");
        Refused::Unavailable
    })?;
    match at {
        Some(url) if website.settings().lists(&url) => website.gateways().is_at(proven.key, url),
        Some(url) => tracing::warn!(%url, "a gateway says that it is reached where none is listed"),
        None => {}
    }
    let mut check = interval(TRUST_CHECK);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stream = website.gateways().listening(proven.key);
    let listener = Listener { website, key: proven.key, lately, ended, follower, check, _stream: stream };
    let events = unfold(listener, |mut listener| async move {
        let session = listener.next().await?;
        Some((Ok(Event::default().event("ended").data(session.to_string())), listener))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

struct Listener {
    website: Website,
    key: [u8; 32],
    lately: VecDeque<SessionId>,
    ended: mpsc::Receiver<SessionId>,
    follower: JoinHandle<()>,
    check: Interval,
    _stream: Stream,
}

impl Listener {
    async fn next(&mut self) -> Option<SessionId> {
        if let Some(session) = self.lately.pop_front() {
            return Some(session);
        }
        loop {
            tokio::select! {
                session = self.ended.recv() => return session,
                _ = self.check.tick() => is_trusted(&self.website, &self.key).await.ok()?,
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

async fn lately(website: &Website) -> Result<VecDeque<SessionId>, StoreError> {
    let mut sessions = VecDeque::new();
    for account in website.store().directory().accounts().await? {
        let ended = website.store().view(account.id).await?.ended_sessions(LATELY, None).await?;
        sessions.extend(ended.into_iter().map(|session| session.id));
    }
    Ok(sessions)
}
