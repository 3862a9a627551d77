//! The command line. No option skips a question: there is none to skip it with.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::texts::Language;

/// Belay lets a technician help on this computer, with your consent and for as long as you like.
///
/// Without options it opens its window and waits for the technician. Exit codes: 0 session ended, 2 wrong use or no session in
/// this file, 3 no gateway reached (or --check found something in the way), 4 session id unknown, 5 no display, 6 session id used before, 7 expired,
/// 8 of another account, 1 a fault of the program.
#[derive(Debug, Parser)]
#[command(name = "belay-applet", version)]
pub struct Args {
    /// Directory for host.log, the record of what was asked, allowed and done [default: $XDG_STATE_HOME/belay or ~/.local/state/belay]
    #[arg(long, value_name = "DIRECTORY", env = "BELAY_LOG_DIR")]
    pub log_dir: Option<PathBuf>,

    /// Language of the windows [default: the computer's]
    #[arg(long, value_name = "LANGUAGE")]
    pub language: Option<Language>,

    /// Colours of the windows [default: the computer's]
    #[arg(long, value_name = "COLOURS", env = "BELAY_APPEARANCE")]
    pub appearance: Option<Appearance>,

    /// Only look whether the support server can be reached from here, say so, and end; of this download, or at ADDRESS (https://host)
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "")]
    pub check: Option<String>,

    /// Leave the program's file in place after the session
    #[arg(long)]
    pub keep_file: bool,
}

/// Colours of the windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Appearance {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Appearance {
    /// What the desktop's environment says, if it says anything.
    pub fn of_system() -> Option<Appearance> {
        let theme = std::env::var("GTK_THEME").ok()?.to_lowercase();
        Some(if theme.ends_with(":dark") || theme.ends_with("-dark") {
            Appearance::Dark
        } else {
            Appearance::Light
        })
    }
}
