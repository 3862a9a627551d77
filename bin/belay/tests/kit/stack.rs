//! The real executable as a server, and the programs that talk to it: a browser, and the legs of applet and console.
#![allow(dead_code, clippy::unwrap_used)] // each test uses some of it

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use belay_wire::gateway::{FromGateway, Hello, Relaying, Role, SUBPROTOCOL, ToGateway};
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

pub const PASSWORD: &str = "correct horse battery";

pub fn belay() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belay"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BELAY_") {
            command.env_remove(name);
        }
    }
    command
}

/// A server process; killed when the test is over.
pub struct Server {
    pub child: Child,
    pub ready: Value,
    data: PathBuf,
}

impl Server {
    pub fn start(config: &Path, data: &Path, role: &[&str]) -> Self {
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

    pub fn anchor(&self) -> PathBuf {
        self.data.join("tls").join("self-signed.pem")
    }

    pub fn port(&self) -> u16 {
        self.ready["url"].as_str().unwrap().rsplit_once(':').unwrap().1.parse().unwrap()
    }

    pub fn kill(&mut self) {
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

pub fn tls(anchor: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(anchor).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(client.with_root_certificates(roots).with_no_client_auth())
}

/// The technician's and the end user's browser.
pub struct Browser {
    pub tls: Arc<ClientConfig>,
    pub port: u16,
    pub cookie: String,
}

impl Browser {
    pub fn ask(&self, method: &str, path: &str, kind: &str, body: &str) -> (String, Vec<u8>) {
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

    pub fn json(&self, method: &str, path: &str, body: Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        serde_json::from_slice(&self.ask(method, path, "application/json", &body).1).unwrap_or_default()
    }

    pub fn sign_in(&mut self) {
        let body = json!({"id": "tess@example.com", "password": PASSWORD}).to_string();
        let (head, _) = self.ask("POST", "/sign-in", "application/json", &body);
        let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        self.cookie = cookie.split(';').next().unwrap().to_owned();
    }

    pub fn state(&self, session: &str) -> String {
        let details = self.json("GET", &format!("/sessions/{session}"), Value::Null);
        details["session"]["state"].as_str().unwrap().to_owned()
    }

    pub fn wait_for_state(&self, session: &str, wanted: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        while self.state(session) != wanted {
            assert!(Instant::now() < until, "the session is {} and not {wanted}", self.state(session));
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Browser {
    pub fn wait_for_event(&self, session: &str, kind: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        let told = || {
            let details = self.json("GET", &format!("/sessions/{session}"), Value::Null);
            details["events"].as_array().unwrap().iter().any(|event| event["kind"] == kind)
        };
        while !told() {
            assert!(Instant::now() < until, "no {kind} of the session");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A value of the JSON in an applet's tag.
pub fn tagged(applet: &[u8], name: &str) -> String {
    let text = String::from_utf8_lossy(applet);
    let start = text.find(&format!("\"{name}\":\"")).unwrap() + name.len() + 4;
    text[start..].split('"').next().unwrap().to_owned()
}

pub fn bytes(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// An applet's leg.
pub struct Leg(pub WebSocketStream<TlsStream<tokio::net::TcpStream>>);

impl Leg {
    pub async fn says_hello(at: &Server, account: &str, credential: Vec<u8>) -> (Self, FromGateway) {
        Self::says_hello_as(Role::Applet, at, account, credential).await
    }

    pub async fn says_hello_as(
        role: Role,
        at: &Server,
        account: &str,
        credential: Vec<u8>,
    ) -> (Self, FromGateway) {
        let mut leg = Self::open(role, at).await;
        let hello = Hello {
            role,
            account: account.parse().unwrap(),
            credential,
            version: "0.1.0".into(),
            platform: "linux-x86_64".into(),
        };
        leg.0.send(Message::Binary(ToGateway::Hello(hello).encode().into())).await.unwrap();
        let answer = leg.next().await.expect("an answer to the hello");
        (leg, answer)
    }

    /// A connection that has said nothing yet.
    pub async fn open(role: Role, at: &Server) -> Self {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", at.port())).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(tls(&at.anchor())).connect(name, stream).await.unwrap();
        let mut request = format!("wss://localhost:{}/gateway/v1", at.port()).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", SUBPROTOCOL.parse().unwrap());
        if role == Role::Console {
            request.headers_mut().insert("origin", at.ready["url"].as_str().unwrap().parse().unwrap());
        }
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        Self(socket)
    }

    /// The credentials for STUN and TURN, which come next.
    pub async fn relaying(&mut self) -> Relaying {
        match self.next().await {
            Some(FromGateway::Relaying(relaying)) => relaying,
            other => panic!("{other:?}"),
        }
    }

    /// The next frame; `None` when the connection is over.
    pub async fn next(&mut self) -> Option<FromGateway> {
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

pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// The account of the technician Tess, in a store that is made.
pub fn create_account(config: &Path) {
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
        .arg(config)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    create.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    assert!(create.wait().unwrap().success());
}

/// The whole server in one process, with Tess signed in.
pub struct Stack {
    pub server: Server,
    pub tess: Browser,
    dir: tempfile::TempDir,
}

/// Both legs of a session that was picked up, paired, each with its credentials for STUN and TURN.
pub struct Session {
    pub id: String,
    pub account: String,
    pub applet: Leg,
    pub console: Leg,
    pub of_applet: Relaying,
    pub of_console: Relaying,
}

impl Stack {
    /// `lines` are more TOML: sections.
    pub fn start(lines: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (config, data) = (dir.path().join("belay.toml"), dir.path().join("data"));
        let applet = dir.path().join("belay-applet");
        std::fs::write(&applet, b"\x7fELF").unwrap();
        let text = format!(
            "data_dir = {data:?}\nlisten = \"127.0.0.1:0\"\n[applets]\nlinux_x86_64 = {applet:?}\n{lines}\n"
        );
        std::fs::write(&config, text).unwrap();
        create_account(&config);
        let server = Server::start(&config, &data, &[]);
        let mut tess = Browser { tls: tls(&server.anchor()), port: server.port(), cookie: String::new() };
        tess.sign_in();
        Self { server, tess, dir }
    }

    /// A session whose end user has downloaded the applet: session, account, and the applet's credential.
    pub fn joined(&self) -> (String, String, Vec<u8>) {
        let invitation = self.tess.json("POST", "/sessions", json!({}));
        let session = invitation["session"]["id"].as_str().unwrap().to_owned();
        let ticket =
            self.tess.json("POST", "/join/pin", json!({"pin": invitation["pin"], "name": "Erna End"}));
        let form = format!("join_token={}&platform=linux-x86_64", ticket["join_token"].as_str().unwrap());
        let (_, applet) = self.tess.ask("POST", "/join/download", "application/x-www-form-urlencoded", &form);
        (session, tagged(&applet, "account"), bytes(&tagged(&applet, "session_authentication_id")))
    }

    /// An applet's leg that waits: session, account, the leg and its credentials.
    pub async fn waiting(&self) -> (String, String, Leg, Relaying) {
        let (session, account, id) = self.joined();
        let (mut leg, answer) = Leg::says_hello(&self.server, &account, id).await;
        assert!(matches!(answer, FromGateway::Admitted(..)), "{answer:?}");
        let relaying = leg.relaying().await;
        (session, account, leg, relaying)
    }

    /// A console's leg for a session that waits.
    pub async fn picked_up(&self, session: &str, account: &str) -> (Leg, Relaying) {
        let connection = self.tess.json("POST", &format!("/sessions/{session}/pick-up"), Value::Null);
        let ticket = base64url(connection["ticket"].as_str().unwrap());
        let (mut leg, answer) = Leg::says_hello_as(Role::Console, &self.server, account, ticket).await;
        assert!(matches!(answer, FromGateway::Admitted(..)), "{answer:?}");
        // The order of the two is the gateway's business.
        let mut relaying = None;
        for _ in 0..2 {
            match leg.next().await {
                Some(FromGateway::Relaying(given)) => relaying = Some(given),
                Some(FromGateway::Paired(_)) => {}
                other => panic!("{other:?}"),
            }
        }
        (leg, relaying.unwrap())
    }

    /// Both legs.
    pub async fn session(&self) -> Session {
        let (id, account, mut applet, of_applet) = self.waiting().await;
        let (console, of_console) = self.picked_up(&id, &account).await;
        assert_eq!(applet.next().await, Some(FromGateway::Paired(1)));
        Session { id, account, applet, console, of_applet, of_console }
    }
}

fn base64url(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'-' => 62,
        _ => 63,
    };
    let (mut bytes, mut bits, mut kept) = (Vec::new(), 0u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        bits = bits << 6 | u32::from(digit(byte));
        kept += 6;
        if kept >= 8 {
            kept -= 8;
            bytes.push((bits >> kept) as u8);
        }
    }
    bytes
}
