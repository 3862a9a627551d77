//! The bodies of requests between gateway and website, both ways. Numbers are those of `docs/protocol/gateway.md`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use belay_identity::role_key::{RoleKey, bytes_of_hex, hex_of, is_handed_over};
use belay_relay::admission::{Admission, AdmitAnswer, AdmitRequest, LegEvent, LegNews};
use belay_wire::gateway::{Leaving, Refusal, ReportKind, Role};
use belay_wire::{LegTicket, Right};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// `POST /internal/v1/admit`
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdmitBody {
    role: u8,
    account: String,
    credential: String,
    address: String,
    version: String,
    platform: String,
}

/// The answer to it: either both of `session` and `return_ticket`, or `refused`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdmitReply {
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_ticket: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<u8>,
}

/// `POST /internal/v1/tell`: `report` with `right`, or `left` with `role`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TellBody {
    account: String,
    session: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    right: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<u8>,
}

/// `POST /internal/v1/renewed`: the key before says that the one that signs the request takes its place.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewedBody {
    before: String,
    signature: String,
}

impl RenewedBody {
    /// `next` takes the place of `before`, at the website of this `Host` header.
    #[must_use]
    pub fn new(before: &RoleKey, next: &[u8; 32], host: &str) -> Self {
        let signature = hex_of(&before.hand_over(next, host));
        Self { before: hex_of(&before.public()), signature }
    }

    /// The key before, if it has said so.
    pub(super) fn into_before(self, next: &[u8; 32], host: &str) -> Option<[u8; 32]> {
        let before = bytes_of_hex(&self.before)?;
        let signature = bytes_of_hex(&self.signature)?;
        is_handed_over(&before, next, host, &signature).then_some(before)
    }
}

pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

impl From<&AdmitRequest> for AdmitBody {
    fn from(request: &AdmitRequest) -> Self {
        Self {
            role: number_of(request.role),
            account: request.account.to_string(),
            credential: URL_SAFE_NO_PAD.encode(&request.credential),
            address: request.address.to_string(),
            version: request.version.clone(),
            platform: request.platform.clone(),
        }
    }
}

impl AdmitBody {
    /// What the gateway asks; `None` when it cannot be understood.
    pub(super) fn into_request(self) -> Option<AdmitRequest> {
        Some(AdmitRequest {
            role: role_of(self.role)?,
            account: self.account.parse().ok()?,
            credential: URL_SAFE_NO_PAD.decode(self.credential).ok()?,
            address: self.address.parse().ok()?,
            version: self.version,
            platform: self.platform,
        })
    }
}

impl From<AdmitAnswer> for AdmitReply {
    fn from(answer: AdmitAnswer) -> Self {
        match answer {
            Ok(Admission { session, return_ticket }) => Self {
                session: Some(session.to_string()),
                return_ticket: Some(URL_SAFE_NO_PAD.encode(return_ticket.secret_bytes())),
                refused: None,
            },
            Err(reason) => Self { session: None, return_ticket: None, refused: Some(reason as u8) },
        }
    }
}

impl AdmitReply {
    /// What the website answered; `None` when it cannot be understood.
    #[must_use]
    pub fn into_answer(self) -> Option<AdmitAnswer> {
        match (self.session, self.return_ticket, self.refused) {
            (Some(session), Some(ticket), None) => {
                let ticket: [u8; 32] = URL_SAFE_NO_PAD.decode(ticket).ok()?.try_into().ok()?;
                let return_ticket = LegTicket::from_bytes(ticket);
                Some(Ok(Admission { session: session.parse().ok()?, return_ticket }))
            }
            (None, None, Some(reason)) => numbered(&Refusal::ALL, reason).map(Err),
            _ => None,
        }
    }
}

impl From<LegNews> for TellBody {
    fn from(news: LegNews) -> Self {
        let LegNews { account, session, event } = news;
        let (account, session) = (account.to_string(), session.to_string());
        match event {
            LegEvent::Report(kind, right) => Self {
                account,
                session,
                report: Some(kind as u8),
                right: Some(right.name().to_owned()),
                left: None,
                role: None,
            },
            LegEvent::Left(role, reason) => Self {
                account,
                session,
                report: None,
                right: None,
                left: Some(reason as u8),
                role: Some(number_of(role)),
            },
        }
    }
}

impl TellBody {
    /// What the gateway tells; `None` when it cannot be understood.
    pub(super) fn into_news(self) -> Option<LegNews> {
        let event = match (self.report, self.right, self.left, self.role) {
            (Some(kind), Some(right), None, None) => {
                let right = Right::ALL.into_iter().find(|known| known.name() == right)?;
                LegEvent::Report(numbered(&ReportKind::ALL, kind)?, right)
            }
            (None, None, Some(reason), Some(role)) => {
                LegEvent::Left(role_of(role)?, numbered(&Leaving::ALL, reason)?)
            }
            _ => return None,
        };
        Some(LegNews { account: self.account.parse().ok()?, session: self.session.parse().ok()?, event })
    }
}

fn numbered<T: Copy>(all: &[T], number: u8) -> Option<T> {
    all.get(usize::from(number).checked_sub(1)?).copied()
}

const fn number_of(role: Role) -> u8 {
    match role {
        Role::Applet => 1,
        Role::Console => 2,
    }
}

fn role_of(number: u8) -> Option<Role> {
    numbered(&[Role::Applet, Role::Console], number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use belay_wire::{AccountId, SessionId};

    #[test]
    fn bodies_read_back_what_was_written() {
        let request = AdmitRequest {
            role: Role::Console,
            account: AccountId::from_bytes([1; 16]),
            credential: vec![2; 32],
            address: "2001:db8::1".parse().unwrap(),
            version: "0.1.0".into(),
            platform: "browser".into(),
        };
        let json = serde_json::to_vec(&AdmitBody::from(&request)).unwrap();
        assert!(read::<AdmitBody>(&json).unwrap().into_request().unwrap() == request);
        let welcome = Admission {
            session: SessionId::from_bytes([3; 16]),
            return_ticket: LegTicket::from_bytes([4; 32]),
        };
        let refusals = Refusal::ALL.into_iter().map(Err);
        for answer in refusals.chain([Ok(welcome)]) {
            let json = serde_json::to_vec(&AdmitReply::from(answer.clone())).unwrap();
            assert_eq!(read::<AdmitReply>(&json).unwrap().into_answer(), Some(answer));
        }
        let reports = ReportKind::ALL.into_iter().map(|kind| LegEvent::Report(kind, Right::RemoteControl));
        let left = Leaving::ALL.into_iter().map(|reason| LegEvent::Left(Role::Applet, reason));
        for event in reports.chain(left) {
            let news = LegNews {
                account: AccountId::from_bytes([1; 16]),
                session: SessionId::from_bytes([2; 16]),
                event,
            };
            let json = serde_json::to_vec(&TellBody::from(news)).unwrap();
            assert_eq!(read::<TellBody>(&json).unwrap().into_news(), Some(news));
        }
        assert!(read::<AdmitReply>(br#"{"refused":10}"#).unwrap().into_answer().is_none());
        assert!(read::<AdmitReply>(br#"{"refused":1,"session":"x"}"#).unwrap().into_answer().is_none());
        assert!(
            read::<TellBody>(br#"{"account":"a","session":"b","left":1}"#).unwrap().into_news().is_none()
        );
    }
}
