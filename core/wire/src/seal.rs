//! The seal's frames: three handshake messages, then sealed packets. Spec: `docs/protocol/seal.md`.

use crate::codec::{Reader, WireError, Writer};

/// Name and version, in the transcript and in the first message.
pub const NAME: &str = "belay-seal/1";
/// Bytes a sealed frame has around its packet: kind, counter, tag.
pub const OVERHEAD: usize = 1 + 8 + 16;

/// A frame of the seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealFrame<'a> {
    /// 0x10, console → applet: `[text name][32 commitment]`.
    Commit {
        /// SHA-256 over the console's key and nonce (see the spec).
        commitment: [u8; 32],
    },
    /// 0x11, applet → console: `[32 public key][32 nonce]`.
    Answer {
        /// X25519 public key.
        key: [u8; 32],
        /// Random.
        nonce: [u8; 32],
    },
    /// 0x12, console → applet: `[32 public key][32 nonce]`.
    Open {
        /// X25519 public key.
        key: [u8; 32],
        /// Random.
        nonce: [u8; 32],
    },
    /// 0x13, both ways: `[u64 counter][ciphertext and 16-byte tag…]`.
    Sealed {
        /// The direction's packet number, from 0.
        counter: u64,
        /// Ciphertext followed by its tag.
        ciphertext: &'a [u8],
    },
    /// 0x14, applet → console: the applet holds no seal that opens what came; a new handshake is needed.
    Unknown,
    /// 0x55, applet → console: the handshake has come to other keys than the console's, or broke; it is over. Anybody on the
    /// way can say so: it ends a pairing of which nothing has opened yet, and means nothing later.
    KeysDiffer,
}

/// Kind byte of [`SealFrame::KeysDiffer`].
pub const KEYS_DIFFER: u8 = 0x55;

/// Kind byte of [`SealFrame::Unknown`].
pub const UNKNOWN: u8 = 0x14;
/// Kind byte of [`SealFrame::Commit`].
pub const COMMIT: u8 = 0x10;
/// Kind byte of [`SealFrame::Answer`].
pub const ANSWER: u8 = 0x11;
/// Kind byte of [`SealFrame::Open`].
pub const OPEN: u8 = 0x12;
/// Kind byte of [`SealFrame::Sealed`].
pub const SEALED: u8 = 0x13;

impl<'a> SealFrame<'a> {
    /// The frame's bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            SealFrame::Commit { commitment } => Writer::of(COMMIT).text(NAME, 64).raw(commitment).finish(),
            SealFrame::Answer { key, nonce } => Writer::of(ANSWER).raw(key).raw(nonce).finish(),
            SealFrame::Open { key, nonce } => Writer::of(OPEN).raw(key).raw(nonce).finish(),
            SealFrame::Sealed { counter, ciphertext } => {
                Writer::of(SEALED).u64(*counter).raw(ciphertext).finish()
            }
            SealFrame::Unknown => Writer::of(UNKNOWN).finish(),
            SealFrame::KeysDiffer => Writer::of(KEYS_DIFFER).finish(),
        }
    }

    /// Reads a frame.
    pub fn decode(bytes: &'a [u8]) -> Result<SealFrame<'a>, WireError> {
        let mut r = Reader::new(bytes);
        let frame = match r.u8()? {
            COMMIT => {
                if r.text("seal name", 64)? != NAME {
                    return Err(WireError::Unknown { what: "seal version", value: 0 });
                }
                SealFrame::Commit { commitment: r.array()? }
            }
            ANSWER => SealFrame::Answer { key: r.array()?, nonce: r.array()? },
            OPEN => SealFrame::Open { key: r.array()?, nonce: r.array()? },
            SEALED => SealFrame::Sealed { counter: r.u64()?, ciphertext: r.remaining() },
            UNKNOWN => SealFrame::Unknown,
            KEYS_DIFFER => SealFrame::KeysDiffer,
            value => return Err(WireError::Unknown { what: "seal frame", value: u64::from(value) }),
        };
        r.finish()?;
        Ok(frame)
    }
}
