//! The record that stays on the end user's computer: one line for everything that was asked, allowed, refused or done.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use belay_net::applet::{Insecure, Interference};
use belay_permission::EndReason;
use belay_wire::{Right, Rights, SessionId};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::charter::CharterError;
use crate::foreign_text::is_treacherous;

/// File name within the log's directory.
pub const FILE: &str = "host.log";
const OLD_FILE: &str = "host.log.1";
const MAX_BYTES: u64 = 4 * 1024 * 1024;
const MAX_VALUE_CHARS: usize = 200;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The gateway let this program in.
    SessionStarted {
        /// The website of the tag.
        origin: String,
    },
    /// A technician came with a good charter.
    TechnicianConnected,
    /// A charter that could not be trusted.
    CharterRefused(CharterError),
    /// The end user was asked.
    PromptShown(Rights),
    /// They allowed it.
    Granted(Rights),
    /// They refused it.
    Refused(Rights),
    /// They did not answer.
    TimedOut(Rights),
    /// The connection broke before they answered.
    PromptInterrupted(Rights),
    /// They found the security code to be the same on both screens.
    CodeCompared,
    /// The technician's side proved that it has the secret of the invitation link.
    LinkVerified,
    /// Its proof was wrong: somebody sits in between.
    Tampered,
    /// Pictures of the screen are being sent.
    ViewStarted,
    /// No longer.
    ViewEnded,
    /// Mouse and keyboard may be used.
    ControlStarted,
    /// No longer.
    ControlEnded,
    /// Rights ended before the session did.
    Withdrawn {
        /// Which.
        rights: Rights,
        /// Why, in one word.
        cause: &'static str,
    },
    /// The technician's side tried something without the right, and nothing happened.
    Violation {
        /// The missing right.
        right: Right,
        /// The kind of the refused message.
        kind: u8,
        /// Further tries since the last line.
        more: u32,
    },
    /// The technician's side broke the protocol.
    Breach {
        /// How.
        what: String,
    },
    /// There was no secure connection to a technician.
    Insecure(Insecure),
    /// Somebody on the way interferes, without harm; how often in this pairing so far.
    Interference(Interference),
    /// Input into Belay's own windows was dropped.
    OwnWindow,
    /// A tool did not work on this computer.
    Failed {
        /// Which right's tool.
        right: Right,
        /// Why.
        why: String,
    },
    /// A connection went away for good.
    ConnectionLost {
        /// Whose.
        end: &'static str,
    },
    /// The way to the technician is interrupted: nothing is captured, everything is let go of.
    Interrupted {
        /// Whose connection.
        end: &'static str,
    },
    /// It goes on as before.
    Resumed {
        /// How long it was interrupted, in seconds.
        seconds: u64,
    },
    /// It has been interrupted for five minutes.
    Offline,
    /// Everything is over.
    Ended(EndReason),
    /// The server closed the session.
    Closed,
    /// The program removed its own file.
    Removed,
}

/// Who is meant in the lines that follow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whom {
    /// The session, once known.
    pub session: Option<SessionId>,
    /// The technician, once a charter named them.
    pub technician: Option<String>,
    /// The company, likewise.
    pub company: Option<String>,
}

/// An open host log.
#[derive(Debug)]
pub struct HostLog {
    path: PathBuf,
    file: File,
}

/// Where the log is by default: `$XDG_STATE_HOME/belay`, else `~/.local/state/belay`.
pub fn default_directory() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    state.map(|state| state.join("belay"))
}

impl HostLog {
    /// Opens the log in this directory, which is made if need be; a log above 4 MiB is put aside first.
    ///
    /// # Errors
    /// When the directory or the file cannot be made or written.
    pub fn open(directory: &Path) -> io::Result<HostLog> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
            builder.mode(0o700);
            options.mode(0o600);
        }
        builder.create(directory)?;
        let path = directory.join(FILE);
        if std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() > MAX_BYTES) {
            std::fs::rename(&path, directory.join(OLD_FILE))?;
        }
        let file = options.open(&path)?;
        Ok(HostLog { path, file })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one line and has it on the disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, unix: u64, whom: &Whom, entry: &Entry) -> io::Result<()> {
        // One call, so that two programs writing at once do not mix their lines.
        self.file.write_all(line(unix, whom, entry).as_bytes())?;
        self.file.sync_data()
    }
}

