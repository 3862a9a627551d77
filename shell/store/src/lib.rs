//! Everything Belay remembers: the only crate with SQL.
//!
//! A store is a directory: `root.key`, `system.db` (which accounts there are, who signs in where, what leads to a session)
//! and `accounts/<id>.db`, one encrypted file with a key of its own for each account. [`Store::begin`] and [`Store::view`]
//! are the only ways to an account's rows. Nothing in the interface says SQL, so that another back end can take its place.
//! Rows are the truth; the [`Bus`] only says where to look.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod account;
mod bus;
mod database;
mod directory;
mod error;
mod exit;
mod life;
mod root_key;
mod schema;
mod seal;
mod security_log;
mod store;
#[cfg(test)]
mod tests;
mod types;

pub use account::{AccountTx, AccountView};
pub use bus::{Bus, Heard, LocalBus, Notice, Subscription};
pub use directory::Directory;
pub use error::{ApplyError, OpenError, Source, StoreError};
pub use store::{Create, Store};
pub use types::{
    Account, AccountCreated, Admission, Author, ChatKept, ChatLine, ConsoleTicket, Credential, Found,
    Invitation, Invited, Member, NewAccount, NewSecurityEvent, Person, ReturnTicket, Returned, RoleKey,
    SecurityEvent, Session, SessionDetails, SessionEvent, SignInAttempt, SignInId, Through, WebSession,
};
