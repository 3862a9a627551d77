//! The tag at the end of the program's own file, `belay-tag/1` (docs/protocol/applet-tag.md): where the website is and which
//! session this is. Anyone can write one, so everything in it is checked, and nothing in it is shown as verified.
//! Behind the tag may stand the secret of the invitation link, which the end user's browser put there.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use belay_seal::LinkSecret;
use belay_wire::{AccountId, SessionAuthenticationId};
use serde::Deserialize;

use crate::foreign_text;

const MAGIC: &[u8; 16] = b"belay-tag/1\0\0\0\0\0";
const TRAILER: u64 = 24;
const SECRET_MAGIC: &[u8; 16] = b"belay-secret/1\0\0";
/// The secret and its magic, behind everything else.
const EXTENSION: u64 = LinkSecret::LEN as u64 + 16;
const MAX_BLOCK: u32 = 64 * 1024;

/// What a downloaded program knows from its tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// `https://HOST[:PORT]` of the website.
    pub origin: String,
    /// Certificates to trust as PEM; empty: the computer's own trust store.
    pub anchors: String,
    /// The Ed25519 public key that signs charters.
    pub charter_key: [u8; 32],
    /// Who runs the website, cleaned for display. Not verified.
    pub operator: String,
    /// The account of the session.
    pub account: AccountId,
    /// What admits this program once.
    pub session_authentication_id: SessionAuthenticationId,
    /// The secret of the invitation link, where the download came by one.
    pub link_secret: Option<LinkSecret>,
}

