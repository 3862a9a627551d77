//! The server of Belay: reads its arguments and its configuration, puts the parts together, runs them.

mod account;
mod arguments;
mod door;
mod gateway;
mod remote;
mod role;
mod serve;
mod tls;
mod turn;

use std::process::ExitCode;

use arguments::{AccountCommand, Arguments, Command, Form};
use belay_program::Config;
use clap::Parser;
use role::Roles;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let form = if arguments.json { Form::Json } else { Form::Text };
    match arguments.command {
        Command::Openapi => print(&belay_api::document()),
        Command::Serve { config, check, roles } => {
            let config = Config::read(config.as_deref(), environment())?;
            belay_program::logging::start(config.log.format, &config.log.level)?;
            let roles = Roles::of(&roles);
            if check {
                runtime()?.block_on(serve::check(&config, roles, form))
            } else {
                runtime()?.block_on(serve::serve(&config, roles, form))
            }
        }
        Command::Role { command } => {
            let config = Config::read(role::config_of(&command), environment())?;
            belay_program::logging::start(config.log.format, &config.log.level)?;
            runtime()?.block_on(role::run(&config, command, form))
        }
        Command::Account { command: AccountCommand::Create(create) } => {
            let config = Config::read(create.config.as_deref(), environment())?;
            belay_program::logging::start(config.log.format, &config.log.level)?;
            runtime()?.block_on(account::create(&config, create, form))
        }
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Variables that are no text cannot be ours.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Writes to standard output what a command was asked for.
#[allow(clippy::print_stdout)]
fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// One sentence, on one line.
#[allow(clippy::print_stderr)]
fn complain(error: &anyhow::Error) {
    let sentence = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    eprintln!("belay: {sentence}");
}
