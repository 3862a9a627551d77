//! Measures the gateway's relays: TURN beside coturn, the WebSocket path beside nginx, both beside a bare loop.
//!
//! `cargo xtask bench relay` builds and starts it. Every server is a process of its own (this program again, coturn or
//! nginx), so that its CPU time and memory can be read from outside in the same way.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a command line tool talks to its user

mod certificate;
mod client;
mod process;
mod servers;
mod turn;
mod waiting;
mod websocket;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::time::Duration;

/// The relay bench.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    part: Part,
}

#[derive(Subcommand)]
enum Part {
    /// Measure and print Markdown tables.
    Run {
        /// What.
        #[arg(long, value_delimiter = ',', default_values = ["turn", "websocket", "waiting"])]
        what: Vec<What>,
        /// Seconds of each load.
        #[arg(long, default_value_t = 3)]
        secs: u64,
        /// How many allocations.
        #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 2000])]
        allocations: Vec<usize>,
        /// How many waiting legs for the memory of one. The server needs an open file for each, and some for itself.
        #[arg(long, default_value_t = 19_900)]
        waiting: usize,
    },
    /// Be Belay's TURN server (used by `run`).
    ServeTurn {
        /// Sessions of two legs each.
        #[arg(long)]
        sessions: u64,
        /// Where every partner outside receives.
        #[arg(long)]
        peer: SocketAddr,
    },
    /// Be Belay's WebSocket gateway (used by `run`).
    ServeWebSocket,
    /// Hold connections that wait (used by `run`).
    Wait(waiting::Wait),
    /// Be a bare loop that sends on what it receives (used by `run`).
    ServeLoop {
        /// Where to.
        #[arg(long)]
        peer: SocketAddr,
    },
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// TURN beside coturn and a bare loop.
    Turn,
    /// The WebSocket path beside nginx.
    Websocket,
    /// Connections at rest.
    Waiting,
}

fn main() -> Result<()> {
    match Arguments::parse().part {
        Part::Run { what, secs, allocations, waiting } => {
            let load = std::fs::read_to_string("/proc/loadavg")?;
            println!("Load average at the start: {}", load.trim());
            let lasts = Duration::from_secs(secs);
            for part in what {
                match part {
                    What::Turn => turn::run(lasts, &allocations)?,
                    What::Websocket => websocket::run(lasts)?,
                    What::Waiting => waiting::run(waiting)?,
                }
            }
            let load = std::fs::read_to_string("/proc/loadavg")?;
            println!("\nLoad average at the end: {}", load.trim());
            Ok(())
        }
        Part::ServeTurn { sessions, peer } => servers::turn(sessions, peer),
        Part::ServeWebSocket => servers::websocket(),
        Part::Wait(wait) => waiting::wait(wait),
        Part::ServeLoop { peer } => servers::bare_loop(peer),
    }
}
