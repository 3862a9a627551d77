//! The real program on a real X server comes back after its connection is cut, with the grants of its pairing and nothing else.
//!
//! With `BELAY_PICTURES=directory` the screen is kept as pictures on the way (needs ImageMagick's `import`).
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use belay_meeting::{Console, ID, SESSION, Server};
use belay_wire::message::{Cause, CharterVerdict, Outcome, View};
use belay_wire::{Message, Right, Rights, SessionAuthenticationId};

/// A program, stopped when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program with its session, on a screen of its own.
struct Desk {
    place: tempfile::TempDir,
    file: PathBuf,
    display: String,
    applet: Running,
    _screen: Running,
}

fn charter_keys() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap()
}

fn charter() -> Message {
    let binding = belay_seal::Binding::of(&SessionAuthenticationId::from_bytes(ID)).0;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let document = format!(
        r#"{{"v": "belay-charter/1", "session": "{SESSION}", "binding": "{}", "account": {{"id": "01234567-89ab-cdef-0001-020304050608", "name": "Example GmbH"}}, "technician": {{"id": "01234567-89ab-cdef-0001-020304050609", "name": "Tess Example"}}, "domain": "help.example.org", "rights": ["desktop_view", "remote_control"], "single_prompt": false, "issued_at": {now}, "expires_at": {}}}"#,
        hex::encode(binding),
        now + 3_600_000_000
    )
    .into_bytes();
    let mut signature = [0; belay_wire::charter::SIGNATURE];
    signature.copy_from_slice(charter_keys().sign(&belay_wire::charter::signed_bytes(&document)).as_ref());
    Message::Charter { document, signature }
}

