//! `POST /sign-out`: ends the sign-in. Signing out twice is no error.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use belay_access::SecurityKind;

use crate::error::ApiError;
use crate::extract::{Address, COOKIE, cookie};
use crate::security::Noticed;
use crate::types::Error;
use crate::website::Website;

/// Sign out.
#[utoipa::path(
    post,
    path = "/sign-out",
    tag = "sign-in",
    responses(
        (status = 204, description = "signed out"),
        (status = 403, description = "foreign-origin", body = Error),
    )
)]
pub(crate) async fn sign_out(
    State(website): State<Website>,
    Address(address): Address,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    if let Some(token) = cookie(&headers)
        && let Some(ended) = website.store().directory().delete_web_session(&token).await?
    {
        website.security().notice(
            Noticed::new(SecurityKind::SignedOut, address)
                .account(ended.account)
                .detail(ended.member.to_string()),
        );
    }
    let cookie = format!("{COOKIE}=; HttpOnly; Secure; SameSite=Strict; Path=/; Max-Age=0");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]))
}
