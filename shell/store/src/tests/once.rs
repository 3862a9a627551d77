//! What may happen once happens once, however many try at the same time.

use std::future::Future;

use belay_wire::LegTicket;
use tokio::task::JoinSet;

use super::*;
use crate::{ApplyError, Invited};

const RIVALS: usize = 8;

/// Runs the same thing at the same time; how many of the answers count as a success.
async fn winners<F, T>(attempt: impl Fn(usize) -> F) -> usize
where
    F: Future<Output = T> + Send + 'static,
    T: Into<bool> + Send + 'static,
{
    let mut rivals = JoinSet::new();
    for at in 0..RIVALS {
        rivals.spawn(attempt(at));
    }
    rivals.join_all().await.into_iter().filter_map(|won| Into::<bool>::into(won).then_some(())).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pin_is_taken_once_even_by_two_servers_on_one_store() {
    let world = World::new().await;
    let company = world.company("example").await;
    let session = company.connecting(&world.store).await.id;
    let other = Store::open(world.path(), Create::Never).await.unwrap();
    let directory = world.store.directory();
    directory.keep_invitation(company.account, session, &pin(123_456), &token(), NOW).await.unwrap();
    let won = winners(|at| {
        let directory = if at % 2 == 0 { world.store.directory() } else { other.directory() };
        async move { directory.take_pin(&pin(123_456), NOW).await.unwrap().is_some() }
    });
    assert_eq!(won.await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pin_and_link_of_one_invitation_are_used_up_together() {
    let world = World::new().await;
    let company = world.company("example").await;
    let session = company.connecting(&world.store).await.id;
    let link = token();
    let directory = world.store.directory();
    directory.keep_invitation(company.account, session, &pin(7), &link, NOW).await.unwrap();
    assert_eq!(directory.peek_link(&link, NOW).await.unwrap().unwrap().session, session);
    let won = winners(|at| {
        let (directory, link) = (directory.clone(), link.clone());
        async move {
            let taken = if at % 2 == 0 {
                directory.take_pin(&pin(7), NOW).await
            } else {
                directory.take_link(&link, NOW).await
            };
            taken.unwrap().is_some()
        }
    });
    assert_eq!(won.await, 1);
    assert_eq!(directory.peek_link(&link, NOW).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_technicians_never_hold_one_session() {
    let world = World::new().await;
    let company = world.company("example").await;
    let session = company.waiting(&world.store).await;
    let won = winners(|_| {
        let store = world.store.clone();
        async move {
            let command = Command::PickUp { technician: company.holder };
            match store.apply(company.account, session, command, NOW).await {
                Ok(_) => true,
                Err(ApplyError::Refused(_)) => false,
                Err(error) => panic!("{error}"),
            }
        }
    });
    assert_eq!(won.await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_applet_is_admitted_once() {
    let world = World::new().await;
    let company = world.company("example").await;
    let (session, id) = company.downloaded(&world.store).await;
    let won = winners(|_| {
        let (store, id) = (world.store.clone(), id.clone());
        async move {
            match store.admit_applet(&id, company.account, ADDRESS, Through::Own, NOW).await.unwrap() {
                Admission::Admitted { .. } => true,
                Admission::Used { session: same } => {
                    assert_eq!(same, session);
                    false
                }
                other => panic!("{other:?}"),
            }
        }
    });
    assert_eq!(won.await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_console_ticket_is_taken_once_and_dies_after_a_minute() {
    let world = World::new().await;
    let company = world.company("example").await;
    let session = company.active(&world.store).await;
    let directory = world.store.directory();
    let ticket = || LegTicket::from_bytes(random());
    let (once, late) = (ticket(), ticket());
    for ticket in [&once, &late] {
        directory.create_console_ticket(ticket, company.account, session, company.holder, NOW).await.unwrap();
    }
    let won = winners(|_| {
        let (directory, once) = (directory.clone(), once.clone());
        async move { directory.take_console_ticket(&once, later(59)).await.unwrap().is_some() }
    });
    assert_eq!(won.await, 1);
    assert_eq!(directory.take_console_ticket(&late, later(60)).await.unwrap(), None);
    assert_eq!(directory.take_console_ticket(&late, NOW).await.unwrap(), None, "a late try uses it up, too");
    assert_eq!(directory.take_console_ticket(&ticket(), NOW).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sign_in_id_and_a_pin_are_given_once() {
    let world = World::new().await;
    let made = winners(|_| {
        let directory = world.store.directory();
        async move {
            let created = directory.create_account(new_account("twin"), NOW).await.unwrap();
            created != AccountCreated::SignInIdTaken
        }
    });
    assert_eq!(made.await, 1);
    assert_eq!(world.store.directory().accounts().await.unwrap().len(), 1);

    let company = world.company("example").await;
    let session = company.connecting(&world.store).await.id;
    let kept = winners(|_| {
        let directory = world.store.directory();
        async move {
            let kept =
                directory.keep_invitation(company.account, session, &pin(5), &token(), NOW).await.unwrap();
            kept != Invited::PinTaken
        }
    });
    assert_eq!(kept.await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_lose_nothing() {
    let world = World::new().await;
    let company = world.company("example").await;
    let session = company.active(&world.store).await;
    let other = Store::open(world.path(), Create::Never).await.unwrap();
    let written = winners(|at| {
        let store = if at % 2 == 0 { world.store.clone() } else { other.clone() };
        async move {
            for number in 0..10 {
                company.chat(&store, session, &format!("writer {at} line {number}")).await;
            }
            true
        }
    });
    assert_eq!(written.await, RIVALS);
    let details =
        world.store.view(company.account).await.unwrap().session_details(session).await.unwrap().unwrap();
    let mut texts: Vec<_> = details.chat.into_iter().map(|line| line.text).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), RIVALS * 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn attempts_at_the_same_time_do_not_slip_past_the_lock() {
    let world = World::new().await;
    world.company("example").await;
    let checked = winners(|_| {
        let directory = world.store.directory();
        async move {
            let attempt = directory.begin_sign_in(&sign_in_id("example"), NOW).await.unwrap();
            attempt.verdict == belay_access::Verdict::Proceed
        }
    });
    assert_eq!(checked.await, 5);
}
