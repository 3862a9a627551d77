//! The charter: the website's signed word on who is about to help. Spec: `docs/protocol/charter.md`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use belay_access::life;
use belay_wire::{AccountId, MemberId, Moment, Right, SessionId, charter as wire};
use serde::Serialize;

use crate::error::ApiError;
use crate::types::Charter;
use crate::website::Website;

/// Whom a charter is about.
pub(crate) struct Subject<'a> {
    pub session: SessionId,
    /// SHA-256 that ties the charter to one applet.
    pub binding: [u8; 32],
    pub account: AccountId,
    pub company: &'a str,
    pub technician: MemberId,
    pub technician_name: &'a str,
}

#[derive(Serialize)]
struct Document<'a> {
    v: &'a str,
    session: String,
    binding: String,
    account: Named<'a>,
    technician: Named<'a>,
    domain: &'a str,
    rights: Vec<&'static str>,
    single_prompt: bool,
    issued_at: u64,
    expires_at: u64,
}

#[derive(Serialize)]
struct Named<'a> {
    id: String,
    name: &'a str,
}

/// Writes and signs a charter that holds from `now` for its life.
pub(crate) fn sign(website: &Website, subject: Subject<'_>, now: Moment) -> Result<Charter, ApiError> {
    let document = document(website.settings().domain(), &subject, now)?;
    let signature = website.store().sign_charter(&wire::signed_bytes(&document));
    Ok(Charter { document: STANDARD.encode(&document), signature: STANDARD.encode(signature) })
}

fn document(domain: &str, subject: &Subject<'_>, now: Moment) -> Result<Vec<u8>, ApiError> {
    let document = Document {
        v: wire::NAME,
        session: subject.session.to_string(),
        binding: hex::encode(subject.binding),
        account: Named { id: subject.account.to_string(), name: subject.company },
        technician: Named { id: subject.technician.to_string(), name: subject.technician_name },
        domain,
        rights: Right::ALL.iter().map(|right| right.name()).collect(),
        single_prompt: false,
        issued_at: now.0,
        expires_at: (now + life::CHARTER).0,
    };
    let bytes = serde_json::to_vec(&document).map_err(|_| ApiError::Internal)?;
    if bytes.len() > wire::MAX_DOCUMENT {
        tracing::error!(
            bytes = bytes.len(),
            "a charter is too long; shorten the names of account and technician"
        );
        return Err(ApiError::Internal);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_holds_exactly_what_the_specification_lists() {
        let subject = Subject {
            session: SessionId::from_bytes([1; 16]),
            binding: [2; 32],
            account: AccountId::from_bytes([3; 16]),
            company: "Example GmbH",
            technician: MemberId::from_bytes([4; 16]),
            technician_name: "Tess Example",
        };
        let bytes = document("help.example.com", &subject, Moment(1_000_000)).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let expected = serde_json::json!({
            "v": "belay-charter/1",
            "session": "01010101-0101-0101-0101-010101010101",
            "binding": "02".repeat(32),
            "account": {"id": "03030303-0303-0303-0303-030303030303", "name": "Example GmbH"},
            "technician": {"id": "04040404-0404-0404-0404-040404040404", "name": "Tess Example"},
            "domain": "help.example.com",
            "rights": ["desktop_view", "remote_control"],
            "single_prompt": false,
            "issued_at": 1_000_000,
            "expires_at": 43_201_000_000_u64,
        });
        assert_eq!(json, expected);
    }
}
