//! `POST /sessions`: an invitation with PIN and link, shown once.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use belay_access::Action;
use belay_identity::{random_pin, random_token};
use belay_store::Invited;

use crate::clock::rfc3339;
use crate::error::ApiError;
use crate::extract::{Body, SignedIn};
use crate::types::{Error, NewSession, NoFields};
use crate::website::Website;

/// PINs drawn before giving up; with a thousand living PINs the chance to need a second one is 1 in 1000.
const DRAWS: u32 = 50;

/// Invite an end user.
#[utoipa::path(
    post,
    path = "/sessions",
    tag = "sessions",
    request_body = NoFields,
    responses(
        (status = 201, description = "the session with its invitation", body = NewSession),
        (status = 401, description = "signed-out", body = Error),
        (status = 403, description = "foreign-origin, forbidden", body = Error),
    )
)]
pub(crate) async fn create_session(
    State(website): State<Website>,
    who: SignedIn,
    Body(NoFields {}): Body<NoFields>,
) -> Result<(StatusCode, Json<NewSession>), ApiError> {
    who.may(Action::CreateSession, &website)?;
    who.active(&website).await?;
    let now = website.now();
    let mut tx = website.store().begin(who.account).await?;
    let session = tx.create_session(who.member.id, now).await?;
    tx.commit().await?;

    let directory = website.store().directory();
    let token = random_token();
    for _ in 0..DRAWS {
        let pin = random_pin();
        match directory.keep_invitation(who.account, session.id, &pin, &token, now).await? {
            Invited::PinTaken => {}
            Invited::Kept { pin_expires_at, link_expires_at: _ } => {
                let new = NewSession {
                    session: (&session).into(),
                    pin: pin.as_str().to_owned(),
                    pin_expires_at: rfc3339(pin_expires_at),
                    link: format!("{}/join#{}", website.settings().origin, token.to_text()),
                };
                return Ok((StatusCode::CREATED, Json(new)));
            }
        }
    }
    tracing::error!("no free PIN after {DRAWS} draws");
    Err(ApiError::Internal)
}
