//! Golden byte vectors: what is in `docs/protocol/vectors/` is exactly what this crate writes and reads.
//!
//! The TypeScript side checks the same files, so that both speak alike. After a deliberate change of a layout:
//! `BELAY_WRITE_VECTORS=1 cargo nextest run -p belay-wire --test vectors`, then read the difference before committing it.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use serde_json::Value;

#[path = "vectors/gateway.rs"]
mod gateway;
#[path = "vectors/link.rs"]
mod link;
#[path = "vectors/messages.rs"]
mod messages;

/// Compares `vectors` with the checked-in file, or writes the file when asked to.
fn compare_with_file(name: &str, vectors: &[Value]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol/vectors").join(name);
    let mut text = serde_json::to_string_pretty(vectors).unwrap();
    text.push('\n');
    if std::env::var_os("BELAY_WRITE_VECTORS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let found: Vec<Value> = serde_json::from_str(&found).unwrap_or_default();
    for (at, vector) in vectors.iter().enumerate() {
        assert_eq!(found.get(at), Some(vector), "{name} differs at entry {at}");
    }
    assert_eq!(found.len(), vectors.len(), "{name} has another number of entries");
}
