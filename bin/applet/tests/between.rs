//! The real program on a real X server, and somebody between it and the technician: a handshake of their own on either side,
//! every message passed on. The program finds out by the secret of the link, says so, and ends the session.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use belay_meeting::{ACCOUNT, Console, ID, Server};
use belay_seal::{
    AppletHandshake, AppletStep, Binding, ConsoleHandshake, LinkSecret, Secrets, SecurityCode, Side,
};
use belay_wire::{Message, SessionAuthenticationId};

const SECRET: [u8; 32] = [42; 32];

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _waited = self.0.wait();
    }
}

fn screen() -> (Running, String) {
    let (mut number, writing) = std::io::pipe().unwrap();
    let child = Command::new("Xvfb")
        .args(["-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp", "-noreset", "-ac"])
        .stdout(writing)
        .stderr(Stdio::null())
        .spawn()
        .expect("this test needs the program Xvfb (Debian package xvfb)");
    let mut said = Vec::new();
    let mut byte = [0];
    while number.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        said.push(byte[0]);
    }
    (Running(child), format!(":{}", String::from_utf8(said).unwrap()))
}

/// The program as a browser leaves it that has put the secret of a link behind its tag.
fn program(place: &std::path::Path, server: &Server, secret: Option<[u8; 32]>) -> std::path::PathBuf {
    let operator = serde_json::json!({
        "origin": server.origin, "anchors": server.anchors, "charter_key": "07".repeat(32), "operator": "Example GmbH",
    })
    .to_string();
    let session =
        serde_json::json!({ "account": ACCOUNT.to_string(), "session_authentication_id": hex::encode(ID) })
            .to_string();
    let mut bytes = fs::read(env!("CARGO_BIN_EXE_belay-applet")).unwrap();
    bytes.extend(operator.as_bytes());
    bytes.extend(session.as_bytes());
    bytes.extend(u32::try_from(operator.len()).unwrap().to_be_bytes());
    bytes.extend(u32::try_from(session.len()).unwrap().to_be_bytes());
    bytes.extend(b"belay-tag/1\0\0\0\0\0");
    if let Some(secret) = secret {
        bytes.extend(secret);
        bytes.extend(b"belay-secret/1\0\0");
    }
    let file = place.join("belay-support");
    fs::write(&file, bytes).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
    file
}

fn start(file: &std::path::Path, display: &str, logs: &std::path::Path) -> Running {
    let child = Command::new(file)
        .arg("--log-dir")
        .arg(logs)
        .env("DISPLAY", display)
        .env_remove("WAYLAND_DISPLAY")
        .env("LC_ALL", "C.UTF-8")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Running(child)
}

/// What the technician's console shows: the code of the handshake that the one in between made with it.
fn at_the_console() -> SecurityCode {
    let binding = Binding::of(&SessionAuthenticationId::from_bytes(ID));
    let secrets = |seed: u8| Secrets { key: [seed; 32], nonce: [seed; 32] };
    let (console, commit) = ConsoleHandshake::start(secrets(7), binding).unwrap();
    let step = AppletHandshake::new(secrets(8), binding).unwrap().received(&commit).unwrap();
    let AppletStep::Send(_, answer) = step else { panic!("sealed too early") };
    console.answered(&answer).unwrap().0.security_code()
}

fn wait_for(what: &str, is_there: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !is_there() {
        assert!(Instant::now() < until, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_finds_out_and_ends_the_session() {
    let server = belay_meeting::start().await;
    let (_screen, display) = screen();
    let place = tempfile::tempdir().unwrap();
    let file = program(place.path(), &server, Some(SECRET));
    let _applet = start(&file, &display, place.path());
    // The one in between is a console to the program; the technician's proof is for another handshake.
    let mut between = Console::open(&server).await;
    let there = at_the_console();
    assert_ne!(between.code().digits, there.digits, "the two codes differ");
    let secret = LinkSecret::from_bytes(SECRET);
    between.say(&Message::LinkProof(secret.proof(Side::Console, &there))).await;
    let answer =
        between.hears("the program's own proof", |message| matches!(message, Message::LinkProved(_))).await;
    let Message::LinkProved(proof) = answer else { panic!("no proof") };
    assert!(
        secret.check(Side::Applet, &there, &proof).is_err(),
        "passed on, it gives the one in between away"
    );

    let log = place.path().join("host.log");
    wait_for("the line in the record", || {
        fs::read_to_string(&log).unwrap_or_default().contains("event=tampered")
    });
    wait_for("the end", || fs::read_to_string(&log).unwrap_or_default().contains("by=tampered"));
    assert!(!fs::read_to_string(&log).unwrap().contains("event=link_verified"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_secret_the_codes_differ_and_with_the_right_proof_it_is_verified() {
    let server = belay_meeting::start().await;
    let (_screen, display) = screen();
    let place = tempfile::tempdir().unwrap();
    let file = program(place.path(), &server, None);
    let applet = start(&file, &display, place.path());
    let mut between = Console::open(&server).await;
    between.say(&Message::LinkProof([1; 32])).await;
    between.hears("that there is no secret", |message| *message == Message::NoLinkSecret).await;
    assert_ne!(between.code().digits, at_the_console().digits);
    drop((applet, between));

    let server = belay_meeting::start().await;
    let file = program(place.path(), &server, Some(SECRET));
    let logs = place.path().join("verified");
    let _applet = start(&file, &display, &logs);
    let mut console = Console::open(&server).await;
    let secret = LinkSecret::from_bytes(SECRET);
    let code = console.code();
    console.say(&Message::LinkProof(secret.proof(Side::Console, &code))).await;
    let proved = Message::LinkProved(secret.proof(Side::Applet, &code));
    console.hears("the program's proof", |message| *message == proved).await;
    wait_for("the line in the record", || {
        fs::read_to_string(logs.join("host.log")).unwrap_or_default().contains("event=link_verified")
    });
}
