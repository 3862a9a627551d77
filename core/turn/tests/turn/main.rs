//! The TURN machine against clients made of bytes: what RFC 8656 wants, who may reach whom, and random histories.
#![allow(clippy::unwrap_used)]

mod client;
mod flow;
mod history;
mod ours;
mod refusals;
mod vectors;
