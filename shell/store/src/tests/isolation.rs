//! Every function of the store, asked as account B for what is account A's.

use super::*;
use crate::{ApplyError, ChatKept, Invited, StoreError};

#[tokio::test]
async fn an_account_reaches_nothing_of_another() {
    let world = World::new().await;
    let store = &world.store;
    let (a, b) = (world.company("a").await, world.company("b").await);
    let theirs = a.active(store).await;
    a.chat(store, theirs, CHAT).await;
    let mut tx = store.begin(a.account).await.unwrap();
    tx.log_security(event("of a")).await.unwrap();
    tx.commit().await.unwrap();

    let view = store.view(b.account).await.unwrap();
    assert_eq!(view.account(), b.account);
    assert_eq!(view.described().await.unwrap().name, "b GmbH");
    assert_eq!(view.members().await.unwrap().len(), 1);
    assert_eq!(view.member(a.holder).await.unwrap(), None);
    assert_eq!(view.session(theirs).await.unwrap(), None);
    assert_eq!(view.session_details(theirs).await.unwrap(), None);
    assert_eq!(view.binding(theirs).await.unwrap(), None);
    assert!(view.open_sessions(a.holder, 100).await.unwrap().is_empty());
    assert!(view.ended_sessions(100, None).await.unwrap().is_empty());
    assert!(view.security_log(100).await.unwrap().iter().all(|event| event.detail != "of a"));
    assert!(view.due_sessions(later(1_000_000)).await.unwrap().is_empty());
    assert!(view.connected_sessions(Through::Own).await.unwrap().is_empty());
    drop(view);

    let mut tx = store.begin(b.account).await.unwrap();
    assert!(matches!(tx.create_session(a.holder, NOW).await, Err(ApplyError::NotFound)));
    let command = Command::PickUp { technician: b.holder };
    assert!(matches!(tx.apply(theirs, command.clone(), NOW).await, Err(ApplyError::NotFound)));
    assert_eq!(tx.keep_chat(theirs, line("from b")).await.unwrap(), ChatKept::NoSession);
    tx.keep_binding(theirs, &[7; 32]).await.unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(store.apply(b.account, theirs, command, NOW).await, Err(ApplyError::NotFound)));

    let after = store.view(a.account).await.unwrap();
    let details = after.session_details(theirs).await.unwrap().unwrap();
    assert_eq!(details.session.technician.unwrap().id, a.holder);
    assert_eq!(details.chat.len(), 1);
    assert_ne!(after.binding(theirs).await.unwrap(), Some([7; 32]));
}

#[tokio::test]
async fn a_member_of_one_account_cannot_pick_up_in_another() {
    let world = World::new().await;
    let (a, b) = (world.company("a").await, world.company("b").await);
    let waiting = a.waiting(&world.store).await;
    let stolen = world.store.apply(a.account, waiting, Command::PickUp { technician: b.holder }, NOW).await;
    assert!(matches!(stolen, Err(ApplyError::NotFound)));
    let view = world.store.view(a.account).await.unwrap();
    assert_eq!(view.session(waiting).await.unwrap().unwrap().technician, None);
}

#[tokio::test]
async fn the_directory_keeps_accounts_apart() {
    let world = World::new().await;
    let (a, b) = (world.company("a").await, world.company("b").await);
    let directory = world.store.directory();
    assert!(!directory.replace_password_hash(b.account, a.holder, "stolen").await.unwrap());
    let attempt = directory.begin_sign_in(&sign_in_id("a"), NOW).await.unwrap();
    let credential = attempt.credential.unwrap();
    assert_eq!((credential.account, credential.member), (a.account, a.holder));
    assert_ne!(credential.password_hash, "stolen");

    let cookie = token();
    directory.create_web_session(&cookie, a.account, a.holder, NOW).await.unwrap();
    assert_eq!(directory.delete_web_sessions_of(b.account, a.holder).await.unwrap(), 0);
    assert!(directory.web_session(&cookie, IDLE, NOW).await.unwrap().is_some());

    let (session, id) = a.downloaded(&world.store).await;
    let admission = world.store.admit_applet(&id, b.account, ADDRESS, Through::Own, NOW).await.unwrap();
    assert_eq!(admission, Admission::Foreign);
    let own = world.store.admit_applet(&id, a.account, ADDRESS, Through::Own, NOW).await.unwrap();
    assert_eq!(own, Admission::Admitted { session }, "a foreign claim does not use the id up");

    // An invitation of B to a session of A leads nowhere.
    let kept = directory.keep_invitation(b.account, session, &pin(1), &token(), NOW).await.unwrap();
    assert!(matches!(kept, Invited::Kept { .. }));
    let taken = directory.take_pin(&pin(1), NOW).await.unwrap().unwrap();
    assert_eq!(taken.account, b.account);
    let joined =
        world.store.apply(taken.account, taken.session, Command::Join { name: "x".into() }, NOW).await;
    assert!(matches!(joined, Err(ApplyError::NotFound)));
}

#[tokio::test]
async fn an_account_that_does_not_exist_is_an_error() {
    let world = World::new().await;
    let nobody = AccountId::from_bytes([9; 16]);
    assert!(
        matches!(world.store.view(nobody).await.err(), Some(StoreError::NoSuchAccount(id)) if id == nobody)
    );
    assert!(matches!(world.store.begin(nobody).await.err(), Some(StoreError::NoSuchAccount(_))));
    assert_eq!(world.store.directory().account(nobody).await.unwrap(), None);
}
