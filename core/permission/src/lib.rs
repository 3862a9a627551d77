//! What the end user has allowed: prompts, grants, withdrawal. The applet is its only authority.
//!
//! Effective right = charter **and** grant, never "or". A prompt that times out is a refusal. Only [`Permission::admit`] makes an
//! [`Admitted`], and the code that touches the end user's computer accepts nothing else.
//!
//! Convention of every machine in `core/`: [`Permission::handle`] an input, then drain [`Permission::poll`], and call again with
//! [`Input::Tick`] at [`Permission::next_timeout`] at the latest. The clock is the caller's, any monotonic origin will do.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod admit;
mod machine;
#[cfg(test)]
mod model;
mod words;

pub use admit::{Admission, Admitted, Denied, needs};
pub use machine::Permission;
pub use words::{Answer, Charter, EndReason, Hidden, Input, Output, PromptId, RevokeCause};

use std::time::Duration;

/// How long a prompt cannot be allowed after it appeared, so that nobody allows by a key meant for another window.
pub const SAFETY_DELAY: Duration = Duration::from_secs(3);
/// How long a prompt waits for an answer; after that it counts as refused.
pub const PROMPT_LIFE: Duration = Duration::from_secs(30);
