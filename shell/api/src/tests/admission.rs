//! What the gateway is told: who may come in, and what becomes of those who did.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use belay_relay::admission::{AdmitRequest, LegEvent, LegNews};
use belay_wire::gateway::{Leaving, Refusal, ReportKind, Role};
use belay_wire::{Right, SessionId};

use super::harness::{Browser, World, waiting};

async fn state(technician: &Browser, id: &str) -> (String, String) {
    let session = technician.get(&format!("/api/v1/sessions/{id}")).await.json()["session"].clone();
    let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    (word(&session["state"]), word(&session["ended_by"]))
}

async fn ticket(technician: &Browser, id: &str, action: &str) -> Vec<u8> {
    let connection = technician.post_empty(&format!("/api/v1/sessions/{id}/{action}")).await.json();
    URL_SAFE_NO_PAD.decode(connection["ticket"].as_str().unwrap()).unwrap()
}

fn console_asks(world: &World, ticket: &[u8]) -> AdmitRequest {
    AdmitRequest {
        role: Role::Console,
        account: world.ours,
        credential: ticket.to_vec(),
        address: "192.0.2.7".parse().unwrap(),
        version: "0.1.0".to_owned(),
        platform: "browser".to_owned(),
    }
}

fn news(world: &World, id: &str, event: LegEvent) -> LegNews {
    LegNews { account: world.ours, session: id.parse().unwrap(), event }
}

#[tokio::test]
async fn an_applets_id_admits_once() {
    let world = World::new().await;
    let tess = world.tess().await;
    let (id, _, tag) = waiting(&world, &tess).await;
    assert_eq!(state(&tess, &id).await.0, "waiting");
    let again = world.admission().admit(World::applet_asks(&tag)).await;
    assert_eq!(again, Err(Refusal::Used));
    assert!(world.has_noticed("admission-refused", "used").await);
}

#[tokio::test]
async fn unknown_expired_and_foreign_ids_are_told_apart_and_logged() {
    let world = World::new().await;
    let tess = world.tess().await;
    let admission = world.admission();
    let pin = tess.invite().await["pin"].as_str().unwrap().to_owned();
    let (_, tag) = world.browser().join(&pin).await;

    let mut unknown = World::applet_asks(&tag);
    unknown.credential = vec![7; 16];
    assert_eq!(admission.admit(unknown).await, Err(Refusal::Unknown));
    let mut short = World::applet_asks(&tag);
    short.credential.pop();
    assert_eq!(admission.admit(short).await, Err(Refusal::Protocol));
    let mut foreign = World::applet_asks(&tag);
    foreign.account = world.theirs;
    assert_eq!(admission.admit(foreign).await, Err(Refusal::Foreign));
    world.clock.advance(Duration::from_secs(30 * 60));
    assert_eq!(admission.admit(World::applet_asks(&tag)).await, Err(Refusal::Expired));
    for reason in ["unknown", "protocol", "foreign", "expired"] {
        assert!(world.has_noticed("admission-refused", reason).await, "{reason}");
    }
}

#[tokio::test]
async fn guessing_ids_is_slowed_down() {
    let world = World::new().await;
    let tess = world.tess().await;
    let pin = tess.invite().await["pin"].as_str().unwrap().to_owned();
    let (_, tag) = world.browser().join(&pin).await;
    let mut guess = World::applet_asks(&tag);
    guess.credential = vec![7; 16];
    for _ in 0..60 {
        assert_eq!(world.admission().admit(guess.clone()).await, Err(Refusal::Unknown));
    }
    assert_eq!(world.admission().admit(guess).await, Err(Refusal::SlowDown));
}

