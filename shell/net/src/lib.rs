//! Sockets for the pure machines: the gateway's legs, and the applet's connection to a gateway.
//!
//! Every task has an owner that ends with it, every channel a bound.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod applet;
mod dial;
pub mod gateway;
mod pairing;

pub use dial::{Dial, DialError};
