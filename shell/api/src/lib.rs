//! The website: the only crate that knows HTTP and JSON. It answers the API of `docs/protocol/http.md`,
//! serves the embedded pages, and speaks for the account when a gateway asks for admission.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod admission;
mod applet;
mod charter;
mod clock;
mod error;
mod events;
mod extract;
mod guard;
mod headers;
pub mod internal;
mod join;
mod limits;
mod openapi;
mod pages;
mod security;
mod security_log;
mod sessions;
mod settings;
mod sign_in;
mod tag;
#[cfg(test)]
mod tests;
mod types;
mod website;

pub use clock::Clock;
pub use error::ApiError;
pub use openapi::document;
pub use settings::{Anchors, Limits, ListedGateway, Reach, Settings};
pub use tag::{OperatorBlock, SessionBlock, TAG_MARK, tag};
pub use website::{Website, WebsiteParts, app};
