//! Keys derived from the root key, keys wrapped by it, and the envelope around content columns.
//!
//! A content value is `[version u8][data key number u32][nonce 12][ciphertext and tag]`, AES-256-GCM, with the place it
//! belongs to (account, table, column, row, data key) as additional data, so that a value moved elsewhere does not open.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::{hkdf, hmac};
use belay_wire::AccountId;
use zeroize::Zeroizing;

/// Version of the formats in this file.
const VERSION: u8 = 1;
const HEADER: usize = 1 + 4 + NONCE_LEN;

/// 32 secret bytes; wiped from memory when dropped.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// A sealed value does not open here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DoesNotOpen;

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    SystemRandom::new().fill(&mut bytes).expect("the operating system's random generator answers");
    bytes
}

/// A new random key.
pub(crate) fn random_key() -> Key {
    Zeroizing::new(random())
}

/// SHA-256, under which tokens of full strength are kept.
pub(crate) fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

/// What is derived from the root key, each for one purpose.
pub(crate) struct RootKeys {
    /// The raw key of `system.db`.
    pub(crate) system_file: Key,
    wrap: LessSafeKey,
    lookup: hmac::Key,
}

impl RootKeys {
    pub(crate) fn derive(root: &[u8; 32]) -> RootKeys {
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, b"belay-store/1").extract(root);
        let key_for = |purpose: &str| {
            let mut key = Zeroizing::new([0u8; 32]);
            prk.expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256)
                .and_then(|okm| okm.fill(key.as_mut_slice()))
                .expect("32 bytes are within what HKDF-SHA-256 gives");
            key
        };
        RootKeys {
            system_file: key_for("file system.db"),
            wrap: aes_key(&key_for("wrap keys")),
            lookup: hmac::Key::new(hmac::HMAC_SHA256, key_for("look up short secrets").as_slice()),
        }
    }

    /// Under which a guessable value (a PIN, a sign-in id) is kept: without the root key it cannot be searched for.
    pub(crate) fn lookup(&self, kind: &str, value: &str) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.lookup);
        context.update(kind.as_bytes());
        context.update(&[0]);
        context.update(value.as_bytes());
        context.sign().as_ref().to_vec()
    }

    /// Wraps a key for storing; `purpose` and `owner` must be the same when it is unwrapped.
    pub(crate) fn wrap(&self, purpose: &str, owner: &[u8], key: &Key) -> Vec<u8> {
        seal(&self.wrap, 0, &wrap_aad(purpose, owner), key.as_slice())
    }

    pub(crate) fn unwrap(&self, purpose: &str, owner: &[u8], wrapped: &[u8]) -> Result<Key, DoesNotOpen> {
        let plain = Zeroizing::new(open(&self.wrap, &wrap_aad(purpose, owner), wrapped)?);
        let mut key = Zeroizing::new([0u8; 32]);
        if plain.len() != key.len() {
            return Err(DoesNotOpen);
        }
        key.copy_from_slice(&plain);
        Ok(key)
    }
}

fn wrap_aad(purpose: &str, owner: &[u8]) -> Vec<u8> {
    [b"belay-wrap/1\0", purpose.as_bytes(), b"\0", owner].concat()
}

/// Where a content value belongs.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    pub(crate) row: &'a [u8],
}

/// The data keys of an account: the newest seals, all open.
pub(crate) struct ContentKeys {
    account: AccountId,
    newest: u32,
    keys: BTreeMap<u32, LessSafeKey>,
}

impl ContentKeys {
    /// `None` when there is no key at all.
    pub(crate) fn new(account: AccountId, keys: &[(u32, Key)]) -> Option<ContentKeys> {
        let keys: BTreeMap<u32, LessSafeKey> =
            keys.iter().map(|(number, key)| (*number, aes_key(key))).collect();
        let newest = *keys.last_key_value()?.0;
        Some(ContentKeys { account, newest, keys })
    }

    pub(crate) fn seal(&self, place: Place<'_>, text: &str) -> Vec<u8> {
        let key = self.keys.get(&self.newest).expect("the newest key is one of the keys");
        seal(key, self.newest, &self.aad(place, self.newest), text.as_bytes())
    }

    pub(crate) fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<String, DoesNotOpen> {
        let number = sealed.get(1..5).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        let number = number.ok_or(DoesNotOpen)?;
        let key = self.keys.get(&number).ok_or(DoesNotOpen)?;
        let plain = open(key, &self.aad(place, number), sealed)?;
        String::from_utf8(plain).map_err(|_| DoesNotOpen)
    }

    fn aad(&self, place: Place<'_>, number: u32) -> Vec<u8> {
        let Place { table, column, row } = place;
        let (account, number) = (self.account.as_bytes().as_slice(), number.to_be_bytes());
        [b"belay-content/1\0", account, table.as_bytes(), b"\0", column.as_bytes(), b"\0", row, &number]
            .concat()
    }
}

