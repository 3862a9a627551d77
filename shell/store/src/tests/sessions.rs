//! Sessions in rows: their life, lists, chat, events and notices.

use belay_session::{EndedBy, Ender, Phase, Refusal, Report, ReportKind};

use super::*;
use crate::{ApplyError, ChatKept, Heard, Notice};

#[tokio::test]
async fn a_whole_session_is_kept_with_all_that_happened() {
    let world = World::new().await;
    let company = world.company("example").await;
    let session = company.active(&world.store).await;
    let report = Report { kind: ReportKind::Granted, detail: "desktop_view".into() };
    company.apply(&world.store, session, Command::AppletReport(report)).await;
    company.chat(&world.store, session, CHAT).await;
    let ended = company.apply(&world.store, session, Command::End { by: Ender::EndUser }).await;
    assert_eq!((ended.state.phase, ended.state.ended_by), (Phase::Closed, Some(EndedBy::EndUser)));

    let world = world.reopened().await;
    let details =
        world.store.view(company.account).await.unwrap().session_details(session).await.unwrap().unwrap();
    assert_eq!(details.session, ended);
    let state = &details.session.state;
    assert_eq!(state.end_user_address.as_deref(), Some("192.0.2.7"));
    assert_eq!(state.platform, Some(Platform::LinuxX86_64));
    assert_eq!((state.waiting_at, state.active_at, state.ended_at), (Some(NOW), Some(NOW), Some(NOW)));
    assert_eq!(details.session.technician.as_ref().unwrap().name, "Tess example");
    let events: Vec<_> =
        details.events.iter().map(|event| (event.kind.as_str(), event.detail.as_str())).collect();
    let expected = [
        ("created", "Tess example"),
        ("joined", END_USER),
        ("downloaded", "linux-x86_64"),
        ("waiting", "192.0.2.7"),
        ("picked_up", "Tess example"),
        ("granted", "desktop_view"),
        ("ended", "closed"),
    ];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn a_refused_command_changes_nothing_and_tells_nobody() {
    let world = World::new().await;
    let company = world.company("example").await;
    let session = company.active(&world.store).await;
    let before = world.store.view(company.account).await.unwrap().session_details(session).await.unwrap();
    let mut notices = world.store.bus().subscribe(company.account);
    let again = world
        .store
        .apply(company.account, session, Command::PickUp { technician: company.holder }, NOW)
        .await;
    assert!(matches!(again, Err(ApplyError::Refused(Refusal::NotWaiting))));
    let after = world.store.view(company.account).await.unwrap().session_details(session).await.unwrap();
    assert_eq!(after, before);
    assert!(tokio::time::timeout(Duration::from_millis(50), notices.next()).await.is_err());
}

#[tokio::test]
async fn ending_twice_is_no_error_and_happens_once() {
    let world = World::new().await;
    let company = world.company("example").await;
    let session = company.active(&world.store).await;
    let end = || Command::End { by: Ender::Technician(company.holder) };
    let first = company.apply(&world.store, session, end()).await;
    let again = world.store.apply(company.account, session, end(), later(60)).await.unwrap();
    assert_eq!(again, first);
    let details =
        world.store.view(company.account).await.unwrap().session_details(session).await.unwrap().unwrap();
    assert_eq!(details.events.iter().filter(|event| event.kind == "ended").count(), 1);
}

#[tokio::test]
async fn nothing_is_kept_or_told_without_a_commit() {
    let world = World::new().await;
    let company = world.company("example").await;
    let mut notices = world.store.bus().subscribe(company.account);
    let mut tx = world.store.begin(company.account).await.unwrap();
    let dropped = tx.create_session(company.holder, NOW).await.unwrap();
    drop(tx);
    let mut tx = world.store.begin(company.account).await.unwrap();
    let rolled_back = tx.create_session(company.holder, NOW).await.unwrap();
    tx.rollback().await.unwrap();
    let kept = company.connecting(&world.store).await;
    let view = world.store.view(company.account).await.unwrap();
    assert_eq!(view.session(dropped.id).await.unwrap(), None);
    assert_eq!(view.session(rolled_back.id).await.unwrap(), None);
    assert_eq!(view.session(kept.id).await.unwrap(), Some(kept.clone()));
    let told = Notice::SessionChanged { account: company.account, session: kept.id };
    assert_eq!(notices.next().await, Heard::Notice(told), "the first thing heard is what was committed");
}

#[tokio::test]
async fn lists_show_what_they_should_in_order() {
    let world = World::new().await;
    let company = world.company("example").await;
    let colleague = MemberId::from_bytes([7; 16]);
    let mut made = Vec::new();
    for second in 0..6 {
        let mut tx = world.store.begin(company.account).await.unwrap();
        made.push(tx.create_session(company.holder, later(second)).await.unwrap().id);
        tx.commit().await.unwrap();
    }
    for session in &made[..4] {
        company.apply(&world.store, *session, Command::End { by: Ender::Technician(company.holder) }).await;
    }
    let waiting = company.waiting(&world.store).await;
    let view = world.store.view(company.account).await.unwrap();
    let ids = |sessions: Vec<Session>| sessions.iter().map(|session| session.id).collect::<Vec<_>>();

    let own = ids(view.open_sessions(company.holder, 10).await.unwrap());
    assert_eq!(own, [made[5], made[4], waiting]);
    assert_eq!(ids(view.open_sessions(colleague, 10).await.unwrap()), [waiting], "connecting is its maker's");
    assert_eq!(view.open_sessions(company.holder, 1).await.unwrap().len(), 1);

    let first = view.ended_sessions(3, None).await.unwrap();
    let oldest = first.last().unwrap().state.created_at;
    assert_eq!(ids(first), [made[3], made[2], made[1]]);
    assert_eq!(ids(view.ended_sessions(3, Some(oldest)).await.unwrap()), [made[0]]);
}

#[tokio::test]
async fn a_chat_line_is_kept_once_as_it_came_first() {
    let world = World::new().await;
    let company = world.company("example").await;
    let session = company.active(&world.store).await;
    let other = company.active(&world.store).await;
    let mut notices = world.store.bus().subscribe(company.account);
    let first = line("hello");
    let changed = ChatLine { text: "goodbye".into(), ..first.clone() };
    let earlier = ChatLine { at: Moment(NOW.0 - 1), author: Author::Technician, ..line("before") };
    let mut tx = world.store.begin(company.account).await.unwrap();
    assert_eq!(tx.keep_chat(session, first.clone()).await.unwrap(), ChatKept::New);
    assert_eq!(tx.keep_chat(session, changed).await.unwrap(), ChatKept::Already);
    assert_eq!(tx.keep_chat(session, earlier.clone()).await.unwrap(), ChatKept::New);
    assert_eq!(
        tx.keep_chat(other, first.clone()).await.unwrap(),
        ChatKept::New,
        "line ids count per session"
    );
    tx.commit().await.unwrap();
    let details =
        world.store.view(company.account).await.unwrap().session_details(session).await.unwrap().unwrap();
    assert_eq!(details.chat, [earlier, first]);
    let told = |session| Heard::Notice(Notice::SessionChanged { account: company.account, session });
    assert_eq!([notices.next().await, notices.next().await], [told(session), told(other)], "each once");
}

#[tokio::test]
async fn a_restart_lets_what_was_connected_wait_and_leaves_invitations() {
    let world = World::new().await;
    let (company, other) = (world.company("example").await, world.company("other").await);
    let connecting = company.connecting(&world.store).await.id;
    let waiting = company.waiting(&world.store).await;
    let active = other.active(&world.store).await;
    let world = world.reopened().await;
    assert_eq!(world.store.recover_after_restart(later(5)).await.unwrap(), 2);
    assert_eq!(world.store.recover_after_restart(later(6)).await.unwrap(), 0);
    for (company, session, phase) in [
        (company, connecting, Phase::Connecting),
        (company, waiting, Phase::Reconnecting),
        (other, active, Phase::Reconnecting),
    ] {
        let found = world.store.view(company.account).await.unwrap().session(session).await.unwrap().unwrap();
        assert_eq!(found.state.phase, phase);
        assert_eq!(found.state.lost_at.is_some(), phase == Phase::Reconnecting);
    }
}

#[tokio::test]
async fn sessions_time_out_when_nobody_comes() {
    let world = World::new().await;
    let company = world.company("example").await;
    let connecting = company.connecting(&world.store).await.id;
    let waiting = company.waiting(&world.store).await;
    let active = company.active(&world.store).await;
    let phase = async |session| {
        let view = world.store.view(company.account).await.unwrap();
        view.session(session).await.unwrap().unwrap().state.phase
    };
    world.store.sweep(IDLE, later(7_199)).await.unwrap();
    assert_eq!(phase(waiting).await, Phase::Waiting);
    world.store.sweep(IDLE, later(7_200)).await.unwrap();
    assert_eq!((phase(waiting).await, phase(connecting).await), (Phase::TimedOut, Phase::Connecting));
    world.store.sweep(IDLE, later(86_400)).await.unwrap();
    assert_eq!((phase(connecting).await, phase(active).await), (Phase::TimedOut, Phase::Active));
}

#[tokio::test]
async fn security_logs_read_back_newest_first() {
    let world = World::new().await;
    let company = world.company("example").await;
    for detail in ["one", "two"] {
        let mut tx = world.store.begin(company.account).await.unwrap();
        tx.log_security(event(detail)).await.unwrap();
        tx.commit().await.unwrap();
        world.store.directory().log_security(event(&format!("system {detail}"))).await.unwrap();
    }
    let log = world.store.view(company.account).await.unwrap().security_log(2).await.unwrap();
    assert_eq!(log.iter().map(|event| event.detail.as_str()).collect::<Vec<_>>(), ["two", "one"]);
    assert_eq!((log[0].at, log[0].kind.as_str()), (NOW, "forbidden"));
    assert_eq!(
        (log[0].session, log[0].address.as_deref()),
        (Some(SessionId::from_bytes([9; 16])), Some("192.0.2.7"))
    );
    let system = world.store.directory().security_log(10).await.unwrap();
    assert_eq!(
        system.iter().map(|event| event.detail.as_str()).collect::<Vec<_>>(),
        ["system two", "system one"]
    );
}
