//! The demo's server: its settings, its one account, its process.

use super::scratch::{Scratch, random_word};
use crate::process::{self, Child};
use anyhow::{Context, Result, bail};
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A written configuration file, and what is known from it.
pub struct Settings {
    file: PathBuf,
    data: PathBuf,
    port: u16,
}

impl Settings {
    /// Writes the configuration into `scratch`; without `port` a free one is chosen.
    pub fn write(scratch: &Scratch, port: Option<u16>) -> Result<Self> {
        let port = match port {
            Some(port) => port,
            None => free_port()?,
        };
        let data = scratch.path().join("data");
        let file = scratch.path().join("belay.toml");
        let applet = super::built("belay-applet")?;
        let text = format!(
            "listen = \"127.0.0.1:{port}\"\ndata_dir = {data:?}\n\n[tls]\nself_signed = true\n\n[applets]\nlinux_x86_64 = {applet:?}\n",
        );
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(Self { file, data, port })
    }
}

/// A member of the account who can sign in.
pub struct Member {
    pub id: String,
    pub password: String,
}

impl Member {
    /// Makes the account "Example GmbH" with its master account holder, who helps in this demo as well.
    pub fn create(settings: &Settings) -> Result<Self> {
        let member = Self { id: "tess@example.com".to_owned(), password: random_word(20)? };
        let mut create = belay(settings, &["account", "create"])?;
        create.args(["--name", "Example GmbH", "--owner", &member.id, "--owner-name", "Tess Example"]);
        create.args(["--password-stdin", "--json"]);
        create.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = create.spawn().context("cannot start `belay account create`")?;
        let mut input = running.stdin.take().context("`belay account create` has no standard input")?;
        writeln!(input, "{}", member.password)?;
        drop(input);
        let output = running.wait_with_output()?;
        if !output.status.success() {
            bail!("the account could not be made: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(member)
    }
}

/// The running server.
pub struct Server {
    pub process: Child,
    pub url: String,
    pub data: PathBuf,
}

impl Server {
    /// Starts it and waits until it takes connections.
    pub fn start(settings: &Settings, scratch: &Scratch) -> Result<Self> {
        let mut serve = belay(settings, &["serve"])?;
        let mut process = Child::start("the server", &mut serve, &scratch.path().join("server.log"))?;
        process::until("the server's start", Duration::from_secs(30), || {
            process.must_live()?;
            Ok(std::net::TcpStream::connect(("127.0.0.1", settings.port)).ok())
        })?;
        Ok(Self { process, url: format!("https://localhost:{}", settings.port), data: settings.data.clone() })
    }
}

/// The server program with these settings and none of the caller's own.
fn belay(settings: &Settings, words: &[&str]) -> Result<Command> {
    let mut command = process::command(super::built("belay")?);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BELAY_") {
            command.env_remove(name);
        }
    }
    command.args(words).arg("--config").arg(&settings.file);
    Ok(command)
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("this machine has no free loopback port")?;
    Ok(listener.local_addr()?.port())
}
