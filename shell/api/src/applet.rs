//! `GET /applet/gateways`: where an applet finds a gateway.

use axum::Json;
use axum::extract::{Query, State};
use belay_wire::AccountId;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::ApiError;
use crate::types::{Error, Gateway, GatewayList};
use crate::website::Website;

/// Who asks.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asker {
    /// The account in the applet's tag; without it, or for one that does not exist, the gateways of the website's region are listed.
    #[param(format = Uuid)]
    account: Option<String>,
}

/// Where an applet finds a gateway.
#[utoipa::path(
    get,
    path = "/applet/gateways",
    tag = "applet",
    params(Asker),
    responses(
        (status = 200, description = "the gateways, best first", body = GatewayList),
        (status = 400, description = "bad-request", body = Error),
        (status = 503, description = "no-gateway", body = Error),
    )
)]
pub(crate) async fn gateways(
    State(website): State<Website>,
    Query(Asker { account }): Query<Asker>,
) -> Result<Json<GatewayList>, ApiError> {
    let region = match account {
        Some(text) => {
            let id: AccountId =
                text.parse().map_err(|_| ApiError::BadRequest("account is no UUID".to_owned()))?;
            website.store().directory().account(id).await?.and_then(|account| account.region)
        }
        None => None,
    };
    let settings = website.settings();
    let gateways: Vec<_> = settings
        .gateways_of(region.as_deref(), &settings.origin)
        .into_iter()
        .map(|gateway| Gateway { url: gateway.url, region: gateway.region })
        .collect();
    if gateways.is_empty() { Err(ApiError::NoGateway) } else { Ok(Json(GatewayList { gateways })) }
}
