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
    let mut gateways: Vec<_> = settings
        .gateways_near()
        .map(|gateway| Gateway { url: gateway.url.clone(), region: gateway.region.clone() })
        .collect();
    if gateways.is_empty() {
        let url = Settings::gateway_url(&settings.origin);
        gateways.push(Gateway { url, region: settings.region.clone() });
    }
    Json(GatewayList { gateways })
}
