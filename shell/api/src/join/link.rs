//! `POST /join/link`: looks at a link, or uses it up when the end user has given a name.

use axum::Json;
use axum::extract::State;
use belay_access::{SecurityKind, Token};

use crate::error::ApiError;
use crate::extract::{Address, Body};
use crate::security::Noticed;
use crate::types::{Error, JoinLink, Ticket};
use crate::website::Website;

/// Look at a link, or use it up.
#[utoipa::path(
    post,
    path = "/join/link",
    tag = "join",
    request_body = JoinLink,
    responses(
        (status = 200, description = "who helps; with a name also what fetches the applet", body = Ticket),
        (status = 400, description = "bad-request, bad-name", body = Error),
        (status = 403, description = "foreign-origin", body = Error),
        (status = 404, description = "link-not-valid", body = Error),
    )
)]
pub(crate) async fn join_link(
    State(website): State<Website>,
    Address(address): Address,
    Body(JoinLink { token, name }): Body<JoinLink>,
) -> Result<Json<Ticket>, ApiError> {
    if let Some(name) = &name {
        super::check_name(name)?;
    }
    let now = website.now();
    let directory = website.store().directory();
    let invitation = match (token.parse::<Token>(), &name) {
        (Err(_), _) => None,
        (Ok(token), None) => directory.peek_link(&token, now).await?,
        (Ok(token), Some(_)) => directory.take_link(&token, now).await?,
    };
    let Some(invitation) = invitation else {
        website.security().notice(Noticed::new(SecurityKind::LinkRefused, address));
        return Err(ApiError::LinkNotValid);
    };
    let ticket = match name {
        None => super::ticket(&website, &invitation, None).await?,
        Some(name) => super::admit(&website, &invitation, name, ApiError::LinkNotValid).await?,
    };
    Ok(Json(ticket))
}
