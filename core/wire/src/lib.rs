//! Everything that travels between Belay's programs: ids, time, the byte codec and the messages of each protocol.
//!
//! This crate only describes; it decides nothing and touches nothing. The layouts are specified in `docs/protocol/`
//! and checked by golden vectors that the TypeScript side reads too.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod charter;
pub mod codec;
pub mod gateway;
pub mod id;
pub mod input;
pub mod link;
pub mod message;
pub mod moment;
pub mod right;
pub mod seal;

pub use codec::{Reader, WireError, Writer};
pub use id::{AccountId, LegTicket, MemberId, SessionAuthenticationId, SessionId};
pub use message::Message;
pub use moment::Moment;
pub use right::{Right, Rights};
