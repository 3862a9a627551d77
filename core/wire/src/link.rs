//! Packets of the link, the plaintext of every sealed frame. Spec: `docs/protocol/link.md`.

use crate::codec::{Reader, WireError, Writer};

/// Name and version; part of the seal's transcript, so that both ends agree on it.
pub const NAME: &str = "belay-link/1";

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Class {
    /// Delivered once, in order: consent, chat, control.
    Ordered = 0x01,
    /// Delivered once, in order among themselves: mouse and keyboard. Never waits behind [`Class::Ordered`].
    Input = 0x02,
    /// Only the newest matters: pictures of the screen.
    Screen = 0x10,
    /// Only the newest matters: where the cursor is.
    Cursor = 0x11,
    /// Only the newest matters: what the viewer has drawn.
    Seen = 0x12,
}

impl Class {
    /// Every class. 0x03 is kept for *bulk*.
    pub const ALL: [Class; 5] = [Class::Ordered, Class::Input, Class::Screen, Class::Cursor, Class::Seen];

    /// Whether every message of the class arrives, once and in order.
    pub const fn is_reliable(self) -> bool {
        match self {
            Class::Ordered | Class::Input => true,
            Class::Screen | Class::Cursor | Class::Seen => false,
        }
    }
}

/// What has arrived at the sender of a packet: the next number expected of each reliable class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Next ordered message expected.
    pub ordered: u64,
    /// Next input message expected.
    pub input: u64,
}

/// One packet: `[u64 next ordered][u64 next input]`, then either nothing or `[u8 class][u64 number][message…]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What the sender has received so far.
    pub acknowledgement: Acknowledgement,
    /// The message carried, if any.
    pub carried: Option<Carried<'a>>,
}

/// A message in a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried<'a> {
    /// Its class.
    pub class: Class,
    /// Its number within class and direction, from 0.
    pub number: u64,
    /// The message's bytes.
    pub message: &'a [u8],
}

impl<'a> Packet<'a> {
    /// The packet's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.u64(self.acknowledgement.ordered).u64(self.acknowledgement.input);
        if let Some(carried) = &self.carried {
            w.u8(carried.class as u8).u64(carried.number).raw(carried.message);
        }
        w.finish()
    }

    /// Reads a packet.
    pub fn decode(bytes: &'a [u8]) -> Result<Packet<'a>, WireError> {
        let mut r = Reader::new(bytes);
        let acknowledgement = Acknowledgement { ordered: r.u64()?, input: r.u64()? };
        let carried = if r.is_empty() {
            None
        } else {
            let value = r.u8()?;
            let class = Class::ALL
                .into_iter()
                .find(|class| *class as u8 == value)
                .ok_or(WireError::Unknown { what: "message class", value: u64::from(value) })?;
            Some(Carried { class, number: r.u64()?, message: r.remaining() })
        };
        Ok(Packet { acknowledgement, carried })
    }
}
