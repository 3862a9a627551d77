//! `GET /applet/gateways`: where an applet finds a gateway.

use axum::Json;
use axum::extract::State;

use crate::settings::Settings;
use crate::types::{Gateway, GatewayList};
use crate::website::Website;

/// Where an applet finds a gateway.
#[utoipa::path(
    get,
    path = "/applet/gateways",
    tag = "applet",
    responses((status = 200, description = "the gateways, best first", body = GatewayList))
)]
pub(crate) async fn gateways(State(website): State<Website>) -> Json<GatewayList> {
    let settings = website.settings();
    let gateways = match settings.gateways.as_slice() {
        [] => vec![Gateway { url: Settings::gateway_url(&settings.origin), region: settings.region.clone() }],
        listed => listed
            .iter()
            .map(|gateway| Gateway { url: gateway.url.clone(), region: gateway.region.clone() })
            .collect(),
    };
    Json(GatewayList { gateways })
}
