//! `cargo xtask bench relay`: the gateway's relays beside coturn, nginx and a bare loop (`benches/relay`).
//! `cargo xtask bench flood`: a session on a server that is flooded (`bin/belay/tests/flood.rs`).

use crate::{packages, process, workspace};
use anyhow::Result;

/// Builds the bench and prints its tables as Markdown.
pub fn run(seconds: u32) -> Result<()> {
    packages::ensure(packages::Purpose::Bench)?;
    let mut build = process::command("cargo");
    // With the features of the whole workspace, so that nothing is compiled twice.
    build
        .args(["build", "--release", "--workspace", "--bin", "belay-bench-relay"])
        .current_dir(workspace::root());
    process::run(&mut build)?;
    let mut bench = process::command(workspace::target().join("release/belay-bench-relay"));
    bench.args(["run", "--secs", &seconds.to_string()]);
    println!("{}", process::output(&mut bench)?);
    Ok(())
}

/// Floods a server of its own for so long and prints the tables as Markdown.
pub fn flood(seconds: u32) -> Result<()> {
    let mut test = process::command("cargo");
    test.args(["test", "--release", "--workspace", "--test", "flood", "--", "--ignored", "--nocapture"]);
    test.env("BELAY_FLOOD_SECS", seconds.to_string()).current_dir(workspace::root());
    println!("{}", process::output(&mut test)?);
    Ok(())
}
