//! Sign-in, cookies, invitations, tickets: what the directory remembers and for how long.

use belay_access::{Lockout, Verdict};

use super::*;
use crate::Invited;

#[tokio::test]
async fn an_account_has_its_holder_and_its_name() {
    let world = World::new().await;
    let company = world.company("example").await;
    let world = world.reopened().await;
    let view = world.store.view(company.account).await.unwrap();
    let holder = view.member(company.holder).await.unwrap().unwrap();
    assert_eq!((holder.name.as_str(), holder.sign_in_id.as_str()), ("Tess example", "example@example.com"));
    assert_eq!(holder.role, belay_access::Role::MasterAccountHolder);
    assert_eq!(view.described().await.unwrap().name, "example GmbH");
    assert_eq!(view.members().await.unwrap(), [holder]);
    assert_eq!(view.security_log(10).await.unwrap()[0].kind, "account-created");
    let accounts = world.store.directory().accounts().await.unwrap();
    assert_eq!(accounts.iter().map(|account| account.id).collect::<Vec<_>>(), [company.account]);
}

#[test]
fn sign_in_ids_are_lower_case_and_bounded() {
    assert_eq!(SignInId::new("  Tess@Example.COM ").unwrap().as_str(), "tess@example.com");
    for text in ["", "   ", "a\nb", &"x".repeat(255)] {
        assert_eq!(SignInId::new(text), None, "{text:?}");
    }
}

#[tokio::test]
async fn known_and_unknown_ids_lock_alike() {
    let world = World::new().await;
    world.company("example").await;
    let directory = world.store.directory();
    let (known, unknown) = (sign_in_id("example"), sign_in_id("nobody"));
    for attempt in 1..=7u32 {
        let (one, two) = (
            directory.begin_sign_in(&known, NOW).await.unwrap(),
            directory.begin_sign_in(&unknown, NOW).await.unwrap(),
        );
        assert_eq!((one.verdict, one.lockout), (two.verdict, two.lockout), "attempt {attempt}");
        assert!(one.credential.is_some() && two.credential.is_none());
        assert_eq!(one.verdict == Verdict::Proceed, attempt <= 5);
    }
    let attempt = directory.begin_sign_in(&known, later(15 * 60)).await.unwrap();
    assert_eq!(attempt.verdict, Verdict::Proceed, "the lock ends");
    directory.sign_in_succeeded(&known).await.unwrap();
    let attempt = directory.begin_sign_in(&known, later(16 * 60)).await.unwrap();
    assert_eq!(attempt.lockout, Lockout { failures: 1, locked_until: None }, "a success forgives");
}

#[tokio::test]
async fn a_new_password_hash_takes_the_place_of_the_old() {
    let world = World::new().await;
    let company = world.company("example").await;
    let directory = world.store.directory();
    assert!(directory.replace_password_hash(company.account, company.holder, "$scrypt$new").await.unwrap());
    let attempt = directory.begin_sign_in(&sign_in_id("example"), NOW).await.unwrap();
    assert_eq!(attempt.credential.unwrap().password_hash, "$scrypt$new");
}

#[tokio::test]
async fn a_sign_in_lives_by_activity_and_ends_at_sign_out() {
    let world = World::new().await;
    let company = world.company("example").await;
    let directory = world.store.directory();
    let (one, two) = (token(), token());
    for cookie in [&one, &two] {
        directory.create_web_session(cookie, company.account, company.holder, NOW).await.unwrap();
    }
    let found = directory.web_session(&one, IDLE, later(899)).await.unwrap().unwrap();
    assert_eq!((found.account, found.member), (company.account, company.holder));
    assert_eq!(directory.web_session(&one, IDLE, later(900)).await.unwrap(), None, "idle");
    directory.touch_web_session(&one, later(800)).await.unwrap();
    directory.touch_web_session(&one, later(100)).await.unwrap();
    assert!(
        directory.web_session(&one, IDLE, later(1_699)).await.unwrap().is_some(),
        "touching never goes back"
    );
    assert_eq!(directory.web_session(&token(), IDLE, NOW).await.unwrap(), None);

    assert_eq!(directory.delete_web_session(&one).await.unwrap().unwrap().member, company.holder);
    assert_eq!(directory.web_session(&one, IDLE, later(801)).await.unwrap(), None);
    directory.touch_web_session(&one, later(802)).await.unwrap();
    assert_eq!(
        directory.web_session(&one, IDLE, later(802)).await.unwrap(),
        None,
        "touching brings nothing back"
    );
    assert_eq!(directory.delete_web_session(&one).await.unwrap(), None);
    assert_eq!(directory.delete_web_sessions_of(company.account, company.holder).await.unwrap(), 1);
    assert_eq!(directory.web_session(&two, IDLE, NOW).await.unwrap(), None);
}

