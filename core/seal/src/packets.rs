//! Sealed packets: AES-256-GCM with a chain of keys and a counter for each direction.

use aws_lc_rs::aead::{Aad, Nonce};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use belay_wire::seal::{SEALED, SealFrame};
use std::fmt;

use crate::SealError;
use crate::code::SecurityCode;
use crate::keys::{Keys, expand};
use crate::window::{Standing, Window};

const INFO_CONSOLE_TO_APPLET: &[u8] = b"belay-seal/1 console to applet";
const INFO_APPLET_TO_CONSOLE: &[u8] = b"belay-seal/1 applet to console";
const INFO_SECURITY_CODE: &[u8] = b"belay-seal/1 security code";
/// Packets of one direction in one pairing.
const MAX_PACKETS: u64 = 1 << 48;
const HEAD: usize = 9;
const TAG: usize = 16;

/// One end of a pairing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The technician's.
    Console,
    /// The end user's.
    Applet,
}

/// One side of a finished handshake: seals what goes out, opens what comes in.
pub struct Seal {
    send: Keys,
    sent: u64,
    receive: Keys,
    received: Window,
    code: SecurityCode,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal({} sent, keys hidden)", self.sent)
    }
}

impl Seal {
    pub(crate) fn derive(side: Side, transcript: &[u8; 32], secret: &[u8; 32]) -> Result<Seal, SealError> {
        let prk = Salt::new(HKDF_SHA256, transcript).extract(secret);
        let chain = |info| expand(&prk, info).and_then(Keys::new);
        let (console, applet) = (chain(INFO_CONSOLE_TO_APPLET)?, chain(INFO_APPLET_TO_CONSOLE)?);
        let code = u64::from_be_bytes(*expand::<8>(&prk, INFO_SECURITY_CODE)?);
        let code = SecurityCode { digits: (code % 1_000_000) as u32, transcript: *transcript };
        let (send, receive) = match side {
            Side::Console => (console, applet),
            Side::Applet => (applet, console),
        };
        Ok(Seal { send, sent: 0, receive, received: Window::default(), code })
    }

    /// What both ends can compare: by eye, or by a link's secret.
    pub fn security_code(&self) -> SecurityCode {
        self.code
    }

    /// Seals a packet into a frame.
    pub fn seal(&mut self, packet: &[u8]) -> Result<Vec<u8>, SealError> {
        if self.sent >= MAX_PACKETS {
            return Err(SealError::Spent);
        }
        let mut frame = Vec::with_capacity(HEAD + packet.len() + TAG);
        frame.push(SEALED);
        frame.extend_from_slice(&self.sent.to_be_bytes());
        frame.extend_from_slice(packet);
        let (head, body) = frame.split_at_mut(HEAD);
        let counter = self.sent;
        let tag = self.send.with(counter, |key| {
            key.seal_in_place_separate_tag(nonce(counter), Aad::from(&*head), body)
                .map_err(|_| SealError::Spent)
        })?;
        frame.extend_from_slice(tag.as_ref());
        self.sent += 1;
        Ok(frame)
    }

    /// Opens a frame into its packet.
    pub fn open(&mut self, frame: &[u8]) -> Result<Vec<u8>, SealError> {
        let SealFrame::Sealed { counter, ciphertext } = SealFrame::decode(frame)? else {
            return Err(SealError::OutOfOrder);
        };
        match self.received.standing(counter) {
            Standing::New => {}
            Standing::Seen => return Err(SealError::Replayed),
            Standing::Old => return Err(SealError::Late),
        }
        let mut packet = ciphertext.to_vec();
        let opened = self.receive.with(counter, |key| {
            let opened = key.open_in_place(nonce(counter), Aad::from(&frame[..HEAD]), &mut packet);
            opened.map(|packet| packet.len()).map_err(|_| SealError::Forged)
        })?;
        packet.truncate(opened);
        self.received.note(counter);
        Ok(packet)
    }
}

fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&counter.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}
