//! The tag at the end of a downloaded applet. Spec: `docs/protocol/applet-tag.md`.

use serde::{Deserialize, Serialize};

/// The last 16 bytes of a tagged file.
pub const TAG_MARK: [u8; 16] = *b"belay-tag/1\0\0\0\0\0";
/// Longest block in bytes.
const BLOCK_MAX: usize = 64 * 1024;

/// What is the same in every download of an installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorBlock {
    /// `https://HOST[:PORT]`
    pub origin: String,
    /// PEM certificates to trust; empty: the computer's own trust store.
    pub anchors: String,
    /// Public half of the key that signs charters, hexadecimal.
    pub charter_key: String,
    /// Who runs the installation.
    pub operator: String,
}

/// What is this download's alone; useless anywhere else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionBlock {
    /// The account.
    pub account: String,
    /// What admits the applet once, hexadecimal. Secret.
    pub session_authentication_id: String,
}

/// A tag cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    /// A block is too long; most likely the certificates to trust are too many.
    #[error(
        "a block of the applet's tag has {0} bytes; shorten tls.anchor to the certificates that are needed"
    )]
    TooLong(usize),
    /// JSON failed.
    #[error("a block of the applet's tag cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// The bytes to put behind the binary.
///
/// # Errors
/// When a block is longer than 64 KiB.
pub fn tag(operator: &OperatorBlock, session: &SessionBlock) -> Result<Vec<u8>, TagError> {
    let operator = serde_json::to_vec(operator)?;
    let session = serde_json::to_vec(session)?;
    let lengths = [length(&operator)?, length(&session)?];
    let mut tag = Vec::with_capacity(operator.len() + session.len() + 24);
    tag.extend_from_slice(&operator);
    tag.extend_from_slice(&session);
    for length in lengths {
        tag.extend_from_slice(&length.to_be_bytes());
    }
    tag.extend_from_slice(&TAG_MARK);
    Ok(tag)
}

fn length(block: &[u8]) -> Result<u32, TagError> {
    match u32::try_from(block.len()) {
        Ok(length) if block.len() <= BLOCK_MAX => Ok(length),
        Ok(_) | Err(_) => Err(TagError::TooLong(block.len())),
    }
}

/// Reads the tag of a file back, as an applet does.
#[cfg(test)]
pub(crate) fn read_back(file: &[u8]) -> Option<(OperatorBlock, SessionBlock, &[u8])> {
    let rest = file.strip_suffix(&TAG_MARK)?;
    let (rest, lengths) = rest.split_last_chunk::<8>()?;
    let at =
        |n: usize| u32::from_be_bytes([lengths[n], lengths[n + 1], lengths[n + 2], lengths[n + 3]]) as usize;
    let (rest, session) = rest.split_at_checked(rest.len().checked_sub(at(4))?)?;
    let (binary, operator) = rest.split_at_checked(rest.len().checked_sub(at(0))?)?;
    Some((serde_json::from_slice(operator).ok()?, serde_json::from_slice(session).ok()?, binary))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks() -> (OperatorBlock, SessionBlock) {
        let operator = OperatorBlock {
            origin: "https://localhost:8443".to_owned(),
            anchors: "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n".to_owned(),
            charter_key: "ab".repeat(32),
            operator: "localhost:8443".to_owned(),
        };
        let session = SessionBlock {
            account: "01234567-89ab-cdef-0001-020304050607".to_owned(),
            session_authentication_id: "cd".repeat(16),
        };
        (operator, session)
    }

    #[test]
    fn a_tag_reads_back_behind_its_binary() {
        let (operator, session) = blocks();
        let file = [b"\x7fELF binary".as_slice(), &tag(&operator, &session).unwrap()].concat();
        let (read_operator, read_session, binary) = read_back(&file).unwrap();
        assert_eq!(read_operator, operator);
        assert!(read_session == session);
        assert_eq!(binary, b"\x7fELF binary");
    }

    #[test]
    fn the_layout_is_the_specified_one() {
        let (operator, session) = blocks();
        let tag = tag(&operator, &session).unwrap();
        assert!(tag.starts_with(br#"{"origin":"https://localhost:8443","anchors":"#));
        let operator_length = serde_json::to_vec(&operator).unwrap().len();
        let session_length = serde_json::to_vec(&session).unwrap().len();
        assert_eq!(tag.len(), operator_length + session_length + 24);
        assert_eq!(
            tag[tag.len() - 24..tag.len() - 20],
            u32::try_from(operator_length).unwrap().to_be_bytes()
        );
        assert_eq!(&tag[tag.len() - 16..], b"belay-tag/1\0\0\0\0\0");
    }

    #[test]
    fn too_many_anchors_are_refused() {
        let (mut operator, session) = blocks();
        operator.anchors = "x".repeat(BLOCK_MAX);
        assert!(matches!(tag(&operator, &session), Err(TagError::TooLong(_))));
    }
}
