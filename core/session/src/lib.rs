//! The life of a support session on the server: `decide(state, command, now) -> (state, events)`.
//!
//! Pure: the store keeps the state as a row and the events as audit rows, the API turns refusals into answers.
//! What the end user allows is none of this crate's business (`core/permission`, in the applet): here a grant is only an event.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod decide;
mod event;
#[cfg(test)]
mod model;
mod state;

pub use decide::{Command, Refusal, create, decide};
pub use event::{Event, Report, ReportKind};
pub use state::{EndedBy, Ender, NotAWord, Phase, Platform, State};

/// Longest name an end user may give, in characters.
pub const NAME_MAX_CHARS: usize = 64;
/// How long an end user may wait in the queue before the session times out, in µs (2 hours).
pub const WAITING_LIFE_MICROS: u64 = 2 * 60 * 60 * 1_000_000;
/// How long an applet may be away before its session counts as offline, in µs (5 minutes).
pub const RECONNECTING_MICROS: u64 = 5 * 60 * 1_000_000;
/// How long an applet may be away before its session times out, in µs (12 hours).
pub const AWAY_LIFE_MICROS: u64 = 12 * 60 * 60 * 1_000_000;
