//! `cargo xtask openapi`: the HTTP contract `openapi/belay.json` comes from the server's code, the TypeScript client from it.

use crate::{process, web, workspace};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;

/// What to do with the generated files.
#[derive(clap::Args)]
pub struct Options {
    /// Change nothing; fail when the checked-in files are not what the code says.
    #[arg(long)]
    check: bool,
}

/// Writes both files, or checks them.
pub fn run(options: &Options) -> Result<()> {
    web::build()?;
    crate::programs::build()?;
    if options.check { check() } else { write() }
}

/// Fails when the contract or the client is not what the code says. Needs the built server and the web packages.
pub fn check() -> Result<()> {
    let said = contract()?;
    let kept = read(&contract_file())?;
    if said != kept {
        bail!(
            "openapi/belay.json is not what the server's code says; run `cargo xtask openapi` and commit it"
        );
    }
    let before = read(&client_file())?;
    generate_client()?;
    let after = read(&client_file())?;
    if before != after {
        std::fs::write(client_file(), before).context("cannot put the TypeScript client back")?;
        bail!(
            "the TypeScript client is not what openapi/belay.json says; run `cargo xtask openapi` and commit it"
        );
    }
    eprintln!("openapi: the contract and the client are what the code says");
    Ok(())
}

fn write() -> Result<()> {
    std::fs::create_dir_all(workspace::root().join("openapi")).context("cannot make the folder openapi")?;
    std::fs::write(contract_file(), contract()?).context("cannot write openapi/belay.json")?;
    generate_client()?;
    eprintln!("wrote {} and {}", contract_file().display(), client_file().display());
    Ok(())
}

fn contract() -> Result<String> {
    process::output(process::command(workspace::program("belay")).arg("openapi"))
}

fn generate_client() -> Result<()> {
    process::run(&mut web::npm(&["run", "generate", "--silent"]))
}

fn contract_file() -> PathBuf {
    workspace::root().join("openapi/belay.json")
}

fn client_file() -> PathBuf {
    workspace::root().join("web/packages/api/src/generated.ts")
}

fn read(path: &PathBuf) -> Result<String> {
    std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {}; run `cargo xtask openapi`", path.display()))
}
