//! A certificate that is renewed while the server runs: new connections get the new one, those that are open go on, and
//! a pair that cannot be used changes nothing but the log.
#![allow(clippy::unwrap_used)]

#[path = "kit/stack.rs"]
mod stack;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, CertifiedKey, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

/// Longer than three looks of the server at its files.
const SOON: Duration = Duration::from_secs(16);

/// A server with certificate files, and what it writes into its log.
struct Town {
    dir: tempfile::TempDir,
    child: Child,
    port: u16,
    log: Arc<Mutex<Vec<String>>>,
}

impl Drop for Town {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

impl Town {
    fn start(first: &CertifiedKey<KeyPair>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("cert.pem"), first.cert.pem()).unwrap();
        std::fs::write(path("key.pem"), first.signing_key.serialize_pem()).unwrap();
        let config = format!(
            "data_dir = {:?}\nlisten = \"127.0.0.1:0\"\n[tls]\ncertificate = {:?}\nkey = {:?}\n",
            path("data"),
            path("cert.pem"),
            path("key.pem")
        );
        std::fs::write(path("belay.toml"), config).unwrap();
        let mut child = stack::belay()
            .args(["serve", "--json", "--config"])
            .arg(path("belay.toml"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::<Mutex<Vec<String>>>::default();
        let (lines, into) = (BufReader::new(child.stderr.take().unwrap()).lines(), log.clone());
        std::thread::spawn(move || lines.for_each(|line| into.lock().unwrap().push(line.unwrap())));
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        let port = ready["url"].as_str().unwrap().rsplit_once(':').unwrap().1.parse().unwrap();
        Self { dir, child, port, log }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn put(&self, certificate: &CertifiedKey<KeyPair>, key: &CertifiedKey<KeyPair>) {
        std::fs::write(self.path("cert.pem"), certificate.cert.pem()).unwrap();
        std::fs::write(self.path("key.pem"), key.signing_key.serialize_pem()).unwrap();
    }

    fn hang_up(&self) {
        let sent = Command::new("kill").args(["-HUP", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn said(&self, words: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|line| line.contains(words)).count()
    }

    fn wait(&self, what: &str, mut done: impl FnMut() -> bool) {
        let since = Instant::now();
        while !done() {
            assert!(since.elapsed() < SOON, "{what}; the log: {:#?}", self.log.lock().unwrap());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// A connection of a client that trusts nothing but this certificate.
    fn connect(&self, trusted: &CertifiedKey<KeyPair>) -> Option<Open> {
        let anchor = self.path("anchor.pem");
        std::fs::write(&anchor, trusted.cert.pem()).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(stack::tls(&anchor), name).unwrap();
        let socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut open = Open { stream: StreamOwned::new(connection, socket), port: self.port };
        open.asks().then_some(open)
    }
}

struct Open {
    stream: StreamOwned<ClientConnection, TcpStream>,
    port: u16,
}

impl Open {
    /// Whether a request on this connection is answered; it stays open.
    fn asks(&mut self) -> bool {
        let request = format!("HEAD /console/ HTTP/1.1\r\nhost: localhost:{}\r\n\r\n", self.port);
        if self.stream.write_all(request.as_bytes()).is_err() {
            return false;
        }
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\n") {
            if !matches!(self.stream.read(&mut byte), Ok(1)) {
                return false;
            }
            answer.push(byte[0]);
        }
        answer.starts_with(b"HTTP/1.1 ")
    }
}

fn pair() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap()
}

fn expired() -> CertifiedKey<KeyPair> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 4, 1);
    let signing_key = KeyPair::generate().unwrap();
    CertifiedKey { cert: params.self_signed(&signing_key).unwrap(), signing_key }
}

/// The log complains once for each bad pair, and the one before is served on.
fn stays(town: &Town, served: &CertifiedKey<KeyPair>, complaints: usize, words: &str) {
    town.wait(words, || town.said("the renewed certificate cannot be used") == complaints);
    assert_eq!(town.said(words), 1, "{words}");
    assert!(town.connect(served).is_some(), "{words}");
}

#[test]
fn a_renewed_certificate_is_served_without_a_restart_and_a_bad_one_is_not() {
    let [first, second, third] = [pair(), pair(), pair()];
    let town = Town::start(&first);
    let mut open = town.connect(&first).expect("the first certificate is served");
    assert!(town.connect(&second).is_none());

    // Nobody says anything: the server looks by itself.
    town.put(&second, &second);
    town.wait("the second certificate is not served", || {
        // A connection on which nothing is asked would end by itself.
        assert!(open.asks(), "a connection that was open goes on");
        town.connect(&second).is_some()
    });
    assert!(town.connect(&first).is_none(), "and the first one not any more");
    assert!(open.asks(), "a connection that was open goes on");

    town.put(&third, &second);
    town.hang_up();
    stays(&town, &second, 1, "does not fit the certificate");
    town.put(&expired(), &third);
    std::fs::write(town.path("key.pem"), "no key").unwrap();
    town.hang_up();
    stays(&town, &second, 2, "cannot be read");
    let old = expired();
    town.put(&old, &old);
    town.hang_up();
    stays(&town, &second, 3, "has expired on 2020-04-01");
    // What was complained about is not complained about again and again.
    let since = Instant::now();
    while since.elapsed() < SOON {
        assert_eq!(town.said("the renewed certificate cannot be used"), 3);
        assert!(open.asks());
        std::thread::sleep(Duration::from_secs(1));
    }

    replace(&town.path("cert.pem"), &third.cert.pem());
    replace(&town.path("key.pem"), &third.signing_key.serialize_pem());
    town.hang_up();
    town.wait("the third certificate is not served", || town.connect(&third).is_some());
    assert!(open.asks());
    assert_eq!(town.said("the certificate was renewed"), 2);
}

/// As careful programs do it: another file takes the place.
fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(&beside, path).unwrap();
}
