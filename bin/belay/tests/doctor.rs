//! `belay doctor` at a real server, and at servers with one thing broken each.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

fn belay() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belay"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BELAY_") {
            command.env_remove(name);
        }
    }
    command
}

/// Exit code, and what stands in the report.
fn doctor(config: &Path) -> (Option<i32>, Value) {
    let output = belay().args(["doctor", "--json", "--config"]).arg(config).output().unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), report)
}

/// `state` of every line about this subject.
fn states<'a>(report: &'a Value, subject: &str) -> Vec<&'a str> {
    let checks = report["checks"].as_array().unwrap();
    let about = checks.iter().filter(|check| check["check"] == subject);
    about.map(|check| check["state"].as_str().unwrap()).collect()
}

/// The only problem of a report: its subject and its words.
fn problem(report: &Value) -> (String, String) {
    let checks = report["checks"].as_array().unwrap();
    let problems: Vec<_> = checks.iter().filter(|check| check["state"] == "problem").collect();
    assert_eq!(problems.len(), 1, "{report:#}");
    let text = |name: &str| problems[0][name].as_str().unwrap().to_owned();
    assert!(!text("mend").is_empty(), "it says what to do: {report:#}");
    (text("check"), text("says"))
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _waited = self.0.wait();
    }
}

#[test]
fn a_real_server_is_well_and_a_stopped_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let write = |lines: &str| {
        let path = dir.path().join("belay.toml");
        std::fs::write(&path, format!("data_dir = {data:?}\nlisten = \"127.0.0.1:{port}\"\n{lines}\n"))
            .unwrap();
        path
    };
    let config = write("");

    let (code, report) = doctor(&config);
    assert_eq!(code, Some(1), "it was never started: {report:#}");
    assert_eq!(states(&report, "data directory"), ["skipped"]);

    let mut server = belay()
        .args(["serve", "--json", "--config"])
        .arg(&config)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let server = Running(server);

    let (code, report) = doctor(&config);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["ok"], true);
    for subject in ["configuration", "data directory", "name", "port", "website", "gateway"] {
        assert_eq!(states(&report, subject), ["ok"], "{subject}: {report:#}");
    }
    assert_eq!(states(&report, "certificate"), ["ok", "ok"]);
    assert!(!states(&report, "datagrams").contains(&"problem"), "{report:#}");
    let text = belay().args(["doctor", "--config"]).arg(&config).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.lines().any(|line| line.starts_with("ok       website")), "{text}");

    let (code, report) = doctor(&write("public_url = \"https://nowhere.invalid:1\""));
    assert_eq!(code, Some(1));
    assert_eq!(problem(&report).0, "name");
    assert_eq!(states(&report, "gateway"), ["skipped"]);

    let (code, report) = doctor(&write("colour = \"green\""));
    assert_eq!(code, Some(1));
    let (subject, says) = problem(&report);
    assert!(subject == "configuration" && says.contains("colour"), "{says}");

    std::fs::set_permissions(&data, PermissionsExt::from_mode(0o755)).unwrap();
    let (code, report) = doctor(&write(""));
    assert_eq!((code, problem(&report).0.as_str()), (Some(1), "data directory"));
    std::fs::set_permissions(&data, PermissionsExt::from_mode(0o700)).unwrap();

    drop(server);
    let (code, report) = doctor(&config);
    assert_eq!(code, Some(1));
    let (subject, says) = problem(&report);
    assert!(subject == "port" && says.contains("nobody listens"), "{says}");
    assert_eq!(states(&report, "certificate"), ["skipped"]);
}

/// What a server with a fault is like.
struct Fault {
    name: &'static str,
    /// How long the certificate is still good.
    days: i64,
    /// Whether it is the one that is trusted.
    trusted: bool,
    /// Whether it lists a gateway.
    lists: bool,
}

const WELL: Fault = Fault { name: "localhost", days: 90, trusted: true, lists: true };

