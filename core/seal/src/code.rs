//! What the two ends of a pairing compare, so that nobody in between can have swapped keys: six digits by eye, or proofs made
//! with the secret of the invitation link. "Security code" and "Link secret" of `docs/protocol/seal.md`.

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use std::fmt;
use zeroize::Zeroize;

use crate::packets::Side;

const PROOF_OF_CONSOLE: &[u8] = b"belay link proof console";
const PROOF_OF_APPLET: &[u8] = b"belay link proof applet";

/// What is the same at both ends of a pairing, unless somebody in between swapped keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SecurityCode {
    /// Six digits for people, 0 to 999,999.
    pub digits: u32,
    /// All of it, for those who share a link's secret. Not secret itself.
    pub transcript: [u8; 32],
}

impl fmt::Display for SecurityCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.digits)
    }
}

/// 32 random bytes from the fragment of an invitation link, which no server has seen.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkSecret([u8; LinkSecret::LEN]);

/// The other end does not have our keys, or not our secret: somebody sits in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongProof;

impl LinkSecret {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// Takes the secret's bytes.
    pub const fn from_bytes(bytes: [u8; LinkSecret::LEN]) -> LinkSecret {
        LinkSecret(bytes)
    }

    /// What this side shows the other one in a pairing with this code.
    pub fn proof(&self, side: Side, code: &SecurityCode) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key());
        context.update(label(side));
        context.update(&code.transcript);
        let mut proof = [0; 32];
        proof.copy_from_slice(context.sign().as_ref());
        proof
    }

    /// Checks what that side has shown, in constant time.
    ///
    /// # Errors
    /// When the proof was made with another secret, for another pairing, or by the other side.
    pub fn check(&self, side: Side, code: &SecurityCode, proof: &[u8; 32]) -> Result<(), WrongProof> {
        let said = [label(side), &code.transcript].concat();
        hmac::verify(&self.key(), &said, proof).map_err(|_| WrongProof)
    }

    fn key(&self) -> Key {
        Key::new(HMAC_SHA256, &self.0)
    }
}

impl Drop for LinkSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for LinkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkSecret(hidden)")
    }
}

const fn label(side: Side) -> &'static [u8] {
    match side {
        Side::Console => PROOF_OF_CONSOLE,
        Side::Applet => PROOF_OF_APPLET,
    }
}
