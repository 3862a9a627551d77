//! The end user's way in: PIN, link, ticket, download.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::http::{StatusCode, header};
use serde_json::json;

use super::harness::{BINARY, ORIGIN, World};

const PIN: &str = "/api/v1/join/pin";
const LINK: &str = "/api/v1/join/link";
const DOWNLOAD: &str = "/api/v1/join/download";

#[tokio::test]
async fn a_pin_opens_once_and_tells_who_helps() {
    let world = World::new().await;
    let pin = world.tess().await.invite().await["pin"].as_str().unwrap().to_owned();
    let browser = world.browser();
    let spaced = format!("{} {}", &pin[..3], &pin[3..]);
    let answer = browser.post(PIN, json!({"pin": spaced, "name": " Erna End "})).await;
    assert_eq!(answer.status, StatusCode::OK);
    let ticket = answer.json();
    assert_eq!(ticket["company"], "Example GmbH");
    assert_eq!(ticket["technician"], "Tess Example");
    assert_eq!(ticket["end_user_name"], "Erna End");
    let platforms = json!([
        {"platform": "linux-x86_64", "available": true},
        {"platform": "windows-x86_64", "available": false},
        {"platform": "macos", "available": false},
    ]);
    assert_eq!(ticket["platforms"], platforms);

    let used = browser.post(PIN, json!({"pin": pin, "name": "Erna End"})).await;
    let wrong = browser.post(PIN, json!({"pin": "nonsense", "name": "Erna End"})).await;
    assert_eq!((used.status, used.code()), (StatusCode::NOT_FOUND, "pin-not-valid".to_owned()));
    assert_eq!(used.body, wrong.body);
    assert!(world.has_noticed("pin-refused", "").await);
}

#[tokio::test]
async fn a_pin_dies_after_twenty_minutes() {
    let world = World::new().await;
    let pin = world.tess().await.invite().await["pin"].as_str().unwrap().to_owned();
    world.clock.advance(Duration::from_secs(20 * 60));
    let answer = world.browser().post(PIN, json!({"pin": pin, "name": "Erna End"})).await;
    assert_eq!(answer.code(), "pin-not-valid");
}

#[tokio::test]
async fn pins_cannot_be_tried_through() {
    let world = World::new().await;
    let mut browser = world.browser();
    for n in 0..10 {
        let answer = browser.post(PIN, json!({"pin": format!("{n:06}"), "name": "E"})).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    let answer = browser.post(PIN, json!({"pin": "000010", "name": "E"})).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::TOO_MANY_REQUESTS, "slow-down".to_owned()));
    assert_eq!(answer.headers[header::RETRY_AFTER], "6");
    assert!(world.has_noticed("slowed-down", "PIN").await);
    let mut refused = 0;
    for n in 0..200u8 {
        browser.address = IpAddr::V4(Ipv4Addr::new(203, 0, 113, n));
        let answer = browser.post(PIN, json!({"pin": "000010", "name": "E"})).await;
        refused += u32::from(answer.status == StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(refused, 110, "100 a minute from everywhere together, ten were used before");
}

#[tokio::test]
async fn a_bad_name_uses_nothing_up() {
    let world = World::new().await;
    let pin = world.tess().await.invite().await["pin"].as_str().unwrap().to_owned();
    let browser = world.browser();
    for name in ["", "   ", "a\u{7}b", &"x".repeat(65)] {
        let answer = browser.post(PIN, json!({"pin": pin, "name": name})).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "bad-name".to_owned()));
    }
    assert_eq!(browser.post(PIN, json!({"pin": pin, "name": "Erna"})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_link_can_be_looked_at_and_is_used_once() {
    let world = World::new().await;
    let new = world.tess().await.invite().await;
    let token = new["link"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let browser = world.browser();
    for _ in 0..2 {
        let look = browser.post(LINK, json!({"token": token})).await.json();
        assert_eq!(look["company"], "Example GmbH");
        assert_eq!(look.get("join_token"), None);
    }
    let ticket = browser.post(LINK, json!({"token": token, "name": "Erna End"})).await;
    assert_eq!(ticket.status, StatusCode::OK);
    for body in [json!({"token": token}), json!({"token": token, "name": "Erna End"}), json!({"token": "x"})]
    {
        let answer = browser.post(LINK, body).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::NOT_FOUND, "link-not-valid".to_owned()));
    }
    let answer = browser.post(PIN, json!({"pin": new["pin"], "name": "Erna End"})).await;
    assert_eq!(answer.code(), "pin-not-valid", "the PIN of the same invitation died with the link");
    let download = browser.download(ticket.json()["join_token"].as_str().unwrap()).await;
    assert_eq!(download.0.origin, ORIGIN);
}

#[tokio::test]
async fn a_link_lives_a_day() {
    let world = World::new().await;
    let new = world.tess().await.invite().await;
    let token = new["link"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    world.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(world.browser().post(LINK, json!({"token": token})).await.code(), "link-not-valid");
    assert!(world.has_noticed("link-refused", "").await);
}

#[tokio::test]
async fn the_download_is_the_constant_binary_with_its_tag() {
    let world = World::new().await;
    let pin = world.tess().await.invite().await["pin"].as_str().unwrap().to_owned();
    let browser = world.browser();
    let ticket = browser.post(PIN, json!({"pin": pin, "name": "Erna End"})).await.json();
    let token = ticket["join_token"].as_str().unwrap();
    let answer = browser.post_form(DOWNLOAD, &format!("join_token={token}&platform=linux-x86_64")).await;
    assert_eq!(answer.headers[header::CONTENT_DISPOSITION], "attachment; filename=\"belay-support\"");
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/octet-stream");
    assert_eq!(answer.headers[header::CONTENT_LENGTH], answer.body.len().to_string().as_str());
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    assert!(answer.body.starts_with(BINARY));

    let (operator, first) = browser.download(token).await;
    let (same_operator, second) = browser.download(token).await;
    assert_eq!(operator, same_operator);
    assert_eq!(operator.charter_key, hex::encode(world.store.charter_public_key()));
    assert_eq!(operator.anchors, "-----BEGIN CERTIFICATE-----");
    assert!(world.website.settings().anchors.replace("another".to_owned()));
    assert_eq!(browser.download(token).await.0.anchors, "another", "as it is at the time of the download");
    assert_eq!(first.account, world.ours.to_string());
    assert_ne!(first.session_authentication_id, second.session_authentication_id);

    for platform in ["windows-x86_64", "macos"] {
        let answer = browser.post_form(DOWNLOAD, &format!("join_token={token}&platform={platform}")).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::CONFLICT, "platform-not-available".to_owned())
        );
    }
    let answer = browser.post_form(DOWNLOAD, &format!("join_token={token}&platform=amiga")).await;
    assert_eq!(answer.code(), "bad-request");
    let answer = browser.post_form(DOWNLOAD, "join_token=x&platform=linux-x86_64").await;
    assert_eq!((answer.status, answer.code()), (StatusCode::NOT_FOUND, "join-not-valid".to_owned()));
    world.clock.advance(Duration::from_secs(30 * 60));
    let answer = browser.post_form(DOWNLOAD, &format!("join_token={token}&platform=linux-x86_64")).await;
    assert_eq!(answer.code(), "join-not-valid");
}
