//! `cargo xtask demo`: a server, an account, and a virtual desktop on which an end user's applet already waits.

mod desktop;
mod scratch;
mod server;
mod visit;

use crate::process::{self, Child};
use crate::{clock, packages, programs, signal, web, workspace};
use anyhow::{Context, Result, bail};
use desktop::Desktop;
use scratch::Scratch;
use serde_json::json;
use server::{Member, Server};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use visit::Browser;

/// How the demo is set up.
#[derive(clap::Args, Clone, Default)]
pub struct Options {
    /// Print one JSON object on a line of its own once everything is ready.
    #[arg(long)]
    pub json: bool,
    /// Use an X display that runs already, such as `:60`, and start none.
    #[arg(long, value_name = ":N")]
    pub display: Option<String>,
    /// Leave the desktop empty: no window manager, no programs.
    #[arg(long)]
    pub no_programs: bool,
    /// The loopback port to serve on; a free one is chosen otherwise.
    #[arg(long)]
    pub port: Option<u16>,
    /// Start what is built already, also if the sources are newer.
    #[arg(long)]
    pub no_build: bool,
}

/// Sets up, starts, says how to sign in, and stays until it is interrupted or a part dies.
pub fn run(options: &Options) -> Result<()> {
    let began = Instant::now();
    let mut demo = Demo::start(options)?;
    if options.json {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", demo.as_json()).and_then(|()| out.flush()).context("cannot write the result")?;
    } else {
        println!("{}", demo.as_text());
    }
    eprintln!("ready after {}; press Ctrl-C to end and remove everything", clock::spoken(began.elapsed()));
    while !signal::interrupted() {
        demo.must_live()?;
        std::thread::sleep(Duration::from_millis(100));
    }
    eprintln!("stopping");
    drop(demo);
    eprintln!("everything is stopped and removed");
    Ok(())
}

/// The running demo. Dropping it stops everything and removes its folder: fields are dropped in their order.
pub struct Demo {
    applet: Child,
    desktop: Desktop,
    server: Server,
    member: Member,
    host_log: PathBuf,
    _scratch: Scratch,
}

impl Demo {
    /// Starts everything; returns once the applet waits in the technician's queue.
    pub fn start(options: &Options) -> Result<Self> {
        packages::ensure(match options.display {
            Some(_) if options.no_programs => packages::Purpose::Always,
            _ => packages::Purpose::Desktop,
        })?;
        if !options.no_build {
            web::build()?;
            programs::build()?;
        }

        let scratch = Scratch::make()?;
        eprintln!("making the demo account");
        let settings = server::Settings::write(&scratch, options.port)?;
        let member = Member::create(&settings)?;
        eprintln!("starting the server");
        let mut server = Server::start(&settings, &scratch)?;
        eprintln!("starting the desktop");
        let desktop = Desktop::start(&scratch, options.display.as_deref(), options.no_programs)?;

        eprintln!("the technician makes a session, the end user joins it by PIN and runs the applet");
        let technician = Browser::open(&server.url, scratch.path().join("technician.cookies"));
        technician.sign_in(&member.id, &member.password)?;
        let session = technician.new_session()?;
        let end_user = Browser::open(&server.url, scratch.path().join("end-user.cookies"));
        let downloaded = scratch.path().join("end-user/belay-applet");
        end_user.join_and_download(&session.pin, "Erika Example", &downloaded)?;

        let state = scratch.path().join("end-user/state");
        let mut applet = process::command(&downloaded);
        applet.env("DISPLAY", &desktop.display).env("XDG_STATE_HOME", &state).env_remove("WAYLAND_DISPLAY");
        let mut applet = Child::start("the applet", &mut applet, &scratch.path().join("applet.log"))?;
        process::until("the applet's place in the queue", Duration::from_secs(30), || {
            applet.must_live()?;
            server.process.must_live()?;
            Ok((technician.session_state(&session.id)? == "waiting").then_some(()))
        })?;
        Ok(Self {
            applet,
            desktop,
            server,
            member,
            host_log: state.join("belay/host.log"),
            _scratch: scratch,
        })
    }

    /// The demo for scripts: one JSON object (`docs/operating/handles.md` lists its fields).
    pub fn as_json(&self) -> serde_json::Value {
        let member = json!({"id": self.member.id, "password": self.member.password});
        json!({
            "url": self.sign_in_url(),
            "technician": member,
            "administrator": member,
            "display": self.desktop.display,
            "server_pid": self.server.process.pid(),
            "applet_pid": self.applet.pid(),
            "data_dir": self.server.data,
            "host_log": self.host_log,
        })
    }

    fn sign_in_url(&self) -> String {
        format!("{}/console/", self.server.url)
    }

    fn as_text(&self) -> String {
        format!(
            "\nBelay is running.\n\n  \
             Sign in at   {}\n  \
             as           {}\n  \
             password     {}\n\n\
             The certificate is self-signed for this demo, so the browser warns once. Erika Example waits in the\n\
             queue: pick her up, chat, and ask to see her screen. Her desktop is the X display {} of this machine\n\
             (look at it with any VNC server or with `xwd`); there she answers the applet's question with Alt+A\n\
             or Escape, for instance: DISPLAY={} xdotool key alt+a\n\n  \
             host log     {}\n  \
             data         {}\n",
            self.sign_in_url(),
            self.member.id,
            self.member.password,
            self.desktop.display,
            self.desktop.display,
            self.host_log.display(),
            self.server.data.display(),
        )
    }

    /// An error when a part has died. An applet that ended as it should (its session is over) is no error.
    fn must_live(&mut self) -> Result<()> {
        self.server.process.must_live()?;
        self.desktop.must_live()?;
        match self.applet.ended()? {
            Some(status) if status.success() => Ok(()),
            Some(_) => self.applet.must_live(),
            None => Ok(()),
        }
    }
}

/// Fails early, with one sentence, when a program that must have been built is not there.
fn built(name: &str) -> Result<PathBuf> {
    let path = workspace::program(name);
    if !path.is_file() {
        bail!("{} is missing; `cargo build --release --package {name}` makes it", path.display());
    }
    Ok(path)
}
