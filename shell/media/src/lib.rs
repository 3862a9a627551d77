//! Codec wrappers: what core asks of a video codec ([`belay_screen::Video`]), done by libraries. The only crate that calls a codec.
//!
//! AV1 comes from libaom, which `libaom-sys` carries as source: no library of the system and no download while building,
//! but cmake and nasm.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod av1;

pub use av1::Av1;