/// A server that answers the list, and nothing else; the configuration under which it would run.
fn faulty(dir: &Path, fault: &Fault) -> std::path::PathBuf {
    let make = |name: &str, days: i64| {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = OffsetDateTime::now_utc() - Duration::days(30);
        params.not_after = OffsetDateTime::now_utc() + Duration::days(days);
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap(), key)
    };
    let (certificate, key) = make(fault.name, fault.days);
    let anchor = if fault.trusted { certificate.pem() } else { make("localhost", 90).0.pem() };
    let files = [("anchor.pem", anchor), ("cert.pem", certificate.pem()), ("key.pem", key.serialize_pem())];
    for (name, text) in &files {
        std::fs::write(dir.join(name), text).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    let (tls, lists) = (Arc::new(tls), fault.lists);
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let tls = tls.clone();
            std::thread::spawn(move || {
                let connection = rustls::ServerConnection::new(tls).unwrap();
                let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
                let mut request = [0; 4096];
                let Ok(read) = stream.read(&mut request) else { return };
                let request = String::from_utf8_lossy(&request[..read]).into_owned();
                let list = format!(r#"{{"gateways":[{{"url":"wss://localhost:{port}/gateway/v1"}}]}}"#);
                let (status, body) = match lists && request.starts_with("GET /api/v1/applet/gateways") {
                    true => ("200 OK", list.as_str()),
                    false => ("404 Not Found", "nothing here"),
                };
                let length = body.len();
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
                let _sent = stream.write_all(answer.as_bytes());
                let _flushed = stream.flush();
            });
        }
    });
    let path = dir.join("belay.toml");
    let data = dir.join("data");
    let file = |name: &str| dir.join(name);
    std::fs::write(
        &path,
        format!(
            "data_dir = {data:?}\nlisten = \"127.0.0.1:{port}\"\n[tls]\ncertificate = {:?}\nkey = {:?}\nanchor = {:?}\n",
            file("cert.pem"),
            file("key.pem"),
            file("anchor.pem")
        ),
    )
    .unwrap();
    path
}

#[test]
fn each_fault_has_its_own_line() {
    let cases: [(Fault, &str, &str); 6] = [
        (Fault { days: -1, ..WELL }, "certificate", "expired"),
        (Fault { name: "elsewhere.example", ..WELL }, "certificate", "another name"),
        (Fault { trusted: false, ..WELL }, "certificate", "not trusted"),
        (Fault { lists: false, ..WELL }, "website", "404"),
        // The list is there, but what is listed takes no WebSocket.
        (WELL, "gateway", "404"),
        (Fault { days: 5, ..WELL }, "certificate", "expires in"),
    ];
    for (fault, subject, words) in cases {
        let dir = tempfile::tempdir().unwrap();
        let (code, report) = doctor(&faulty(dir.path(), &fault));
        assert_eq!(code, Some(1));
        let checks = report["checks"].as_array().unwrap();
        let found = checks.iter().find(|check| check["state"] == "problem" && check["check"] == subject);
        let says =
            found.unwrap_or_else(|| panic!("no problem with the {subject}: {report:#}"))["says"].as_str();
        assert!(says.unwrap().contains(words), "{subject}: {report:#}");
    }
}

#[test]
fn datagrams_come_through_or_are_dropped_or_not_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let config = faulty(dir.path(), &WELL);
    let port = std::fs::read_to_string(&config).unwrap();
    let port: u16 = port.split("127.0.0.1:").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
    let state = |subject: &str| states(&doctor(&config).1, subject)[0].to_owned();

    assert_eq!((state("datagrams"), state("relay")), ("skipped".into(), "skipped".into()));

    let socket = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    assert_eq!((state("datagrams"), state("relay")), ("problem".into(), "skipped".into()));

    // Says its address to everybody, and asks for a password before it relays.
    std::thread::spawn(move || {
        let mut packet = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            let mut answer = packet[..length.min(20)].to_vec();
            answer[0] = 1;
            answer[1] |= if packet[1] == 3 { 0x10 } else { 0 };
            answer[2..4].fill(0);
            socket.send_to(&answer, from).unwrap();
        }
    });
    assert_eq!((state("datagrams"), state("relay")), ("ok".into(), "ok".into()));
}
