//! Decisions about the picture: what moved, what changed, how it is packed, and how fast it may go.
//!
//! The applet feeds [`Encoder`] with its frame buffer and the rectangles that were painted, and sends the
//! [`belay_wire::message::ScreenUpdate`]s that come out; [`Pacer`] says when the next capture may be taken.
//! [`Decoder`] is the reference viewer: the protocol (`docs/protocol/screen.md`) in the fewest words, used by
//! the tests and benches. Pixels are `0x00RRGGBB` words everywhere.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod coarse;
mod cursor;
mod decoder;
mod encoder;
mod frame;
mod line;
mod pacer;
mod rect;
mod timings;
mod video;

pub use cursor::{CursorError, CursorImage};
pub use decoder::{DecodeError, Decoder, VideoFrame};
pub use encoder::{EncodeError, Encoder};
pub use frame::Frame;
pub use line::{Allowance, Line};
pub use pacer::{Pace, Pacer, Purpose};
pub use rect::Rect;
pub use timings::{Taken, Timings};
pub use video::{MAX_STREAMS, MAX_VIDEO_PIXELS, Video, VideoError, VideoStream};

/// Kinds of operation in an update; the numbers of `docs/protocol/screen.md`.
mod operation {
    pub const COPY: u8 = 1;
    pub const SOLID: u8 = 2;
    pub const PALETTE: u8 = 3;
    pub const COLOUR: u8 = 4;
    pub const VIDEO: u8 = 5;
    pub const VIDEO_END: u8 = 6;
    pub const COARSE: u8 = 7;
}

/// Most colours a palette rectangle may have.
const MAX_PALETTE: usize = 16;

/// Bits of one palette index for so many colours (2 to 16).
const fn palette_bits(colours: usize) -> usize {
    match colours {
        0..=2 => 1,
        3..=4 => 2,
        _ => 4,
    }
}

/// Most bytes of operations one update may unpack to.
const fn max_raw(width: u16, height: u16) -> usize {
    16 + 8 * width as usize * height as usize
}
