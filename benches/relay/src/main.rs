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
mod websocket;

use anyhow::Result;
use clap::{Parser, Subcommand};
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
    /// Measure everything and print Markdown tables.
    Run {
        /// Seconds of each load.
        #[arg(long, default_value_t = 3)]
        secs: u64,
        /// How many allocations.
        #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 2000])]
        allocations: Vec<usize>,
        /// How many waiting legs for the memory of one.
        #[arg(long, default_value_t = 4000)]
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
    /// Be a bare loop that sends on what it receives (used by `run`).
    ServeLoop {
        /// Where to.
        #[arg(long)]
        peer: SocketAddr,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().part {
        Part::Run { secs, allocations, waiting } => {
            let load = std::fs::read_to_string("/proc/loadavg")?;
            println!("Load average at the start: {}", load.trim());
            turn::run(Duration::from_secs(secs), &allocations)?;
            websocket::run(Duration::from_secs(secs), waiting)?;
            let load = std::fs::read_to_string("/proc/loadavg")?;
            println!("\nLoad average at the end: {}", load.trim());
            Ok(())
        }
        Part::ServeTurn { sessions, peer } => servers::turn(sessions, peer),
        Part::ServeWebSocket => servers::websocket(),
        Part::ServeLoop { peer } => servers::bare_loop(peer),
    }
}