/// One line, with its end. `unix` is µs since 1970.
pub fn line(unix: u64, whom: &Whom, entry: &Entry) -> String {
    let mut line = stamp(unix);
    match whom.session {
        Some(session) => put(&mut line, "session", &session.to_string()),
        None => put(&mut line, "session", "-"),
    }
    put(&mut line, "event", event(entry));
    details(&mut line, entry);
    if let Some(technician) = &whom.technician {
        quoted(&mut line, "technician", technician);
    }
    if let Some(company) = &whom.company {
        quoted(&mut line, "company", company);
    }
    line.push('\n');
    line
}

fn event(entry: &Entry) -> &'static str {
    match entry {
        Entry::SessionStarted { .. } => "session_started",
        Entry::TechnicianConnected => "technician_connected",
        Entry::CharterRefused(_) => "charter_refused",
        Entry::PromptShown(_) => "prompt_shown",
        Entry::Granted(_) => "granted",
        Entry::Refused(_) => "refused",
        Entry::TimedOut(_) => "timed_out",
        Entry::PromptInterrupted(_) => "prompt_interrupted",
        Entry::CodeCompared => "code_compared",
        Entry::LinkVerified => "link_verified",
        Entry::Tampered => "tampered",
        Entry::ViewStarted => "view_started",
        Entry::ViewEnded => "view_ended",
        Entry::ControlStarted => "control_started",
        Entry::ControlEnded => "control_ended",
        Entry::Withdrawn { .. } => "withdrawn",
        Entry::Violation { .. } => "violation",
        Entry::Breach { .. } => "breach",
        Entry::Insecure(_) => "insecure",
        Entry::Interference(_) => "interference",
        Entry::OwnWindow => "own_window",
        Entry::Failed { .. } => "failed",
        Entry::ConnectionLost { .. } => "connection_lost",
        Entry::Interrupted { .. } => "interrupted",
        Entry::Resumed { .. } => "resumed",
        Entry::Offline => "offline",
        Entry::Ended(_) | Entry::Closed => "ended",
        Entry::Removed => "removed",
    }
}

fn details(line: &mut String, entry: &Entry) {
    match entry {
        Entry::TechnicianConnected
        | Entry::ViewStarted
        | Entry::ViewEnded
        | Entry::ControlStarted
        | Entry::ControlEnded
        | Entry::OwnWindow
        | Entry::CodeCompared
        | Entry::LinkVerified
        | Entry::Tampered
        | Entry::Offline
        | Entry::Removed => {}
        Entry::SessionStarted { origin } => quoted(line, "server", origin),
        Entry::CharterRefused(error) => {
            put(line, "reason", error.word());
            quoted(line, "why", &error.to_string());
        }
        Entry::Insecure(how) => put(line, "reason", insecure(*how)),
        Entry::Interference(Interference { forged, repeated, swallowed }) => {
            put(line, "forged", &forged.to_string());
            put(line, "repeated", &repeated.to_string());
            put(line, "swallowed", &swallowed.to_string());
        }
        Entry::Breach { what } => quoted(line, "what", what),
        Entry::PromptShown(rights)
        | Entry::Granted(rights)
        | Entry::Refused(rights)
        | Entry::TimedOut(rights)
        | Entry::PromptInterrupted(rights) => {
            put(line, "rights", &names(*rights));
        }
        Entry::Withdrawn { rights, cause } => {
            put(line, "rights", &names(*rights));
            put(line, "cause", cause);
        }
        Entry::Violation { right, kind, more } => {
            put(line, "right", right.name());
            put(line, "message", &format!("{kind:02x}"));
            put(line, "more", &more.to_string());
        }
        Entry::Failed { right, why } => {
            put(line, "right", right.name());
            quoted(line, "why", why);
        }
        Entry::ConnectionLost { end } | Entry::Interrupted { end } => put(line, "end", end),
        Entry::Resumed { seconds } => put(line, "after", &format!("{seconds}s")),
        Entry::Ended(why) => put(line, "by", ended_by(*why)),
        Entry::Closed => put(line, "by", "server"),
    }
}

