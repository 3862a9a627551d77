//! `cargo xtask layers`: dependencies run `bin → shell → core`, never back, and `core` touches nothing outside itself.

use crate::source::{self, Source};
use crate::{process, programs, workspace};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fmt;
use std::path::Path;

/// What `core` may not name: everything that would tie a decision to one machine, one moment or one throw of the dice.
/// (`std::net`'s addresses are values and welcome.)
const IMPURE: [(&str, &str); 18] = [
    ("TcpStream", "sockets belong to shell/net"),
    ("TcpListener", "sockets belong to shell/net"),
    ("UdpSocket", "sockets belong to shell/net"),
    ("UnixStream", "sockets belong to shell/net"),
    ("ToSocketAddrs", "looking up names belongs to shell/net"),
    ("std::fs", "files belong to a shell crate"),
    ("std::env", "configuration is passed in as values"),
    ("std::thread", "threads belong to shell and bin"),
    ("std::process", "processes belong to shell and bin"),
    ("std::time::Instant", "time is passed in as `belay_wire::Moment`"),
    ("std::time::SystemTime", "time is passed in as `belay_wire::Moment`"),
    ("Instant::now", "time is passed in as `belay_wire::Moment`"),
    ("SystemTime::now", "time is passed in as `belay_wire::Moment`"),
    ("std::io::stdin", "input is passed in"),
    ("Uuid::new_v4", "random bytes are passed in"),
    ("Uuid::now_v7", "random bytes and time are passed in"),
    ("SystemRandom::", "random bytes are passed in"),
    ("target_os", "operating systems belong to shell/desktop"),
];

/// Crates from elsewhere that would bring the outside world into `core`.
const IMPURE_CRATES: [&str; 17] = [
    "axum",
    "fastrand",
    "getrandom",
    "hyper",
    "rand",
    "reqwest",
    "rustls",
    "sea-orm",
    "slint",
    "sqlx",
    "sys-locale",
    "tempfile",
    "tokio",
    "tokio-rustls",
    "tokio-tungstenite",
    "tracing-subscriber",
    "x11rb",
];

/// The one way in which shell crates may lean on each other.
const SHELL_TO_SHELL: [(&str, &str); 2] = [("belay-api", "belay-store"), ("belay-api", "belay-identity")];

