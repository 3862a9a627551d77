//! Roles in processes of their own: a website and two gateways on the loopback, and an applet that speaks the
//! gateway's protocol. One gateway is killed; the applet comes back through the other.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use belay_wire::LegTicket;
use belay_wire::gateway::{FromGateway, Hello, Refusal, Role, SUBPROTOCOL, ToGateway};
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const PASSWORD: &str = "correct horse battery";

fn belay() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belay"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BELAY_") {
            command.env_remove(name);
        }
    }
    command
}

/// A server process; killed when the test is over.
struct Server {
    child: Child,
    ready: Value,
    data: PathBuf,
}

impl Server {
    fn start(config: &Path, data: &Path, role: &[&str]) -> Self {
        let mut child = belay()
            .args(["serve", "--json", "--config"])
            .arg(config)
            .args(role.iter().flat_map(|role| ["--role", *role]))
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, ready: serde_json::from_str(&line).unwrap(), data: data.to_owned() }
    }

    fn anchor(&self) -> PathBuf {
        self.data.join("tls").join("self-signed.pem")
    }

    fn port(&self) -> u16 {
        self.ready["url"].as_str().unwrap().rsplit_once(':').unwrap().1.parse().unwrap()
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

fn tls(anchor: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(anchor).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(client.with_root_certificates(roots).with_no_client_auth())
}

/// The technician's and the end user's browser.
struct Browser {
    tls: Arc<ClientConfig>,
    port: u16,
    cookie: String,
}

impl Browser {
    fn ask(&self, method: &str, path: &str, kind: &str, body: &str) -> (String, Vec<u8>) {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = rustls::ClientConnection::new(self.tls.clone(), name).unwrap();
        let mut stream =
            rustls::StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", self.port)).unwrap());
        let host = format!("localhost:{}", self.port);
        write!(
            stream,
            "{method} /api/v1{path} HTTP/1.1\r\nhost: {host}\r\norigin: https://{host}\r\ncookie: {}\r\n\
             content-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.cookie,
            body.len()
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        assert!(
            head.starts_with("HTTP/1.1 2"),
            "{method} {path}: {head} {}",
            String::from_utf8_lossy(&answer[end..])
        );
        (head, answer[end + 4..].to_vec())
    }

    fn json(&self, method: &str, path: &str, body: Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        serde_json::from_slice(&self.ask(method, path, "application/json", &body).1).unwrap_or_default()
    }

    fn sign_in(&mut self) {
        let body = json!({"id": "tess@example.com", "password": PASSWORD}).to_string();
        let (head, _) = self.ask("POST", "/sign-in", "application/json", &body);
        let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        self.cookie = cookie.split(';').next().unwrap().to_owned();
    }

    fn state(&self, session: &str) -> String {
        let details = self.json("GET", &format!("/sessions/{session}"), Value::Null);
        details["session"]["state"].as_str().unwrap().to_owned()
    }

    fn wait_for_state(&self, session: &str, wanted: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        while self.state(session) != wanted {
            assert!(Instant::now() < until, "the session is {} and not {wanted}", self.state(session));
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A value of the JSON in an applet's tag.
fn tagged(applet: &[u8], name: &str) -> String {
    let text = String::from_utf8_lossy(applet);
    let start = text.find(&format!("\"{name}\":\"")).unwrap() + name.len() + 4;
    text[start..].split('"').next().unwrap().to_owned()
}

fn bytes(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// An applet's leg.
struct Leg(WebSocketStream<TlsStream<tokio::net::TcpStream>>);

impl Leg {
    async fn says_hello(at: &Server, account: &str, credential: Vec<u8>) -> (Self, FromGateway) {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", at.port())).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(tls(&at.anchor())).connect(name, stream).await.unwrap();
        let mut request = format!("wss://localhost:{}/gateway/v1", at.port()).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse().unwrap());
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        let mut leg = Self(socket);
        let hello = Hello {
            role: Role::Applet,
            account: account.parse().unwrap(),
            credential,
            version: "0.1.0".into(),
            platform: "linux-x86_64".into(),
        };
        leg.0.send(Message::Binary(ToGateway::Hello(hello).encode().into())).await.unwrap();
        let answer = leg.next().await.expect("an answer to the hello");
        (leg, answer)
    }

    /// The next frame; `None` when the connection is over.
    async fn next(&mut self) -> Option<FromGateway> {
        loop {
            let message = tokio::time::timeout(Duration::from_secs(20), self.0.next()).await.unwrap();
            match message {
                Some(Ok(Message::Binary(bytes))) => return Some(FromGateway::decode(&bytes).unwrap()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }
}

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

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
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
    let mut create = belay()
        .args([
            "account",
            "create",
            "--name",
            "Example GmbH",
            "--owner",
            "tess@example.com",
            "--password-stdin",
        ])
        .arg("--config")
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    create.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    assert!(create.wait().unwrap().success());
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

    gateways[0].kill();
    assert!(leg.next().await.is_none(), "the connection died with the gateway");
    let (leg, second) = admitted(&gateways[1], &account, first.secret_bytes().to_vec()).await;
    assert_eq!(tess.state(&session), "waiting");

    drop(leg);
    tess.wait_for_state(&session, "reconnecting");
    let (mut leg, _) = admitted(&gateways[1], &account, second.secret_bytes().to_vec()).await;
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
