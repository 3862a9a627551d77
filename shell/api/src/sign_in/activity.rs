//! `POST /me/activity`: the person at the console did something.

use axum::extract::State;
use axum::http::StatusCode;

use crate::error::ApiError;
use crate::extract::SignedIn;
use crate::types::Error;
use crate::website::Website;

/// The person at the console did something.
#[utoipa::path(
    post,
    path = "/me/activity",
    tag = "sign-in",
    responses(
        (status = 204, description = "the sign-in lives on"),
        (status = 401, description = "signed-out", body = Error),
        (status = 403, description = "foreign-origin", body = Error),
    )
)]
pub(crate) async fn activity(State(website): State<Website>, who: SignedIn) -> Result<StatusCode, ApiError> {
    who.active(&website).await?;
    Ok(StatusCode::NO_CONTENT)
}
