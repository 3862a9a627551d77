//! Checks the website's signed word, `belay-charter/1` (docs/protocol/charter.md).

use std::time::Duration;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use belay_permission::Charter;
use belay_wire::charter::{MAX_DOCUMENT, NAME, SIGNATURE, signed_bytes};
use belay_wire::message::CharterVerdict;
use belay_wire::{Moment, Right, Rights, SessionId};
use serde::Deserialize;

use crate::foreign_text;

/// How wrong this computer's clock may be.
const CLOCK_ERROR: u64 = 24 * 3600 * 1_000_000;
/// How long a charter lives at most, whatever it says.
const LIFE: Duration = Duration::from_secs(12 * 3600);

/// What a charter must fit: known from the tag and from the gateway.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The website's key, from the tag.
    pub key: [u8; 32],
    /// What ties it to this program.
    pub binding: [u8; 32],
    /// The session the gateway admitted this program to.
    pub session: Option<SessionId>,
}

/// Why a charter is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CharterError {
    /// Not signed by the website of the tag.
    #[error("the signature does not fit the website's key")]
    Signature,
    /// Not a charter of this version.
    #[error("the document is not a belay-charter/1")]
    Document,
    /// Made for another program or session.
    #[error("it was made for another session")]
    Foreign,
    /// Not yet, or no longer, valid.
    #[error("it is not valid at this time; check this computer's clock")]
    Time,
}

impl CharterError {
    /// How the console is told.
    pub const fn verdict(self) -> CharterVerdict {
        match self {
            CharterError::Signature => CharterVerdict::Signature,
            CharterError::Document => CharterVerdict::Document,
            CharterError::Foreign => CharterVerdict::Foreign,
            CharterError::Time => CharterVerdict::Time,
        }
    }

