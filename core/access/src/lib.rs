//! Who may do what in an account: roles, lock-out after failures, the lives of PINs, links, tickets and sign-ins.
//!
//! Pure: random bytes and the time come in from outside, nothing is stored here.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod life;
mod lockout;
mod role;
mod secret;
mod security;

pub use lockout::{Lockout, Verdict};
pub use role::{Action, NotARole, Role, may};
pub use secret::{NotASecret, Pin, Token};
pub use security::SecurityKind;
