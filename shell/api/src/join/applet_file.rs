//! The constant applet binary, read once and again when it has changed on disk.

use std::path::PathBuf;
use std::time::SystemTime;

use bytes::Bytes;
use tokio::sync::Mutex;

/// An applet binary on disk.
pub(crate) struct AppletFile {
    path: PathBuf,
    read: Mutex<Option<Read>>,
}

struct Read {
    len: u64,
    modified: Option<SystemTime>,
    bytes: Bytes,
}

impl AppletFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, read: Mutex::new(None) }
    }

    /// Whether there is anything to download.
    pub(crate) async fn is_there(&self) -> bool {
        tokio::fs::metadata(&self.path).await.is_ok_and(|meta| meta.is_file())
    }

    /// The binary, `None` when there is none.
    pub(crate) async fn bytes(&self) -> Option<Bytes> {
        // Held while reading: many downloads at once read the file once. Tokio's lock may be held across an await.
        let mut read = self.read.lock().await;
        let meta = tokio::fs::metadata(&self.path).await.ok().filter(std::fs::Metadata::is_file)?;
        let (len, modified) = (meta.len(), meta.modified().ok());
        match read.as_ref() {
            Some(known) if known.len == len && known.modified == modified => Some(known.bytes.clone()),
            Some(_) | None => match tokio::fs::read(&self.path).await {
                Ok(bytes) => {
                    let bytes = Bytes::from(bytes);
                    *read = Some(Read { len, modified, bytes: bytes.clone() });
                    Some(bytes)
                }
                Err(error) => {
                    tracing::error!(path = %self.path.display(), %error, "the applet cannot be read");
                    None
                }
            },
        }
    }
}
