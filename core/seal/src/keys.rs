//! The keys of one direction: a chain in which each epoch's key is forgotten once the next two are in use.

use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk};
use zeroize::Zeroizing;

use crate::SealError;

const INFO_KEY: &[u8] = b"belay-seal/1 key";
const INFO_NEXT: &[u8] = b"belay-seal/1 next";
/// Packets under one key: epoch = counter / this.
pub(crate) const PACKETS_PER_KEY: u64 = 1 << 16;

struct Len(usize);

impl KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand into a fixed number of bytes.
pub(crate) fn expand<const N: usize>(prk: &Prk, info: &[u8]) -> Result<Zeroizing<[u8; N]>, SealError> {
    let mut out = Zeroizing::new([0; N]);
    prk.expand(&[info], Len(N)).and_then(|okm| okm.fill(&mut *out)).map_err(|_| SealError::BadKey)?;
    Ok(out)
}

struct Epoch {
    number: u64,
    chain: Zeroizing<[u8; 32]>,
    key: LessSafeKey,
}

impl Epoch {
    fn new(number: u64, chain: Zeroizing<[u8; 32]>) -> Result<Epoch, SealError> {
        let bytes = expand::<32>(&Prk::new_less_safe(HKDF_SHA256, &*chain), INFO_KEY)?;
        let key = UnboundKey::new(&AES_256_GCM, &*bytes).map_err(|_| SealError::BadKey)?;
        Ok(Epoch { number, chain, key: LessSafeKey::new(key) })
    }

    fn next(&self) -> Result<Epoch, SealError> {
        Epoch::new(self.number + 1, expand(&Prk::new_less_safe(HKDF_SHA256, &*self.chain), INFO_NEXT)?)
    }
}

/// The keys of one direction that may still be needed: the newest epoch's and the one before it.
pub(crate) struct Keys {
    newest: Epoch,
    before: Option<LessSafeKey>,
}

impl Keys {
    /// From the direction's first chain value.
    pub(crate) fn new(chain: Zeroizing<[u8; 32]>) -> Result<Keys, SealError> {
        Ok(Keys { newest: Epoch::new(0, chain)?, before: None })
    }

    /// Runs `with` with the key of this packet number, and keeps a new epoch only when it succeeds: a forged number
    /// must not push the keys on.
    pub(crate) fn with<T>(
        &mut self,
        counter: u64,
        with: impl FnOnce(&LessSafeKey) -> Result<T, SealError>,
    ) -> Result<T, SealError> {
        let epoch = counter / PACKETS_PER_KEY;
        if epoch == self.newest.number {
            with(&self.newest.key)
        } else if epoch + 1 == self.newest.number {
            with(self.before.as_ref().ok_or(SealError::Forged)?)
        } else if epoch == self.newest.number + 1 {
            let next = self.newest.next()?;
            let done = with(&next.key)?;
            self.before = Some(std::mem::replace(&mut self.newest, next).key);
            Ok(done)
        } else {
            // Older keys are gone, and no honest sender runs a whole epoch ahead of what arrives.
            Err(SealError::Forged)
        }
    }
}
