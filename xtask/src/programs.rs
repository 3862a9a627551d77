//! The Rust programs, built in the one optimized profile that the demo, the tests and the benches share.

use crate::{process, workspace};
use anyhow::Result;
use std::process::Command;

/// Builds the server and the applet. The web pages must be built before: the server carries them inside.
pub fn build() -> Result<()> {
    eprintln!("building the server and the applet (the first time this takes several minutes)");
    process::run(cargo("build").args(["--release", "--package", "belay", "--package", "belay-applet"]))
}

/// Builds the emulated network of the tests.
pub fn build_line() -> Result<()> {
    process::run(cargo("build").args(["--release", "--package", "belay-line"]))
}

/// A cargo command in the workspace; takes the cargo that runs xtask.
pub fn cargo(verb: &str) -> Command {
    let mut command = process::command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace::root()).arg(verb);
    command
}