    /// In one word, for the record.
    pub const fn word(self) -> &'static str {
        match self {
            CharterError::Signature => "signature",
            CharterError::Document => "document",
            CharterError::Foreign => "foreign",
            CharterError::Time => "time",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    v: String,
    session: String,
    binding: String,
    account: Named,
    technician: Named,
    domain: String,
    rights: Vec<String>,
    single_prompt: bool,
    issued_at: u64,
    expires_at: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    id: String,
    name: String,
}

/// Verifies a charter. `now` is the machine's clock, `unix` µs since 1970 by this computer's clock.
///
/// # Errors
/// When it is not signed by the website, not well formed, made for another session, or out of its time.
pub fn verify(
    document: &[u8],
    signature: &[u8; SIGNATURE],
    expected: &Expected,
    now: Moment,
    unix: u64,
) -> Result<Charter, CharterError> {
    if document.len() > MAX_DOCUMENT {
        return Err(CharterError::Document);
    }
    UnparsedPublicKey::new(&ED25519, &expected.key)
        .verify(&signed_bytes(document), signature)
        .map_err(|_| CharterError::Signature)?;
    let document: Document = serde_json::from_slice(document).map_err(|_| CharterError::Document)?;
    let uuid = |text: &str| text.parse::<SessionId>().map_err(|_| CharterError::Document);
    let session = uuid(&document.session)?;
    uuid(&document.account.id)?;
    uuid(&document.technician.id)?;
    if document.v != NAME {
        return Err(CharterError::Document);
    }
    let mut binding = [0u8; 32];
    hex::decode_to_slice(&document.binding, &mut binding).map_err(|_| CharterError::Document)?;
    if binding != expected.binding || expected.session.is_some_and(|expected| expected != session) {
        return Err(CharterError::Foreign);
    }
    let from = document.issued_at.saturating_sub(CLOCK_ERROR);
    let until = document.expires_at.saturating_add(CLOCK_ERROR);
    if document.expires_at <= document.issued_at || unix < from || unix >= until {
        return Err(CharterError::Time);
    }
    // By its own length, not by this computer's clock, which may be a day wrong.
    let life = Duration::from_micros(document.expires_at - document.issued_at).min(LIFE);
    let rights: Option<Rights> =
        document.rights.iter().map(|name| Right::from_name(name)).collect::<Option<_>>();
    Ok(Charter {
        session,
        account: foreign_text::name(&document.account.name),
        technician: foreign_text::name(&document.technician.name),
        domain: foreign_text::one_line(&document.domain, 253),
        rights: rights.ok_or(CharterError::Document)?,
        single_prompt: document.single_prompt,
        expires: now + life,
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

    pub const UNIX: u64 = 1_795_000_000_000_000;

    pub fn keys() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap()
    }

    pub fn expected() -> Expected {
        let mut key = [0; 32];
        key.copy_from_slice(keys().public_key().as_ref());
        Expected { key, binding: [5; 32], session: None }
    }

    pub fn document() -> String {
        format!(
            r#"{{"v": "belay-charter/1", "session": "01234567-89ab-cdef-0001-020304050607", "binding": "{}", "account": {{"id": "01234567-89ab-cdef-0001-020304050608", "name": "Example GmbH"}}, "technician": {{"id": "01234567-89ab-cdef-0001-020304050609", "name": "Tess Example"}}, "domain": "help.example.org", "rights": ["desktop_view", "remote_control"], "single_prompt": false, "issued_at": {}, "expires_at": {}}}"#,
            "05".repeat(32),
            UNIX,
            UNIX + 3600 * 1_000_000
        )
    }

    pub fn sign(document: &str) -> [u8; SIGNATURE] {
        let mut signature = [0; SIGNATURE];
        signature.copy_from_slice(keys().sign(&signed_bytes(document.as_bytes())).as_ref());
        signature
    }

    fn check(document: &str, unix: u64) -> Result<Charter, CharterError> {
        verify(document.as_bytes(), &sign(document), &expected(), Moment(1), unix)
    }

    #[test]
    fn a_good_charter_is_taken_with_its_life() {
        let charter = check(&document(), UNIX).unwrap();
        assert_eq!(charter.technician, "Tess Example");
        assert_eq!(charter.rights, Rights::from_iter(Right::ALL));
        assert_eq!(charter.expires, Moment(1) + Duration::from_secs(3600));
    }

    #[test]
    fn each_refusal_has_a_verdict_and_a_word_of_its_own() {
        use CharterError::{Document, Foreign, Signature, Time};
        let all = [Signature, Document, Foreign, Time];
        let verdicts = all.map(CharterError::verdict);
        assert!(!verdicts.contains(&CharterVerdict::Accepted));
        for (at, error) in all.into_iter().enumerate() {
            assert!(all[at + 1..].iter().all(|other| other.verdict() != error.verdict()));
            assert!(all[at + 1..].iter().all(|other| other.word() != error.word()));
        }
    }

    #[test]
    fn the_clock_may_be_a_day_wrong_and_no_more() {
        let day = CLOCK_ERROR;
        let hour = 3600 * 1_000_000;
        assert!(check(&document(), UNIX - day).is_ok());
        assert!(check(&document(), UNIX + hour + day - 1).is_ok());
        assert_eq!(check(&document(), UNIX - day - 1), Err(CharterError::Time));
        assert_eq!(check(&document(), UNIX + hour + day), Err(CharterError::Time));
    }

    #[test]
    fn what_is_not_exactly_right_is_refused() {
        let good = document();
        for (from, to, error) in [
            ("belay-charter/1", "belay-charter/2", CharterError::Document),
            ("\"single_prompt\": false", "\"single_prompt\": 0", CharterError::Document),
            ("\"single_prompt\"", "\"more\": 1, \"single_prompt\"", CharterError::Document),
            ("desktop_view", "everything", CharterError::Document),
            ("0505", "0506", CharterError::Foreign),
            ("0505", "05050505", CharterError::Document),
            ("01234567-89ab-cdef-0001-020304050607", "x", CharterError::Document),
        ] {
            assert_eq!(check(&good.replacen(from, to, 1), UNIX), Err(error), "{from} → {to}");
        }
        let mut other = expected();
        other.session = Some(SessionId::from_bytes([9; 16]));
        assert_eq!(
            verify(good.as_bytes(), &sign(&good), &other, Moment(1), UNIX),
            Err(CharterError::Foreign)
        );
    }

    #[test]
    fn every_changed_byte_breaks_the_signature() {
        let good = document();
        let signature = sign(&good);
        for at in 0..good.len() {
            let mut bytes = good.clone().into_bytes();
            bytes[at] ^= 1;
            assert_eq!(
                verify(&bytes, &signature, &expected(), Moment(1), UNIX),
                Err(CharterError::Signature)
            );
        }
        for at in 0..SIGNATURE {
            let mut signature = signature;
            signature[at] ^= 0x20;
            let checked = verify(good.as_bytes(), &signature, &expected(), Moment(1), UNIX);
            assert_eq!(checked, Err(CharterError::Signature));
        }
    }

    #[test]
    fn a_charter_of_a_year_lives_twelve_hours() {
        let long = document().replace(&(UNIX + 3600 * 1_000_000).to_string(), &(UNIX * 2).to_string());
        assert_eq!(check(&long, UNIX).unwrap().expires, Moment(1) + LIFE);
    }
}
