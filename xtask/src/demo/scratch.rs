//! The demo's folder: only its user can read it, and it is removed with everything in it at the end.

use anyhow::{Context, Result};
use std::fs::DirBuilder;
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A folder that lives as long as this value.
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes the folder, with the places the demo needs in it.
    pub fn make() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("belay-demo-{}", random_word(10)?));
        let make = |folder: &Path| {
            DirBuilder::new()
                .mode(0o700)
                .create(folder)
                .with_context(|| format!("cannot make {}", folder.display()))
        };
        make(&path)?;
        let scratch = Self { path };
        make(&scratch.path.join("end-user"))?;
        Ok(scratch)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}

/// A random word of `length` letters and digits that are hard to mistake for each other (five bits each).
pub fn random_word(length: usize) -> Result<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = vec![0; length];
    let mut source = std::fs::File::open("/dev/urandom").context("cannot open the system's random source")?;
    source.read_exact(&mut bytes).context("cannot read the system's random source")?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_folder_is_private_and_goes_with_its_value() {
        let scratch = Scratch::make().unwrap();
        let path = scratch.path().to_owned();
        std::fs::write(path.join("end-user/file"), "x").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn random_words_differ() {
        assert_ne!(random_word(20).unwrap(), random_word(20).unwrap());
        assert_eq!(random_word(7).unwrap().len(), 7);
    }
}
