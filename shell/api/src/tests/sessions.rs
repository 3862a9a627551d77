//! A session from invitation to end, as the technician's browser sees it.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use belay_wire::charter::{binding_bytes, signed_bytes};
use serde_json::{Value, json};

use super::harness::{World, waiting};

#[tokio::test]
async fn an_invitation_has_a_pin_and_a_link_and_shows_them_once() {
    let world = World::new().await;
    let tess = world.tess().await;
    let new = tess.invite().await;
    let pin = new["pin"].as_str().unwrap();
    assert!(pin.len() == 6 && pin.bytes().all(|b| b.is_ascii_digit()));
    assert_eq!(new["pin_expires_at"], "2026-09-21T14:33:20.000000Z");
    let token = new["link"].as_str().unwrap().strip_prefix("https://localhost:8443/join#").unwrap();
    assert_eq!(token.len(), 43);
    assert_eq!(new["session"]["state"], "connecting");
    let listed = tess.get("/api/v1/sessions?scope=open").await;
    assert!(!listed.text().contains(pin) && !listed.text().contains(token));
    assert_eq!(listed.json()["sessions"][0], new["session"]);
    assert_eq!(listed.json()["sessions"][0].get("technician"), None, "absent, not null");
}

#[tokio::test]
async fn a_session_is_waiting_then_active_then_closed_with_its_chat() {
    let world = World::new().await;
    let tess = world.tess().await;
    let (id, operator, tag) = waiting(&world, &tess).await;
    let path = format!("/api/v1/sessions/{id}");

    let session = tess.get(&path).await.json()["session"].clone();
    assert_eq!(session["state"], "waiting");
    assert_eq!(session["end_user_name"], "Erna End");
    assert_eq!(session["end_user_address"], "198.51.100.4");
    assert_eq!(session["platform"], "linux-x86_64");

    let connection = tess.post_empty(&format!("{path}/pick-up")).await;
    assert_eq!(connection.status, StatusCode::OK, "{}", connection.text());
    let connection = connection.json();
    assert_eq!(connection["session"]["state"], "active");
    assert_eq!(connection["session"]["technician"]["name"], "Tess Example");
    assert_eq!(connection["gateways"], json!(["wss://localhost:8443/gateway/v1"]));
    assert_eq!(URL_SAFE_NO_PAD.decode(connection["ticket"].as_str().unwrap()).unwrap().len(), 32);
    check_charter(&connection, &operator.charter_key, &tag.session_authentication_id);

    let again = tess.post_empty(&format!("{path}/pick-up")).await;
    assert_eq!((again.status, again.code()), (StatusCode::CONFLICT, "session-not-waiting".to_owned()));
    let reloaded = tess.post_empty(&format!("{path}/connect")).await.json();
    assert_ne!(reloaded["ticket"], connection["ticket"]);
    assert_eq!(reloaded["binding"], connection["binding"]);

    let line = json!({
        "line_id": "01234567-89ab-cdef-0001-020304050607", "author": "end_user",
        "text": "Grüße, der Drucker streikt", "at": "2026-09-21T14:14:00.000001Z",
    });
    for _ in 0..2 {
        assert_eq!(tess.post(&format!("{path}/chat"), line.clone()).await.status, StatusCode::NO_CONTENT);
    }
    for _ in 0..2 {
        assert_eq!(tess.post_empty(&format!("{path}/end")).await.status, StatusCode::NO_CONTENT);
    }
    let details = tess.get(&path).await.json();
    assert_eq!(details["session"]["state"], "closed");
    assert_eq!(details["session"]["ended_by"], "technician");
    assert_eq!(details["chat"], json!([line]));
    let kinds: Vec<_> =
        details["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["created", "joined", "downloaded", "waiting", "picked_up", "ended"]);

    let over = tess.post_empty(&format!("{path}/connect")).await;
    assert_eq!((over.status, over.code()), (StatusCode::CONFLICT, "session-ended".to_owned()));
    let ended = tess.get("/api/v1/sessions?scope=ended&limit=10").await.json();
    assert_eq!(ended["sessions"][0]["id"], id.as_str());
    assert_eq!(tess.get("/api/v1/sessions").await.json(), json!({"sessions": []}));
}

fn check_charter(connection: &Value, charter_key: &str, session_authentication_id: &str) {
    let document = STANDARD.decode(connection["charter"]["document"].as_str().unwrap()).unwrap();
    let signature = STANDARD.decode(connection["charter"]["signature"].as_str().unwrap()).unwrap();
    let key = UnparsedPublicKey::new(&ED25519, hex::decode(charter_key).unwrap());
    key.verify(&signed_bytes(&document), &signature).unwrap();
    key.verify(&document, &signature).unwrap_err();

    let id: [u8; 16] = hex::decode(session_authentication_id).unwrap().try_into().unwrap();
    let binding = hex::encode(digest(&SHA256, &binding_bytes(&id)));
    assert_eq!(connection["binding"], binding.as_str());
    let document: Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(document["binding"], binding.as_str());
    assert_eq!(document["session"], connection["session"]["id"]);
    assert_eq!(document["technician"]["name"], "Tess Example");
    assert_eq!(document["account"]["name"], "Example GmbH");
    assert_eq!(document["domain"], "localhost");
}

#[tokio::test]
async fn impossible_lists_and_lines_are_refused() {
    let world = World::new().await;
    let tess = world.tess().await;
    for query in ["scope=all", "limit=0", "limit=201", "limit=x", "before=yesterday", "nonsense=1"] {
        let answer = tess.get(&format!("/api/v1/sessions?{query}")).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, "bad-request".to_owned()),
            "{query}"
        );
    }
    let (id, ..) = waiting(&world, &tess).await;
    let chat = format!("/api/v1/sessions/{id}/chat");
    let line = |text: &str, at: &str| json!({"line_id": "01234567-89ab-cdef-0001-020304050607", "author": "technician", "text": text, "at": at});
    let now = "2026-09-21T14:14:00Z";
    assert_eq!(tess.post(&chat, line("hello", now)).await.code(), "session-not-yours", "not picked up yet");
    tess.post_empty(&format!("/api/v1/sessions/{id}/pick-up")).await;
    assert_eq!(tess.post(&chat, line("", now)).await.code(), "bad-request");
    assert_eq!(tess.post(&chat, line(&"x".repeat(16 * 1024 + 1), now)).await.code(), "bad-request");
    assert_eq!(tess.post(&chat, line("hello", "now")).await.code(), "bad-request");
    assert_eq!(tess.post(&chat, line(&"x".repeat(16 * 1024), now)).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn the_security_log_is_for_those_who_are_signed_in() {
    let world = World::new().await;
    assert_eq!(world.browser().get("/api/v1/security-log").await.status, StatusCode::UNAUTHORIZED);
    let tess = world.tess().await;
    world.website.flush().await;
    let log = tess.get("/api/v1/security-log").await.json();
    assert_eq!(log["events"][0]["kind"], "signed-in");
    assert_eq!(log["events"][0]["address"], "192.0.2.7");
    // With two companies here, what belongs to neither is shown to neither.
    world.browser().post("/api/v1/join/pin", json!({"pin": "000000", "name": "E"})).await;
    world.website.flush().await;
    assert!(!tess.get("/api/v1/security-log").await.text().contains("pin-refused"));
    assert!(world.has_noticed("pin-refused", "").await);
}
