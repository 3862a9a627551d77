//! Hosts, origins and the headers on every answer.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::json;

use super::harness::World;
use crate::Reach;

#[tokio::test]
async fn every_writing_route_refuses_other_origins_and_says_so_in_the_log() {
    let world = World::new().await;
    let browser = world.tess().await;
    for path in [
        "/api/v1/sign-in",
        "/api/v1/sign-out",
        "/api/v1/me/activity",
        "/api/v1/sessions",
        "/api/v1/join/pin",
        "/api/v1/join/link",
        "/api/v1/join/download",
    ] {
        for origin in [None, Some("https://evil.example"), Some("null"), Some("https://127.0.0.1:8443")] {
            let mut request: Request<Body> = browser
                .request(Method::POST, path)
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from("{}"))
                .unwrap();
            request.headers_mut().remove(header::ORIGIN);
            if let Some(origin) = origin {
                request.headers_mut().insert(header::ORIGIN, origin.parse().unwrap());
            }
            let answer = browser.send(request).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {origin:?}");
            assert_eq!(answer.code(), "foreign-origin");
        }
    }
    assert!(world.has_noticed("foreign-origin", "https://evil.example").await);
    assert_eq!(browser.get("/api/v1/me").await.status, StatusCode::OK, "still signed in");
}

#[tokio::test]
async fn the_host_must_be_one_of_the_servers() {
    let world = World::new().await;
    let browser = world.browser();
    for (host, status) in [
        ("localhost:8443", StatusCode::OK),
        ("LOCALHOST:8443", StatusCode::OK),
        ("127.0.0.1:8443", StatusCode::OK),
        ("localhost", StatusCode::MISDIRECTED_REQUEST),
        ("rebound.example:8443", StatusCode::MISDIRECTED_REQUEST),
    ] {
        let mut request =
            browser.request(Method::GET, "/api/v1/applet/gateways").body(Body::empty()).unwrap();
        request.headers_mut().insert(header::HOST, host.parse().unwrap());
        assert_eq!(browser.send(request).await.status, status, "{host}");
    }
}

#[tokio::test]
async fn strict_headers_are_on_everything() {
    let world = World::new().await;
    let browser = world.browser();
    let answers = [
        browser.get("/").await,
        browser.get("/console/").await,
        browser.get("/nowhere").await,
        browser.get("/api/v1/me").await,
        browser.get("/api/v1/nowhere").await,
        browser.get("/api/v1/sign-in").await,
        browser.post("/api/v1/join/pin", json!({"pin": "000000", "name": "E"})).await,
    ];
    for answer in answers {
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self' 'wasm-unsafe-eval';",
            "style-src 'self';",
            "connect-src 'self' wss://localhost:8443 wss://127.0.0.1:8443;",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{part} in {policy}");
        }
        assert!(!policy.contains("unsafe-inline"));
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(answer.headers[header::REFERRER_POLICY], "same-origin");
        assert_eq!(answer.headers["cross-origin-opener-policy"], "same-origin");
        assert_eq!(answer.headers["cross-origin-embedder-policy"], "require-corp");
        assert_eq!(answer.headers["cross-origin-resource-policy"], "same-origin");
        assert!(answer.headers.contains_key("permissions-policy"));
        assert!(answer.headers.contains_key(header::CACHE_CONTROL));
        assert!(!answer.headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
    }
    assert_eq!(browser.get("/api/v1/me").await.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(browser.get("/api/v1/nowhere").await.code(), "not-found");
    assert_eq!(browser.get("/api/v1/sign-in").await.code(), "method-not-allowed");
}

#[tokio::test]
async fn hsts_is_for_servers_that_others_can_reach() {
    let world = World::reached(Reach::Network).await;
    let answer = world.browser().get("/api/v1/me").await;
    assert_eq!(answer.headers[header::STRICT_TRANSPORT_SECURITY], "max-age=31536000");
}