#[tokio::test]
async fn invitations_end_on_time_and_free_their_pin() {
    let world = World::new().await;
    let company = world.company("example").await;
    let session = company.connecting(&world.store).await.id;
    let directory = world.store.directory();
    let link = token();
    let keep = |link: Token, at| {
        let directory = directory.clone();
        async move { directory.keep_invitation(company.account, session, &pin(42), &link, at).await.unwrap() }
    };
    assert!(matches!(keep(link.clone(), NOW).await, Invited::Kept { .. }));
    assert_eq!(keep(token(), later(1199)).await, Invited::PinTaken);
    assert_eq!(directory.take_pin(&pin(42), later(1200)).await.unwrap(), None, "20 minutes");
    assert_eq!(directory.take_pin(&pin(43), NOW).await.unwrap(), None);
    assert!(matches!(keep(token(), later(1200)).await, Invited::Kept { .. }), "the PIN is free again");

    assert!(directory.peek_link(&link, later(86_399)).await.unwrap().is_some(), "the link lives longer");
    assert_eq!(directory.peek_link(&link, later(86_400)).await.unwrap(), None);
    assert_eq!(directory.take_link(&link, later(86_400)).await.unwrap(), None, "24 hours");
    assert_eq!(directory.take_link(&link, later(86_399)).await.unwrap().unwrap().session, session);
    assert_eq!(directory.take_link(&link, later(86_399)).await.unwrap(), None);
}

#[tokio::test]
async fn a_join_ticket_may_be_used_again_for_half_an_hour() {
    let world = World::new().await;
    let company = world.company("example").await;
    let session = company.connecting(&world.store).await.id;
    let directory = world.store.directory();
    let ticket = token();
    directory.create_join_ticket(&ticket, company.account, session, NOW).await.unwrap();
    for at in [NOW, later(1), later(1799)] {
        assert_eq!(directory.join_ticket(&ticket, at).await.unwrap().unwrap().session, session);
    }
    assert_eq!(directory.join_ticket(&ticket, later(1800)).await.unwrap(), None);
    assert_eq!(directory.join_ticket(&token(), NOW).await.unwrap(), None);
}

#[tokio::test]
async fn every_refused_admission_says_why_and_is_logged() {
    let world = World::new().await;
    let store = &world.store;
    let company = world.company("example").await;
    let other = world.company("other").await;
    let admit = async |id: &SessionAuthenticationId, account, at| {
        store.admit_applet(id, account, ADDRESS, Through::Own, at).await.unwrap()
    };

    assert_eq!(admit(&authentication_id(), company.account, NOW).await, Admission::Unknown);
    let (session, id) = company.downloaded(store).await;
    assert_eq!(admit(&id, other.account, NOW).await, Admission::Foreign);
    assert_eq!(admit(&id, company.account, later(1800)).await, Admission::Expired { session });
    assert_eq!(admit(&id, company.account, later(1799)).await, Admission::Admitted { session });
    assert_eq!(admit(&id, company.account, later(1799)).await, Admission::Used { session });

    // A second download of the same session, presented while the first applet is on it, and one after its end.
    let (second, third) = (authentication_id(), authentication_id());
    for id in [&second, &third] {
        store.directory().create_session_authentication(id, company.account, session, NOW).await.unwrap();
    }
    assert_eq!(admit(&second, company.account, NOW).await, Admission::Used { session });
    company.apply(store, session, Command::AppletClosed).await;
    assert_eq!(admit(&third, company.account, NOW).await, Admission::Expired { session });

    let log = store.view(company.account).await.unwrap().security_log(100).await.unwrap();
    let refused: Vec<_> = log
        .iter()
        .filter(|event| event.kind == "admission-refused")
        .map(|event| event.detail.as_str())
        .collect();
    let expected =
        ["session ended", "session has an applet already", "used", "expired", "claimed for another account"];
    assert_eq!(refused, expected);
    assert!(log.iter().all(|event| event.kind != "admission-refused" || event.session == Some(session)));
    assert_eq!(log[0].address.as_deref(), Some("192.0.2.7"));
    let unknown = store.directory().security_log(10).await.unwrap();
    assert_eq!((unknown.len(), unknown[0].detail.as_str()), (1, "unknown"));
}

