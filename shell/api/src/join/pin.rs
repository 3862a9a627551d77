//! `POST /join/pin`: uses a PIN up and gives a ticket. Wrong, used and expired PINs get one answer, and tries
//! are limited: with six digits this is what stands between a stranger and somebody's session.

use axum::Json;
use axum::extract::State;
use belay_access::{Pin, SecurityKind};

use crate::error::ApiError;
use crate::extract::{Address, Body};
use crate::limits::Tried;
use crate::security::Noticed;
use crate::types::{Error, JoinPin, Ticket};
use crate::website::Website;

/// Use up a PIN.
#[utoipa::path(
    post,
    path = "/join/pin",
    tag = "join",
    request_body = JoinPin,
    responses(
        (status = 200, description = "who helps, and what fetches the applet", body = Ticket),
        (status = 400, description = "bad-request, bad-name", body = Error),
        (status = 403, description = "foreign-origin", body = Error),
        (status = 404, description = "pin-not-valid", body = Error),
        (status = 429, description = "slow-down", body = Error),
    )
)]
pub(crate) async fn join_pin(
    State(website): State<Website>,
    Address(address): Address,
    Body(JoinPin { pin, name }): Body<JoinPin>,
) -> Result<Json<Ticket>, ApiError> {
    super::check_name(&name)?;
    let now = website.now();
    if let Err(wait) = website.buckets().take(Tried::Pin, address, now) {
        website.security().notice(Noticed::new(SecurityKind::SlowedDown, address).detail("PIN"));
        return Err(ApiError::SlowDown(wait));
    }
    let invitation = match pin.parse::<Pin>() {
        Ok(pin) => website.store().directory().take_pin(&pin, now).await?,
        Err(_) => None,
    };
    let Some(invitation) = invitation else {
        website.security().notice(Noticed::new(SecurityKind::PinRefused, address));
        return Err(ApiError::PinNotValid);
    };
    Ok(Json(super::admit(&website, &invitation, name, ApiError::PinNotValid).await?))
}
