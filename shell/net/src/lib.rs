//! Sockets for the pure machines: the gateway's legs, and the applet's connection to a gateway.
//!
//! Every task has an owner that ends with it, every channel a bound.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod applet;
pub mod check;
mod dial;
mod direct;
pub mod front;
pub mod gateway;
pub mod mux;
mod pairing;
pub mod swelling;
pub mod turn;
pub mod udp;

pub use dial::{Dial, DialError};
