//! An emulated network in user space: a switch whose cables delay, lose, reorder, double, slow down and can be cut.
//!
//! The kernels that run the tests have no `netem`, so the tests bring their own. Everything here is pure: frames and
//! the time come in, frames come out, and chance comes from a seed, so that a run can be had again. The driver
//! (`main.rs`) joins it to TAP devices, one for each host.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod command;
pub mod pipe;
pub mod shape;
pub mod switch;

pub use command::Command;
pub use pipe::{Counts, Pipe};
pub use shape::Shape;
pub use switch::{Direction, Switch};
