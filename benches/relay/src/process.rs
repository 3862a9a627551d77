//! A server under measurement: a child process, its CPU time and its memory.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A child process that ends with this value.
pub struct Server {
    child: Child,
    /// What it said first, when it says something.
    pub lines: Vec<String>,
}

impl Server {
    /// Starts this very program in another part and reads its standard output until an empty line.
    pub fn own(arguments: &[String]) -> Result<Server> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().context("no standard output")?;
        let mut lines = Vec::new();
        for line in BufReader::new(out).lines() {
            let line = line?;
            if line.is_empty() {
                return Ok(Server { child, lines });
            }
            lines.push(line);
        }
        bail!("{arguments:?} ended before it was ready")
    }

    /// Starts another's program and waits until its TCP port answers.
    pub fn foreign(command: &mut Command, port: u16) -> Result<Server> {
        let name = format!("{command:?}");
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let mut server = Server { child, lines: Vec::new() };
        let since = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if since.elapsed() > Duration::from_secs(10) || server.child.try_wait()?.is_some() {
                bail!("{name} does not listen on {port}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// CPU time of all its threads since its start, and of its child processes that run (nginx's worker).
    pub fn cpu(&self) -> Result<Duration> {
        let mut nanos = 0u64;
        for pid in self.family() {
            for thread in std::fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
                let path = thread.path().join("schedstat");
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                nanos += text.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
            }
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// Resident memory in bytes, shared pages counted where they are mapped.
    pub fn memory(&self) -> Result<u64> {
        let mut kib = 0;
        for pid in self.family() {
            let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
            let line = text.lines().find(|line| line.starts_with("RssAnon:")).context("no RssAnon")?;
            let number = line.split_whitespace().nth(1).context("no number")?;
            kib += number.parse::<u64>()?;
        }
        Ok(kib * 1024)
    }

    fn family(&self) -> Vec<u32> {
        let pid = self.child.id();
        let children =
            std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        std::iter::once(pid).chain(children.split_whitespace().filter_map(|pid| pid.parse().ok())).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The children of a killed nginx stay without this.
        for pid in self.family().into_iter().rev() {
            drop(Command::new("kill").arg(pid.to_string()).status());
        }
        let since = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && since.elapsed() < Duration::from_secs(3) {
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
