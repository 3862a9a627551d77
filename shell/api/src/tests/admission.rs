//! What the gateway is told: who may come in, and what becomes of those who did.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use belay_relay::admission::{AdmitRequest, LegEvent, LegNews};
use belay_store::Through;
use belay_wire::gateway::{Leaving, Refusal, ReportKind, Role};
use belay_wire::{LegTicket, Right, SessionId};

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
    let again = world.admission().admit(World::applet_asks(&tag), Through::Own).await;
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
    assert_eq!(admission.admit(unknown, Through::Own).await, Err(Refusal::Unknown));
    let mut short = World::applet_asks(&tag);
    short.credential.pop();
    assert_eq!(admission.admit(short, Through::Own).await, Err(Refusal::Protocol));
    let mut foreign = World::applet_asks(&tag);
    foreign.account = world.theirs;
    assert_eq!(admission.admit(foreign, Through::Own).await, Err(Refusal::Foreign));
    world.clock.advance(Duration::from_secs(30 * 60));
    assert_eq!(admission.admit(World::applet_asks(&tag), Through::Own).await, Err(Refusal::Expired));
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
        assert_eq!(world.admission().admit(guess.clone(), Through::Own).await, Err(Refusal::Unknown));
    }
    assert_eq!(world.admission().admit(guess, Through::Own).await, Err(Refusal::SlowDown));
}

