//! The end user's desktop: a virtual X screen with a window manager and a few real programs.

use super::scratch::Scratch;
use crate::process::{self, Child};
use anyhow::{Result, bail};
use std::path::PathBuf;
use std::time::Duration;

/// Programs that are started on the desktop, with their arguments.
const PROGRAMS: [(&str, &[&str]); 3] = [
    ("xterm", &["-geometry", "96x28+60+60", "-fa", "DejaVu Sans Mono", "-fs", "12", "-title", "Terminal"]),
    ("zenity", &["--calendar", "--title=Calendar", "--text=When did the printer last work?"]),
    ("xclock", &["-geometry", "220x220-60+60", "-update", "1"]),
];

/// The desktop; dropping it stops what was started for it.
pub struct Desktop {
    /// Its X display, such as `:7`.
    pub display: String,
    // Programs go before the screen they are on.
    _programs: Vec<Child>,
    screen: Option<Child>,
}

impl Desktop {
    /// Starts a screen of 1920x1080 on a free display unless `display` names one, and programs unless `empty`.
    pub fn start(scratch: &Scratch, display: Option<&str>, empty: bool) -> Result<Self> {
        let (display, screen) = match display {
            Some(name) => (running(name)?, None),
            None => {
                let (name, screen) = start_screen(scratch)?;
                (name, Some(screen))
            }
        };
        let mut programs = Vec::new();
        if !empty {
            let on_display = |name: &str| {
                let mut command = process::command(name);
                command.env("DISPLAY", &display).env("GDK_BACKEND", "x11").env_remove("WAYLAND_DISPLAY");
                command
            };
            let log = |name: &str| scratch.path().join(format!("{name}.log"));
            programs.push(Child::start("openbox", &mut on_display("openbox"), &log("openbox"))?);
            process::run(on_display("xsetroot").args(["-solid", "#3b5268"]))?;
            for (name, words) in PROGRAMS {
                programs.push(Child::start(name, on_display(name).args(words), &log(name))?);
            }
        }
        Ok(Self { display, _programs: programs, screen })
    }

    /// An error when the screen has died. Its programs are the end user's and may be closed.
    pub fn must_live(&mut self) -> Result<()> {
        self.screen.as_mut().map_or(Ok(()), Child::must_live)
    }
}

fn running(display: &str) -> Result<String> {
    let number = display.strip_prefix(':').and_then(|rest| rest.split('.').next()).unwrap_or("");
    if number.is_empty() || !socket(number).exists() {
        bail!("no X server runs on the display `{display}`; start one or leave --display away");
    }
    Ok(display.to_owned())
}

fn start_screen(scratch: &Scratch) -> Result<(String, Child)> {
    // The server chooses a free display by itself and writes its number: no race for one.
    let mut xvfb = process::command("Xvfb");
    xvfb.args(["-displayfd", "1", "-screen", "0", "1920x1080x24", "-nolisten", "tcp", "-noreset"]);
    let mut screen = Child::start("the virtual screen (Xvfb)", &mut xvfb, &scratch.path().join("xvfb.log"))?;
    let number = process::until("the start of the virtual screen", Duration::from_secs(15), || {
        screen.must_live()?;
        let written = screen.written();
        let number =
            written.lines().find(|line| !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()));
        Ok(number.filter(|_| written.ends_with('\n')).map(str::to_owned))
    })?;
    Ok((format!(":{number}"), screen))
}

fn socket(number: &str) -> PathBuf {
    PathBuf::from(format!("/tmp/.X11-unix/X{number}"))
}
