//! Roles in processes of their own: a website and two gateways on the loopback, and an applet that speaks the
//! gateway's protocol. One gateway is killed; the applet comes back through the other.
#![allow(clippy::unwrap_used)]

#[path = "kit/stack.rs"]
mod stack;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use belay_net::applet::{Event, Interruption};
use belay_wire::gateway::{FromGateway, Refusal};
use belay_wire::{LegTicket, SessionAuthenticationId};
use futures_util::StreamExt;
use serde_json::{Value, json};
use stack::{Browser, Leg, Server, belay, bytes, create_account, free_port, tagged, tls};
use tokio_tungstenite::tungstenite::Message;

/// Says hello until the gateway has been trusted and heard.
async fn admitted(at: &Server, account: &str, credential: Vec<u8>) -> (Leg, LegTicket) {
    for _ in 0..100 {
        match Leg::says_hello(at, account, credential.clone()).await {
            (leg, FromGateway::Admitted(_, ticket)) => return (leg, ticket),
            (_, FromGateway::Refused(Refusal::Unavailable)) => {}
            (_, other) => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the gateway was never believed");
}

/// A website, its gateways, and a technician who has signed in.
struct Installation {
    _dir: tempfile::TempDir,
    path: PathBuf,
    ports: Vec<u16>,
    gateways: Vec<Server>,
    tess: Browser,
    website: Server,
}

impl Installation {
    /// With a gateway for each of these lines of configuration, and one more in the list that is not there.
    fn start(lines: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = |name: &str, lines: &str| {
            let (path, data) = (dir.path().join(format!("{name}.toml")), dir.path().join(name));
            std::fs::write(&path, format!("data_dir = {data:?}\n{lines}\n")).unwrap();
            (path, data)
        };
        let ports: Vec<u16> = std::iter::repeat_with(free_port).take(lines.len() + 1).collect();
        let applet = dir.path().join("belay-applet");
        std::fs::write(&applet, b"\x7fELF").unwrap();
        let listed: Vec<_> = ports
            .iter()
            .map(|port| format!("{{ url = \"{}\", region = \"local\" }}", url_of(*port)))
            .collect();
        let (path, data) = config(
            "website",
            &format!(
                "listen = \"127.0.0.1:0\"\ngateways = [{}]\n[applets]\nlinux_x86_64 = {applet:?}",
                listed.join(", ")
            ),
        );
        create_account(&path);
        let website = Server::start(&path, &data, &["website", "worker"]);
        // One certificate for all, so that one anchor lets an applet in everywhere.
        let certificate = website.data.join("tls").join("self-signed.pem");
        let mut gateways = Vec::new();
        for (at, (lines, port)) in lines.iter().zip(&ports).enumerate() {
            let (path, data) = config(
                &format!("gateway-{at}"),
                &format!(
                    "listen = \"127.0.0.1:{port}\"\n{lines}\n[website]\nurl = {}\nanchor = {certificate:?}",
                    website.ready["url"],
                ),
            );
            std::fs::create_dir_all(&data).unwrap();
            copy(&website.data.join("tls"), &data.join("tls"));
            gateways.push(Server::start(&path, &data, &["gateway"]));
        }
        let mut tess = Browser { tls: tls(&website.anchor()), port: website.port(), cookie: String::new() };
        tess.sign_in();
        Self { _dir: dir, path, ports, gateways, tess, website }
    }

    fn role(&self, command: &str, key: &str) {
        let done =
            belay().args(["role", command, key, "--config"]).arg(&self.path).stdout(Stdio::null()).status();
        assert!(done.unwrap().success(), "{command} {key}");
    }

    fn key(&self, gateway: usize) -> String {
        self.gateways[gateway].ready["key"].as_str().unwrap().to_owned()
    }

    /// A session whose applet was downloaded: its id, its account, and what admits the applet.
    fn invite(&self) -> (String, String, Vec<u8>) {
        let invitation = self.tess.json("POST", "/sessions", json!({}));
        let session = invitation["session"]["id"].as_str().unwrap().to_owned();
        let body = json!({"pin": invitation["pin"], "name": "Erna End"});
        let ticket = self.tess.json("POST", "/join/pin", body);
        let form = format!("join_token={}&platform=linux-x86_64", ticket["join_token"].as_str().unwrap());
        let (_, applet) = self.tess.ask("POST", "/join/download", "application/x-www-form-urlencoded", &form);
        (session, tagged(&applet, "account"), bytes(&tagged(&applet, "session_authentication_id")))
    }
}

fn url_of(port: u16) -> String {
    format!("wss://localhost:{port}/gateway/v1")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_applet_comes_back_through_another_gateway_when_its_own_is_killed() {
    let mut town = Installation::start(&["", ""]);
    let (session, account, id) = town.invite();
    let found = town.tess.json("GET", "/applet/gateways", Value::Null);
    assert_eq!(found["gateways"][1]["url"], url_of(town.ports[1]));

    let (_, untrusted) = Leg::says_hello(&town.gateways[0], &account, id.clone()).await;
    assert_eq!(untrusted, FromGateway::Refused(Refusal::Unavailable), "nobody trusts this gateway yet");
    for gateway in 0..2 {
        town.role("trust", &town.key(gateway));
    }
    let (mut leg, first) = admitted(&town.gateways[0], &account, id).await;
    assert_eq!(town.tess.state(&session), "waiting");
    let relaying = leg.relaying().await;
    let here = town.ports[0].to_string();
    assert!(relaying.servers.iter().all(|url| url.contains(&here)), "{relaying:?}");

    town.gateways[0].kill();
    assert!(leg.next().await.is_none(), "the connection died with the gateway");
    let (leg, second) = admitted(&town.gateways[1], &account, first.secret_bytes().to_vec()).await;
    assert_eq!(town.tess.state(&session), "waiting");
    drop(leg);
    town.tess.wait_for_state(&session, "reconnecting");
    let (mut leg, _) = admitted(&town.gateways[1], &account, second.secret_bytes().to_vec()).await;
    leg.relaying().await;
    town.tess.wait_for_state(&session, "waiting");
    let (_, used) = Leg::says_hello(&town.gateways[1], &account, first.secret_bytes().to_vec()).await;
    assert_eq!(used, FromGateway::Refused(Refusal::Used), "its successor was used");

    town.tess.json("POST", &format!("/sessions/{session}/end"), Value::Null);
    let told = leg.next().await;
    assert!(matches!(told, Some(FromGateway::PartnerLeft(_))), "the gateway heard of the end: {told:?}");
    assert!(leg.next().await.is_none());

    town.role("revoke", &town.key(1));
    let (_, revoked) = Leg::says_hello(&town.gateways[1], &account, vec![7; 16]).await;
    assert_eq!(revoked, FromGateway::Refused(Refusal::Unavailable));
    let log = town.tess.json("GET", "/security-log", Value::Null).to_string();
    assert!(
        log.contains("role-refused") && log.contains("revoked key") && log.contains("unknown key"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_changes_its_key_while_it_runs_and_no_leg_notices() {
    let town = Installation::start(&[""]);
    let before = town.key(0);
    town.role("trust", &before);
    let (session, account, id) = town.invite();
    let (mut leg, first) = admitted(&town.gateways[0], &account, id).await;
    leg.relaying().await;

    let renewed = belay()
        .args(["--json", "role", "renew", "--config"])
        .arg(town.gateways[0].data.with_extension("toml"))
        .output()
        .unwrap();
    let next: Value = serde_json::from_slice(&renewed.stdout).unwrap();
    let next = next["key"].as_str().unwrap();
    assert_ne!(next, before);
    // Nothing changes before the website trusts it.
    let log = || town.tess.json("GET", "/security-log", Value::Null).to_string();
    wait("the untrusted key is refused", || log().contains(next));
    assert_eq!(town.tess.state(&session), "waiting");
    town.role("trust", next);
    let hang_up =
        std::process::Command::new("kill").args(["-HUP", &town.gateways[0].child.id().to_string()]).status();
    assert!(hang_up.unwrap().success());
    let file = town.gateways[0].data.join("roles").join("gateway.next.key");
    wait("the next key is in use", || !file.exists());
    let listed = belay().args(["role", "list", "--config"]).arg(&town.path).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains(&format!("{before} gateway revoked")), "{listed}");
    assert!(listed.contains(&format!("{next} gateway trusted")), "{listed}");

    // Longer than it takes to miss a gateway that has gone. A leg that does not read answers no pings.
    let long = tokio::time::sleep(Duration::from_secs(50));
    let mut long = std::pin::pin!(long);
    loop {
        tokio::select! {
            () = &mut long => break,
            heard = leg.0.next() => assert!(matches!(heard, Some(Ok(Message::Ping(_)))), "{heard:?}"),
        }
    }
    assert_eq!(town.tess.state(&session), "waiting");
    // What the gateway tells counts, whom it admits comes in, and it hears of the end.
    drop(leg);
    town.tess.wait_for_state(&session, "reconnecting");
    let (mut leg, _) = admitted(&town.gateways[0], &account, first.secret_bytes().to_vec()).await;
    leg.relaying().await;
    town.tess.wait_for_state(&session, "waiting");
    town.tess.json("POST", &format!("/sessions/{session}/end"), Value::Null);
    let told = leg.next().await;
    assert!(matches!(told, Some(FromGateway::PartnerLeft(_))), "the gateway heard of the end: {told:?}");
}

fn wait(what: &str, done: impl Fn() -> bool) {
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(std::time::Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A console's hello at one gateway.
async fn console_at(town: &Installation, gateway: usize, account: &str, ticket: &str) -> FromGateway {
    use base64::Engine;
    let ticket = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(ticket).unwrap();
    let origin = town.website.ready["url"].as_str();
    Leg::says(&town.gateways[gateway], origin, account, ticket).await.1
}

/// The next thing that happens to an applet, but for what does not matter here.
async fn next_of(applet: &mut belay_net::applet::Connection) -> Event {
    let event = tokio::time::timeout(Duration::from_secs(60), applet.events.recv()).await;
    event.expect("something happens within a minute").expect("the applet's connection lives")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_applet_passes_over_the_dead_and_the_full_and_the_console_follows() {
    let mut town = Installation::start(&["[limits]\ngateway_legs = 1", "", ""]);
    for gateway in 0..3 {
        town.role("trust", &town.key(gateway));
    }
    let (_, account, id) = town.invite();
    let (_held, _) = admitted(&town.gateways[0], &account, id).await;
    // The others must have been heard by the website too, before an applet is counted on to be let in.
    for gateway in 1..3 {
        let (_, account, id) = town.invite();
        let (leg, _) = admitted(&town.gateways[gateway], &account, id).await;
        drop(leg);
    }

    let (session, account, id) = town.invite();
    let anchors = std::fs::read_to_string(town.website.anchor()).unwrap();
    let dial = belay_net::Dial::new(town.website.ready["url"].as_str().unwrap(), &anchors).unwrap();
    let leg = belay_net::applet::Leg {
        account: account.parse().unwrap(),
        id: SessionAuthenticationId::from_bytes(id.try_into().unwrap()),
        version: "0.1.0".into(),
        platform: "linux-x86_64".into(),
    };
    let mut applet = belay_net::applet::connect(dial, leg);
    let first = next_of(&mut applet).await;
    assert!(matches!(first, Event::Admitted(_)), "{first:?}");

    // The website sends the console to where the applet waits, and to no other.
    let connection = town.tess.json("POST", &format!("/sessions/{session}/pick-up"), Value::Null);
    let urls = connection["gateways"].as_array().unwrap().clone();
    assert_eq!(urls.len(), 4);
    let here = (1..3).find(|at| urls[0] == url_of(town.ports[*at])).expect("one that takes applets");
    let there = 3 - here;
    let ticket = connection["ticket"].as_str().unwrap();
    let elsewhere = console_at(&town, there, &account, ticket).await;
    assert_eq!(elsewhere, FromGateway::Refused(Refusal::Unavailable));
    assert_eq!(console_at(&town, 0, &account, ticket).await, FromGateway::Refused(Refusal::Full));
    let right = console_at(&town, here, &account, ticket).await;
    assert!(matches!(right, FromGateway::Admitted(..)), "{right:?}");

    // The gateway dies: the applet comes back through the other, and the console is sent there.
    town.gateways[here].kill();
    loop {
        match next_of(&mut applet).await {
            Event::Interrupted(Interruption::Returned) => break,
            Event::Interrupted(_) | Event::PartnerLeft(_) => {}
            other => panic!("{other:?}"),
        }
    }
    town.tess.wait_for_state(&session, "active");
    let connection = town.tess.json("POST", &format!("/sessions/{session}/connect"), Value::Null);
    assert_eq!(connection["gateways"][0], url_of(town.ports[there]));
    let ticket = connection["ticket"].as_str().unwrap();
    let followed = console_at(&town, there, &account, ticket).await;
    assert!(matches!(followed, FromGateway::Admitted(..)), "{followed:?}");
}
