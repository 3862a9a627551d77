//! The web pages, embedded at build time: the join page is the front door, the console lives under `/console/`.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};
use tower_http::compression::CompressionLayer;

use crate::error::ApiError;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../web/apps/console/dist"]
#[allow_missing = true]
struct Console;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../web/apps/join/dist"]
#[allow_missing = true]
struct Join;

const INDEX: &str = "index.html";

/// The pages' routes, and the plain answer for everything nobody knows.
pub(crate) fn routes() -> Router {
    Router::new()
        .route("/", get(join_index))
        .route("/join", get(join_index))
        .route("/join/", get(join_index))
        .route("/join/{*path}", get(join_file))
        .route("/favicon.ico", get(favicon))
        .route("/console", get(|| async { Redirect::permanent("/console/") }))
        .route("/console/", get(console_index))
        .route("/console/{*path}", get(console_file))
        .fallback(|| async { (StatusCode::NOT_FOUND, "There is no page at this address.\n") })
        .method_not_allowed_fallback(|| async { ApiError::MethodNotAllowed })
        .layer(CompressionLayer::new())
}

async fn join_index(headers: HeaderMap) -> Response {
    index(Join::get(INDEX), &headers)
}

async fn console_index(headers: HeaderMap) -> Response {
    index(Console::get(INDEX), &headers)
}

async fn favicon(headers: HeaderMap) -> Response {
    match Join::get("favicon.ico").or_else(|| Join::get("favicon.svg")) {
        Some(found) => file("favicon.svg", found, &headers),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn join_file(Path(path): Path<String>, headers: HeaderMap) -> Response {
    match Join::get(&path) {
        Some(found) => file(&path, found, &headers),
        None => (StatusCode::NOT_FOUND, "There is no page at this address.\n").into_response(),
    }
}

/// The console keeps its state in the URL: what is no file is one of its pages.
async fn console_file(Path(path): Path<String>, headers: HeaderMap) -> Response {
    match Console::get(&path) {
        Some(found) => file(&path, found, &headers),
        None if path.starts_with("assets/") => {
            (StatusCode::NOT_FOUND, "There is no page at this address.\n").into_response()
        }
        None => index(Console::get(INDEX), &headers),
    }
}

fn index(found: Option<EmbeddedFile>, headers: &HeaderMap) -> Response {
    match found {
        Some(found) => file(INDEX, found, headers),
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The web pages are not part of this build. Run `npm ci` and `npm run build` in web/, then build the server again.\n",
        )
            .into_response(),
    }
}

fn file(path: &str, found: EmbeddedFile, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", hex::encode(found.metadata.sha256_hash()));
    // Names under assets/ contain a hash of the content.
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    let mime = mime_guess::from_path(path).first_or_octet_stream();
    let mime = if mime.type_() == "text" { format!("{mime}; charset=utf-8") } else { mime.to_string() };
    let content =
        [(header::CONTENT_TYPE, mime), (header::CACHE_CONTROL, cache.to_owned()), (header::ETAG, tag)];
    (content, found.data).into_response()
}
