//! `cargo xtask`: the project's own chores. CI calls nothing else (`.ci/run` is `cargo xtask test`).
//!
//! Everything a chore says goes to standard error; standard output is kept for what scripts read
//! (`demo --json`).
#![allow(clippy::print_stdout, clippy::print_stderr)] // a command line tool talks to its user
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bench;
mod bench_relay;
mod clock;
mod demo;
mod fuzz;
mod layers;
mod nat;
mod openapi;
mod packages;
mod process;
mod programs;
mod signal;
mod source;
mod test;
mod tidy;
mod web;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Belay's chores.
#[derive(Parser)]
#[command(name = "cargo xtask", version, about)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Set up what is missing, start a server and a virtual desktop with an applet that waits, and say where to sign in.
    Demo(demo::Options),
    /// Run every check and test there is, in order. This is what CI runs.
    Test(test::Options),
    /// Check the small rules of the house: headers, sizes, leftovers, licences.
    Tidy,
    /// Check that the rings depend on each other in one direction only and that core stays pure.
    Layers,
    /// Write openapi/belay.json from the server's code and the TypeScript client from that.
    Openapi(openapi::Options),
    /// Measure Belay beside a peer.
    Bench(bench::Options),
    /// Play sessions through all kinds of networks (needs root); `--write` keeps what was measured in docs/connection.md.
    Nat(nat::Options),
    /// Let libFuzzer search one of the targets of fuzz/.
    Fuzz(fuzz::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    signal::listen();
    let done = match arguments.chore {
        Chore::Demo(options) => demo::run(&options),
        Chore::Test(options) => test::run(&options),
        Chore::Tidy => tidy::run(),
        Chore::Layers => layers::run(),
        Chore::Openapi(options) => openapi::run(&options),
        Chore::Bench(options) => bench::run(&options),
        Chore::Nat(options) => nat::run(&options),
        Chore::Fuzz(options) => fuzz::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if signal::interrupted() => {
            eprintln!("interrupted");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}