#[tokio::test]
async fn an_admitted_applet_is_bound_to_the_charters_to_come() {
    let world = World::new().await;
    let company = world.company("example").await;
    let (session, id) = company.downloaded(&world.store).await;
    let binding = async || world.store.view(company.account).await.unwrap().binding(session).await.unwrap();
    assert_eq!(binding().await, None);
    world.store.admit_applet(&id, company.account, ADDRESS, Through::Own, NOW).await.unwrap();
    let expected = crate::seal::sha256(&belay_wire::charter::binding_bytes(id.secret_bytes()));
    assert_eq!(binding().await.unwrap().as_slice(), expected);
}

#[tokio::test]
async fn charters_are_signed_by_a_key_that_stays() {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    let world = World::new().await;
    let (public, signature) = (world.store.charter_public_key(), world.store.sign_charter(b"document"));
    let world = world.reopened().await;
    assert_eq!(world.store.charter_public_key(), public);
    let key = UnparsedPublicKey::new(&ED25519, public);
    key.verify(b"document", &signature).unwrap();
    assert!(key.verify(b"another document", &signature).is_err());
    assert_ne!(World::new().await.store.charter_public_key(), public);
}

#[tokio::test]
async fn the_sweep_throws_away_only_what_is_dead() {
    let world = World::new().await;
    let company = world.company("example").await;
    let directory = world.store.directory();
    let (cookie, link, ticket) = (token(), token(), token());
    let session = company.connecting(&world.store).await.id;
    directory.create_web_session(&cookie, company.account, company.holder, NOW).await.unwrap();
    directory.keep_invitation(company.account, session, &pin(1), &link, NOW).await.unwrap();
    directory.create_join_ticket(&ticket, company.account, session, NOW).await.unwrap();
    directory.begin_sign_in(&sign_in_id("nobody"), NOW).await.unwrap();
    assert_eq!(world.store.sweep(IDLE, later(899)).await.unwrap(), 0);
    assert_eq!(world.store.sweep(IDLE, later(900)).await.unwrap(), 1, "the idle sign-in");
    assert_eq!(world.store.sweep(IDLE, later(1800)).await.unwrap(), 1, "the ticket");
    assert_eq!(world.store.sweep(IDLE, later(86_400)).await.unwrap(), 3, "invitation, attempts, session");
    assert_eq!(world.store.sweep(IDLE, later(86_401)).await.unwrap(), 0);
}

#[tokio::test]
async fn an_account_keeps_its_region() {
    let world = World::new().await;
    let plain = company(&world.store, "plain").await.account;
    let new = NewAccount { region: Some("eu".into()), ..new_account("regional") };
    let made = world.store.directory().create_account(new, NOW).await.unwrap();
    let AccountCreated::Created { account: regional, .. } = made else { panic!("{made:?}") };
    let world = world.reopened().await;
    let region = async |account| world.store.directory().account(account).await.unwrap().unwrap().region;
    assert_eq!((region(plain).await, region(regional).await), (None, Some("eu".into())));
    assert_eq!(
        world.store.view(regional).await.unwrap().described().await.unwrap().region,
        Some("eu".into())
    );
}
