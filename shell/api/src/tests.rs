//! The website through its front door: real requests against a real, throw-away store.

mod admission;
mod contract;
mod events;
mod guard;
mod harness;
mod internal;
mod isolation;
mod joining;
mod regions;
mod sessions;
mod sign_in;