impl Desk {
    fn open(server: &Server) -> Desk {
        let (mut number, writing) = std::io::pipe().unwrap();
        let screen = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1024x768x24", "-nolisten", "tcp", "-noreset", "-ac"])
            .stdout(writing)
            .stderr(Stdio::null())
            .spawn()
            .expect("this test needs the program Xvfb (Debian package xvfb)");
        let screen = Running(screen);
        let mut byte = [0];
        let mut display = String::from(":");
        while number.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
            display.push(byte[0].into());
        }
        let place = tempfile::tempdir().unwrap();
        let operator = serde_json::json!({
            "origin": server.origin,
            "anchors": server.anchors,
            "charter_key": hex::encode(charter_keys().public_key().as_ref()),
            "operator": "Example GmbH",
        });
        let session = serde_json::json!({
            "account": belay_meeting::ACCOUNT.to_string(),
            "session_authentication_id": hex::encode(ID),
        });
        let (operator, session) = (operator.to_string(), session.to_string());
        let mut bytes = fs::read(env!("CARGO_BIN_EXE_belay-applet")).unwrap();
        bytes.extend(operator.as_bytes());
        bytes.extend(session.as_bytes());
        bytes.extend(u32::try_from(operator.len()).unwrap().to_be_bytes());
        bytes.extend(u32::try_from(session.len()).unwrap().to_be_bytes());
        bytes.extend(b"belay-tag/1\0\0\0\0\0");
        let file = place.path().join("belay-support");
        fs::write(&file, bytes).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
        let applet = Command::new(&file)
            .arg("--log-dir")
            .arg(place.path())
            .env("DISPLAY", &display)
            .env_remove("WAYLAND_DISPLAY")
            .spawn()
            .unwrap();
        Desk { place, file, display, applet: Running(applet), _screen: screen }
    }

    async fn press(&self, key: &str) {
        let display = self.display.clone();
        let key = key.to_owned();
        let pressed = tokio::task::spawn_blocking(move || {
            Command::new("xdotool").args(["key", &key]).env("DISPLAY", display).status()
        });
        let status = pressed.await.unwrap().expect("this test needs the program xdotool");
        assert!(status.success());
    }

    async fn picture(&self, name: &str) {
        let Some(directory) = std::env::var_os("BELAY_PICTURES") else { return };
        let display = self.display.clone();
        let path = Path::new(&directory).join(format!("{name}.png"));
        let taken = tokio::task::spawn_blocking(move || {
            Command::new("import").args(["-window", "root"]).arg(path).env("DISPLAY", display).status()
        });
        assert!(taken.await.unwrap().unwrap().success());
    }

    /// The events of the host log so far, in order.
    fn events(&self) -> Vec<String> {
        let log = fs::read_to_string(self.place.path().join("host.log")).unwrap_or_default();
        let event = |line: &str| line.split_once("event=").map(|(_, rest)| rest.to_owned());
        log.lines().filter_map(event).collect()
    }

    /// Waits for a line of the host log after the first `known` ones.
    async fn logs(&self, known: usize, wanted: &str, seconds: u64) {
        for _ in 0..seconds * 20 {
            if self.events().iter().skip(known).any(|event| event.starts_with(wanted)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no {wanted} after line {known} within {seconds} s: {:#?}", self.events());
    }

    /// Allows what is asked, by the keyboard, once the safety delay is over.
    async fn allow(&self, console: &mut Console, request: u32, rights: Rights) {
        console.say(&Message::Request { request, rights }).await;
        tokio::time::sleep(Duration::from_millis(3600)).await;
        self.picture(&format!("prompt-{request}")).await;
        self.press("alt+a").await;
        let decision = console.hears("decision", |message| matches!(message, Message::Decision { .. })).await;
        assert_eq!(decision, Message::Decision { request, rights, outcome: Outcome::Granted });
    }
}

fn view() -> Rights {
    Right::DesktopView.into()
}

fn whole_picture(message: &Message) -> bool {
    matches!(message, Message::ScreenUpdate(update) if update.base == 0)
}

/// A desk with view granted and shown.
async fn working(server: &Server) -> (Desk, Console) {
    let desk = Desk::open(server);
    desk.logs(0, "session_started", 20).await;
    let mut console = Console::open(server).await;
    console.say(&charter()).await;
    console
        .hears("charter checked", |message| *message == Message::CharterChecked(CharterVerdict::Accepted))
        .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    desk.picture(&format!("connected-code-{}", console.code())).await;
    desk.allow(&mut console, 1, view()).await;
    console.say(&Message::ScreenOpen(View::of(255))).await;
    console.hears("a whole picture", whole_picture).await;
    (desk, console)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_comes_back_with_its_grants_and_a_whole_picture_and_ends_when_told_to() {
    let server = belay_meeting::start().await;
    let (mut desk, mut console) = working(&server).await;

    // A cut while something is asked: what was granted stays, what was asked is to be asked again.
    let control = Rights::from(Right::RemoteControl);
    console.say(&Message::Request { request: 2, rights: control }).await;
    desk.logs(0, "prompt_shown rights=remote_control", 10).await;
    let known = desk.events().len();
    server.cut();
    desk.logs(known, "interrupted end=server", 10).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    desk.picture("reconnecting").await;
    let events = desk.events()[known..].join("\n");
    for event in ["view_ended", "prompt_interrupted rights=remote_control"] {
        assert!(events.contains(event), "{event} in {events}");
    }
    assert!(!events.contains("withdrawn") && !events.contains("view_started"), "{events}");
    console.come_back(&server).await;
    let unanswered = Message::Decision { request: 2, rights: control, outcome: Outcome::TimedOut };
    console.hears("the prompt was not answered", |message| *message == unanswered).await;
    console.hears("a whole picture, unasked", whole_picture).await;
    desk.logs(known, "resumed after=", 5).await;
    desk.logs(known, "view_started", 5).await;
    desk.picture("resumed").await;

    // Cut again, and the person has had enough.
    let known = desk.events().len();
    server.cut();
    desk.logs(known, "interrupted end=server", 10).await;
    desk.press("Pause").await;
    desk.logs(known, "ended by=panic_key", 2).await;
    let start = std::time::Instant::now();
    let status = loop {
        if let Some(status) = desk.applet.0.try_wait().unwrap() {
            break status;
        }
        assert!(start.elapsed() < Duration::from_secs(15), "it does not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(status.code(), Some(0));
    assert!(!desk.file.exists(), "the file of a session that was had stays");
    assert!(desk.events().last().unwrap().starts_with("removed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes more than five minutes of real time"]
async fn after_five_minutes_away_everything_is_withdrawn_and_may_be_asked_again() {
    let server = belay_meeting::start().await;
    let (desk, mut console) = working(&server).await;
    let known = desk.events().len();
    server.cut();
    desk.logs(known, "interrupted end=server", 10).await;
    desk.logs(known, "offline", 310).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    desk.picture("offline").await;
    desk.logs(known, "withdrawn rights=desktop_view cause=offline", 1).await;
    console.come_back(&server).await;
    let withdrawn = Message::Withdrawn { rights: view(), cause: Cause::Failure };
    console.hears("everything is withdrawn", |message| *message == withdrawn).await;
    desk.allow(&mut console, 2, view()).await;
}
