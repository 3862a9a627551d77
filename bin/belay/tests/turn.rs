//! The gateway's TURN service as a leg gets it: the real server, credentials of really admitted legs, and coturn's
//! `turnutils_uclient` and `turnutils_peer` (Debian package coturn), which know nothing of Belay.
#![allow(clippy::unwrap_used)]

#[path = "kit/stack.rs"]
mod stack;

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use belay_meeting::coturn::{self, least, totals};
use belay_wire::gateway::{FromGateway, Relaying};
use serde_json::Value;
use stack::{Leg, Stack};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Runs coturn's client with a leg's credentials.
async fn uclient(port: u16, who: &Relaying, messages: u32, more: &[&str]) -> String {
    coturn::uclient((Ipv4Addr::LOCALHOST.into(), port), (&who.user, &who.password), messages, more).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leg_relays_to_its_partner_with_the_credentials_it_was_told_and_to_nobody_else() {
    let stack = Stack::start("");
    let port = stack.server.port();
    let (session, account, applet, of_applet) = stack.waiting().await;
    let expected = [
        format!("stun:127.0.0.1:{port}"),
        format!("turn:127.0.0.1:{port}?transport=udp"),
        format!("turn:127.0.0.1:{port}?transport=tcp"),
        format!("turns:127.0.0.1:{port}?transport=tcp"),
    ];
    assert_eq!((of_applet.servers.as_slice(), of_applet.seconds), (&expected[..], 3600));

    let (mut echo, at) = coturn::echo();
    let at = at.to_string();
    let ask = ["-e", "127.0.0.1", "-r", &at];
    let refused = uclient(port, &of_applet, 5, &ask).await;
    assert!(refused.contains("403"), "nobody is there to be relayed to: {refused}");

    // The console comes, and the address from which its WebSocket comes may be reached.
    let (console, of_console) = stack.picked_up(&session, &account).await;
    assert_ne!(of_console.user, of_applet.user);
    let ways = [(&[][..], &of_applet), (&["-t"][..], &of_console), (&["-t", "-S"][..], &of_applet)];
    let runs = ways.iter().map(|(how, who)| async move {
        let text = uclient(port, who, 100, &[&ask[..], how].concat()).await;
        let (sent, received) = totals(&text);
        assert!(
            sent >= 100 && received * 100 >= sent * least(how),
            "{how:?}: {received} of {sent} came back\n{text}"
        );
    });
    futures_util::future::join_all(runs).await;

    let mut liar = of_applet.clone();
    liar.password.push('x');
    let refused = uclient(port, &liar, 5, &ask).await;
    assert!(refused.contains("Cannot complete Allocation"), "{refused}");

    drop(console);
    stack.tess.wait_for_event(&session, "console_left");
    let refused = uclient(port, &of_applet, 5, &ask).await;
    assert!(refused.contains("403"), "the partner is gone: {refused}");
    drop(applet);
    stack.tess.wait_for_state(&session, "reconnecting");
    let gone = uclient(port, &of_applet, 5, &ask).await;
    assert!(gone.contains("Cannot complete Allocation"), "{gone}");
    echo.kill().await.unwrap();
}

#[tokio::test]
async fn without_turn_nobody_is_told_of_it_and_its_port_is_free() {
    let stack = Stack::start("[turn]\nenabled = false");
    let (session, account, id) = stack.joined();
    let (mut leg, answer) = Leg::says_hello(&stack.server, &account, id).await;
    assert!(matches!(answer, FromGateway::Admitted(..)), "{answer:?}");
    stack.tess.json("POST", &format!("/sessions/{session}/end"), Value::Null);
    let told = leg.next().await;
    assert!(matches!(told, Some(FromGateway::PartnerLeft(_))), "{told:?}");
    assert!(UdpSocket::bind(("127.0.0.1", stack.server.port())).is_ok());
}

#[tokio::test]
async fn plain_http_is_sent_to_https_and_the_server_stops_in_time() {
    let mut stack = Stack::start("");
    let mut plain = tokio::net::TcpStream::connect(("127.0.0.1", stack.server.port())).await.unwrap();
    plain.write_all(b"GET /join HTTP/1.1\r\nhost: elsewhere\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).await.unwrap();
    let url = stack.server.ready["url"].as_str().unwrap();
    assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
    assert!(answer.contains(&format!("\r\nlocation: {url}/join\r\n")), "{answer}");

    let (_session, _account, _leg, _) = stack.waiting().await;
    let pid = stack.server.child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let since = std::time::Instant::now();
    let status = stack.server.child.wait().unwrap();
    assert!(status.success(), "{status}");
    assert!(since.elapsed() < Duration::from_secs(30), "a leg that stays does not hold the server");
}