#[tokio::test]
async fn a_consoles_ticket_admits_once_within_a_minute_and_only_to_its_account() {
    let world = World::new().await;
    let tess = world.tess().await;
    let (id, ..) = waiting(&world, &tess).await;
    let admission = world.admission();
    let session: SessionId = id.parse().unwrap();

    let first = ticket(&tess, &id, "pick-up").await;
    let admitted = admission.admit(console_asks(&world, &first), Through::Own).await.unwrap();
    assert_eq!(admitted.session, session);
    assert_eq!(admission.admit(console_asks(&world, &first), Through::Own).await, Err(Refusal::Unknown));

    let late = ticket(&tess, &id, "connect").await;
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(admission.admit(console_asks(&world, &late), Through::Own).await, Err(Refusal::Unknown));

    let stolen = ticket(&tess, &id, "connect").await;
    let mut foreign = console_asks(&world, &stolen);
    foreign.account = world.theirs;
    assert_eq!(admission.admit(foreign, Through::Own).await, Err(Refusal::Foreign));

    let ended = ticket(&tess, &id, "connect").await;
    tess.post_empty(&format!("/api/v1/sessions/{id}/end")).await;
    assert_eq!(admission.admit(console_asks(&world, &ended), Through::Own).await, Err(Refusal::Expired));
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
        admission.tell(news(&world, &id, LegEvent::Report(kind, right)), Through::Own).await;
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
        (LegEvent::Left(Role::Applet, Leaving::Lost), ("reconnecting", "")),
        (LegEvent::Left(Role::Applet, Leaving::Closed), ("aborted", "system")),
        (LegEvent::Left(Role::Console, Leaving::Lost), ("active", "")),
        (LegEvent::Left(Role::Console, Leaving::Closed), ("active", "")),
        (LegEvent::Left(Role::Console, Leaving::EndedByEndUser), ("active", "")),
    ] {
        let (id, ..) = waiting(&world, &tess).await;
        ticket(&tess, &id, "pick-up").await;
        world.admission().tell(news(&world, &id, event), Through::Own).await;
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

fn comes_back(world: &World, role: Role, ticket: &LegTicket) -> AdmitRequest {
    AdmitRequest { role, ..console_asks(world, ticket.secret_bytes()) }
}

#[tokio::test]
async fn a_lost_applet_comes_back_with_a_new_ticket_each_time_as_what_it_was() {
    let world = World::new().await;
    let tess = world.tess().await;
    let pin = tess.invite().await["pin"].as_str().unwrap().to_owned();
    let (_, tag) = world.browser().join(&pin).await;
    let admission = world.admission();
    let first = admission.admit(World::applet_asks(&tag), Through::Own).await.unwrap();
    let id = first.session.to_string();
    let lost = || news(&world, &id, LegEvent::Left(Role::Applet, Leaving::Lost));

    admission.tell(lost(), Through::Own).await;
    assert_eq!(state(&tess, &id).await.0, "reconnecting");
    let away = tess.post_empty(&format!("/api/v1/sessions/{id}/pick-up")).await;
    assert_eq!(away.code(), "end-user-away");
    let second =
        admission.admit(comes_back(&world, Role::Applet, &first.return_ticket), Through::Own).await.unwrap();
    assert_eq!((second.session, state(&tess, &id).await.0.as_str()), (first.session, "waiting"));
    assert_ne!(second.return_ticket, first.return_ticket);

    ticket(&tess, &id, "pick-up").await;
    admission.tell(lost(), Through::Own).await;
    world.clock.advance(Duration::from_secs(300));
    world.store.sweep(Duration::from_secs(9000), world.clock.now()).await.unwrap();
    assert_eq!(state(&tess, &id).await.0, "offline");
    assert_eq!(
        tess.get("/api/v1/sessions").await.json()["sessions"][0]["state"],
        "offline",
        "it is still open"
    );
    let third =
        admission.admit(comes_back(&world, Role::Applet, &second.return_ticket), Through::Own).await.unwrap();
    assert_eq!(state(&tess, &id).await.0, "active");
    let again = admission.admit(comes_back(&world, Role::Applet, &first.return_ticket), Through::Own).await;
    assert_eq!(again, Err(Refusal::Used));

    tess.post_empty(&format!("/api/v1/sessions/{id}/end")).await;
    let over = admission.admit(comes_back(&world, Role::Applet, &third.return_ticket), Through::Own).await;
    assert_eq!(over, Err(Refusal::Unknown), "tickets die with the session");
    for reason in ["used", "unknown"] {
        assert!(world.has_noticed("return-refused", reason).await, "{reason}");
    }
    let details = tess.get(&format!("/api/v1/sessions/{id}")).await.json();
    let kinds: Vec<_> = details["events"].as_array().unwrap()[3..]
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect();
    let expected = [
        "waiting",
        "connection_lost",
        "reconnected",
        "picked_up",
        "connection_lost",
        "offline",
        "reconnected",
        "ended",
    ];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn a_return_ticket_of_another_role_account_or_time_is_refused() {
    let world = World::new().await;
    let tess = world.tess().await;
    let (id, ..) = waiting(&world, &tess).await;
    let admission = world.admission();
    let console = ticket(&tess, &id, "pick-up").await;
    let console = admission.admit(console_asks(&world, &console), Through::Own).await.unwrap().return_ticket;
    let as_applet = admission.admit(comes_back(&world, Role::Applet, &console), Through::Own).await;
    assert_eq!(as_applet, Err(Refusal::Foreign));
    let mut foreign = comes_back(&world, Role::Console, &console);
    foreign.account = world.theirs;
    assert_eq!(admission.admit(foreign, Through::Own).await, Err(Refusal::Foreign));
    admission.tell(news(&world, &id, LegEvent::Left(Role::Console, Leaving::Lost)), Through::Own).await;
    assert_eq!(state(&tess, &id).await.0, "active");
    let unheard = admission.admit(comes_back(&world, Role::Console, &console), Through::Own).await;
    assert!(unheard.is_ok());
    world.clock.advance(Duration::from_secs(1));
    // The answer may have got lost: as long as nobody used what it brought, the ticket is taken again.
    let next = admission.admit(comes_back(&world, Role::Console, &console), Through::Own).await.unwrap();
    let next =
        admission.admit(comes_back(&world, Role::Console, &next.return_ticket), Through::Own).await.unwrap();
    let used = admission.admit(comes_back(&world, Role::Console, &console), Through::Own).await;
    assert_eq!(used, Err(Refusal::Used));
    world.clock.advance(Duration::from_secs(12 * 60 * 60));
    let late = admission.admit(comes_back(&world, Role::Console, &next.return_ticket), Through::Own).await;
    assert_eq!(late, Err(Refusal::Expired));
    for reason in ["foreign", "used", "expired"] {
        assert!(world.has_noticed("return-refused", reason).await, "{reason}");
    }
}

#[tokio::test]
async fn news_of_a_gateway_that_the_applet_has_left_change_nothing() {
    let world = World::new().await;
    let tess = world.tess().await;
    let pin = tess.invite().await["pin"].as_str().unwrap().to_owned();
    let (_, tag) = world.browser().join(&pin).await;
    let (one, two) = (Through::Gateway([1; 32]), Through::Gateway([2; 32]));
    let admission = world.admission();
    let first = admission.admit(World::applet_asks(&tag), one).await.unwrap();
    let id = first.session.to_string();
    admission.admit(comes_back(&world, Role::Applet, &first.return_ticket), two).await.unwrap();
    let lost = || news(&world, &id, LegEvent::Left(Role::Applet, Leaving::Lost));
    admission.tell(lost(), one).await;
    assert_eq!(state(&tess, &id).await.0, "waiting");
    admission.tell(lost(), two).await;
    assert_eq!(state(&tess, &id).await.0, "reconnecting");
}
