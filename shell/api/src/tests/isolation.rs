//! Every route that takes a session, asked by another account: as if the session did not exist.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::json;

use super::harness::{World, waiting};

#[tokio::test]
async fn another_accounts_sessions_do_not_exist() {
    let world = World::new().await;
    let (tess, otto) = (world.tess().await, world.otto().await);
    let connecting = tess.invite().await["session"]["id"].as_str().unwrap().to_owned();
    let (waiting_id, ..) = waiting(&world, &tess).await;
    let (active, ..) = waiting(&world, &tess).await;
    tess.post_empty(&format!("/api/v1/sessions/{active}/pick-up")).await;
    let before = tess.get("/api/v1/sessions").await.json();
    let nobodys = "01234567-89ab-cdef-0001-020304050607";
    let line =
        json!({"line_id": nobodys, "author": "technician", "text": "hello", "at": "2026-09-21T14:14:00Z"});

    for id in [connecting.as_str(), &waiting_id, &active, nobodys, "not-an-id"] {
        let path = format!("/api/v1/sessions/{id}");
        let mut answers = vec![otto.get(&path).await];
        for action in ["pick-up", "connect", "end"] {
            answers.push(otto.post_empty(&format!("{path}/{action}")).await);
        }
        answers.push(otto.post(&format!("{path}/chat"), line.clone()).await);
        for answer in answers {
            assert_eq!(
                (answer.status, answer.code()),
                (StatusCode::NOT_FOUND, "not-found".to_owned()),
                "{id}"
            );
        }
    }
    assert_eq!(otto.get("/api/v1/sessions").await.json(), json!({"sessions": []}));
    assert_eq!(otto.get("/api/v1/sessions?scope=ended").await.json(), json!({"sessions": []}));
    assert_eq!(tess.get("/api/v1/sessions").await.json(), before, "nothing changed");
    world.website.flush().await;
    assert!(!otto.get("/api/v1/security-log").await.text().contains("tess@example.com"));
}

#[tokio::test]
async fn every_session_route_needs_a_sign_in() {
    let world = World::new().await;
    let stranger = world.browser();
    let id = "01234567-89ab-cdef-0001-020304050607";
    for (method, path) in [
        (Method::GET, "/api/v1/me".to_owned()),
        (Method::POST, "/api/v1/me/activity".to_owned()),
        (Method::GET, "/api/v1/sessions".to_owned()),
        (Method::POST, "/api/v1/sessions".to_owned()),
        (Method::GET, format!("/api/v1/sessions/{id}")),
        (Method::POST, format!("/api/v1/sessions/{id}/pick-up")),
        (Method::POST, format!("/api/v1/sessions/{id}/connect")),
        (Method::POST, format!("/api/v1/sessions/{id}/end")),
        (Method::POST, format!("/api/v1/sessions/{id}/chat")),
        (Method::GET, "/api/v1/events".to_owned()),
        (Method::GET, "/api/v1/security-log".to_owned()),
    ] {
        let answer = stranger.send(stranger.request(method, &path).body(Body::empty()).unwrap()).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::UNAUTHORIZED, "signed-out".to_owned()),
            "{path}"
        );
    }
    let mut forged = stranger;
    forged.cookie = Some(format!("__Host-belay={}", "A".repeat(43)));
    assert_eq!(forged.get("/api/v1/me").await.status, StatusCode::UNAUTHORIZED);
}