fn aes_key(key: &Key) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_slice()).expect("an AES-256 key has 32 bytes"))
}

fn seal(key: &LessSafeKey, number: u32, aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let nonce: [u8; NONCE_LEN] = random();
    let mut sealed = Vec::with_capacity(HEADER + plain.len() + 16);
    sealed.push(VERSION);
    sealed.extend_from_slice(&number.to_be_bytes());
    sealed.extend_from_slice(&nonce);
    let mut body = plain.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut body)
        .expect("values are far shorter than AES-GCM's limit");
    sealed.append(&mut body);
    sealed
}

fn open(key: &LessSafeKey, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, DoesNotOpen> {
    if sealed.len() < HEADER || sealed[0] != VERSION {
        return Err(DoesNotOpen);
    }
    let (header, body) = sealed.split_at(HEADER);
    let nonce = Nonce::try_assume_unique_for_key(&header[5..]).map_err(|_| DoesNotOpen)?;
    let mut body = body.to_vec();
    let length = key.open_in_place(nonce, Aad::from(aad), &mut body).map_err(|_| DoesNotOpen)?.len();
    body.truncate(length);
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'_> = Place { table: "chat_line", column: "text", row: b"row 1" };

    fn content(account: u8, keys: &[(u32, u8)]) -> ContentKeys {
        let keys: Vec<(u32, Key)> = keys.iter().map(|(n, byte)| (*n, Zeroizing::new([*byte; 32]))).collect();
        ContentKeys::new(AccountId::from_bytes([account; 16]), &keys).unwrap()
    }

    #[test]
    fn content_opens_in_its_own_place_only() {
        let keys = content(1, &[(1, 7)]);
        let sealed = keys.seal(PLACE, "Grüße");
        assert_eq!(keys.open(PLACE, &sealed), Ok("Grüße".to_owned()));
        for place in [
            Place { row: b"row 2", ..PLACE },
            Place { column: "author", ..PLACE },
            Place { table: "session", ..PLACE },
        ] {
            assert_eq!(keys.open(place, &sealed), Err(DoesNotOpen));
        }
        assert_eq!(
            content(2, &[(1, 7)]).open(PLACE, &sealed),
            Err(DoesNotOpen),
            "another account, the same key"
        );
        assert_eq!(content(1, &[(1, 8)]).open(PLACE, &sealed), Err(DoesNotOpen), "another key");
    }

    #[test]
    fn every_damaged_byte_is_noticed() {
        let keys = content(1, &[(1, 7)]);
        let sealed = keys.seal(PLACE, "hello");
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert_eq!(keys.open(PLACE, &damaged), Err(DoesNotOpen), "byte {at}");
            assert_eq!(keys.open(PLACE, &sealed[..at]), Err(DoesNotOpen), "cut at {at}");
        }
    }

    #[test]
    fn the_newest_key_seals_and_older_ones_still_open() {
        let old = content(1, &[(1, 7)]).seal(PLACE, "old");
        let both = content(1, &[(1, 7), (2, 8)]);
        assert_eq!(both.open(PLACE, &old), Ok("old".to_owned()));
        let new = both.seal(PLACE, "new");
        assert_eq!(new[..5], [1, 0, 0, 0, 2]);
        assert_eq!(content(1, &[(1, 7)]).open(PLACE, &new), Err(DoesNotOpen));
    }

    #[test]
    fn the_same_text_never_looks_the_same() {
        let keys = content(1, &[(1, 7)]);
        assert_ne!(keys.seal(PLACE, "hello"), keys.seal(PLACE, "hello"));
    }

    #[test]
    fn a_wrapped_key_opens_for_its_owner_and_purpose_only() {
        let keys = RootKeys::derive(&[1; 32]);
        let key: Key = Zeroizing::new([9; 32]);
        let wrapped = keys.wrap("account file", b"a", &key);
        assert_eq!(keys.unwrap("account file", b"a", &wrapped).unwrap(), key);
        assert!(keys.unwrap("account file", b"b", &wrapped).is_err());
        assert!(keys.unwrap("data key", b"a", &wrapped).is_err());
        assert!(RootKeys::derive(&[2; 32]).unwrap("account file", b"a", &wrapped).is_err());
        assert!(!wrapped.windows(32).any(|window| window == [9; 32]));
    }

    #[test]
    fn look_ups_depend_on_kind_value_and_root() {
        let keys = RootKeys::derive(&[1; 32]);
        assert_eq!(keys.lookup("pin", "123456"), keys.lookup("pin", "123456"));
        assert_ne!(keys.lookup("pin", "123456"), keys.lookup("pin", "123457"));
        assert_ne!(keys.lookup("pin", "123456"), keys.lookup("sign-in", "123456"));
        assert_ne!(keys.lookup("pin", "123456"), RootKeys::derive(&[2; 32]).lookup("pin", "123456"));
    }
}
