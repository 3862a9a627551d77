//! Packets of the link, the plaintext of every sealed frame. Spec: `docs/protocol/link.md`.

use crate::codec::{Reader, WireError, Writer};

/// Name and version; part of the seal's transcript, so that both ends agree on it.
pub const NAME: &str = "belay-link/2";
/// Most pieces in one packet.
pub const MAX_PIECES: usize = 16;
/// Most ranges in one acknowledgement.
pub const MAX_RANGES: usize = 8;
/// Offsets and numbers stay below this: every language that speaks the link can count so far exactly.
pub const MAX_NUMBER: u64 = 1 << 53;
/// Longest message of a stream, in bytes.
pub const MAX_MESSAGE: usize = 1 << 20;

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Class {
    /// Delivered once, in order: consent, chat, control.
    Ordered = 0x01,
    /// Delivered once, in order among themselves: mouse and keyboard. Never waits behind [`Class::Ordered`].
    Input = 0x02,
    /// Delivered once, in order among themselves: pictures of the screen.
    Screen = 0x10,
    /// Only the newest matters: where the cursor is.
    Cursor = 0x11,
    /// Only the newest matters: what the viewer has drawn.
    Seen = 0x12,
}

impl Class {
    /// Every class. 0x03 is kept for *bulk*.
    pub const ALL: [Class; 5] = [Class::Ordered, Class::Input, Class::Screen, Class::Cursor, Class::Seen];

    /// Whether every message of the class arrives, once and in order; otherwise only the newest does.
    pub const fn is_stream(self) -> bool {
        match self {
            Class::Ordered | Class::Input | Class::Screen => true,
            Class::Cursor | Class::Seen => false,
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Class, WireError> {
        let value = r.u8()?;
        Class::ALL
            .into_iter()
            .find(|class| *class as u8 == value)
            .ok_or(WireError::Unknown { what: "message class", value: u64::from(value) })
    }
}

/// A piece of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// 0x01: `[u8 class][u64 next][u8 n]` then n times `[u64 from][u64 to]`: what has arrived.
    Ack(Ack),
    /// 0x02: `[u8 class][u64 offset][bytes…]`, at least one byte; the last piece of its packet.
    Data {
        /// A stream.
        class: Class,
        /// Where in the stream the first byte belongs.
        offset: u64,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// 0x03: `[u8 class][u64 number][bytes…]`; the last piece of its packet.
    State {
        /// A class of which only the newest matters.
        class: Class,
        /// The message's number within class and direction, from 0.
        number: u64,
        /// The message.
        message: &'a [u8],
    },
    /// 0x04: `[u32 number]`: are you there, on this path?
    Ping(u32),
    /// 0x05: `[u32 number]` of the ping, sent on the path on which it came.
    Pong(u32),
}

/// What has arrived of one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Which class.
    pub class: Class,
    /// Of a stream: the first byte that has not arrived. Of a state: the highest number received, and one.
    pub next: u64,
    /// Of a stream: what has arrived beyond, from the first byte to before the last; at most [`MAX_RANGES`].
    ///
    /// INVARIANT: next < from < to < from of the next range.
    pub ranges: Vec<(u64, u64)>,
}

const ACK: u8 = 0x01;
const DATA: u8 = 0x02;
const STATE: u8 = 0x03;
const PING: u8 = 0x04;
const PONG: u8 = 0x05;

impl<'a> Piece<'a> {
    /// Writes the piece behind those before. Nothing may follow [`Piece::Data`] and [`Piece::State`].
    pub fn write(&self, w: &mut Writer) {
        match self {
            Piece::Ack(Ack { class, next, ranges }) => {
                let ranges = &ranges[..ranges.len().min(MAX_RANGES)];
                w.u8(ACK).u8(*class as u8).u64(*next).u8(ranges.len() as u8);
                for (from, to) in ranges {
                    w.u64(*from).u64(*to);
                }
            }
            Piece::Data { class, offset, bytes } => {
                w.u8(DATA).u8(*class as u8).u64(*offset).raw(bytes);
            }
            Piece::State { class, number, message } => {
                w.u8(STATE).u8(*class as u8).u64(*number).raw(message);
            }
            Piece::Ping(number) => {
                w.u8(PING).u32(*number);
            }
            Piece::Pong(number) => {
                w.u8(PONG).u32(*number);
            }
        }
    }

    fn read(r: &mut Reader<'a>) -> Result<Piece<'a>, WireError> {
        match r.u8()? {
            ACK => Ok(Piece::Ack(read_ack(r)?)),
            DATA => {
                let (class, offset, bytes) = (Class::read(r)?, number(r)?, r.remaining());
                if !class.is_stream() {
                    return Err(WireError::Invalid("data of a state class"));
                }
                if bytes.is_empty() {
                    return Err(WireError::Truncated);
                }
                if offset + bytes.len() as u64 >= MAX_NUMBER {
                    return Err(WireError::Invalid("an offset above the limit"));
                }
                Ok(Piece::Data { class, offset, bytes })
            }
            STATE => {
                let (class, number, message) = (Class::read(r)?, number(r)?, r.remaining());
                if class.is_stream() {
                    return Err(WireError::Invalid("a state of a stream class"));
                }
                Ok(Piece::State { class, number, message })
            }
            PING => Ok(Piece::Ping(r.u32()?)),
            PONG => Ok(Piece::Pong(r.u32()?)),
            value => Err(WireError::Unknown { what: "piece of a packet", value: u64::from(value) }),
        }
    }
}

fn read_ack(r: &mut Reader<'_>) -> Result<Ack, WireError> {
    let (class, next, count) = (Class::read(r)?, number(r)?, usize::from(r.u8()?));
    if count > MAX_RANGES {
        return Err(WireError::TooLong { what: "list of ranges", limit: MAX_RANGES });
    }
    if count > 0 && !class.is_stream() {
        return Err(WireError::Invalid("ranges of a state class"));
    }
    let (mut ranges, mut before) = (Vec::with_capacity(count), next);
    for _ in 0..count {
        let (from, to) = (number(r)?, number(r)?);
        if from <= before || to <= from {
            return Err(WireError::Invalid("the order of ranges"));
        }
        ranges.push((from, to));
        before = to;
    }
    Ok(Ack { class, next, ranges })
}

fn number(r: &mut Reader<'_>) -> Result<u64, WireError> {
    let value = r.u64()?;
    if value < MAX_NUMBER { Ok(value) } else { Err(WireError::Invalid("a number above the limit")) }
}

/// The bytes of a packet of these pieces, of which only the last may be data or state.
pub fn encode(pieces: &[Piece<'_>]) -> Vec<u8> {
    let mut w = Writer::default();
    pieces.iter().for_each(|piece| piece.write(&mut w));
    w.finish()
}

/// Reads a packet: 1 to [`MAX_PIECES`] pieces.
pub fn decode(bytes: &[u8]) -> Result<Vec<Piece<'_>>, WireError> {
    let mut r = Reader::new(bytes);
    let mut pieces = vec![Piece::read(&mut r)?];
    while !r.is_empty() {
        if pieces.len() == MAX_PIECES {
            return Err(WireError::TooLong { what: "packet", limit: MAX_PIECES });
        }
        pieces.push(Piece::read(&mut r)?);
    }
    Ok(pieces)
}
