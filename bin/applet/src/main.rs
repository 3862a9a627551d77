//! Belay's program on the end user's computer: shows who wants to help, asks before anything happens, and stops when told to.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod args;
mod charter;
mod clock;
mod conductor;
mod connection;
mod deeds;
mod display;
mod exit;
mod foreign_text;
mod host_log;
mod run;
mod self_remove;
mod tag;
mod texts;
mod trouble;
mod way;
mod window;
mod workers;

use std::process::ExitCode;
use std::thread::JoinHandle;

use anyhow::Context;
use belay_net::Dial;
use belay_net::applet::{Leg, connect};
use clap::Parser;
use tokio::sync::mpsc;

use args::{Appearance, Args};
use clock::Clock;
use conductor::{Conductor, Facts};
use display::NoDisplay;
use exit::Exit;
use host_log::{Entry, HostLog};
use run::{FromWindow, Outcome, Program};
use tag::{Tag, TagError};
use texts::{Language, Texts, fill};
use window::{Look, Screenplay};
use workers::Workers;

/// What the windows and the workers may say before the loop hears it.
const UNHEARD: usize = 256;

fn main() -> ExitCode {
    belay_desktop::keep_little_memory();
    let args = Args::parse();
    let language = args.language.unwrap_or_else(Language::of_system);
    if let Err(error) =
        belay_program::logging::start(belay_program::logging::LogFormat::Text, "warn,belay_applet=info")
    {
        say(&error.to_string());
    }
    trouble::watch(language.texts());
    let exit = begin(&args, language).unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        trouble::tell(language.texts());
        Exit::Internal
    });
    ExitCode::from(exit as u8)
}

fn begin(args: &Args, language: Language) -> anyhow::Result<Exit> {
    let texts = language.texts();
    let own_file = std::env::current_exe().context("cannot find the program's own file")?;
    let tag = Tag::read(&own_file);
    if let Some(address) = &args.check {
        return way::check(tag.ok(), address, texts);
    }
    if let Err(error) = &tag {
        tracing::error!(%error, file = %own_file.display(), "no session");
    }
    let display = display::check();
    match (tag, display) {
        (Ok(tag), Ok(())) => start(args, language, tag),
        (Ok(_), Err(missing)) => {
            say(&no_display(texts, &missing));
            Ok(Exit::NoDisplay)
        }
        (Err(error), display) => {
            let (heading, detail) = match error {
                TagError::Missing => (texts.plain_heading, texts.plain_detail),
                TagError::Damaged(_) | TagError::Io(_) => (texts.damaged_heading, texts.damaged_detail),
            };
            say(&format!("{heading}. {detail}"));
            // Who started it from a terminal has read it there.
            if display.is_ok() && !std::io::IsTerminal::is_terminal(&std::io::stderr()) {
                window::notice(look(args, texts, Clock::start()), heading, detail)?;
            }
            Ok(Exit::WrongUse)
        }
    }
}

fn start(args: &Args, language: Language, tag: Tag) -> anyhow::Result<Exit> {
    let clock = Clock::start();
    let (say, windows) = mpsc::channel(UNHEARD);
    window::open(look(args, language.texts(), clock), &tag.operator, say.clone())
        .context("cannot open the window")?;
    let keep_file = args.keep_file;
    let log = open_log(args);
    let mind = std::thread::Builder::new()
        .name("conductor".into())
        .spawn(move || conduct(tag, language, clock, log, say, windows))
        .context("cannot start a thread")?;
    window::run().context("the window failed")?;
    // The loop ends the windows, so it has ended, or is about to.
    let mut outcome = joined(mind)?;
    if outcome.used && !keep_file {
        match self_remove::remove() {
            Ok(()) => {
                if let Some(log) = &mut outcome.log
                    && let Err(error) = log.write(clock::unix(), &outcome.whom, &Entry::Removed)
                {
                    tracing::error!(%error, "cannot write the record");
                }
            }
            Err(error) => tracing::warn!(%error, "cannot remove the program's own file; delete it by hand"),
        }
    }
    Ok(outcome.exit)
}

fn joined(mind: JoinHandle<anyhow::Result<Outcome>>) -> anyhow::Result<Outcome> {
    mind.join().map_err(|_| anyhow::anyhow!("the program's mind failed"))?
}

/// The thread that decides: everything but the windows.
fn conduct(
    tag: Tag,
    language: Language,
    clock: Clock,
    log: Option<HostLog>,
    say: mpsc::Sender<FromWindow>,
    windows: mpsc::Receiver<FromWindow>,
) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the network")?;
    let outcome = runtime.block_on(async {
        let platform = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let (happen, happened) = mpsc::channel(UNHEARD);
        let leg = Leg {
            account: tag.account,
            id: tag.session_authentication_id.clone(),
            version: version.clone(),
            platform: platform.clone(),
        };
        let dial = Dial::new(&tag.origin, &tag.anchors).context("the download is damaged")?;
        let dial = dial.of_account(tag.account);
        let binding = belay_seal::Binding::of(&tag.session_authentication_id).0;
        let expected = charter::Expected { key: tag.charter_key, binding, session: None };
        let facts = Facts {
            expected,
            origin: tag.origin,
            version,
            platform,
            language: language.code(),
            link_secret: tag.link_secret,
        };
        let connection = connect(dial.clone(), leg);
        let workers = Workers::start(happen.clone(), say, connection.departures.clone());
        if !workers.has_panic_key() {
            Screenplay.without_panic_key();
        }
        let program = Program {
            conductor: Conductor::new(facts),
            clock,
            connection,
            workers,
            happened,
            happen,
            dial,
            examining: tokio::task::JoinSet::new(),
            windows,
            show: |show| Screenplay.show(show),
            log,
        };
        Ok(program.run().await)
    });
    // A lookup of names that hangs must not hold the program.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    Screenplay.close();
    outcome
}

fn look(args: &Args, texts: &'static Texts, clock: Clock) -> Look {
    Look { texts, appearance: args.appearance.or_else(Appearance::of_system), hint: texts.panic_hint, clock }
}

fn open_log(args: &Args) -> Option<HostLog> {
    let Some(directory) = args.log_dir.clone().or_else(host_log::default_directory) else {
        tracing::error!("no place for the record; set XDG_STATE_HOME, or give --log-dir");
        return None;
    };
    match HostLog::open(&directory) {
        Ok(log) => Some(log),
        Err(error) => {
            tracing::error!(%error, directory = %directory.display(), "cannot open the record");
            None
        }
    }
}

fn no_display(texts: &Texts, missing: &NoDisplay) -> String {
    match missing {
        NoDisplay::Server(error) => {
            tracing::debug!(%error, "no X server");
            texts.no_display.to_owned()
        }
        NoDisplay::Library(library) => fill(texts.no_keyboard_library, &[("library", library)]),
    }
}

/// To whoever started the program from a terminal.
#[allow(clippy::print_stderr)]
fn say(words: &str) {
    eprintln!("{words}");
}
