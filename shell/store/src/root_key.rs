//! The root key: 32 random bytes as hexadecimal text in a file that only its owner can read. Everything the store
//! encrypts hangs on it.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::error::OpenError;

/// Name of the file in the store's directory.
pub(crate) const FILE: &str = "root.key";

/// The key itself; wiped from memory when dropped.
pub(crate) type RootKey = Zeroizing<[u8; 32]>;

/// Reads the root key, or says why not. `Ok(None)`: there is no file.
pub(crate) fn read(dir: &Path) -> Result<Option<RootKey>, OpenError> {
    let path = dir.join(FILE);
    let inaccessible = |source| OpenError::Inaccessible { path: path.clone(), source };
    let mode = match fs::metadata(&path) {
        Ok(metadata) => permissions(&metadata),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(inaccessible(error)),
    };
    if mode & 0o077 != 0 {
        return Err(OpenError::RootKeyExposed { path, mode });
    }
    let text = Zeroizing::new(fs::read(&path).map_err(inaccessible)?);
    let mut key = Zeroizing::new([0u8; 32]);
    match hex::decode_to_slice(text.trim_ascii(), key.as_mut_slice()) {
        Ok(()) => Ok(Some(key)),
        Err(_) => Err(OpenError::RootKeyMalformed { path }),
    }
}

/// Makes a root key where there is none. When two programs try at once, one wins and both use its key.
pub(crate) fn create(dir: &Path) -> Result<RootKey, OpenError> {
    let path = dir.join(FILE);
    let mut bytes = Zeroizing::new([0u8; 40]);
    SystemRandom::new().fill(bytes.as_mut_slice()).expect("the operating system's random generator answers");
    let (key, name) = bytes.split_at(32);
    let draft = dir.join(format!("{FILE}.{}", hex::encode(name)));
    let made =
        write_private(&draft, &Zeroizing::new(hex::encode(key))).and_then(|()| fs::hard_link(&draft, &path));
    let removed = match fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    };
    match made {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(source) => return Err(OpenError::Inaccessible { path, source }),
    }
    removed
        .and_then(|()| sync_directory(dir))
        .map_err(|source| OpenError::Inaccessible { path: draft, source })?;
    read(dir)?.ok_or_else(|| OpenError::RootKeyMissing { dir: dir.to_owned() })
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// Makes a directory (and those above it) that only its owner can enter, if it is not there.
pub(crate) fn create_directory(dir: &Path) -> Result<(), OpenError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|source| OpenError::Inaccessible { path: dir.to_owned(), source })
}

#[cfg(unix)]
fn permissions(metadata: &fs::Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777
}

/// Without Unix permission bits the directory's own access list has to guard the key.
#[cfg(not(unix))]
fn permissions(_metadata: &fs::Metadata) -> u32 {
    0o600
}

/// Makes the new name last through a power failure.
fn sync_directory(dir: &Path) -> std::io::Result<()> {
    if cfg!(unix) { fs::File::open(dir)?.sync_all() } else { Ok(()) }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_key_is_private_and_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path()).unwrap().is_none());
        let key = create(dir.path()).unwrap();
        assert_eq!(read(dir.path()).unwrap().unwrap(), key);
        assert_eq!(create(dir.path()).unwrap(), key, "an existing key is never replaced");
        let mode = fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        create(dir.path()).unwrap();
        let path = dir.path().join(FILE);
        for mode in [0o640, 0o604, 0o620, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = read(dir.path()).unwrap_err();
            assert!(
                matches!(error, OpenError::RootKeyExposed { mode: found, .. } if found == mode),
                "{error}"
            );
        }
    }

    #[test]
    fn rubbish_is_no_key() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", "zz", &"ab".repeat(31), &"ab".repeat(33)] {
            let path = dir.path().join(FILE);
            if path.exists() {
                fs::remove_file(&path).unwrap();
            }
            write_private(&path, text).unwrap();
            assert!(matches!(read(dir.path()), Err(OpenError::RootKeyMalformed { .. })), "{text}");
        }
    }
}
