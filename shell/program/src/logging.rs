//! Logging for every executable: to standard error, as text for people or as JSON for collectors.
//! Standard output stays free for what a command was asked to print.

use tracing_subscriber::EnvFilter;

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line each.
    Text,
    /// One JSON object each.
    Json,
}

/// Why logging could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The level is not one of the known words, nor a list of `target=level`.
    #[error("cannot understand the log level {level:?}; write error, warn, info, debug or trace")]
    Level {
        /// What was written.
        level: String,
    },
    /// Something else in the process already logs.
    #[error("logging was already started in this process")]
    Started,
}

/// Starts logging for the whole process.
///
/// `level` is a word such as `info`, or a list such as `info,belay_store=debug`.
///
/// # Errors
/// When the level cannot be understood, or logging runs already.
pub fn start(format: LogFormat, level: &str) -> Result<(), LoggingError> {
    let filter = parse_level(level)?;
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|_| LoggingError::Started)
}

/// Checks a level without starting anything.
///
/// # Errors
/// When it is not a level.
pub fn parse_level(level: &str) -> Result<EnvFilter, LoggingError> {
    let refused = || LoggingError::Level { level: level.to_owned() };
    // A lone unknown word would be taken for a target's name and silence everything else.
    let words = ["error", "warn", "info", "debug", "trace", "off"];
    let understood = level.split(',').all(|part| part.contains('=') || words.contains(&part.trim()));
    if !understood {
        return Err(refused());
    }
    EnvFilter::try_new(level).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_words_or_lists_and_nothing_else() {
        for good in ["info", "warn,belay_store=debug", "off"] {
            assert!(parse_level(good).is_ok(), "{good}");
        }
        for bad in ["loud", "", "info,,", "belay=loud"] {
            assert!(parse_level(bad).is_err(), "{bad:?}");
        }
    }
}
