//! `GET /sessions`: open or ended ones, newest first.

use axum::Json;
use axum::extract::State;
use belay_access::Action;
use serde::Deserialize;

use crate::clock::parse_rfc3339;
use crate::error::ApiError;
use crate::extract::{Fields, SignedIn};
use crate::types::{Error, Scope, Session, SessionList};
use crate::website::Website;

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MOST: u32 = 200;

/// What to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Which sessions; `open` when absent.
    #[serde(default)]
    #[param(required = false, inline)]
    scope: Scope,
    /// How many at most: 1 to 200, 50 when absent.
    #[param(minimum = 1, maximum = 200, nullable = false)]
    limit: Option<u32>,
    /// Only sessions created before this time; for `ended`.
    #[param(nullable = false, format = DateTime)]
    before: Option<String>,
}

/// Sessions, newest first.
#[utoipa::path(
    get,
    path = "/sessions",
    tag = "sessions",
    params(Wanted),
    responses(
        (status = 200, description = "the sessions", body = SessionList),
        (status = 400, description = "bad-request", body = Error),
        (status = 401, description = "signed-out", body = Error),
    )
)]
pub(crate) async fn list_sessions(
    State(website): State<Website>,
    who: SignedIn,
    Fields(wanted): Fields<Wanted>,
) -> Result<Json<SessionList>, ApiError> {
    who.may(Action::SeeSessions, &website)?;
    let limit = wanted.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MOST).contains(&limit) {
        return Err(ApiError::BadRequest(format!("limit is {limit}, write 1 to {LIMIT_MOST}")));
    }
    let before = match &wanted.before {
        None => None,
        Some(text) => Some(parse_rfc3339(text).ok_or_else(|| {
            ApiError::BadRequest("before is not a time such as 2026-01-31T08:00:00Z".to_owned())
        })?),
    };
    let view = website.store().view(who.account).await?;
    let sessions = match wanted.scope {
        Scope::Open => view.open_sessions(who.member.id, limit).await?,
        Scope::Ended => view.ended_sessions(limit, before).await?,
    };
    Ok(Json(SessionList { sessions: sessions.iter().map(Session::from).collect() }))
}
