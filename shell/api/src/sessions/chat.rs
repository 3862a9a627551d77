//! `POST /sessions/{id}/chat`: the console of the technician who holds the session keeps a line for the account.

use axum::extract::State;
use axum::http::StatusCode;
use belay_access::Action;
use belay_store::{self as store, ChatKept};

use crate::clock::parse_rfc3339;
use crate::error::ApiError;
use crate::extract::{Body, SessionPath, SignedIn};
use crate::types::{ChatAuthor, ChatLine, Error};
use crate::website::Website;

const TEXT_MAX_BYTES: usize = 16 * 1024;

/// Keep a chat line.
#[utoipa::path(
    post,
    path = "/sessions/{id}/chat",
    tag = "sessions",
    params(("id" = String, Path, description = "the session", format = Uuid)),
    request_body = ChatLine,
    responses(
        (status = 204, description = "kept, now or before"),
        (status = 400, description = "bad-request", body = Error),
        (status = 401, description = "signed-out", body = Error),
        (status = 403, description = "foreign-origin, forbidden", body = Error),
        (status = 404, description = "not-found", body = Error),
        (status = 409, description = "session-not-yours", body = Error),
    )
)]
pub(crate) async fn add_chat_line(
    State(website): State<Website>,
    who: SignedIn,
    SessionPath(id): SessionPath,
    Body(line): Body<ChatLine>,
) -> Result<StatusCode, ApiError> {
    who.may(Action::PickUpSession, &website)?;
    match line.author {
        ChatAuthor::Technician => who.active(&website).await?,
        // The end user's words show nothing about the person at the console.
        ChatAuthor::EndUser => {}
    }
    let session = super::visible(&website, &who, id).await?;
    // Lines on their way when the session ends are kept too, so its phase does not matter.
    if session.state.technician != Some(who.member.id) {
        return Err(ApiError::SessionNotYours);
    }
    if line.text.is_empty() || line.text.len() > TEXT_MAX_BYTES {
        return Err(ApiError::BadRequest(format!(
            "text has {} bytes, write 1 to {TEXT_MAX_BYTES}",
            line.text.len()
        )));
    }
    let at = parse_rfc3339(&line.at)
        .ok_or_else(|| ApiError::BadRequest("at is not a time such as 2026-01-31T08:00:00Z".to_owned()))?;
    let line = store::ChatLine { line_id: line.line_id, author: line.author.into(), text: line.text, at };
    let mut tx = website.store().begin(who.account).await?;
    match tx.keep_chat(id, line).await? {
        ChatKept::New | ChatKept::Already => tx.commit().await?,
        ChatKept::NoSession => return Err(ApiError::NotFound),
    }
    Ok(StatusCode::NO_CONTENT)
}
