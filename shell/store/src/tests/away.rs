//! Lost connections: return tickets, gateways that stop, and sessions that wait for their applets.

use belay_session::{Ender, Phase};
use belay_wire::LegTicket;
use belay_wire::gateway::Role;

use super::*;
use crate::{ReturnTicket, Returned};

const GATEWAY: Through = Through::Gateway([7; 32]);
const HOURS_12: u64 = 12 * 60 * 60;

async fn phase(world: &World, company: Company, session: SessionId) -> Phase {
    world.store.view(company.account).await.unwrap().session(session).await.unwrap().unwrap().state.phase
}

async fn ticket(
    world: &World,
    company: Company,
    session: SessionId,
    role: Role,
) -> (LegTicket, ReturnTicket) {
    let secret = LegTicket::from_bytes(random());
    let member = (role == Role::Console).then_some(company.holder);
    let ticket = ReturnTicket { account: company.account, session, role, member };
    world.store.directory().create_return_ticket(&secret, ticket, NOW).await.unwrap();
    (secret, ticket)
}

#[tokio::test]
async fn a_return_ticket_is_taken_by_its_own_leg_within_twelve_hours() {
    let world = World::new().await;
    let (company, other) = (world.company("example").await, world.company("other").await);
    let session = company.active(&world.store).await;
    let directory = world.store.directory();
    for (role, wrong) in [(Role::Applet, Role::Console), (Role::Console, Role::Applet)] {
        let (secret, ticket) = ticket(&world, company, session, role).await;
        let take =
            async |account, role, at| directory.take_return_ticket(&secret, account, role, at).await.unwrap();
        assert_eq!(take(other.account, role, NOW).await, Returned::Foreign(ticket));
        assert_eq!(take(company.account, wrong, NOW).await, Returned::Foreign(ticket));
        assert_eq!(take(company.account, role, later(HOURS_12)).await, Returned::Expired(ticket));
        assert_eq!(take(company.account, role, NOW).await, Returned::Taken(ticket));
        assert_eq!(
            take(company.account, role, later(120)).await,
            Returned::Taken(ticket),
            "the answer was lost"
        );
        assert_eq!(take(company.account, role, later(121)).await, Returned::Used(ticket));
    }
    let nobodys = LegTicket::from_bytes(random());
    let found = directory.take_return_ticket(&nobodys, company.account, Role::Applet, NOW).await.unwrap();
    assert_eq!(found, Returned::Unknown);
}

#[tokio::test]
async fn return_tickets_die_with_their_session_alone() {
    let world = World::new().await;
    let company = world.company("example").await;
    let (ends, stays) = (company.active(&world.store).await, company.active(&world.store).await);
    let (dead, _) = ticket(&world, company, ends, Role::Applet).await;
    let (living, good) = ticket(&world, company, stays, Role::Applet).await;
    company.apply(&world.store, ends, Command::End { by: Ender::EndUser }).await;
    let take = async |secret| {
        world.store.directory().take_return_ticket(secret, company.account, Role::Applet, NOW).await.unwrap()
    };
    assert_eq!(take(&dead).await, Returned::Unknown);
    assert_eq!(take(&living).await, Returned::Taken(good));
}

#[tokio::test]
async fn a_return_ticket_is_used_up_once_its_successor_is_used() {
    let world = World::new().await;
    let company = world.company("example").await;
    let session = company.active(&world.store).await;
    let (first, lost) = ticket(&world, company, session, Role::Applet).await;
    let (second, next) = ticket(&world, company, session, Role::Applet).await;
    let (others, other) = ticket(&world, company, session, Role::Console).await;
    let take = async |secret, role| {
        world.store.directory().take_return_ticket(secret, company.account, role, NOW).await.unwrap()
    };
    assert_eq!(take(&first, Role::Applet).await, Returned::Taken(lost));
    assert_eq!(take(&others, Role::Console).await, Returned::Taken(other));
    assert_eq!(
        take(&first, Role::Applet).await,
        Returned::Taken(lost),
        "the console's ticket is no successor"
    );
    assert_eq!(take(&second, Role::Applet).await, Returned::Taken(next));
    assert_eq!(take(&first, Role::Applet).await, Returned::Used(lost));
}

