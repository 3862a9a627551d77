//! `cargo xtask bench`: measures Belay beside a peer, in the same run on the same machine (`benches/screen/README.md`).

use crate::{packages, process, web, workspace};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What to measure, and how long.
#[derive(clap::Args)]
pub struct Options {
    /// What is measured.
    #[arg(value_enum)]
    subject: Subject,
    /// How often each target is measured; the table shows medians.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Whom to measure beside Belay.
    #[arg(long, value_enum, default_value_t = Peer::Tigervnc)]
    peer: Peer,
    /// Seconds of each workload.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=600))]
    secs: u32,
}

/// What can be measured.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Subject {
    /// The remote screen in the technician's browser.
    Screen,
    /// The gateway's relays beside coturn, nginx and a bare loop.
    Relay,
    /// A session while the server is flooded.
    Flood,
}

/// Whom Belay can be measured beside.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Peer {
    /// TigerVNC's x0vncserver with noVNC.
    Tigervnc,
    /// Nobody.
    None,
}

/// Measures, and prints one Markdown table.
pub fn run(options: &Options) -> Result<()> {
    match options.subject {
        Subject::Screen => screen(options),
        Subject::Relay => crate::bench_relay::run(options.secs),
        Subject::Flood => crate::bench_relay::flood(options.secs),
    }
}

fn screen(options: &Options) -> Result<()> {
    packages::ensure(packages::Purpose::Bench)?;
    web::packages()?;
    let tools = workspace::target().join("bench/screen");
    std::fs::create_dir_all(&tools).with_context(|| format!("cannot make the folder {}", tools.display()))?;
    let sources = workspace::root().join("benches/screen");
    build_desk(&sources, &tools)?;

    let started = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
    let out = tools.join(format!("run-{started}"));
    let targets: &[&str] = match options.peer {
        Peer::Tigervnc => &["belay", "tigervnc"],
        Peer::None => &["belay"],
    };
    let mut failed = Vec::new();
    for number in 1..=options.runs {
        for target in targets {
            eprintln!("run {number} of {}: {target}", options.runs);
            if let Err(error) = measure(&sources, &tools, &out, target, number, options.secs) {
                eprintln!("{error:#}");
                failed.push(format!("{target} {number}"));
            }
        }
    }
    let mut table = process::command("node");
    table.arg(sources.join("table.mjs")).arg(&out);
    println!("{}", process::output(&mut table)?);
    eprintln!("every sample is in {}", out.display());
    if failed.is_empty() {
        return Ok(());
    }
    bail!("these runs failed: {}; their logs and last pictures are in {}", failed.join(", "), out.display())
}

fn measure(sources: &Path, tools: &Path, out: &Path, target: &str, number: u32, seconds: u32) -> Result<()> {
    let xtask = std::env::current_exe().context("cannot find this program's own file")?;
    let mut bench = process::command("node");
    bench.arg(sources.join("bench.mjs"));
    bench.args(["--target", target, "--run", &number.to_string(), "--secs", &seconds.to_string()]);
    bench.arg("--tools").arg(tools).arg("--out").arg(out).arg("--xtask").arg(xtask);
    process::run(&mut bench)
}

/// Builds the measured desktop and its letters.
fn build_desk(sources: &Path, tools: &Path) -> Result<()> {
    let (source, program): (PathBuf, PathBuf) = (sources.join("desk.c"), tools.join("desk"));
    let age = |path: &Path| std::fs::metadata(path).and_then(|data| data.modified()).ok();
    let letters = tools.join("atlas.bin");
    if age(&program) > age(&source) && letters.is_file() {
        return Ok(());
    }
    eprintln!("building the measured desktop");
    let mut compiler = process::command("gcc");
    compiler.arg("-O2").arg("-o").arg(&program).arg(&source).args(["-lxcb", "-lxcb-xtest", "-lm"]);
    process::run(&mut compiler)?;
    let mut draw = process::command("/usr/bin/python3");
    draw.arg(sources.join("glyphs.py")).arg(&letters);
    process::run(&mut draw)
}
