//! System packages: which are missing, and their installation by apt. The list with reasons is `xtask/packages.txt`.

use crate::process;
use anyhow::{Context, Result, bail};
use std::collections::HashSet;
use std::process::{Command, Stdio};

const LIST: &str = include_str!("../packages.txt");

/// What the packages are wanted for; each purpose includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Purpose {
    /// Building and running.
    Always,
    /// A virtual desktop besides.
    Desktop,
    /// The end-to-end tests besides.
    Test,
    /// The benches besides.
    Bench,
}

/// Installs what is missing for `purpose`; does nothing when all is there or the system has no apt.
pub fn ensure(purpose: Purpose) -> Result<()> {
    if !process::exists("dpkg-query") || !process::exists("apt-get") {
        eprintln!(
            "not a Debian system: please install what xtask/packages.txt lists by your system's own means"
        );
        return Ok(());
    }
    let wanted = wanted(purpose)?;
    let installed = installed(&wanted)?;
    let missing: Vec<&str> = wanted.into_iter().filter(|name| !installed.contains(*name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("installing {} system packages: {}", missing.len(), missing.join(" "));
    apt(&["update", "-qq"])?;
    let mut words = vec!["install", "-y", "-qq", "--no-install-recommends"];
    words.extend(missing);
    apt(&words)
}

fn wanted(purpose: Purpose) -> Result<Vec<&'static str>> {
    let mut names = Vec::new();
    for line in LIST.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let (Some(name), Some(when), Some(_reason)) = (words.next(), words.next(), words.next()) else {
            bail!("xtask/packages.txt: `{line}` needs a name, a purpose and a reason");
        };
        let when = match when {
            "always" => Purpose::Always,
            "desktop" => Purpose::Desktop,
            "test" => Purpose::Test,
            "bench" => Purpose::Bench,
            other => bail!("xtask/packages.txt: `{other}` is no purpose; use always, desktop, test or bench"),
        };
        if when <= purpose {
            names.push(name);
        }
    }
    Ok(names)
}

fn installed(names: &[&str]) -> Result<HashSet<String>> {
    // dpkg-query fails as a whole when one name is unknown, yet lists the others: its answer counts, not its status.
    let answer = process::command("dpkg-query")
        .args(["-W", "-f", "${Package} ${db:Status-Status}\\n"])
        .args(names)
        .stderr(Stdio::null())
        .output()
        .context("cannot ask dpkg which packages are installed")?;
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    Ok(text.lines().filter_map(|line| line.strip_suffix(" installed")).map(str::to_owned).collect())
}

fn apt(words: &[&str]) -> Result<()> {
    let root = process::output(process::command("id").arg("-u"))?.trim() == "0";
    let mut command = if root {
        process::command("apt-get")
    } else {
        if !process::exists("sudo") {
            bail!(
                "system packages are missing and there is no sudo; please run as root: apt-get {}",
                words.join(" ")
            );
        }
        eprintln!("apt-get needs the administrator's rights; sudo may ask for your password");
        let mut command = process::command("sudo");
        command.args(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        command
    };
    command.env("DEBIAN_FRONTEND", "noninteractive").args(words);
    if root { process::run(&mut command) } else { run_at_the_terminal(&mut command) }
}

/// sudo asks at the terminal, so it must stay in the terminal's foreground process group.
fn run_at_the_terminal(command: &mut Command) -> Result<()> {
    let status = command.stdout(std::io::stderr()).status().context("cannot start sudo")?;
    if !status.success() {
        bail!("`{}` failed ({status})", process::shown(command));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_includes_those_before() {
        let always = wanted(Purpose::Always).unwrap();
        let desktop = wanted(Purpose::Desktop).unwrap();
        let test = wanted(Purpose::Test).unwrap();
        assert!(
            always.iter().all(|name| desktop.contains(name))
                && desktop.iter().all(|name| test.contains(name))
        );
        assert!(!always.contains(&"xvfb") && desktop.contains(&"xvfb") && test.contains(&"chromium"));
    }

    #[test]
    fn no_package_is_listed_twice() {
        let names = wanted(Purpose::Test).unwrap();
        let unique: HashSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
    }
}
