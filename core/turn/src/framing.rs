//! Messages on a stream (RFC 8656 section 12.5): STUN says its own length, ChannelData too, padded to four bytes.

use crate::stun::{COOKIE, HEADER};

/// What stands at the beginning of a stream's unread bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed {
    /// Not all there yet.
    Wait,
    /// A message of `message` bytes; the next one starts after `whole`.
    Message {
        /// Bytes of the message itself.
        message: usize,
        /// Bytes with padding.
        whole: usize,
    },
    /// This is not TURN: close.
    Garbage,
}

/// Finds the first message in `bytes`.
pub fn first(bytes: &[u8]) -> Framed {
    let Some(&[a, b, c, d]) = bytes.first_chunk::<4>() else { return Framed::Wait };
    let len = usize::from(u16::from_be_bytes([c, d]));
    let number = u16::from_be_bytes([a, b]);
    let (message, whole) = match number {
        0x0000..=0x3FFF => {
            let cookie = bytes.get(4..8).unwrap_or_default();
            if len % 4 != 0 || (!cookie.is_empty() && cookie != COOKIE) {
                return Framed::Garbage;
            }
            (HEADER + len, HEADER + len)
        }
        0x4000..=0x7FFF => (4 + len, 4 + len.next_multiple_of(4)),
        _ => return Framed::Garbage,
    };
    if bytes.len() < whole { Framed::Wait } else { Framed::Message { message, whole } }
}

/// Whether the first byte of a new stream begins a STUN message. (ChannelData, whose numbers overlap with the letters of
/// HTTP's methods, cannot come first: a channel needs an allocation, and that needs a request on the same stream.)
pub fn begins_stun(first_byte: u8) -> bool {
    first_byte <= 0x03
}
