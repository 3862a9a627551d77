//! `GET /security-log`: what was refused and noticed, for administrators.

use axum::Json;
use axum::extract::State;
use belay_access::Action;
use serde::Deserialize;

use crate::error::ApiError;
use crate::extract::{Fields, SignedIn};
use crate::types::{Error, SecurityEvent, SecurityLog};
use crate::website::Website;

const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MOST: u32 = 1000;

/// How much to read.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// How many at most: 1 to 1000, 100 when absent.
    #[param(minimum = 1, maximum = 1000, nullable = false)]
    limit: Option<u32>,
}

/// What was refused and noticed, newest first.
///
/// On an installation with a single account, what belongs to no account (a PIN nobody has, an id nobody has)
/// is shown too.
#[utoipa::path(
    get,
    path = "/security-log",
    tag = "security",
    params(Wanted),
    responses(
        (status = 200, description = "the entries", body = SecurityLog),
        (status = 401, description = "signed-out", body = Error),
        (status = 403, description = "forbidden", body = Error),
    )
)]
pub(crate) async fn security_log(
    State(website): State<Website>,
    who: SignedIn,
    Fields(Wanted { limit }): Fields<Wanted>,
) -> Result<Json<SecurityLog>, ApiError> {
    who.may(Action::ReadSecurityLog, &website)?;
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MOST).contains(&limit) {
        return Err(ApiError::BadRequest(format!("limit is {limit}, write 1 to {LIMIT_MOST}")));
    }
    let store = website.store();
    let mut events = store.view(who.account).await?.security_log(limit).await?;
    if store.directory().accounts().await?.len() == 1 {
        events.extend(store.directory().security_log(limit).await?);
        events.sort_by_key(|event| std::cmp::Reverse(event.at));
        events.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    Ok(Json(SecurityLog { events: events.into_iter().map(SecurityEvent::from).collect() }))
}
