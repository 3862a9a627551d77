//! `GET /me`: who is signed in.

use axum::Json;
use axum::extract::State;

use crate::error::ApiError;
use crate::extract::SignedIn;
use crate::types::{Error, Me};
use crate::website::Website;

/// Who is signed in.
#[utoipa::path(
    get,
    path = "/me",
    tag = "sign-in",
    responses(
        (status = 200, description = "the member and the account", body = Me),
        (status = 401, description = "signed-out", body = Error),
    )
)]
pub(crate) async fn me(State(website): State<Website>, who: SignedIn) -> Result<Json<Me>, ApiError> {
    Ok(Json(super::describe(&website, who.account, &who.member).await?))
}
