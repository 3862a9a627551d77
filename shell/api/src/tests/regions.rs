//! An account with a region of its own stays in it: its applets are told of gateways of that region, its consoles are sent there, and
//! no other gateway lets its legs in.

use belay_relay::admission::AdmitRequest;
use belay_store::Through;
use belay_wire::gateway::{Refusal, Role};
use serde_json::{Value, json};

use super::harness::{Browser, World};
use crate::settings::{ListedGateway, Reach};

const EU: Through = Through::Gateway([1; 32]);
const US: Through = Through::Gateway([2; 32]);

fn url(host: &str) -> String {
    format!("wss://{host}/gateway/v1")
}

/// Gateways in the website's region and in another; Other AG is of the other one.
async fn two_regions() -> World {
    let listed = |host, region: &str| ListedGateway { url: url(host), region: region.to_owned() };
    let gateways = vec![listed("near", "local"), listed("far", "us"), listed("near-too", "local")];
    let world = World::made(Reach::Loopback, gateways, Some("us")).await;
    world.website.gateways().is_at([1; 32], url("near"));
    world.website.gateways().is_at([2; 32], url("far"));
    world
}

fn urls(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| one["url"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn listed(world: &World, account: &str) -> Vec<String> {
    urls(&world.browser().get(&format!("/api/v1/applet/gateways{account}")).await.json()["gateways"])
}

/// What an applet of this account asks.
async fn asks(world: &World, technician: &Browser) -> (String, AdmitRequest) {
    let invitation = technician.invite().await;
    let (_, tag) = world.browser().join(invitation["pin"].as_str().unwrap()).await;
    (invitation["session"]["id"].as_str().unwrap().to_owned(), World::applet_asks(&tag))
}

#[tokio::test]
async fn applets_are_told_of_the_gateways_of_their_accounts_region() {
    let world = two_regions().await;
    let near = [url("near"), url("near-too")];
    assert_eq!(listed(&world, "").await, near);
    assert_eq!(listed(&world, &format!("?account={}", world.ours)).await, near);
    assert_eq!(listed(&world, &format!("?account={}", world.theirs)).await, [url("far")]);
    // Whether an account exists is nobody's business.
    assert_eq!(listed(&world, "?account=00000000-0000-4000-8000-000000000000").await, near);
    let answer = world.browser().get("/api/v1/applet/gateways?account=x").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "bad-request"));
}

#[tokio::test]
async fn legs_come_in_at_a_gateway_of_their_region_and_at_no_other() {
    let world = two_regions().await;
    let otto = world.otto().await;
    let (id, request) = asks(&world, &otto).await;
    let admission = world.admission();
    for elsewhere in [EU, Through::Own, Through::Gateway([3; 32])] {
        assert_eq!(admission.admit(request.clone(), elsewhere).await, Err(Refusal::Unavailable));
    }
    // Nothing was used up by that.
    admission.admit(request, US).await.unwrap();
    let connection = otto.post_empty(&format!("/api/v1/sessions/{id}/pick-up")).await.json();
    assert_eq!(connection["gateways"], json!([url("far")]));
    // The other account goes where it always went.
    let tess = world.tess().await;
    let (id, request) = asks(&world, &tess).await;
    admission.admit(AdmitRequest { role: Role::Applet, ..request }, EU).await.unwrap();
    let connection = tess.post_empty(&format!("/api/v1/sessions/{id}/pick-up")).await.json();
    assert_eq!(connection["gateways"], json!([url("near"), url("near-too")]));
}

#[tokio::test]
async fn where_no_gateway_is_of_the_region_it_is_said_and_none_elsewhere_is_taken() {
    let world = World::made(Reach::Loopback, Vec::new(), Some("us")).await;
    let path = format!("/api/v1/applet/gateways?account={}", world.theirs);
    let answer = world.browser().get(&path).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (503, "no-gateway"));
    let otto = world.otto().await;
    let (_, request) = asks(&world, &otto).await;
    assert_eq!(world.admission().admit(request, Through::Own).await, Err(Refusal::Unavailable));
}

#[tokio::test]
async fn who_is_signed_in_sees_the_region() {
    let world = two_regions().await;
    assert_eq!(world.otto().await.get("/api/v1/me").await.json()["account"]["region"], "us");
    assert_eq!(world.tess().await.get("/api/v1/me").await.json()["account"]["region"], "local");
}
