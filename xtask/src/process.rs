//! Steps (programs that run to their end) and children (programs that stay): both end when xtask is interrupted.

use crate::signal::{self, Ask};
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(40);
const TIME_TO_TIDY_UP: Duration = Duration::from_secs(4);

/// A command that sees none of the variables cargo set for xtask itself: some build scripts would take them
/// for a change and build again.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let set_by_cargo_run = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        if set_by_cargo_run.iter().any(|prefix| name.starts_with(prefix)) || name == "OUT_DIR" {
            command.env_remove(&*name);
        }
    }
    command
}

/// Runs `command` to its end with its output on our standard error.
pub fn run(command: &mut Command) -> Result<()> {
    command.stdin(Stdio::null()).stdout(io::stderr()).stderr(io::stderr());
    let status = wait(signal::in_own_group(command))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs `command` to its end and returns what it wrote to its standard output.
pub fn output(command: &mut Command) -> Result<String> {
    let name = shown(command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("cannot start `{name}`"))?;
    if !output.status.success() {
        bail!("`{name}` failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{name}` wrote something that is not text"))
}

/// Whether `program` can be found.
pub fn exists(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

fn wait(command: &mut Command) -> Result<ExitStatus> {
    let mut child = command.spawn().with_context(|| format!("cannot start `{}`", shown(command)))?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if signal::interrupted() {
            signal::end_group(child.id(), Ask::Kindly);
            child.wait()?;
            bail!("interrupted");
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A command as one would type it.
pub fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

/// A program that stays until it is stopped; it is stopped when this value is dropped.
pub struct Child {
    name: String,
    process: std::process::Child,
    log: PathBuf,
}

impl Child {
    /// Starts `command` in a process group of its own with its output in `log`.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let process = signal::in_own_group(command)
            .spawn()
            .with_context(|| format!("cannot start {name} (`{}`)", shown(command)))?;
        Ok(Self { name: name.to_owned(), process, log: log.to_owned() })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.process.try_wait()?)
    }

    /// An error that says how it ended, with the last lines of its log, if it ended.
    pub fn must_live(&mut self) -> Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => {
                let lines = self.last_lines(15);
                let log = if lines.is_empty() {
                    "it wrote nothing".to_owned()
                } else {
                    format!("its last lines:\n{lines}")
                };
                bail!("{} ended by itself ({status}); {log}", self.name)
            }
        }
    }

    /// What it has written so far.
    pub fn written(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    fn last_lines(&self, count: usize) -> String {
        let written = self.written();
        let lines: Vec<&str> = written.lines().collect();
        let from = lines.len().saturating_sub(count);
        lines[from..].iter().map(|line| format!("    {line}\n")).collect()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Ok(Some(_)) = self.process.try_wait() {
            return;
        }
        signal::end_group(self.process.id(), Ask::Kindly);
        let asked = Instant::now();
        while asked.elapsed() < TIME_TO_TIDY_UP {
            if let Ok(Some(_)) = self.process.try_wait() {
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        signal::end_group(self.process.id(), Ask::Firmly);
        if let Err(error) = self.process.wait() {
            eprintln!("cannot wait for the end of {}: {error}", self.name);
        }
    }
}

/// Looks again and again until `look` finds something; an interruption or `patience` ends the wait.
pub fn until<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if signal::interrupted() {
            bail!("interrupted");
        }
        if began.elapsed() > patience {
            bail!("{what} did not happen within {} s", patience.as_secs());
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_child_is_gone_with_its_own_children() {
        let log = std::env::temp_dir().join(format!("xtask-child-{}.log", std::process::id()));
        let mut shell = command("sh");
        shell.args(["-c", "sleep 300 & echo $!; wait"]);
        let child = Child::start("a shell", &mut shell, &log).unwrap();
        let grandchild = until("the shell's line", Duration::from_secs(5), || {
            Ok(child.written().trim().parse::<u32>().ok())
        })
        .unwrap();
        drop(child);
        let gone = until("the grandchild's end", Duration::from_secs(5), || {
            let state = std::fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
            Ok((state.is_empty() || state.contains(") Z ")).then_some(()))
        });
        std::fs::remove_file(&log).unwrap();
        gone.unwrap();
    }

    #[test]
    fn a_child_that_dies_early_is_reported_with_its_words() {
        let log = std::env::temp_dir().join(format!("xtask-early-{}.log", std::process::id()));
        let mut shell = command("sh");
        shell.args(["-c", "echo the port is taken; exit 3"]);
        let mut child = Child::start("the server", &mut shell, &log).unwrap();
        let error = until("its end", Duration::from_secs(5), || Ok(child.must_live().err())).unwrap();
        std::fs::remove_file(&log).unwrap();
        let text = format!("{error:#}");
        assert!(text.contains("the server ended by itself"), "{text}");
        assert!(text.contains("the port is taken"), "{text}");
    }

    #[test]
    fn a_failing_step_names_its_command() {
        let error = run(command("false").arg("now")).unwrap_err();
        assert!(error.to_string().starts_with("`false now` failed"), "{error}");
    }
}
