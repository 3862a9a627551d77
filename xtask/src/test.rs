//! `cargo xtask test`: every check and every test, in the order in which a mistake is told soonest.

use crate::{clock, layers, nat, openapi, packages, process, programs, tidy, web, workspace};
use anyhow::{Context, Result};
use std::time::Instant;

/// Which parts to run.
#[derive(clap::Args)]
pub struct Options {
    /// Only the steps whose name contains this word (set-up always runs).
    #[arg(long)]
    only: Option<String>,
}

struct Step {
    name: &'static str,
    run: fn() -> Result<()>,
}

const SET_UP: [Step; 3] = [
    Step { name: "set up: system packages", run: || packages::ensure(packages::Purpose::Test) },
    Step { name: "set up: web pages", run: web::build },
    Step { name: "set up: server and applet", run: programs::build },
];

const CHECKS: [Step; 11] = [
    Step { name: "format", run: || process::run(programs::cargo("fmt").args(["--all", "--check"])) },
    Step { name: "tidy", run: tidy::run },
    Step { name: "layers", run: layers::run },
    Step { name: "openapi", run: openapi::check },
    Step { name: "web check", run: || process::run(&mut web::npm(&["run", "check", "--silent"])) },
    Step { name: "web test", run: || process::run(&mut web::npm(&["test", "--silent"])) },
    Step { name: "rust test", run: rust_tests },
    Step { name: "rust doc examples", run: doc_examples },
    Step { name: "clippy", run: clippy },
    Step { name: "end to end", run: end_to_end },
    Step { name: "end to end: networks", run: || nat::play(None, None) },
];

/// Runs the steps; the first that fails ends the run.
pub fn run(options: &Options) -> Result<()> {
    let began = Instant::now();
    let wanted = |step: &&Step| options.only.as_ref().is_none_or(|word| step.name.contains(word.as_str()));
    let mut told = Vec::new();
    for step in SET_UP.iter().chain(CHECKS.iter().filter(wanted)) {
        eprintln!("\n=== {} ===", step.name);
        let step_began = Instant::now();
        let done = (step.run)();
        let took = clock::spoken(step_began.elapsed());
        told.push(format!("  {:<28} {took:>12}  {}", step.name, if done.is_ok() { "ok" } else { "FAILED" }));
        if let Err(error) = done {
            eprintln!("\n{}", told.join("\n"));
            return Err(error).with_context(|| format!("TESTS FAILED at `{}`", step.name));
        }
    }
    eprintln!("\n{}", told.join("\n"));
    println!("ALL TESTS PASSED in {}", clock::spoken(began.elapsed()));
    Ok(())
}

fn rust_tests() -> Result<()> {
    if process::exists("cargo-nextest") {
        return process::run(programs::cargo("nextest").args(["run", "--release", "--workspace"]));
    }
    eprintln!("cargo-nextest is not installed; using cargo test");
    process::run(programs::cargo("test").args(["--release", "--workspace", "--lib", "--bins", "--tests"]))
}

fn doc_examples() -> Result<()> {
    process::run(programs::cargo("test").args(["--release", "--workspace", "--doc", "--quiet"]))
}

fn clippy() -> Result<()> {
    let words = ["--release", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    process::run(programs::cargo("clippy").args(words))
}

fn end_to_end() -> Result<()> {
    let mut node = process::command("node");
    node.current_dir(workspace::root().join("web/e2e"));
    process::run(node.args(["--test", "--test-reporter=spec", "--test-timeout=1500000", "all.mjs"]))
}
