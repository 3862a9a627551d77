//! Where things are in this checkout.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The checkout's top folder.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(Path::to_path_buf).unwrap_or_else(|| PathBuf::from("."))
}

/// Where cargo puts what it builds.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// A program built by cargo in the one optimized profile.
pub fn program(name: &str) -> PathBuf {
    target().join("release").join(name)
}

/// Where xtask keeps its own notes (stamps of what is up to date).
pub fn notes() -> Result<PathBuf> {
    let folder = target().join("xtask");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    Ok(folder)
}
