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
    let gateway = Gateway { url: Settings::gateway_url(&settings.origin), region: settings.region.clone() };
    Json(GatewayList { gateways: vec![gateway] })
}
