//! The real program, started the way people start it by mistake: each mistake has its exit code and a sentence.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn run(program: &Path, options: &[&str]) -> Output {
    Command::new(program)
        .args(options)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env("XDG_STATE_HOME", std::env::temp_dir())
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("the program was built for this test")
}

fn applet() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_belay-applet"))
}

/// The program with a tag for a server that does not exist.
fn tagged(place: &Path, operator: &str) -> std::path::PathBuf {
    let session = r#"{"account": "01234567-89ab-cdef-0001-020304050607", "session_authentication_id": "000102030405060708090a0b0c0d0e0f"}"#;
    let mut bytes = fs::read(applet()).expect("the program is readable");
    bytes.extend(operator.as_bytes());
    bytes.extend(session.as_bytes());
    bytes.extend(u32::try_from(operator.len()).expect("short").to_be_bytes());
    bytes.extend(u32::try_from(session.len()).expect("short").to_be_bytes());
    bytes.extend(b"belay-tag/1\0\0\0\0\0");
    let path = place.join("belay-support");
    fs::write(&path, bytes).expect("room for a copy");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(&path, mode).expect("own file");
    path
}

#[test]
fn without_a_tag_it_asks_for_nothing_and_says_what_to_do() {
    let output = run(applet(), &[]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("belongs to no session") && said.contains("PIN"), "{said}");
    assert!(applet().exists(), "it must not remove a file that had no session");
}

#[test]
fn unknown_options_are_wrong_use_and_none_skips_consent() {
    assert_eq!(run(applet(), &["--yes"]).status.code(), Some(2));
    let help = run(applet(), &["--help"]);
    assert_eq!(help.status.code(), Some(0));
    let said = String::from_utf8_lossy(&help.stdout).to_lowercase();
    for word in ["--log-dir", "--language", "--keep-file"] {
        assert!(said.contains(word), "{word} is missing in {said}");
    }
    for word in ["--allow", "--unattended", "--auto", "--no-prompt", "--skip", "--grant"] {
        assert!(!said.contains(word), "{word}");
    }
}

#[test]
fn without_a_display_it_says_so() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let operator = format!(
        r#"{{"origin": "https://127.0.0.1:1", "anchors": "", "charter_key": "{}", "operator": "Example GmbH"}}"#,
        "07".repeat(32)
    );
    let program = tagged(place.path(), &operator);
    let output = run(&program, &[]);
    assert_eq!(output.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&output.stderr).contains("DISPLAY"));
    assert!(program.exists());
}

#[test]
fn a_damaged_tag_is_wrong_use() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let output = run(&tagged(place.path(), r#"{"origin": "http://example.org"}"#), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("damaged"));
}

/// Looks at the way to a server that is not there, in both languages, without a window and without a session.
#[test]
fn a_look_at_the_way_says_what_does_not_work() {
    let port =
        std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port").local_addr().expect("bound").port();
    let address = format!("https://127.0.0.1:{port}");
    for (language, words) in [("en", ["turned away", "in the way"]), ("de", ["abgewiesen", "im Weg"])] {
        let output = run(applet(), &["--language", language, "--check", &address]);
        assert_eq!(output.status.code(), Some(3));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    }
    let place = tempfile::tempdir().expect("a temporary directory");
    let operator = format!(
        r#"{{"origin": "https://nowhere.invalid", "anchors": "", "charter_key": "{}", "operator": "Example GmbH"}}"#,
        "07".repeat(32)
    );
    let program = tagged(place.path(), &operator);
    let output = run(&program, &["--check"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stdout).contains("(nowhere.invalid): not found"));
    assert!(program.exists(), "it has had no session");
    assert_eq!(run(applet(), &["--check"]).status.code(), Some(2), "which server?");
    assert_eq!(run(applet(), &["--check", "http://example.org"]).status.code(), Some(2));
}
