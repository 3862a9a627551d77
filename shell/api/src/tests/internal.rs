//! Requests of gateways in other processes: only those that prove themselves are answered, every other one is logged.

use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, StatusCode, header};
use belay_identity::role_key::RoleKey;
use belay_wire::Moment;
use serde_json::json;

use super::harness::{Answer, Browser, World};
use crate::internal::{ADMIT, RENEWED, RenewedBody, STARTED};

const HOST: &str = "localhost:8443";

struct Gateway {
    key: RoleKey,
    browser: Browser,
    _dir: tempfile::TempDir,
}

/// A request, signed or spoilt.
struct Asked {
    method: Method,
    path: &'static str,
    body: String,
    headers: Vec<(&'static str, String)>,
}

impl Gateway {
    async fn trusted(world: &World) -> Self {
        let gateway = Self::stranger(world);
        world
            .store
            .directory()
            .trust_role_key(&gateway.key.public(), "gateway", world.clock.now())
            .await
            .unwrap();
        gateway
    }

    fn stranger(world: &World) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = RoleKey::load_or_make(&dir.path().join("gateway.key")).unwrap();
        Self { key, browser: world.browser(), _dir: dir }
    }

    fn asks(&self, path: &'static str, body: serde_json::Value, now: Moment) -> Asked {
        let body = body.to_string();
        let headers = self.key.headers("POST", path, HOST, now.0, body.as_bytes()).to_vec();
        Asked { method: Method::POST, path, body, headers }
    }

    async fn send(&self, asked: &Asked) -> Answer {
        let mut request = Request::builder()
            .method(asked.method.clone())
            .uri(asked.path)
            .header(header::HOST, HOST)
            .extension(ConnectInfo(std::net::SocketAddr::from(([192, 0, 2, 50], 40_000))));
        for (name, value) in &asked.headers {
            request = request.header(*name, value);
        }
        self.browser.send(request.body(Body::from(asked.body.clone())).unwrap()).await
    }
}

/// An admission that nobody knows: the answer shows that the request itself was believed.
fn unknown_leg(world: &World) -> serde_json::Value {
    json!({
        "role": 1, "account": world.ours.to_string(), "credential": "AAAAAAAAAAAAAAAAAAAAAA",
        "address": "198.51.100.4", "version": "0.1.0", "platform": "linux-x86_64",
    })
}

#[tokio::test]
async fn a_trusted_gateway_is_answered() {
    let world = World::new().await;
    let gateway = Gateway::trusted(&world).await;
    let answer = gateway.send(&gateway.asks(ADMIT, unknown_leg(&world), world.clock.now())).await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({"refused": 1})));
    let answer = gateway.send(&gateway.asks(STARTED, json!({}), world.clock.now())).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let answer = gateway.send(&gateway.asks(ADMIT, json!({"role": 3}), world.clock.now())).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn whoever_does_not_prove_to_be_a_trusted_gateway_is_refused_and_logged() {
    let world = World::new().await;
    let gateway = Gateway::trusted(&world).await;
    let now = world.clock.now();
    let good = || gateway.asks(ADMIT, unknown_leg(&world), now);
    let refused = async |asked: &Asked, word: &str| {
        let answer = gateway.send(asked).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{word}: {}", answer.text());
        assert!(world.has_noticed("role-refused", word).await, "{word}");
    };
    let mut unsigned = good();
    unsigned.headers.clear();
    refused(&unsigned, "unsigned").await;
    let stranger = Gateway::stranger(&world);
    refused(&stranger.asks(ADMIT, unknown_leg(&world), now), "unknown key").await;

    let mut changed = good();
    changed.body = changed.body.replace("198.51.100.4", "198.51.100.5");
    refused(&changed, "wrong signature").await;
    let mut elsewhere = good();
    elsewhere.path = STARTED;
    refused(&elsewhere, "wrong signature").await;
    let mut borrowed = stranger.asks(ADMIT, unknown_leg(&world), now);
    borrowed.headers[0] = good().headers[0].clone();
    refused(&borrowed, "wrong signature").await;

    refused(&gateway.asks(ADMIT, unknown_leg(&world), now + Duration::from_secs(61)), "stale").await;
    let early = good();
    world.clock.advance(Duration::from_secs(61));
    refused(&early, "stale").await;

    let once = gateway.asks(ADMIT, unknown_leg(&world), world.clock.now());
    assert_eq!(gateway.send(&once).await.status, StatusCode::OK);
    refused(&once, "replayed").await;

    let successor = Gateway::trusted(&world).await;
    let at = world.clock.now();
    assert!(world.store.directory().revoke_role_key(&gateway.key.public(), at).await.unwrap());
    refused(&gateway.asks(ADMIT, unknown_leg(&world), at), "revoked key").await;
    let answer = successor.send(&successor.asks(ADMIT, unknown_leg(&world), at)).await;
    assert_eq!(answer.status, StatusCode::OK, "the new key worked before the old one was revoked");
}

#[tokio::test]
async fn a_key_takes_the_place_of_another_only_when_both_say_so_and_the_new_one_is_trusted() {
    let world = World::new().await;
    let (before, other) = (Gateway::trusted(&world).await, Gateway::trusted(&world).await);
    let next = Gateway::stranger(&world);
    let body = |of: &Gateway, to: &Gateway, host| {
        serde_json::to_value(RenewedBody::new(&of.key, &to.key.public(), host)).unwrap()
    };
    let now = world.clock.now();
    let untrusted = next.send(&next.asks(RENEWED, body(&before, &next, HOST), now)).await;
    assert_eq!(untrusted.status, StatusCode::UNAUTHORIZED);
    world.store.directory().trust_role_key(&next.key.public(), "gateway", now).await.unwrap();
    // The one before must have said it, of this one, for this website.
    let mut forged = body(&before, &next, HOST);
    forged["before"] = body(&other, &next, HOST)["before"].clone();
    for wrong in [forged, body(&before, &other, HOST), body(&before, &next, "other.example"), json!({})] {
        let answer = next.send(&next.asks(RENEWED, wrong, now)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
    for at in [&before, &other] {
        assert_eq!(at.send(&at.asks(STARTED, json!({}), now)).await.status, StatusCode::NO_CONTENT);
    }
    // The answer may get lost: then it is said once more.
    for _ in 0..2 {
        let answer = next.send(&next.asks(RENEWED, body(&before, &next, HOST), now)).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
    }
    let refused = before.send(&before.asks(STARTED, json!({}), now)).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    for at in [&next, &other] {
        assert_eq!(at.send(&at.asks(STARTED, json!({}), now)).await.status, StatusCode::NO_CONTENT);
    }
}

#[tokio::test]
async fn a_browser_cannot_reach_what_gateways_ask() {
    let world = World::new().await;
    let tess = world.tess().await;
    let answer = tess.post(ADMIT, unknown_leg(&world)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "a sign-in is no proof");
}
