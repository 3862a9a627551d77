//! The routes of the API, and the OpenAPI document that is made from them.

use axum::routing::any;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes as at;

use crate::error::ApiError;
use crate::website::Website;
use crate::{applet, events, join, security_log, sessions, sign_in};

#[derive(OpenApi)]
#[openapi(info(
    title = "Belay",
    version = "1",
    description = "The website's HTTP interface; docs/protocol/http.md says how it is meant.",
    license(name = "MIT OR Apache-2.0")
))]
struct Document;

/// Every route of the API.
pub(crate) fn routes() -> OpenApiRouter<Website> {
    let version_1 = OpenApiRouter::new()
        .routes(at!(sign_in::sign_in))
        .routes(at!(sign_in::sign_out))
        .routes(at!(sign_in::me))
        .routes(at!(sign_in::activity))
        .routes(at!(sessions::create_session, sessions::list_sessions))
        .routes(at!(sessions::show_session))
        .routes(at!(sessions::pick_up))
        .routes(at!(sessions::connect))
        .routes(at!(sessions::end_session))
        .routes(at!(sessions::add_chat_line))
        .routes(at!(events::events))
        .routes(at!(security_log::security_log))
        .routes(at!(join::join_pin))
        .routes(at!(join::join_link))
        .routes(at!(join::join_download))
        .routes(at!(applet::gateways));
    OpenApiRouter::with_openapi(Document::openapi())
        .nest("/api/v1", version_1)
        .route("/api/{*rest}", any(|| async { ApiError::NotFound }))
}

/// The OpenAPI document: pretty JSON in stable order, with a line end.
///
/// # Panics
/// Never: the document is plain data.
#[must_use]
pub fn document() -> String {
    let (_, document) = routes().split_for_parts();
    let mut text = document.to_pretty_json().expect("the document is plain data");
    text.push('\n');
    text
}
