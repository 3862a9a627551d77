//! `POST /sessions/{id}/connect`: what the technician who holds a session needs to reach the end user again.

use axum::Json;
use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use belay_access::Action;
use belay_identity::random_leg_ticket;
use belay_session::Phase;
use belay_store as store;

use crate::charter;
use crate::error::ApiError;
use crate::extract::{SessionPath, SignedIn};
use crate::guard::OwnOrigin;
use crate::types::{Connection, Error};
use crate::website::Website;

/// Connect again to a session one holds.
#[utoipa::path(
    post,
    path = "/sessions/{id}/connect",
    tag = "sessions",
    params(("id" = String, Path, description = "the session", format = Uuid)),
    responses(
        (status = 200, description = "a new ticket", body = Connection),
        (status = 401, description = "signed-out", body = Error),
        (status = 403, description = "foreign-origin, forbidden", body = Error),
        (status = 404, description = "not-found", body = Error),
        (status = 409, description = "session-not-waiting, end-user-away, session-not-yours, session-ended", body = Error),
        (status = 503, description = "no-gateway", body = Error),
    )
)]
pub(crate) async fn connect(
    State(website): State<Website>,
    who: SignedIn,
    own: OwnOrigin,
    SessionPath(id): SessionPath,
) -> Result<Json<Connection>, ApiError> {
    who.may(Action::PickUpSession, &website)?;
    who.active(&website).await?;
    let session = super::visible(&website, &who, id).await?;
    match session.state.phase {
        Phase::Active | Phase::Reconnecting | Phase::Offline
            if session.state.technician == Some(who.member.id) =>
        {
            Ok(Json(connection(&website, &who, &own, &session).await?))
        }
        Phase::Reconnecting | Phase::Offline if session.state.technician.is_none() => {
            Err(ApiError::EndUserAway)
        }
        Phase::Active | Phase::Reconnecting | Phase::Offline => Err(ApiError::SessionNotYours),
        Phase::Connecting | Phase::Waiting => Err(ApiError::SessionNotWaiting),
        Phase::Closed | Phase::TimedOut | Phase::Aborted => Err(ApiError::SessionEnded),
    }
}

/// A fresh ticket and charter for the session's technician.
pub(super) async fn connection(
    website: &Website,
    who: &SignedIn,
    own: &OwnOrigin,
    session: &store::Session,
) -> Result<Connection, ApiError> {
    let now = website.now();
    let view = website.store().view(who.account).await?;
    let store::Account { name: company, region, .. } = view.described().await?;
    let binding = view.binding(session.id).await?.ok_or(ApiError::SessionNotWaiting)?;
    let charter = charter::sign(
        website,
        charter::Subject {
            session: session.id,
            binding,
            account: who.account,
            company: &company,
            technician: who.member.id,
            technician_name: &who.member.name,
        },
        now,
    )?;
    let at = website.place_of(view.applet_through(session.id).await?);
    let gateways = website.settings().gateway_urls(region.as_deref(), &own.0, at.as_deref());
    if gateways.is_empty() {
        return Err(ApiError::NoGateway);
    }
    let ticket = random_leg_ticket();
    website
        .store()
        .directory()
        .create_console_ticket(&ticket, who.account, session.id, who.member.id, now)
        .await?;
    Ok(Connection {
        session: session.into(),
        gateways,
        ticket: URL_SAFE_NO_PAD.encode(ticket.secret_bytes()),
        binding: hex::encode(binding),
        charter,
    })
}
