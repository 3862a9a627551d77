//! What every Belay executable shares: configuration, logging, shutdown.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod config;
pub mod logging;
pub mod shutdown;

pub use config::{Config, ConfigError};