/// Checks the whole checkout.
pub fn run() -> Result<()> {
    let crates = crates()?;
    let mut complaints = dependencies(&crates);
    complaints.extend(impurities(&source::all()?));
    if complaints.is_empty() {
        eprintln!("layers: {} crates, all dependencies run bin → shell → core", crates.len());
        return Ok(());
    }
    bail!("the rings are broken:\n  {}", complaints.join("\n  "))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ring {
    Core,
    Shell,
    Bin,
    Chores,
}

impl fmt::Display for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ring::Core => "core",
            Ring::Shell => "shell",
            Ring::Bin => "bin",
            Ring::Chores => "xtask",
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Need {
    ToRun,
    ToTest,
}

struct Crate {
    name: String,
    ring: Ring,
    needs: Vec<(String, Need)>,
}

fn crates() -> Result<Vec<Crate>> {
    let text = process::output(programs::cargo("metadata").args([
        "--no-deps",
        "--format-version",
        "1",
        "--offline",
    ]))?;
    let metadata: Value = serde_json::from_str(&text).context("cargo metadata did not answer in JSON")?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    packages.iter().map(read_crate).collect()
}

fn read_crate(package: &Value) -> Result<Crate> {
    let name = package["name"].as_str().context("a package without a name")?.to_owned();
    let manifest = package["manifest_path"].as_str().context("a package without a manifest")?;
    let place = Path::new(manifest).strip_prefix(workspace::root()).unwrap_or(Path::new(manifest));
    let ring = match place.iter().next().and_then(|folder| folder.to_str()) {
        Some("core") => Ring::Core,
        Some("shell") => Ring::Shell,
        Some("bin") => Ring::Bin,
        Some("xtask" | "tests" | "benches" | "fuzz") => Ring::Chores,
        _ => bail!("{name} is in none of the rings core, shell, bin ({manifest})"),
    };
    let needs = package["dependencies"]
        .as_array()
        .context("a package without a list of dependencies")?
        .iter()
        .filter_map(|dependency| {
            let need = if dependency["kind"] == "dev" { Need::ToTest } else { Need::ToRun };
            Some((dependency["name"].as_str()?.to_owned(), need))
        })
        .collect();
    Ok(Crate { name, ring, needs })
}

fn dependencies(crates: &[Crate]) -> Vec<String> {
    let mut complaints = Vec::new();
    for one in crates {
        for (needed, need) in &one.needs {
            let ring = crates.iter().find(|other| other.name == *needed).map(|other| other.ring);
            let complaint = match (one.ring, ring) {
                (Ring::Chores, _) | (_, Some(Ring::Core)) => None,
                (Ring::Core, None) if *need == Need::ToRun && IMPURE_CRATES.contains(&needed.as_str()) => {
                    Some("core crates take no sockets, clocks or randomness from anywhere".to_owned())
                }
                (_, None) => None,
                (Ring::Bin, Some(Ring::Shell)) => None,
                (Ring::Shell | Ring::Bin, Some(Ring::Chores)) if *need == Need::ToTest => None,
                (Ring::Shell, Some(Ring::Shell)) => {
                    let allowed = SHELL_TO_SHELL.contains(&(one.name.as_str(), needed.as_str()));
                    (!allowed && *need == Need::ToRun).then(|| {
                        "shell crates do not depend on each other, but for api → store, identity".to_owned()
                    })
                }
                (from, Some(to)) => Some(format!("{from} may not depend on {to}")),
            };
            if let Some(complaint) = complaint {
                complaints.push(format!("{} → {needed}: {complaint}", one.name));
            }
        }
    }
    complaints
}

fn impurities(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    let core = |source: &&Source| {
        source.path.starts_with("core/") && source.path.contains("/src/") && source.is(&["rs"])
    };
    for source in sources.iter().filter(core) {
        for (number, line) in source::production_lines(&source.text) {
            for (name, mend) in IMPURE {
                if line.contains(name) {
                    complaints.push(format!("{}:{number} names `{name}`: {mend}", source.path));
                }
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, ring: Ring, needs: &[&str]) -> Crate {
        let needs = needs.iter().map(|need| ((*need).to_owned(), Need::ToRun)).collect();
        Crate { name: name.to_owned(), ring, needs }
    }

    #[test]
    fn this_checkout_keeps_its_rings() {
        run().unwrap();
    }

    #[test]
    fn each_forbidden_direction_is_told() {
        let crates = [
            one("belay-wire", Ring::Core, &["serde", "belay-net"]),
            one("belay-seal", Ring::Core, &["tokio"]),
            one("belay-net", Ring::Shell, &["belay-wire", "belay-store"]),
            one("belay-store", Ring::Shell, &["belay"]),
            one("belay-api", Ring::Shell, &["belay-store"]),
            one("belay", Ring::Bin, &["belay-net", "belay-wire", "belay-applet"]),
            one("belay-applet", Ring::Bin, &[]),
        ];
        let complaints = dependencies(&crates);
        let pairs: Vec<&str> =
            complaints.iter().filter_map(|line| line.split_once(':').map(|(pair, _)| pair)).collect();
        assert_eq!(
            pairs,
            [
                "belay-wire → belay-net",
                "belay-seal → tokio",
                "belay-net → belay-store",
                "belay-store → belay",
                "belay → belay-applet",
            ]
        );
    }

    #[test]
    fn a_clock_in_core_is_told_but_not_in_its_tests() {
        let text =
            "//! x\nfn now() { std::time::Instant::now(); }\n#[cfg(test)]\nmod tests { use std::fs; }\n";
        let sources = [Source { path: "core/link/src/lib.rs".into(), text: text.into() }];
        let complaints = impurities(&sources);
        assert!(complaints.iter().all(|line| line.starts_with("core/link/src/lib.rs:2")), "{complaints:?}");
        assert!(!complaints.is_empty());
    }
}
