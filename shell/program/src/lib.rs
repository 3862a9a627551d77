//! What every Belay executable shares: configuration, logging, reload, shutdown.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod config;
pub mod logging;
pub mod reload;
pub mod shutdown;

pub use config::{Config, ConfigError};
