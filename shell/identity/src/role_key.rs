//! How processes of different roles know each other: every request is signed with the Ed25519 key of the process that
//! asks. Spec: `docs/protocol/internal.md`.

use std::io::Write;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

/// Headers that carry key, time (µs since 1970), nonce and signature; all but the time in hexadecimal.
pub const KEY_HEADER: &str = "belay-key";
/// See [`KEY_HEADER`].
pub const TIME_HEADER: &str = "belay-time";
/// See [`KEY_HEADER`].
pub const NONCE_HEADER: &str = "belay-nonce";
/// See [`KEY_HEADER`].
pub const SIGNATURE_HEADER: &str = "belay-signature";

/// What a signature is over.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// `GET`, `POST`
    pub method: &'a str,
    /// The path with its query.
    pub path: &'a str,
    /// The `Host` header: a request to one installation is worth nothing at another.
    pub host: &'a str,
    /// When it was signed, in µs since 1970.
    pub time: u64,
    /// Random, never used twice.
    pub nonce: &'a [u8; 16],
    /// The body.
    pub body: &'a [u8],
}

impl SignedRequest<'_> {
    fn bytes(&self) -> Vec<u8> {
        let SignedRequest { method, path, host, time, nonce, body } = self;
        let body = hex_of(digest(&SHA256, body).as_ref());
        let nonce = hex_of(*nonce);
        format!("belay-internal/1\n{method}\n{path}\n{host}\n{time}\n{nonce}\n{body}").into_bytes()
    }

    /// Is this the key's signature over the request?
    pub fn is_signed_by(&self, key: &[u8; 32], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, key).verify(&self.bytes(), signature).is_ok()
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum RoleKeyError {
    /// The file cannot be read or written.
    #[error("{} cannot be used: {source}; give the user that runs the server read and write access to it", path.display())]
    Inaccessible {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("{} is no key of a role (64 hexadecimal digits); put the right file back, or remove it and trust the new key that the next start makes", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
    },
    /// Others than its owner can read it.
    #[error("{} can be read by others (mode {mode:03o}); remove it and trust the new key that the next start makes", path.display())]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// The private key of a process.
pub struct RoleKey(Ed25519KeyPair);

impl RoleKey {
    /// Reads the key, or makes it (readable by its owner only) where there is none.
    pub fn load_or_make(path: &Path) -> Result<RoleKey, RoleKeyError> {
        let inaccessible = |source| RoleKeyError::Inaccessible { path: path.to_owned(), source };
        let malformed = || RoleKeyError::Malformed { path: path.to_owned() };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut seed = [0u8; 32];
                SystemRandom::new().fill(&mut seed).expect("the operating system's random generator answers");
                let text = hex_of(&seed);
                write_private(path, &text).map_err(inaccessible)?;
                text
            }
            Err(error) => return Err(inaccessible(error)),
        };
        refuse_exposed(path)?;
        let seed = bytes_of_hex::<32>(text.trim()).ok_or_else(malformed)?;
        Ed25519KeyPair::from_seed_unchecked(&seed).map(RoleKey).map_err(|_| malformed())
    }

    /// Reads the key, if there is one.
    pub fn load(path: &Path) -> Result<Option<RoleKey>, RoleKeyError> {
        if path.exists() { RoleKey::load_or_make(path).map(Some) } else { Ok(None) }
    }

    /// Says that another key takes the place of this one, at the installation of this host.
    pub fn hand_over(&self, next: &[u8; 32], host: &str) -> [u8; 64] {
        let signature = self.0.sign(&handing_over(&self.public(), next, host));
        signature.as_ref().try_into().expect("an Ed25519 signature has 64 bytes")
    }

    /// The public half, by which others know this process.
    pub fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().expect("an Ed25519 public key has 32 bytes")
    }

    /// The headers that prove that a request is this process's; `time` in µs since 1970.
    pub fn headers(
        &self,
        method: &str,
        path: &str,
        host: &str,
        time: u64,
        body: &[u8],
    ) -> [(&'static str, String); 4] {
        let mut nonce = [0u8; 16];
        SystemRandom::new().fill(&mut nonce).expect("the operating system's random generator answers");
        let request = SignedRequest { method, path, host, time, nonce: &nonce, body };
        let signature = self.0.sign(&request.bytes());
        [
            (KEY_HEADER, hex_of(&self.public())),
            (TIME_HEADER, time.to_string()),
            (NONCE_HEADER, hex_of(&nonce)),
            (SIGNATURE_HEADER, hex_of(signature.as_ref())),
        ]
    }
}

