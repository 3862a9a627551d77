//! Agreeing on keys: the console commits, the applet answers, the console opens.

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use belay_wire::seal::{NAME, SealFrame};
use belay_wire::{gateway, link};
use zeroize::Zeroize;

use crate::packets::{Seal, Side};
use crate::{Binding, SealError, sha256};

/// The random bytes of one side of one pairing, from a cryptographically secure generator. Used once.
pub struct Secrets {
    /// X25519 private key.
    pub key: [u8; 32],
    /// Nonce.
    pub nonce: [u8; 32],
}

impl Drop for Secrets {
    fn drop(&mut self) {
        self.key.zeroize();
        self.nonce.zeroize();
    }
}

/// The public half of one side.
#[derive(Clone, Copy)]
struct Share {
    key: [u8; 32],
    nonce: [u8; 32],
}

impl Secrets {
    fn private(&self) -> Result<PrivateKey, SealError> {
        PrivateKey::from_private_key(&X25519, &self.key).map_err(|_| SealError::BadKey)
    }

    fn share(&self) -> Result<Share, SealError> {
        let public = self.private()?.compute_public_key().map_err(|_| SealError::BadKey)?;
        let key = public.as_ref().try_into().map_err(|_| SealError::BadKey)?;
        Ok(Share { key, nonce: self.nonce })
    }

    fn agree(&self, theirs: &[u8; 32]) -> Result<[u8; 32], SealError> {
        let theirs = UnparsedPublicKey::new(&X25519, theirs);
        // aws-lc refuses the all-zero result of a low-order key, as RFC 7748 section 6.1 advises.
        agree(&self.private()?, theirs, SealError::BadKey, |secret| {
            secret.try_into().map_err(|_| SealError::BadKey)
        })
    }
}

fn commitment(console: &Share) -> [u8; 32] {
    sha256(&[NAME.as_bytes(), b" commitment\n", &console.key, &console.nonce])
}

fn transcript(binding: &Binding, commitment: &[u8; 32], applet: &Share, console: &Share) -> [u8; 32] {
    sha256(&[
        NAME.as_bytes(),
        b" transcript\n",
        link::NAME.as_bytes(),
        b"\n",
        belay_wire::message::NAME.as_bytes(),
        b"\n",
        &binding.0,
        commitment,
        &applet.key,
        &applet.nonce,
        &console.key,
        &console.nonce,
    ])
}

/// The console's side, between its commitment and the applet's answer.
pub struct ConsoleHandshake {
    secrets: Secrets,
    share: Share,
    binding: Binding,
    commitment: [u8; 32],
}

impl ConsoleHandshake {
    /// Starts; the bytes are the first frame to send.
    pub fn start(secrets: Secrets, binding: Binding) -> Result<(ConsoleHandshake, Vec<u8>), SealError> {
        let share = secrets.share()?;
        let commitment = commitment(&share);
        let frame = SealFrame::Commit { commitment }.encode();
        Ok((ConsoleHandshake { secrets, share, binding, commitment }, frame))
    }

    /// Takes the applet's answer; the bytes are the last handshake frame to send, before anything sealed.
    pub fn answered(self, frame: &[u8]) -> Result<(Seal, Vec<u8>), SealError> {
        let SealFrame::Answer { key, nonce } = SealFrame::decode(frame)? else {
            return Err(SealError::OutOfOrder);
        };
        let transcript = transcript(&self.binding, &self.commitment, &Share { key, nonce }, &self.share);
        let seal = Seal::derive(Side::Console, &transcript, &self.secrets.agree(&key)?)?;
        Ok((seal, SealFrame::Open { key: self.share.key, nonce: self.share.nonce }.encode()))
    }
}

/// The applet's side of the handshake.
pub struct AppletHandshake {
    secrets: Secrets,
    share: Share,
    binding: Binding,
    commitment: Option<[u8; 32]>,
}

/// What the applet does after a handshake frame.
pub enum AppletStep {
    /// Send this frame and wait for the next one.
    Send(Box<AppletHandshake>, Vec<u8>),
    /// The seal stands.
    Sealed(Box<Seal>),
}

impl AppletHandshake {
    /// Waits for the console's commitment.
    pub fn new(secrets: Secrets, binding: Binding) -> Result<AppletHandshake, SealError> {
        let share = secrets.share()?;
        Ok(AppletHandshake { secrets, share, binding, commitment: None })
    }

    /// Takes the console's next handshake frame.
    pub fn received(mut self, frame: &[u8]) -> Result<AppletStep, SealError> {
        match (SealFrame::decode(frame)?, self.commitment) {
            (SealFrame::Commit { commitment }, None) => {
                self.commitment = Some(commitment);
                let answer = SealFrame::Answer { key: self.share.key, nonce: self.share.nonce }.encode();
                Ok(AppletStep::Send(Box::new(self), answer))
            }
            (SealFrame::Open { key, nonce }, Some(promised)) => {
                let console = Share { key, nonce };
                if commitment(&console) != promised {
                    return Err(SealError::CommitmentBroken);
                }
                let transcript = transcript(&self.binding, &promised, &self.share, &console);
                let seal = Seal::derive(Side::Applet, &transcript, &self.secrets.agree(&key)?)?;
                Ok(AppletStep::Sealed(Box::new(seal)))
            }
            (
                SealFrame::Commit { .. }
                | SealFrame::Open { .. }
                | SealFrame::Answer { .. }
                | SealFrame::Sealed { .. }
                | SealFrame::Unknown
                | SealFrame::KeysDiffer,
                _,
            ) => Err(SealError::OutOfOrder),
        }
    }
}

/// Largest packet that fits into one gateway frame once sealed, in bytes.
pub const MAX_PACKET: usize = gateway::MAX_FRAME - 1 - belay_wire::seal::OVERHEAD;
