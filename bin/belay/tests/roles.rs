//! Roles in processes of their own: a website and two gateways on the loopback, and an applet that speaks the
//! gateway's protocol. One gateway is killed; the applet comes back through the other.
#![allow(clippy::unwrap_used)]

#[path = "kit/stack.rs"]
mod stack;

use std::time::Duration;

use belay_wire::LegTicket;
use belay_wire::gateway::{FromGateway, Refusal};
use serde_json::{Value, json};
use stack::{Browser, Leg, Server, belay, bytes, create_account, free_port, tagged, tls};
use std::process::Stdio;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_applet_comes_back_through_another_gateway_when_its_own_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let config = |name: &str, lines: &str| {
        let (path, data) = (dir.path().join(format!("{name}.toml")), dir.path().join(name));
        std::fs::write(&path, format!("data_dir = {data:?}\n{lines}\n")).unwrap();
        (path, data)
    };
    let ports = [free_port(), free_port()];
    let applet = dir.path().join("belay-applet");
    std::fs::write(&applet, b"\x7fELF").unwrap();
    let listed: Vec<_> = ports
        .iter()
        .map(|port| format!("{{ url = \"wss://localhost:{port}/gateway/v1\", region = \"local\" }}"))
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

    let role = |command: &str, key: &str| {
        let done = belay()
            .args(["role", command, key, "--config"])
            .arg(&path)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(done.success(), "{command} {key}");
    };
    let mut gateways = Vec::new();
    for (name, port) in ["one", "two"].into_iter().zip(ports) {
        let lines = format!(
            "listen = \"127.0.0.1:{port}\"\n[website]\nurl = {}\nanchor = {:?}",
            website.ready["url"],
            website.anchor()
        );
        let (path, data) = config(name, &lines);
        gateways.push(Server::start(&path, &data, &["gateway"]));
    }
    let key = |gateway: &Server| gateway.ready["key"].as_str().unwrap().to_owned();

    let mut tess = Browser { tls: tls(&website.anchor()), port: website.port(), cookie: String::new() };
    tess.sign_in();
    let invitation = tess.json("POST", "/sessions", json!({}));
    let session = invitation["session"]["id"].as_str().unwrap().to_owned();
    let ticket = tess.json("POST", "/join/pin", json!({"pin": invitation["pin"], "name": "Erna End"}));
    let form = format!("join_token={}&platform=linux-x86_64", ticket["join_token"].as_str().unwrap());
    let (_, applet) = tess.ask("POST", "/join/download", "application/x-www-form-urlencoded", &form);
    let (account, id) = (tagged(&applet, "account"), bytes(&tagged(&applet, "session_authentication_id")));
    let found = tess.json("GET", "/applet/gateways", Value::Null);
    assert_eq!(found["gateways"][1]["url"], format!("wss://localhost:{}/gateway/v1", ports[1]));

    let (_, untrusted) = Leg::says_hello(&gateways[0], &account, id.clone()).await;
    assert_eq!(untrusted, FromGateway::Refused(Refusal::Unavailable), "nobody trusts this gateway yet");
    for gateway in &gateways {
        role("trust", &key(gateway));
    }
    let (mut leg, first) = admitted(&gateways[0], &account, id).await;
    assert_eq!(tess.state(&session), "waiting");
    let relaying = leg.relaying().await;
    assert!(relaying.servers.iter().all(|url| url.contains(&ports[0].to_string())), "{relaying:?}");

    gateways[0].kill();
    assert!(leg.next().await.is_none(), "the connection died with the gateway");
    let (leg, second) = admitted(&gateways[1], &account, first.secret_bytes().to_vec()).await;
    assert_eq!(tess.state(&session), "waiting");

    drop(leg);
    tess.wait_for_state(&session, "reconnecting");
    let (mut leg, _) = admitted(&gateways[1], &account, second.secret_bytes().to_vec()).await;
    leg.relaying().await;
    tess.wait_for_state(&session, "waiting");
    let (_, used) = Leg::says_hello(&gateways[1], &account, first.secret_bytes().to_vec()).await;
    assert_eq!(used, FromGateway::Refused(Refusal::Used), "its successor was used");

    tess.json("POST", &format!("/sessions/{session}/end"), Value::Null);
    let told = leg.next().await;
    assert!(matches!(told, Some(FromGateway::PartnerLeft(_))), "the gateway heard of the end: {told:?}");
    assert!(leg.next().await.is_none());

    role("revoke", &key(&gateways[1]));
    let (_, revoked) = Leg::says_hello(&gateways[1], &account, vec![7; 16]).await;
    assert_eq!(revoked, FromGateway::Refused(Refusal::Unavailable));
    let log = tess.json("GET", "/security-log", Value::Null).to_string();
    assert!(
        log.contains("role-refused") && log.contains("revoked key") && log.contains("unknown key"),
        "{log}"
    );
}