/// Whether `before` has said that `next` takes its place.
pub fn is_handed_over(before: &[u8; 32], next: &[u8; 32], host: &str, signature: &[u8; 64]) -> bool {
    UnparsedPublicKey::new(&ED25519, before).verify(&handing_over(before, next, host), signature).is_ok()
}

fn handing_over(before: &[u8; 32], next: &[u8; 32], host: &str) -> Vec<u8> {
    format!("belay-internal/1 next key\n{host}\n{}\n{}", hex_of(before), hex_of(next)).into_bytes()
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(dir)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(unix)]
fn refuse_exposed(path: &Path) -> Result<(), RoleKeyError> {
    use std::os::unix::fs::PermissionsExt;
    let found = std::fs::metadata(path);
    let found = found.map_err(|source| RoleKeyError::Inaccessible { path: path.to_owned(), source })?;
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(RoleKeyError::Exposed { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn refuse_exposed(_path: &Path) -> Result<(), RoleKeyError> {
    Ok(())
}

/// Bytes as hexadecimal digits.
pub fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Exactly `N` bytes from hexadecimal digits.
pub fn bytes_of_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0u8; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("belay-role-key-{}-{name}", std::process::id()));
        let _absent = std::fs::remove_dir_all(&dir);
        dir.join("roles").join("gateway.key")
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let path = file("made");
        let first = RoleKey::load_or_make(&path).unwrap().public();
        assert_eq!(RoleKey::load_or_make(&path).unwrap().public(), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
            assert!(matches!(RoleKey::load_or_make(&path), Err(RoleKeyError::Exposed { mode: 0o640, .. })));
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        std::fs::write(&path, "no key").unwrap();
        assert!(matches!(RoleKey::load_or_make(&path), Err(RoleKeyError::Malformed { .. })));
        std::fs::remove_dir_all(path.parent().unwrap().parent().unwrap()).unwrap();
    }

    #[test]
    fn a_key_hands_over_to_one_other_at_one_host() {
        let path = file("hands-over");
        assert!(RoleKey::load(&path).unwrap().is_none());
        let before = RoleKey::load_or_make(&path).unwrap();
        let signature = before.hand_over(&[2; 32], "help.example");
        let holds = |key: &[u8; 32], next: u8, host| is_handed_over(key, &[next; 32], host, &signature);
        assert!(holds(&before.public(), 2, "help.example"));
        assert!(!holds(&before.public(), 3, "help.example"));
        assert!(!holds(&before.public(), 2, "other.example"));
        assert!(!holds(&[2; 32], 2, "help.example"));
        std::fs::remove_dir_all(path.parent().unwrap().parent().unwrap()).unwrap();
    }

    #[test]
    fn a_signature_holds_for_its_own_request_alone() {
        let path = file("signs");
        let key = RoleKey::load_or_make(&path).unwrap();
        let headers = key.headers("POST", "/a?b", "help.example", 5, b"body");
        let value = |name: &str| headers.iter().find(|(found, _)| *found == name).unwrap().1.clone();
        let nonce = bytes_of_hex(&value(NONCE_HEADER)).unwrap();
        let signature = bytes_of_hex::<64>(&value(SIGNATURE_HEADER)).unwrap();
        let right = SignedRequest {
            method: "POST",
            path: "/a?b",
            host: "help.example",
            time: 5,
            nonce: &nonce,
            body: b"body",
        };
        assert!(right.is_signed_by(&key.public(), &signature));
        for wrong in [
            SignedRequest { method: "GET", ..right },
            SignedRequest { path: "/a?c", ..right },
            SignedRequest { host: "other.example", ..right },
            SignedRequest { time: 6, ..right },
            SignedRequest { nonce: &[0; 16], ..right },
            SignedRequest { body: b"bodi", ..right },
        ] {
            assert!(!wrong.is_signed_by(&key.public(), &signature), "{wrong:?}");
        }
        assert!(!right.is_signed_by(&[1; 32], &signature));
        std::fs::remove_dir_all(path.parent().unwrap().parent().unwrap()).unwrap();
    }
}