#[tokio::test]
async fn a_consoles_ticket_admits_once_within_a_minute_and_only_to_its_account() {
    let world = World::new().await;
    let tess = world.tess().await;
    let (id, ..) = waiting(&world, &tess).await;
    let admission = world.admission();
    let session: SessionId = id.parse().unwrap();

    let first = ticket(&tess, &id, "pick-up").await;
    assert_eq!(admission.admit(console_asks(&world, &first)).await, Ok(session));
    assert_eq!(admission.admit(console_asks(&world, &first)).await, Err(Refusal::Unknown));

    let late = ticket(&tess, &id, "connect").await;
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(admission.admit(console_asks(&world, &late)).await, Err(Refusal::Unknown));

    let stolen = ticket(&tess, &id, "connect").await;
    let mut foreign = console_asks(&world, &stolen);
    foreign.account = world.theirs;
    assert_eq!(admission.admit(foreign).await, Err(Refusal::Foreign));

    let ended = ticket(&tess, &id, "connect").await;
    tess.post_empty(&format!("/api/v1/sessions/{id}/end")).await;
    assert_eq!(admission.admit(console_asks(&world, &ended)).await, Err(Refusal::Expired));
    for reason in ["unknown", "foreign", "expired"] {
        assert!(world.has_noticed("ticket-refused", reason).await, "{reason}");
    }
}

#[tokio::test]
async fn reports_become_events_and_a_violation_is_in_the_security_log() {
    let world = World::new().await;
    let tess = world.tess().await;
    let (id, ..) = waiting(&world, &tess).await;
    ticket(&tess, &id, "pick-up").await;
    let admission = world.admission();
    for (kind, right) in [
        (ReportKind::Granted, Right::DesktopView),
        (ReportKind::Refused, Right::RemoteControl),
        (ReportKind::Violation, Right::RemoteControl),
        (ReportKind::Withdrawn, Right::DesktopView),
    ] {
        admission.tell(news(&world, &id, LegEvent::Report(kind, right))).await;
    }
    let details = tess.get(&format!("/api/v1/sessions/{id}")).await.json();
    let events: Vec<_> = details["events"].as_array().unwrap()[5..]
        .iter()
        .map(|event| (event["kind"].as_str().unwrap(), event["detail"].as_str().unwrap()))
        .collect();
    assert_eq!(
        events,
        [
            ("granted", "desktop_view"),
            ("refused", "remote_control"),
            ("violation", "remote_control"),
            ("withdrawn", "desktop_view"),
        ]
    );
    assert!(world.has_noticed("violation", "remote_control").await);
}

#[tokio::test]
async fn whoever_leaves_decides_how_the_session_ends() {
    let world = World::new().await;
    let tess = world.tess().await;
    for (event, expected) in [
        (LegEvent::Left(Role::Applet, Leaving::EndedByEndUser), ("closed", "end_user")),
        (LegEvent::Left(Role::Applet, Leaving::EndedByTechnician), ("closed", "technician")),
        (LegEvent::Left(Role::Console, Leaving::EndedByTechnician), ("closed", "technician")),
        (LegEvent::Left(Role::Applet, Leaving::Lost), ("aborted", "system")),
        (LegEvent::Left(Role::Applet, Leaving::Closed), ("aborted", "system")),
        (LegEvent::Left(Role::Console, Leaving::Lost), ("active", "")),
        (LegEvent::Left(Role::Console, Leaving::Closed), ("active", "")),
        (LegEvent::Left(Role::Console, Leaving::EndedByEndUser), ("active", "")),
    ] {
        let (id, ..) = waiting(&world, &tess).await;
        ticket(&tess, &id, "pick-up").await;
        world.admission().tell(news(&world, &id, event)).await;
        let (state, by) = state(&tess, &id).await;
        assert_eq!((state.as_str(), by.as_str()), expected, "{event:?}");
        world.clock.advance(Duration::from_secs(10));
    }
}

#[tokio::test]
async fn the_gateway_learns_which_sessions_have_ended() {
    let world = World::new().await;
    let tess = world.tess().await;
    let (mut ended, task) = world.admission().ended_sessions();
    // The follower subscribes in a task of its own.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (id, ..) = waiting(&world, &tess).await;
    tess.post_empty(&format!("/api/v1/sessions/{id}/end")).await;
    let told = tokio::time::timeout(Duration::from_secs(5), ended.recv()).await.unwrap().unwrap();
    assert_eq!(told.to_string(), id);
    task.abort();
}
