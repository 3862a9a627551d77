//! `cargo xtask bench`: measures Belay beside a peer, in the same run on the same machine (`benches/screen/README.md`).

use crate::{packages, process, programs, web, workspace};
use anyhow::{Context, Result, bail};
use std::fs::{File, TryLockError};
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
    /// Size of each monitor of the measured desktop.
    #[arg(long, default_value = "1920x1080", value_parser = size)]
    size: String,
    /// Monitors of the measured desktop, side by side; all of them are shown.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4))]
    monitors: u8,
    /// Seconds of each workload.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=600))]
    secs: u32,
}

/// What can be measured.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Subject {
    /// The remote screen in the technician's browser.
    Screen,
    /// The same through emulated networks: keys and clicks on a lossy, a slow and a thin line (needs root).
    Network,
    /// Real programs, recorded once and replayed through capture and encoder (`benches/replay`).
    Programs,
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
    /// MeshCentral with its own agent.
    Meshcentral,
    /// All of them.
    All,
    /// Nobody.
    None,
}

/// A size such as 1920x1080; the measured desktop needs at least that.
fn size(text: &str) -> Result<String, String> {
    let sides =
        text.split_once('x').and_then(|(w, h)| Some((w.parse::<u16>().ok()?, h.parse::<u16>().ok()?)));
    match sides {
        Some((width, height)) if width >= 1920 && height >= 1080 => Ok(text.to_owned()),
        _ => Err("give width and height, at least 1920x1080".to_owned()),
    }
}

/// Measures, and prints one Markdown table.
pub fn run(options: &Options) -> Result<()> {
    match options.subject {
        Subject::Screen => screen(options),
        Subject::Network => network(options),
        Subject::Programs => replay(),
        Subject::Relay => crate::bench_relay::run(options.secs),
        Subject::Flood => crate::bench_relay::flood(options.secs),
    }
}

/// The emulated networks of `benches/screen/targets/network.mjs`.
const NETWORKS: [&str; 4] = ["clean", "loss", "slow", "thin"];

fn screen(options: &Options) -> Result<()> {
    let bench = Bench::set_up()?;
    // Once: all runs measure the same programs, whatever happens to the sources meanwhile.
    web::build()?;
    programs::build()?;
    let targets: &[&str] = match options.peer {
        Peer::Tigervnc => &["belay", "tigervnc"],
        Peer::Meshcentral => &["belay", "meshcentral"],
        Peer::All => &["belay", "tigervnc", "meshcentral"],
        Peer::None => &["belay"],
    };
    let (seconds, monitors) = (options.secs.to_string(), options.monitors.to_string());
    let screen = ["--size", &options.size, "--monitors", &monitors];
    let xtask = std::env::current_exe().context("cannot find this program's own file")?;
    let xtask = xtask.to_str().context("this program's own file has a name that is not text")?;
    let runs = runs(options.runs, targets);
    let failed = bench.measure(&runs, |target| {
        let words = ["--target", target, "--secs", &seconds, "--xtask", xtask];
        words.iter().chain(&screen).map(|word| (*word).to_owned()).collect()
    });
    bench.tell("table.mjs", &failed)
}

fn replay() -> Result<()> {
    packages::ensure(packages::Purpose::Bench)?;
    let mut build = process::command("cargo");
    build.args(["build", "--release", "--workspace", "--bin", "belay-bench-replay"]);
    process::run(build.current_dir(workspace::root()))?;
    let program = workspace::target().join("release/belay-bench-replay");
    let recordings = workspace::target().join("bench/recordings");
    let mut record = process::command("node");
    record.arg(workspace::root().join("benches/replay/record.mjs")).arg(&program).arg(&recordings);
    process::run(&mut record)?;
    let mut files: Vec<PathBuf> = std::fs::read_dir(&recordings)
        .with_context(|| format!("cannot read the folder {}", recordings.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|end| end == "rec"));
    files.sort();
    for (title, words) in [
        ("As recorded", None),
        ("Whole desktop painted each time", Some("--whole")),
        ("Without video", Some("--exact")),
    ] {
        let mut replay = process::command(&program);
        replay.arg("replay").args(words).args(&files);
        println!("{title}:\n\n{}", process::output(&mut replay)?);
    }
    Ok(())
}

fn network(options: &Options) -> Result<()> {
    let bench = Bench::set_up()?;
    web::build()?;
    programs::build()?;
    programs::build_line()?;
    let words = ["--target", "network", "--connects", "1", "--workloads", "type", "--secs", "6", "--network"];
    let runs = runs(options.runs, &NETWORKS);
    let failed =
        bench.measure(&runs, |name| words.iter().copied().chain([name]).map(str::to_owned).collect());
    bench.tell("networks.mjs", &failed)
}

/// Each name once, and that as often as wished: what disturbs the machine for a while disturbs all of them.
fn runs<'a>(times: u32, names: &[&'a str]) -> Vec<(u32, &'a str)> {
    (1..=times).flat_map(|number| names.iter().map(move |name| (number, *name))).collect()
}

struct Bench {
    sources: PathBuf,
    tools: PathBuf,
    out: PathBuf,
    /// Kept locked while this bench runs.
    _lock: File,
}

impl Bench {
    /// Installs and builds what all measurements need, and names the folder for the results.
    fn set_up() -> Result<Self> {
        packages::ensure(packages::Purpose::Bench)?;
        web::packages()?;
        let tools = workspace::target().join("bench/screen");
        std::fs::create_dir_all(&tools)
            .with_context(|| format!("cannot make the folder {}", tools.display()))?;
        let lock = tools.join("lock");
        let lock = File::create(&lock).with_context(|| format!("cannot make the file {}", lock.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("another bench is running, and each would spoil the other; wait for its end")
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).context("cannot tell whether another bench is running");
            }
        }
        let sources = workspace::root().join("benches/screen");
        build_desk(&sources, &tools)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
        let out = tools.join(format!("run-{}", now.as_secs()));
        Ok(Self { sources, tools, out, _lock: lock })
    }

    /// Runs the bench once for each of `runs`, and returns which failed.
    fn measure(&self, runs: &[(u32, &str)], words: impl Fn(&str) -> Vec<String>) -> Vec<String> {
        let mut failed = Vec::new();
        for (number, name) in runs {
            eprintln!("run {number}: {name}");
            let mut bench = process::command("node");
            bench.arg(self.sources.join("bench.mjs")).args(words(name)).args(["--run", &number.to_string()]);
            bench.arg("--tools").arg(&self.tools).arg("--out").arg(&self.out);
            if let Err(error) = process::run(&mut bench) {
                eprintln!("{error:#}");
                failed.push(format!("{name} {number}"));
            }
        }
        failed
    }

    /// Prints the table that the script makes of all results.
    fn tell(&self, script: &str, failed: &[String]) -> Result<()> {
        let mut table = process::command("node");
        table.arg(self.sources.join(script)).arg(&self.out);
        println!("{}", process::output(&mut table)?);
        eprintln!("every sample is in {}", self.out.display());
        if failed.is_empty() {
            return Ok(());
        }
        let failed = failed.join(", ");
        bail!("these runs failed: {failed}; their logs and last pictures are in {}", self.out.display())
    }
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
