//! `GET /sessions/{id}`: one session with its chat and what happened.

use axum::Json;
use axum::extract::State;
use belay_access::Action;
use belay_store as store;

use crate::clock::rfc3339;
use crate::error::ApiError;
use crate::extract::{SessionPath, SignedIn};
use crate::types::{ChatLine, Error, SessionDetails, SessionEvent, SessionEventKind};
use crate::website::Website;

/// One session with its chat and events.
#[utoipa::path(
    get,
    path = "/sessions/{id}",
    tag = "sessions",
    params(("id" = String, Path, description = "the session", format = Uuid)),
    responses(
        (status = 200, description = "the session", body = SessionDetails),
        (status = 401, description = "signed-out", body = Error),
        (status = 404, description = "not-found", body = Error),
    )
)]
pub(crate) async fn show_session(
    State(website): State<Website>,
    who: SignedIn,
    SessionPath(id): SessionPath,
) -> Result<Json<SessionDetails>, ApiError> {
    who.may(Action::SeeSessions, &website)?;
    let details = website
        .store()
        .view(who.account)
        .await?
        .session_details(id)
        .await?
        .filter(|details| super::is_visible(&details.session, who.member.id))
        .ok_or(ApiError::NotFound)?;
    let events = details.events.into_iter().map(event).collect::<Result<_, _>>()?;
    Ok(Json(SessionDetails {
        session: (&details.session).into(),
        chat: details.chat.into_iter().map(ChatLine::from).collect(),
        events,
    }))
}

fn event(event: store::SessionEvent) -> Result<SessionEvent, ApiError> {
    let kind = match event.kind.as_str() {
        "created" => SessionEventKind::Created,
        "joined" => SessionEventKind::Joined,
        "downloaded" => SessionEventKind::Downloaded,
        "waiting" => SessionEventKind::Waiting,
        "picked_up" => SessionEventKind::PickedUp,
        "granted" => SessionEventKind::Granted,
        "refused" => SessionEventKind::Refused,
        "withdrawn" => SessionEventKind::Withdrawn,
        "violation" => SessionEventKind::Violation,
        "connection_lost" => SessionEventKind::ConnectionLost,
        "console_left" => SessionEventKind::ConsoleLeft,
        "reconnected" => SessionEventKind::Reconnected,
        "offline" => SessionEventKind::Offline,
        "ended" => SessionEventKind::Ended,
        other => {
            tracing::error!(kind = other, "a session has an event of a kind this version does not know");
            return Err(ApiError::Internal);
        }
    };
    Ok(SessionEvent { at: rfc3339(event.at), kind, detail: event.detail })
}
