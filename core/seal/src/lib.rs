//! The end-to-end seal between console and applet: `belay-seal/1` of `docs/protocol/seal.md`.
//!
//! Pure: random bytes are handed in, frames go in and out as bytes. The gateway sees these frames and nothing else.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod code;
mod handshake;
mod keys;
mod packets;
mod window;

pub use code::{LinkSecret, SecurityCode, WrongProof};
pub use handshake::{AppletHandshake, AppletStep, ConsoleHandshake, MAX_PACKET, Secrets};
pub use packets::{Seal, Side};

use belay_wire::WireError;
use std::fmt;

/// 32 bytes that tie a pairing to one session; see `docs/protocol/charter.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding(pub [u8; 32]);

impl Binding {
    /// The binding of the session that this session authentication id belongs to.
    pub fn of(id: &belay_wire::SessionAuthenticationId) -> Binding {
        let bytes = belay_wire::charter::binding_bytes(id.secret_bytes());
        Binding(sha256(&[&bytes]))
    }
}

/// Why a frame is refused. A refused frame changes nothing, unless it is part of the handshake: that ends then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealError {
    /// Not a frame of this version.
    Wire(WireError),
    /// A frame that does not belong here now.
    OutOfOrder,
    /// The console's key is not the one it had committed to: somebody in between tampers.
    CommitmentBroken,
    /// The other side's public key gives no secret.
    BadKey,
    /// The packet is forged, damaged, or sealed for another pairing.
    Forged,
    /// The packet was seen before: somebody repeats it, for no path of ours does.
    Replayed,
    /// The packet is too old to tell whether it was seen before, as one may be that comes late on a slower path.
    Late,
    /// All 2^48 packets of this pairing are used up.
    Spent,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SealError::Wire(error) => write!(f, "not a sealed frame: {error}"),
            SealError::OutOfOrder => f.write_str("a handshake frame out of order"),
            SealError::CommitmentBroken => f.write_str("the console's key does not fit its commitment"),
            SealError::BadKey => f.write_str("the other side's key is not usable"),
            SealError::Forged => f.write_str("a packet that is forged, damaged or not for this pairing"),
            SealError::Replayed => f.write_str("a packet that was seen before"),
            SealError::Late => f.write_str("a packet that is too old to tell whether it was seen before"),
            SealError::Spent => f.write_str("this pairing has sent all its packets, connect anew"),
        }
    }
}

impl std::error::Error for SealError {}

impl From<WireError> for SealError {
    fn from(error: WireError) -> SealError {
        SealError::Wire(error)
    }
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}
