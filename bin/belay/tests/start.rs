//! The real executable: how it starts, and how each failed start ends with one sentence.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A configuration with the data directory of this place and these lines.
    fn config(&self, lines: &str) -> PathBuf {
        let path = self.dir.path().join("belay.toml");
        std::fs::write(&path, format!("data_dir = {:?}\n{lines}\n", self.data())).unwrap();
        path
    }
}

fn belay() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belay"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BELAY_") {
            command.env_remove(name);
        }
    }
    command
}

fn serve(config: &Path) -> Output {
    belay().args(["serve", "--config"]).arg(config).stdin(Stdio::null()).output().unwrap()
}

/// The one sentence with which a start ended.
fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("belay: ")).collect();
    assert_eq!((lines.len(), text.lines().count()), (1, 1), "{text}");
    lines[0].to_owned()
}

fn create_account(config: &Path, password: &str) -> Output {
    let mut child = belay()
        .args(["--json", "account", "create", "--name", "Example GmbH", "--owner", "tess@example.com"])
        .args(["--owner-name", "Tess Example", "--password-stdin", "--config"])
        .arg(config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn an_unknown_key_ends_the_start() {
    let place = Place::new();
    let config = place.config("sign_of_seconds = 600");
    let sentence = refusal(&serve(&config));
    assert!(sentence.contains("\"sign_of_seconds\""), "{sentence}");
    assert!(sentence.contains(config.to_str().unwrap()), "{sentence}");
    assert!(sentence.contains("write \"sign_off_seconds\""), "{sentence}");
    assert!(!place.data().exists());
}

#[test]
fn a_missing_configuration_ends_the_start() {
    let sentence = refusal(&serve(Path::new("/nowhere/belay.toml")));
    assert!(sentence.contains("/nowhere/belay.toml") && sentence.contains("--config"), "{sentence}");
}

#[test]
fn a_taken_port_ends_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let place = Place::new();
    let sentence = refusal(&serve(&place.config(&format!("listen = \"{address}\""))));
    assert!(
        sentence.contains(&address.to_string()) && sentence.contains("choose another port"),
        "{sentence}"
    );
}

#[test]
fn a_certificate_that_cannot_be_read_ends_the_start() {
    let place = Place::new();
    let lines = "listen = \"127.0.0.1:0\"\n[tls]\ncertificate = \"/nowhere/c.pem\"\nkey = \"/nowhere/k.pem\"";
    let sentence = refusal(&serve(&place.config(lines)));
    assert!(sentence.contains("/nowhere/c.pem") && sentence.contains("tls.certificate"), "{sentence}");
}

#[test]
fn a_wrong_or_missing_root_key_ends_the_start() {
    let place = Place::new();
    let config = place.config("listen = \"127.0.0.1:0\"");
    let created = create_account(&config, "correct horse battery");
    assert!(created.status.success(), "{created:?}");
    let line = String::from_utf8(created.stdout).unwrap();
    assert!(line.contains("\"sign_in_id\":\"tess@example.com\""), "{line}");

    let key = place.data().join("root.key");
    let right = std::fs::read(&key).unwrap();
    std::fs::write(&key, "00".repeat(32)).unwrap();
    let sentence = refusal(&serve(&config));
    assert!(sentence.contains("root key") && sentence.contains("root.key"), "{sentence}");
    std::fs::remove_file(&key).unwrap();
    let sentence = refusal(&serve(&config));
    assert!(sentence.contains("root.key"), "{sentence}");

    write_private(&key, &right);
    let checked = belay().args(["serve", "--check", "--json", "--config"]).arg(&config).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    let line = String::from_utf8(checked.stdout).unwrap();
    assert!(line.contains("\"ok\":true") && line.contains("\"accounts\":1"), "{line}");

    let again = create_account(&config, "correct horse battery");
    assert!(refusal(&again).contains("tess@example.com"), "the id is taken");
    let short = create_account(&config, "short");
    assert!(refusal(&short).contains("12 or more"), "{short:?}");
}

#[test]
fn a_password_is_never_an_argument_and_never_waited_for_without_a_terminal() {
    let place = Place::new();
    let config = place.config("");
    let create = |more: &[&str]| {
        belay()
            .args(["account", "create", "--name", "E", "--owner", "e", "--config"])
            .arg(&config)
            .args(more)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    assert_eq!(create(&["--password", "correct horse battery"]).status.code(), Some(2));
    assert!(refusal(&create(&[])).contains("--password-stdin"));
}

#[test]
fn an_account_is_made_only_in_a_region_that_has_a_gateway() {
    let place = Place::new();
    let config = place.config(
        "region = \"eu\"\ngateways = [{ url = \"wss://a.example/gateway/v1\", region = \"eu\" }, \
         { url = \"wss://b.example/gateway/v1\", region = \"us\" }]\nlisten = \"127.0.0.1:0\"",
    );
    let create = |more: &[&str], owner: &str| {
        let mut child = belay()
            .args(["account", "create", "--json", "--password-stdin", "--name", "Example", "--owner", owner])
            .args(more)
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(b"correct horse battery\n").unwrap();
        child.wait_with_output().unwrap()
    };
    let refused = refusal(&create(&["--region", "asia"], "a@example.com"));
    assert!(refused.contains("no gateway in the region \"asia\"") && refused.contains("eu, us"), "{refused}");
    assert!(refusal(&create(&["--region", "a b"], "a@example.com")).contains("a short name"));
    let region = |more: &[&str], owner: &str| {
        let made = create(more, owner);
        let line: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
        line["region"].as_str().unwrap().to_owned()
    };
    assert_eq!(region(&["--region", "us"], "b@example.com"), "us");
    assert_eq!(region(&[], "c@example.com"), "eu");
}

#[test]
fn a_check_changes_nothing() {
    let place = Place::new();
    let config = place.config("listen = \"127.0.0.1:0\"");
    let checked = belay().args(["serve", "--check", "--config"]).arg(&config).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    assert!(!place.data().exists());
}

#[test]
fn it_serves_over_tls_with_a_certificate_of_its_own_and_stops_when_asked() {
    let place = Place::new();
    let config = place.config("listen = \"127.0.0.1:0\"");
    let mut server = Running(
        belay()
            .args(["serve", "--json", "--config"])
            .arg(&config)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(ready["ready"], true);
    assert_eq!(ready["fingerprint"].as_str().unwrap().len(), 32 * 3 - 1);
    let url = ready["url"].as_str().unwrap();
    let authority = url.strip_prefix("https://").unwrap();
    assert!(authority.starts_with("localhost:"), "{url}");

    let tls = place.data().join("tls");
    let pem = std::fs::read(tls.join("self-signed.pem")).unwrap();
    let answer = get(&pem, authority, "/api/v1/applet/gateways");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains(&format!("{{\"url\":\"wss://{authority}/gateway/v1\",\"region\":\"local\"}}")),
        "{answer}"
    );
    let plain = get(&pem, authority, "/gateway/v1");
    assert!(plain.starts_with("HTTP/1.1 4"), "no upgrade: {plain}");
    assert_eq!(gateway_answers_nonsense(&pem, authority), [0x82, 0x02, 0x82, 0x06], "Refused(Protocol)");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(tls.join("self-signed.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    let asked = Command::new("kill").args(["-TERM", &server.0.id().to_string()]).status().unwrap();
    assert!(asked.success());
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
}

/// Ends the server also when a test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already when the test went well.
        let _ended = self.0.kill();
        let _waited = self.0.wait();
    }
}

fn write_private(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// One request over TLS that trusts nothing but this certificate.
fn get(pem: &[u8], authority: &str, path: &str) -> String {
    let mut stream = connect(pem, authority);
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Opens a leg, sends a message that is no frame of the gateway's, and gives the first WebSocket frame that comes back.
fn gateway_answers_nonsense(pem: &[u8], authority: &str) -> [u8; 4] {
    let mut stream = connect(pem, authority);
    write!(
        stream,
        "GET /gateway/v1 HTTP/1.1\r\nhost: {authority}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: belay-gateway.1\r\n\r\n"
    )
    .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    // Binary, final, one byte, masked with zeros.
    stream.write_all(&[0x82, 0x81, 0, 0, 0, 0, 0xff]).unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    answer
}

fn connect(pem: &[u8], authority: &str) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection =
        ClientConnection::new(Arc::new(client), ServerName::try_from("localhost").unwrap()).unwrap();
    let port = authority.rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    StreamOwned::new(connection, socket)
}
