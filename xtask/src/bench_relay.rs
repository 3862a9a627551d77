//! `cargo xtask bench relay`: the gateway's relays beside coturn, nginx and a bare loop (`benches/relay`).

use crate::{packages, process, workspace};
use anyhow::Result;

/// Builds the bench and prints its tables as Markdown.
pub fn run(seconds: u32) -> Result<()> {
    packages::ensure(packages::Purpose::Bench)?;
    let mut build = process::command("cargo");
    build.args(["build", "--release", "-p", "belay-bench-relay"]).current_dir(workspace::root());
    process::run(&mut build)?;
    let mut bench = process::command(workspace::target().join("release/belay-bench-relay"));
    bench.args(["run", "--secs", &seconds.to_string()]);
    println!("{}", process::output(&mut bench)?);
    Ok(())
}