#[tokio::test]
async fn a_gateway_that_stops_loses_its_own_applets_only() {
    let world = World::new().await;
    let company = world.company("example").await;
    let (beside, moved, stays) = (
        company.active(&world.store).await,
        company.active(&world.store).await,
        company.waiting(&world.store).await,
    );
    for session in [moved, stays] {
        world.store.applet_returned(company.account, session, ADDRESS, GATEWAY, NOW).await.unwrap();
    }
    assert_eq!(world.store.gateways_in_use().await.unwrap(), [[7; 32]]);
    // News of the connection that the applet has left already.
    world.store.applet_left(company.account, moved, Command::LegLost, Through::Own, NOW).await.unwrap();
    assert_eq!(phase(&world, company, moved).await, Phase::Active);

    assert_eq!(world.store.recover_after_restart(NOW).await.unwrap(), 1);
    assert_eq!(phase(&world, company, beside).await, Phase::Reconnecting);
    assert_eq!(phase(&world, company, stays).await, Phase::Waiting);
    assert_eq!(world.store.gateway_stopped(GATEWAY, NOW).await.unwrap(), 2);
    assert_eq!(phase(&world, company, stays).await, Phase::Reconnecting);
    assert_eq!(world.store.gateways_in_use().await.unwrap(), Vec::<[u8; 32]>::new());
    let back =
        world.store.applet_returned(company.account, moved, ADDRESS, Through::Own, later(9)).await.unwrap();
    assert_eq!((back.state.phase, back.state.lost_at), (Phase::Active, None));
}

#[tokio::test]
async fn the_applets_of_a_gateway_stay_with_it_when_it_has_another_key() {
    let world = World::new().await;
    let (company, store) = (world.company("example").await, &world.store);
    let (here, beside) = (company.waiting(store).await, company.waiting(store).await);
    store.applet_returned(company.account, here, ADDRESS, GATEWAY, NOW).await.unwrap();
    for key in [[7; 32], [8; 32]] {
        store.directory().trust_role_key(&key, "gateway", NOW).await.unwrap();
    }
    for _ in 0..2 {
        store.gateway_renewed(&[7; 32], &[8; 32], later(5)).await.unwrap();
        assert_eq!(store.gateways_in_use().await.unwrap(), [[8; 32]]);
        let trusted =
            async |key| store.directory().role_key(key).await.unwrap().unwrap().revoked_at.is_none();
        assert_eq!((trusted(&[7; 32]).await, trusted(&[8; 32]).await), (false, true));
    }
    store.applet_left(company.account, here, Command::LegLost, GATEWAY, later(6)).await.unwrap();
    assert_eq!(phase(&world, company, here).await, Phase::Waiting, "said with the key before");
    let next = Through::Gateway([8; 32]);
    store.applet_left(company.account, here, Command::LegLost, next, later(6)).await.unwrap();
    assert_eq!(phase(&world, company, here).await, Phase::Reconnecting);
    assert_eq!(phase(&world, company, beside).await, Phase::Waiting);
}

#[tokio::test]
async fn the_sweep_makes_offline_after_five_minutes_and_ends_after_twelve_hours() {
    let world = World::new().await;
    let company = world.company("example").await;
    let session = company.active(&world.store).await;
    company.apply(&world.store, session, Command::LegLost).await;
    for (at, expected) in [
        (299, Phase::Reconnecting),
        (300, Phase::Offline),
        (HOURS_12 - 1, Phase::Offline),
        (HOURS_12, Phase::TimedOut),
    ] {
        world.store.sweep(IDLE, later(at)).await.unwrap();
        assert_eq!(phase(&world, company, session).await, expected, "after {at} s");
    }
    let view = world.store.view(company.account).await.unwrap();
    let found = view.session(session).await.unwrap().unwrap();
    assert_eq!(found.state.total_micros(later(HOURS_12)), 300 * 1_000_000, "kept over the rows");
}

#[tokio::test]
async fn keys_of_other_roles_are_trusted_until_revoked_several_at_once() {
    let world = World::new().await;
    let directory = world.store.directory();
    for key in [[1; 32], [2; 32]] {
        directory.trust_role_key(&key, "gateway", NOW).await.unwrap();
    }
    assert!(directory.revoke_role_key(&[1; 32], later(5)).await.unwrap());
    assert!(!directory.revoke_role_key(&[1; 32], later(6)).await.unwrap());
    assert!(!directory.revoke_role_key(&[3; 32], NOW).await.unwrap());
    let world = world.reopened().await;
    let keys = world.store.directory().role_keys().await.unwrap();
    let revoked: Vec<_> = keys.iter().map(|key| (key.key[0], key.revoked_at)).collect();
    assert_eq!(revoked, [(1, Some(later(5))), (2, None)]);
    world.store.directory().trust_role_key(&[1; 32], "gateway", later(7)).await.unwrap();
    assert_eq!(world.store.directory().role_key(&[1; 32]).await.unwrap().unwrap().revoked_at, None);
}
