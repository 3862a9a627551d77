//! `POST /sessions/{id}/pick-up`: takes a waiting session; the first one wins.

use axum::Json;
use axum::extract::State;
use belay_access::Action;
use belay_session::Command;

use super::connect::connection;
use crate::error::ApiError;
use crate::extract::{SessionPath, SignedIn};
use crate::guard::OwnOrigin;
use crate::types::{Connection, Error};
use crate::website::Website;

/// Take a waiting session.
#[utoipa::path(
    post,
    path = "/sessions/{id}/pick-up",
    tag = "sessions",
    params(("id" = String, Path, description = "the session", format = Uuid)),
    responses(
        (status = 200, description = "picked up", body = Connection),
        (status = 401, description = "signed-out", body = Error),
        (status = 403, description = "foreign-origin, forbidden", body = Error),
        (status = 404, description = "not-found", body = Error),
        (status = 409, description = "session-not-waiting, end-user-away", body = Error),
    )
)]
pub(crate) async fn pick_up(
    State(website): State<Website>,
    who: SignedIn,
    own: OwnOrigin,
    SessionPath(id): SessionPath,
) -> Result<Json<Connection>, ApiError> {
    who.may(Action::PickUpSession, &website)?;
    who.active(&website).await?;
    super::visible(&website, &who, id).await?;
    let command = Command::PickUp { technician: who.member.id };
    let session = website.store().apply(who.account, id, command, website.now()).await.map_err(|error| {
        match ApiError::from(error) {
            ApiError::SessionEnded => ApiError::SessionNotWaiting,
            other => other,
        }
    })?;
    Ok(Json(connection(&website, &who, &own, &session).await?))
}
