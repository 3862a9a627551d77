//! Signing in: one answer for every failure, lock-out, the cookie, automatic sign-off.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::http::{StatusCode, header};
use serde_json::json;

use super::harness::{IDLE, PASSWORD, World};

#[tokio::test]
async fn the_right_password_gives_me_and_a_strict_cookie() {
    let world = World::new().await;
    let mut browser = world.browser();
    let answer = browser.sign_in(" Tess@Example.COM ", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK);
    let me = answer.json();
    assert_eq!(me["member"]["name"], "Tess Example");
    assert_eq!(me["member"]["role"], "master_account_holder");
    assert_eq!(me["account"]["name"], "Example GmbH");
    assert_eq!(me["idle_sign_off_seconds"], 900);
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    let (value, flags) = cookie.split_once("; ").unwrap();
    assert_eq!(flags, "HttpOnly; Secure; SameSite=Strict; Path=/");
    assert_eq!(value.strip_prefix("__Host-belay=").unwrap().len(), 43);
    assert_eq!(browser.get("/api/v1/me").await.json(), me);
    assert!(world.has_noticed("signed-in", "tess@example.com").await);
}

#[tokio::test]
async fn unknown_wrong_and_locked_get_the_very_same_answer() {
    let world = World::new().await;
    let mut browser = world.browser();
    let wrong = browser.sign_in("tess@example.com", "not the password").await;
    let mut answers = vec![wrong];
    answers.push(browser.sign_in("nobody@example.com", PASSWORD).await);
    answers.push(browser.sign_in("", PASSWORD).await);
    answers.push(browser.sign_in("tess@example.com", &"x".repeat(5000)).await);
    for _ in 0..5 {
        answers.push(browser.sign_in("tess@example.com", "not the password").await);
    }
    browser.address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 8));
    // Locked by now: even the right password gets the same answer.
    answers.push(browser.sign_in("tess@example.com", PASSWORD).await);
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.code(), "sign-in-failed");
        assert_eq!(answer.body, answers[0].body);
        let names = |headers: &axum::http::HeaderMap| {
            headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>()
        };
        assert_eq!(names(&answer.headers), names(&answers[0].headers));
    }
    assert!(world.has_noticed("sign-in-failed", "tess@example.com").await);
    assert!(world.has_noticed("sign-in-locked", "tess@example.com").await);
    assert!(world.has_noticed("sign-in-failed", "an id nobody has").await);
    assert!(!world.has_noticed("", "not the password").await);

    world.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(browser.sign_in("tess@example.com", PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_fifth_failure_locks_and_a_success_forgives() {
    let world = World::new().await;
    for failures in [4, 4] {
        let mut browser = world.browser();
        for _ in 0..failures {
            assert_eq!(browser.sign_in("tess@example.com", "no").await.status, StatusCode::UNAUTHORIZED);
        }
        assert_eq!(browser.sign_in("tess@example.com", PASSWORD).await.status, StatusCode::OK);
        world.clock.advance(Duration::from_secs(120));
    }
}

#[tokio::test]
async fn an_address_that_tries_too_often_is_slowed_down() {
    let world = World::new().await;
    let mut browser = world.browser();
    for n in 0..10 {
        assert_eq!(browser.sign_in(&format!("n{n}@example.com"), "x").await.status, StatusCode::UNAUTHORIZED);
    }
    let answer = browser.sign_in("tess@example.com", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.code(), "slow-down");
    assert_eq!(answer.headers[header::RETRY_AFTER], "6");
    assert!(world.has_noticed("slowed-down", "sign-in").await);
    world.clock.advance(Duration::from_secs(6));
    assert_eq!(browser.sign_in("tess@example.com", PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_sign_in_dies_without_activity_and_reading_is_none() {
    let world = World::new().await;
    let browser = world.tess().await;
    world.clock.advance(IDLE - Duration::from_secs(1));
    assert_eq!(browser.get("/api/v1/sessions").await.status, StatusCode::OK);
    world.clock.advance(Duration::from_secs(1));
    let answer = browser.get("/api/v1/me").await;
    assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "signed-out".to_owned()));
}

#[tokio::test]
async fn activity_keeps_a_sign_in_alive_but_not_beyond_twelve_hours() {
    let world = World::new().await;
    let browser = world.tess().await;
    let mut passed = Duration::ZERO;
    let step = IDLE - Duration::from_secs(1);
    while passed + step < Duration::from_secs(12 * 3600) {
        world.clock.advance(step);
        passed += step;
        assert_eq!(browser.post_empty("/api/v1/me/activity").await.status, StatusCode::NO_CONTENT);
    }
    world.clock.advance(Duration::from_secs(12 * 3600) - passed);
    assert_eq!(browser.get("/api/v1/me").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn signing_out_ends_it_for_every_copy_of_the_cookie() {
    let world = World::new().await;
    let browser = world.tess().await;
    let copy = browser.clone();
    let answer = browser.post_empty("/api/v1/sign-out").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(answer.headers[header::SET_COOKIE].to_str().unwrap().ends_with("Max-Age=0"));
    assert_eq!(copy.get("/api/v1/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(copy.post_empty("/api/v1/sign-out").await.status, StatusCode::NO_CONTENT);
    assert!(world.has_noticed("signed-out", "").await);
}

#[tokio::test]
async fn signing_in_again_ends_the_sign_in_before() {
    let world = World::new().await;
    let mut browser = world.tess().await;
    let before = browser.clone();
    browser.sign_in("tess@example.com", PASSWORD).await;
    assert_eq!(before.get("/api/v1/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.get("/api/v1/me").await.status, StatusCode::OK);
}

#[tokio::test]
async fn unknown_fields_and_other_content_are_refused_in_the_common_form() {
    let world = World::new().await;
    let browser = world.browser();
    let answer = browser.post("/api/v1/sign-in", json!({"id": "a", "password": "b", "x": 1})).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "bad-request".to_owned()));
    let answer = browser.post_form("/api/v1/sign-in", "id=a&password=b").await;
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "bad-request".to_owned()));
    let answer = browser.post("/api/v1/sign-in", json!({"id": "a", "password": "b".repeat(70_000)})).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::PAYLOAD_TOO_LARGE, "too-large".to_owned()));
}