/// Why a file has no usable tag.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    /// It is a plain program.
    #[error("the file carries no tag")]
    Missing,
    /// It ends like a tagged one but is not.
    #[error("the tag is damaged ({0}); download the file again")]
    Damaged(&'static str),
    /// It could not be read.
    #[error("cannot read the program's own file: {0}")]
    Io(#[from] std::io::Error),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperatorBlock {
    origin: String,
    anchors: String,
    charter_key: String,
    operator: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionBlock {
    account: String,
    session_authentication_id: String,
}

impl Tag {
    /// Reads the tag of this file.
    ///
    /// # Errors
    /// When the file cannot be read, or carries no tag, or a damaged one.
    pub fn read(path: &Path) -> Result<Tag, TagError> {
        Tag::from_file(&mut File::open(path)?)
    }

    /// Reads the tag at the end of a file.
    ///
    /// # Errors
    /// As [`Tag::read`].
    pub fn from_file(file: &mut (impl Read + Seek)) -> Result<Tag, TagError> {
        let len = file.seek(SeekFrom::End(0))?;
        let link_secret = read_secret(file, len)?;
        let len = if link_secret.is_some() { len - EXTENSION } else { len };
        let Some(trailer_at) = len.checked_sub(TRAILER) else { return Err(TagError::Missing) };
        file.seek(SeekFrom::Start(trailer_at))?;
        let mut trailer = [0u8; TRAILER as usize];
        file.read_exact(&mut trailer)?;
        let (lengths, magic) = trailer.split_at(8);
        if magic != MAGIC {
            return Err(TagError::Missing);
        }
        let length =
            |at: usize| lengths[at..at + 4].iter().fold(0u32, |value, byte| value << 8 | u32::from(*byte));
        let (operator, session) = (length(0), length(4));
        if operator > MAX_BLOCK || session > MAX_BLOCK {
            return Err(TagError::Damaged("a block is longer than 64 KiB"));
        }
        let blocks = u64::from(operator) + u64::from(session);
        let start = trailer_at.checked_sub(blocks).ok_or(TagError::Damaged("longer than the file"))?;
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = vec![0u8; operator as usize + session as usize];
        file.read_exact(&mut bytes)?;
        let (operator, session) = bytes.split_at(operator as usize);
        Ok(Tag { link_secret, ..Tag::parse(operator, session)? })
    }

    fn parse(operator: &[u8], session: &[u8]) -> Result<Tag, TagError> {
        let operator: OperatorBlock =
            serde_json::from_slice(operator).map_err(|_| TagError::Damaged("operator block"))?;
        let session: SessionBlock =
            serde_json::from_slice(session).map_err(|_| TagError::Damaged("session block"))?;
        if !is_origin(&operator.origin) {
            return Err(TagError::Damaged("origin"));
        }
        let mut charter_key = [0u8; 32];
        hex::decode_to_slice(&operator.charter_key, &mut charter_key)
            .map_err(|_| TagError::Damaged("charter key"))?;
        let mut id = [0u8; SessionAuthenticationId::LEN];
        hex::decode_to_slice(&session.session_authentication_id, &mut id)
            .map_err(|_| TagError::Damaged("session id"))?;
        Ok(Tag {
            origin: operator.origin,
            anchors: operator.anchors,
            charter_key,
            operator: foreign_text::name(&operator.operator),
            account: session.account.parse().map_err(|_| TagError::Damaged("account"))?,
            session_authentication_id: SessionAuthenticationId::from_bytes(id),
            link_secret: None,
        })
    }
}

fn read_secret(file: &mut (impl Read + Seek), len: u64) -> std::io::Result<Option<LinkSecret>> {
    let Some(at) = len.checked_sub(EXTENSION) else { return Ok(None) };
    file.seek(SeekFrom::Start(at))?;
    let (mut secret, mut magic) = ([0; LinkSecret::LEN], [0; SECRET_MAGIC.len()]);
    file.read_exact(&mut secret)?;
    file.read_exact(&mut magic)?;
    Ok((&magic == SECRET_MAGIC).then(|| LinkSecret::from_bytes(secret)))
}

/// `https://`, a host name or address, perhaps a port, and nothing else.
pub fn is_origin(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else { return false };
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            ("v6", port)
        }
        None => rest.find(':').map_or((rest, ""), |at| rest.split_at(at)),
    };
    let host_is_fine = !host.is_empty()
        && host.len() <= 253
        && host.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-'))
        && !host.starts_with(['.', '-']);
    let port_is_fine = port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| {
            port.bytes().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port != 0)
        });
    host_is_fine && port_is_fine
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    const OPERATOR: &str = r#"{"origin": "https://help.example.org:8443", "anchors": "", "charter_key": "0707070707070707070707070707070707070707070707070707070707070707", "operator": "Example GmbH"}"#;
    const SESSION: &str = r#"{"account": "01234567-89ab-cdef-0001-020304050607", "session_authentication_id": "000102030405060708090a0b0c0d0e0f"}"#;

    fn tagged(operator: &str, session: &str) -> Vec<u8> {
        let mut file = b"\x7fELF and the rest of the program".to_vec();
        file.extend(operator.as_bytes());
        file.extend(session.as_bytes());
        file.extend((operator.len() as u32).to_be_bytes());
        file.extend((session.len() as u32).to_be_bytes());
        file.extend(MAGIC);
        file
    }

    fn read(file: Vec<u8>) -> Result<Tag, TagError> {
        Tag::from_file(&mut Cursor::new(file))
    }

    #[test]
    fn a_tag_is_read() {
        let tag = read(tagged(OPERATOR, SESSION)).unwrap();
        assert_eq!(tag.origin, "https://help.example.org:8443");
        assert_eq!(tag.anchors, "");
        assert_eq!(tag.charter_key, [7; 32]);
        assert_eq!(tag.session_authentication_id.secret_bytes()[15], 15);
        assert_eq!(tag.operator, "Example GmbH");
        assert_eq!(tag.link_secret, None);
    }

    #[test]
    fn the_secret_of_a_link_may_follow_the_tag() {
        let with = |secret: &[u8], magic: &[u8]| {
            read([tagged(OPERATOR, SESSION), [secret, magic].concat()].concat())
        };
        let tag = with(&[7; 32], SECRET_MAGIC).unwrap();
        assert_eq!(tag.link_secret, Some(LinkSecret::from_bytes([7; 32])));
        assert_eq!(tag.origin, "https://help.example.org:8443");
        assert!(format!("{tag:?}").contains("LinkSecret(hidden)"));
        // A secret that is cut, or one without a tag before it, is no tag.
        assert!(matches!(with(&[7; 31], SECRET_MAGIC), Err(TagError::Missing)));
        assert!(matches!(with(&[7; 32], b"belay-secret/2\0\0"), Err(TagError::Missing)));
        assert!(matches!(read([&[7; 32][..], SECRET_MAGIC].concat()), Err(TagError::Missing)));
    }

    #[test]
    fn a_plain_file_has_none() {
        for file in
            [vec![], vec![0; 23], vec![0; 4000], tagged(OPERATOR, SESSION).split_off(5)[..60].to_vec()]
        {
            assert!(matches!(read(file), Err(TagError::Missing)));
        }
    }

    #[test]
    fn only_an_https_origin_is_one() {
        for good in ["https://a", "https://127.0.0.1:8443", "https://[::1]:8443", "https://help.example.org"]
        {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "http://a",
            "https://",
            "https://a/",
            "https://a:0",
            "https://a:99999",
            "https://u@a",
            "https://a b",
            "https://a:+1",
            "https://[::1",
            "https://[x]",
            "https://a#x",
            "https://a?x",
            "https://ä",
            "file:///etc/passwd",
            "https://-a",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }

    #[test]
    fn unknown_and_missing_fields_are_refused() {
        for (operator, session) in [
            (OPERATOR.replace("\"operator\"", "\"operater\""), SESSION.to_owned()),
            (OPERATOR.replacen('{', "{\"more\": 1, ", 1), SESSION.to_owned()),
            (OPERATOR.replace("0707070707", "07070707"), SESSION.to_owned()),
            (OPERATOR.replace("https://", "http://"), SESSION.to_owned()),
            (OPERATOR.to_owned(), SESSION.replace("0e0f", "0e")),
            (OPERATOR.to_owned(), SESSION.replace("01234567-", "0123456-")),
            (OPERATOR.to_owned(), String::new()),
        ] {
            assert!(
                matches!(read(tagged(&operator, &session)), Err(TagError::Damaged(_))),
                "{operator} {session}"
            );
        }
    }

    /// Whatever bytes change, reading ends in a tag or an error, and reads no more than it must.
    #[test]
    fn mutations_are_survived() {
        let good = [tagged(OPERATOR, SESSION), [[7; 32].as_slice(), SECRET_MAGIC].concat()].concat();
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let mut file = good.clone();
            for _ in 0..random.usize(1..4) {
                let at = if random.bool() {
                    random.usize(..file.len())
                } else {
                    file.len() - 1 - random.usize(..24.min(file.len()))
                };
                match random.u8(..4) {
                    0 => file[at] = random.u8(..),
                    1 => file.truncate(at.max(1)),
                    2 => file.insert(at, random.u8(..)),
                    _ => file[at] ^= 1 << random.u8(..8),
                }
            }
            if let Ok(tag) = read(file) {
                assert!(is_origin(&tag.origin));
            }
        }
    }
}
