//! `POST /sessions/{id}/end`: the technician ends it. Ending twice is no error.

use axum::extract::State;
use axum::http::StatusCode;
use belay_access::Action;
use belay_session::{Command, Ender};

use crate::error::ApiError;
use crate::extract::{SessionPath, SignedIn};
use crate::types::Error;
use crate::website::Website;

/// End a session.
#[utoipa::path(
    post,
    path = "/sessions/{id}/end",
    tag = "sessions",
    params(("id" = String, Path, description = "the session", format = Uuid)),
    responses(
        (status = 204, description = "ended, now or before"),
        (status = 401, description = "signed-out", body = Error),
        (status = 403, description = "foreign-origin, forbidden", body = Error),
        (status = 404, description = "not-found", body = Error),
        (status = 409, description = "session-not-yours", body = Error),
    )
)]
pub(crate) async fn end_session(
    State(website): State<Website>,
    who: SignedIn,
    SessionPath(id): SessionPath,
) -> Result<StatusCode, ApiError> {
    who.may(Action::EndSession, &website)?;
    who.active(&website).await?;
    super::visible(&website, &who, id).await?;
    let command = Command::End { by: Ender::Technician(who.member.id) };
    website.store().apply(who.account, id, command, website.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
