//! Who may ask: credentials minted for a leg, nonces that need no memory, and the integrity of messages.

use crate::Client;
use crate::stun::{Message, Writer, attribute};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use belay_relay::LegId;
use belay_wire::Moment;
use md5::{Digest, Md5};
use std::net::IpAddr;
use std::time::Duration;

/// Username and password for one leg, to be handed to it inside its admitted connection.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `expiry:leg`, expiry in seconds of the machine's clock.
    pub username: String,
    /// base64 of HMAC-SHA-256 over the username. Secret.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A client's long-term key: MD5 of `username:realm:password`, as RFC 8489 section 9.2.2 has it.
pub(crate) type Key = [u8; 16];

/// The gateway's secrets. They live as long as the process: whoever held credentials of an earlier one asks again.
pub(crate) struct Secrets {
    credential: hmac::Key,
    nonce: hmac::Key,
}

impl Secrets {
    /// Both secrets from 64 random bytes.
    pub(crate) fn new(random: &[u8; 64]) -> Secrets {
        Secrets {
            credential: hmac::Key::new(hmac::HMAC_SHA256, &random[..32]),
            nonce: hmac::Key::new(hmac::HMAC_SHA256, &random[32..]),
        }
    }

    pub(crate) fn mint(&self, leg: LegId, until: Moment) -> Credentials {
        let username = format!("{}:{}", until.0 / 1_000_000, leg.0);
        let password = self.password(&username);
        Credentials { username, password }
    }

    fn password(&self, username: &str) -> String {
        STANDARD.encode(hmac::sign(&self.credential, username.as_bytes()))
    }

    pub(crate) fn key(&self, username: &str, realm: &str) -> Key {
        long_term_key(username, realm, &self.password(username))
    }

    /// A nonce that is good for this client from now on.
    pub(crate) fn nonce(&self, client: Client, now: Moment) -> String {
        self.nonce_of(client, now.0 / 1_000_000)
    }

    fn nonce_of(&self, client: Client, second: u64) -> String {
        let mut of = [0u8; 8 + 8 + 16 + 2];
        of[..8].copy_from_slice(&second.to_be_bytes());
        of[8..16].copy_from_slice(&client.carrier.number().to_be_bytes());
        let ip = match client.remote.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        of[16..32].copy_from_slice(&ip.octets());
        of[32..].copy_from_slice(&client.remote.port().to_be_bytes());
        let tag = hmac::sign(&self.nonce, &of);
        let mut nonce = format!("{second:010x}");
        tag.as_ref()[..12].iter().for_each(|byte| nonce.push_str(&format!("{byte:02x}")));
        nonce
    }

    /// Whether this server gave the nonce to this client, less than `age` ago. It proves that the client receives at
    /// the address it sends from.
    pub(crate) fn nonce_good(&self, nonce: &str, client: Client, now: Moment, age: Duration) -> bool {
        let Some(second) = nonce.get(..10).and_then(|s| u64::from_str_radix(s, 16).ok()) else {
            return false;
        };
        let made = Moment(second.saturating_mul(1_000_000));
        let expected = self.nonce_of(client, second);
        now.since(made) <= age
            && aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_bytes(), nonce.as_bytes())
                .is_ok()
    }
}

/// The leg and the expiry that a username names.
pub(crate) fn read_username(username: &str) -> Option<(LegId, Moment)> {
    let (expiry, leg) = username.split_once(':')?;
    let expiry: u64 = expiry.parse().ok()?;
    Some((LegId(leg.parse().ok()?), Moment(expiry.saturating_mul(1_000_000))))
}

/// MD5 of `username:realm:password`.
pub fn long_term_key(username: &str, realm: &str, password: &str) -> [u8; 16] {
    let mut md5 = Md5::new();
    for part in [username, ":", realm, ":", password] {
        md5.update(part.as_bytes());
    }
    md5.finalize().into()
}

/// Which integrity attribute a client uses; the answer uses the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// MESSAGE-INTEGRITY.
    Sha1,
    /// MESSAGE-INTEGRITY-SHA256.
    Sha256,
}

impl Integrity {
    /// The strongest integrity attribute a message carries.
    pub fn of(message: &Message<'_>) -> Option<Integrity> {
        if message.find(attribute::MESSAGE_INTEGRITY_SHA256).is_some() {
            return Some(Integrity::Sha256);
        }
        message.find(attribute::MESSAGE_INTEGRITY).map(|_| Integrity::Sha1)
    }

    /// Whether the message was made by somebody who has the key.
    pub fn verify(self, message: &Message<'_>, key: &[u8]) -> bool {
        let (number, least, most) = match self {
            Integrity::Sha1 => (attribute::MESSAGE_INTEGRITY, 20, 20),
            // RFC 8489 section 14.6: it may be cut, but not below 16 bytes.
            Integrity::Sha256 => (attribute::MESSAGE_INTEGRITY_SHA256, 16, 32),
        };
        let Some((value, at)) = message.find(number) else { return false };
        if value.len() < least || value.len() > most || value.len() % 4 != 0 {
            return false;
        }
        let mut context = hmac::Context::with_key(&self.key(key));
        let counted = (at + 4 + value.len() - crate::stun::HEADER) as u16;
        context.update(&message.bytes()[..2]);
        context.update(&counted.to_be_bytes());
        context.update(&message.bytes()[4..at]);
        let tag = context.sign();
        aws_lc_rs::constant_time::verify_slices_are_equal(&tag.as_ref()[..value.len()], value).is_ok()
    }

    /// Adds the attribute to a message.
    pub fn add(self, writer: &mut Writer<'_>, key: &[u8]) {
        let (number, len) = match self {
            Integrity::Sha1 => (attribute::MESSAGE_INTEGRITY, 20),
            Integrity::Sha256 => (attribute::MESSAGE_INTEGRITY_SHA256, 32),
        };
        let tag = hmac::sign(&self.key(key), writer.so_far(4 + len));
        writer.add(number, tag.as_ref());
    }

    fn key(self, key: &[u8]) -> hmac::Key {
        match self {
            Integrity::Sha1 => hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key),
            Integrity::Sha256 => hmac::Key::new(hmac::HMAC_SHA256, key),
        }
    }
}
