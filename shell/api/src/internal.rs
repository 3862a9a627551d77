//! What gateways in other processes ask of the website: `/internal/v1`, signed. Spec: `docs/protocol/internal.md`.

mod ends;
mod gateways;
mod proof;
mod wire;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use belay_store::Through;

use crate::admission::Admission;
use crate::website::Website;
pub(crate) use gateways::Gateways;
pub use gateways::watch;
use proof::{Proven, Unproven};
pub use wire::{AdmitBody, AdmitReply, RenewedBody, TellBody};

/// What every path here begins with.
pub const PREFIX: &str = "/internal/v1/";
/// Where a gateway asks whether a leg may come in.
pub const ADMIT: &str = "/internal/v1/admit";
/// Where a gateway tells what became of a leg.
pub const TELL: &str = "/internal/v1/tell";
/// Where a gateway says that it has just been started, without any leg.
pub const STARTED: &str = "/internal/v1/started";
/// Where a gateway says that it has another key from now on, signed with that one.
pub const RENEWED: &str = "/internal/v1/renewed";
/// Where a gateway hears which sessions have ended.
pub const ENDS: &str = "/internal/v1/ends";
/// Largest body in bytes.
const BODY_MAX: usize = 4096;

pub(crate) fn routes(website: &Website) -> Router {
    Router::new()
        .route(ADMIT, post(admit))
        .route(TELL, post(tell))
        .route(STARTED, post(started))
        .route(RENEWED, post(renewed))
        .route(ENDS, get(ends::ends))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(website.clone())
}

async fn admit(State(website): State<Website>, proven: Proven) -> Result<Json<AdmitReply>, Refused> {
    let request =
        wire::read::<AdmitBody>(&proven.body).and_then(AdmitBody::into_request).ok_or(Refused::Body)?;
    let answer = Admission::new(website).admit(request, Through::Gateway(proven.key)).await;
    Ok(Json(AdmitReply::from(answer)))
}

async fn tell(State(website): State<Website>, proven: Proven) -> Result<StatusCode, Refused> {
    let news = wire::read::<TellBody>(&proven.body).and_then(TellBody::into_news).ok_or(Refused::Body)?;
    Admission::new(website).tell(news, Through::Gateway(proven.key)).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn started(State(website): State<Website>, proven: Proven) -> Result<StatusCode, Refused> {
    gateways::lost(&website, proven.key).await.map_err(|error| {
        tracing::error!(%error, "the sessions of a gateway that was started again could not be read");
        Refused::Unavailable
    })?;
    Ok(StatusCode::NO_CONTENT)
}

async fn renewed(State(website): State<Website>, proven: Proven) -> Result<StatusCode, Refused> {
    let Proven { key, host, body } = proven;
    let body = wire::read::<RenewedBody>(&body).ok_or(Refused::Body)?;
    let before = body.into_before(&key, &host).ok_or(Refused::Body)?;
    gateways::renewed(&website, before, key).await.map_err(|error| {
        tracing::error!(%error, "the new key of a gateway could not be kept");
        Refused::Unavailable
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// Why a request of another role was not answered.
pub(crate) enum Refused {
    /// The signature does not prove anything; the log says why.
    Unproven,
    /// The body cannot be understood.
    Body,
    /// The store failed.
    Unavailable,
}

impl From<Unproven> for Refused {
    fn from(_: Unproven) -> Self {
        Self::Unproven
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Unproven => {
                let text = "This request does not prove to come from a gateway that is trusted here; \
                    the website's security log says why.\n";
                (StatusCode::UNAUTHORIZED, text).into_response()
            }
            Self::Body => (StatusCode::BAD_REQUEST, "The body cannot be understood.\n").into_response(),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Try again.\n").into_response(),
        }
    }
}

/// Path and query of a request, as they are signed.
fn signed_path(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |path| path.as_str())
}

type Body = Bytes;
