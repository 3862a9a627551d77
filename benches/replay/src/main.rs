//! Records what a desktop shows, pixel for pixel, and replays it through capture, encoder and video to a viewer, with figures
//! for bytes and processor (`benches/replay/README.md`).
// A bench measures time and prints its table; the rules are for the code it measures.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::print_stdout)]

#[path = "../../../shell/desktop/tests/desktop/mod.rs"]
mod desktop;
mod painter;
mod recording;
mod replay;

use anyhow::Result;
use clap::Parser;
use std::path::PathBuf;

/// Records and replays desktops.
#[derive(Parser)]
enum Command {
    /// Records the whole desktop of DISPLAY.
    Record {
        /// Where to.
        file: PathBuf,
        /// Seconds to record.
        #[arg(long, default_value_t = 8)]
        secs: u32,
    },
    /// Replays recordings one after the other and prints a table.
    Replay {
        /// Recordings.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Report the whole desktop as painted each time, as some compositing managers do.
        #[arg(long)]
        whole: bool,
        /// The viewer shows no video.
        #[arg(long)]
        exact: bool,
    },
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::Record { file, secs } => recording::record(&file, secs),
        Command::Replay { files, whole, exact } => {
            println!("{}", replay::HEAD);
            for file in files {
                println!("{}", replay::replay(&file, whole, exact)?);
            }
            Ok(())
        }
    }
}