/// How it showed that a connection was not secure, in one word.
fn insecure(how: Insecure) -> &'static str {
    match how {
        Insecure::Keys => "keys",
        Insecure::Handshake => "handshake",
        Insecure::Unfinished => "unfinished",
        Insecure::Forged => "forged",
    }
}

/// Who or what ended the session, in one word.
pub fn ended_by(why: EndReason) -> &'static str {
    match why {
        EndReason::EndUser => "end_user",
        EndReason::PanicKey => "panic_key",
        EndReason::Technician => "technician",
        EndReason::LinkLost => "connection_lost",
        EndReason::CharterExpired => "charter_expired",
        EndReason::Tampered => "tampered",
    }
}

fn names(rights: Rights) -> String {
    rights.iter().map(Right::name).collect::<Vec<_>>().join(",")
}

fn stamp(unix: u64) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix) * 1000)
        .ok()
        .and_then(|at| at.format(&format).ok())
        .unwrap_or_else(|| format!("{unix}us"))
}

fn put(line: &mut String, key: &str, value: &str) {
    line.push(' ');
    line.push_str(key);
    line.push('=');
    line.push_str(value);
}

/// Hostile text: whatever could end the value or the line, or show it otherwise than it is, is escaped.
fn quoted(line: &mut String, key: &str, value: &str) {
    put(line, key, "\"");
    for c in value.chars().take(MAX_VALUE_CHARS) {
        match c {
            '"' | '\\' => {
                line.push('\\');
                line.push(c);
            }
            c if is_treacherous(c) => {
                // Writing to a String cannot fail.
                let _ = write!(line, "\\u{{{:x}}}", u32::from(c));
            }
            c => line.push(c),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whom() -> Whom {
        Whom {
            session: Some(SessionId::from_bytes([0xab; 16])),
            technician: Some("Tess Example".into()),
            company: Some("Example GmbH".into()),
        }
    }

    #[test]
    fn a_line_reads_as_documented() {
        assert_eq!(
            line(1_795_446_000_000_000, &whom(), &Entry::ViewStarted),
            "2026-11-23T15:00:00.000000Z session=abababab-abab-abab-abab-abababababab event=view_started \
             technician=\"Tess Example\" company=\"Example GmbH\"\n"
        );
        assert_eq!(
            line(
                1_795_446_000_000_001,
                &Whom::default(),
                &Entry::Violation { right: Right::RemoteControl, kind: 0x40, more: 2 }
            ),
            "2026-11-23T15:00:00.000001Z session=- event=violation right=remote_control message=40 more=2\n"
        );
    }

    #[test]
    fn hostile_names_cannot_forge_a_line() {
        let mut whom = whom();
        whom.technician = Some("x\" event=granted\n2026 session=- event=ended\u{202e}\\".into());
        let line = line(0, &whom, &Entry::TechnicianConnected);
        assert_eq!(line.matches('\n').count(), 1);
        assert!(
            line.contains(r#"technician="x\" event=granted\u{a}2026 session=- event=ended\u{202e}\\""#),
            "{line}"
        );
    }

    #[test]
    fn the_file_is_for_its_owner_only_and_keeps_what_it_has() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("state/belay");
        for entry in [Entry::ControlStarted, Entry::ControlEnded] {
            HostLog::open(&directory).unwrap().write(0, &whom(), &entry).unwrap();
        }
        let path = directory.join(FILE);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
