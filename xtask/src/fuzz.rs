//! `cargo xtask fuzz`: lets libFuzzer search one target, with the stable compiler and its coverage pass.

use crate::{process, workspace};
use anyhow::{Result, ensure};
use clap::Args;

/// What rustc needs so that libFuzzer sees which code runs; the sanitizers themselves would need another compiler.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions=on";
const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// Options of the chore.
#[derive(Args)]
pub struct Options {
    /// The target: a folder of fuzz/corpus.
    target: String,
    /// How long to search.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

/// Builds the fuzzer and lets it search; what it finds new is added to the corpus.
pub fn run(options: &Options) -> Result<()> {
    let corpus = workspace::root().join("fuzz/corpus").join(&options.target);
    ensure!(
        corpus.is_dir(),
        "there is no target {:?}, the targets are the folders of fuzz/corpus",
        options.target
    );
    let target_dir = workspace::root().join("target/fuzz");
    let mut build = process::command("cargo");
    build.args(["build", "--release", "-p", "belay-fuzz", "--features", "libfuzzer", "--target", TRIPLE]);
    build.env("RUSTFLAGS", COVERAGE).env("CARGO_TARGET_DIR", &target_dir);
    process::run(&mut build)?;
    let mut search = process::command(target_dir.join(TRIPLE).join("release/fuzz"));
    search.arg(format!("-max_total_time={}", options.seconds)).arg("-max_len=2048").arg(corpus);
    search.env("BELAY_FUZZ_TARGET", &options.target).current_dir(target_dir);
    process::run(&mut search)
}
