//! Does a request come from a gateway that is trusted here? Key, time, nonce, signature, in this order; whoever fails
//! is logged, and told nothing but that.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRequest, Request};
use axum::http::{HeaderMap, header};
use belay_access::SecurityKind;
use belay_identity::role_key::{
    KEY_HEADER, NONCE_HEADER, SIGNATURE_HEADER, SignedRequest, TIME_HEADER, bytes_of_hex, hex_of,
};
use belay_wire::Moment;

use super::{Body, Refused, signed_path};
use crate::security::Noticed;
use crate::website::Website;

/// How far a request's time may lie from now, either way.
const CLOCKS_APART: Duration = Duration::from_secs(60);
/// Nonces that are remembered; more within two minutes are refused.
const NONCES_AT_MOST: usize = 200_000;
/// The only role that asks over the network.
pub(crate) const GATEWAY: &str = "gateway";

/// A request whose signature holds.
pub(crate) struct Proven {
    /// Whose it is.
    pub key: [u8; 32],
    /// The host it was signed for: one of this installation's.
    pub host: String,
    /// Its body.
    pub body: Body,
}

/// Why a request proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unproven {
    Unsigned,
    UnknownKey,
    RevokedKey,
    Stale,
    Replayed,
    WrongSignature,
    Unavailable,
}

impl Unproven {
    const fn word(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::UnknownKey => "unknown key",
            Self::RevokedKey => "revoked key",
            Self::Stale => "stale",
            Self::Replayed => "replayed",
            Self::WrongSignature => "wrong signature",
            Self::Unavailable => "key could not be read",
        }
    }
}

impl FromRequest<Website> for Proven {
    type Rejection = Refused;

    async fn from_request(request: Request, website: &Website) -> Result<Self, Refused> {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        let (parts, body) = request.into_parts();
        let method = parts.method.clone();
        let uri = parts.uri.clone();
        let headers = parts.headers.clone();
        let body = Body::from_request(Request::from_parts(parts, body), website).await;
        let body = body.map_err(|_| Refused::Body)?;
        match prove(website, method.as_str(), signed_path(&uri), &headers, &body).await {
            Ok((key, host)) => Ok(Self { key, host: host.to_owned(), body }),
            Err(why) => {
                let named = headers.get(KEY_HEADER).and_then(|key| key.to_str().ok());
                let key = named.and_then(bytes_of_hex::<32>).map(|key| format!(", key {}", hex_of(&key)));
                let address = peer.unwrap_or(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
                website.security().notice(
                    Noticed::new(SecurityKind::RoleRefused, address.to_canonical()).detail(format!(
                        "{}: {} {}{}",
                        why.word(),
                        method,
                        uri.path(),
                        key.unwrap_or_default()
                    )),
                );
                Err(why.into())
            }
        }
    }
}

async fn prove<'h>(
    website: &Website,
    method: &str,
    path: &str,
    headers: &'h HeaderMap,
    body: &[u8],
) -> Result<([u8; 32], &'h str), Unproven> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).ok_or(Unproven::Unsigned);
    let key = bytes_of_hex::<32>(text(KEY_HEADER)?).ok_or(Unproven::Unsigned)?;
    let nonce = bytes_of_hex::<16>(text(NONCE_HEADER)?).ok_or(Unproven::Unsigned)?;
    let signature = bytes_of_hex::<64>(text(SIGNATURE_HEADER)?).ok_or(Unproven::Unsigned)?;
    let time: u64 = text(TIME_HEADER)?.parse().map_err(|_| Unproven::Unsigned)?;
    let host = text(header::HOST.as_str())?;
    is_trusted(website, &key).await?;
    if !(SignedRequest { method, path, host, time, nonce: &nonce, body }).is_signed_by(&key, &signature) {
        return Err(Unproven::WrongSignature);
    }
    if website.settings().origin_of_host(host).is_none() {
        return Err(Unproven::WrongSignature);
    }
    website.gateways().nonces.take(&key, &nonce, Moment(time), website.now())?;
    Ok((key, host))
}

/// Is this key a gateway's that is trusted now?
pub(crate) async fn is_trusted(website: &Website, key: &[u8; 32]) -> Result<(), Unproven> {
    match website.store().directory().role_key(key).await {
        Ok(Some(found)) if found.role != GATEWAY => Err(Unproven::UnknownKey),
        Ok(Some(found)) if found.revoked_at.is_some() => Err(Unproven::RevokedKey),
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(Unproven::UnknownKey),
        Err(error) => {
            tracing::error!(%error, "the key of a gateway could not be read");
            Err(Unproven::Unavailable)
        }
    }
}

/// A gateway's key and a nonce of its.
type Signed = ([u8; 32], [u8; 16]);

/// The nonces of the last two minutes.
pub(crate) struct Nonces {
    /// What was signed before this was perhaps seen by an earlier process.
    since: Moment,
    seen: Mutex<HashMap<Signed, Moment>>,
}

impl Nonces {
    pub(crate) fn new(since: Moment) -> Self {
        Self { since, seen: Mutex::default() }
    }

    fn take(&self, key: &[u8; 32], nonce: &[u8; 16], time: Moment, now: Moment) -> Result<(), Unproven> {
        let apart = u64::try_from(CLOCKS_APART.as_micros()).unwrap_or(u64::MAX);
        if time.0.abs_diff(now.0) > apart || time < self.since {
            return Err(Unproven::Stale);
        }
        // A poisoned lock means a panic while inserting; what is there still counts.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= NONCES_AT_MOST {
            seen.retain(|_, time| now.0.saturating_sub(time.0) <= apart);
            if seen.len() >= NONCES_AT_MOST {
                return Err(Unproven::Replayed);
            }
        }
        match seen.insert((*key, *nonce), time) {
            None => Ok(()),
            Some(first) => {
                seen.insert((*key, *nonce), first);
                Err(Unproven::Replayed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment(1_000_000_000);

    #[test]
    fn a_nonce_counts_once_for_each_key_and_only_near_its_time() {
        let nonces = Nonces::new(START);
        let now = START + Duration::from_secs(100);
        let take = |key: u8, nonce: u8, time: Moment| nonces.take(&[key; 32], &[nonce; 16], time, now);
        assert_eq!(take(1, 1, now), Ok(()));
        assert_eq!(take(1, 1, now), Err(Unproven::Replayed));
        assert_eq!(take(2, 1, now), Ok(()));
        assert_eq!(take(1, 2, START + Duration::from_secs(40)), Ok(()));
        assert_eq!(take(1, 3, START + Duration::from_secs(39)), Err(Unproven::Stale));
        assert_eq!(take(1, 4, START + Duration::from_secs(160)), Ok(()));
        assert_eq!(take(1, 5, START + Duration::from_secs(161)), Err(Unproven::Stale));
    }

    #[test]
    fn what_an_earlier_process_may_have_seen_is_stale() {
        let nonces = Nonces::new(START);
        assert_eq!(nonces.take(&[1; 32], &[1; 16], Moment(START.0 - 1), START), Err(Unproven::Stale));
        assert_eq!(nonces.take(&[1; 32], &[1; 16], START, START), Ok(()));
    }
}
