//! What handlers ask of a request: a JSON body, the caller's address, the member who is signed in.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::{Extension, Json};
use belay_access::{Action, SecurityKind, Token};
use belay_wire::{AccountId, SessionId};
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::guard::OwnOrigin;
use crate::security::Noticed;
use crate::website::Website;

/// Name of the cookie; the prefix binds it to this host and to HTTPS.
pub(crate) const COOKIE: &str = "__Host-belay";

/// A JSON body whose refusal looks like every other refusal.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(ApiError::TooLarge),
            Err(rejection) => Err(ApiError::BadRequest(rejection.body_text())),
        }
    }
}

/// The fields of a URL's query.
pub(crate) struct Fields<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Fields<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(ApiError::BadRequest(rejection.body_text())),
        }
    }
}

/// The address the request came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Address(pub IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Address {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let ConnectInfo(peer) = ConnectInfo::<SocketAddr>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::Internal)?;
        Ok(Self(peer.ip().to_canonical()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OwnOrigin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Extension(own) =
            Extension::<Self>::from_request_parts(parts, state).await.map_err(|_| ApiError::Internal)?;
        Ok(own)
    }
}

/// The id in `/sessions/{id}`; what is no id is not found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionPath(pub SessionId);

impl<S: Send + Sync> FromRequestParts<S> for SessionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let axum::extract::Path(text) = axum::extract::Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::NotFound)?;
        text.parse().map(Self).map_err(|_| ApiError::NotFound)
    }
}

/// The member who is signed in. Asking for it is no activity; [`SignedIn::active`] is.
pub(crate) struct SignedIn {
    pub account: AccountId,
    pub member: belay_store::Member,
    pub token: Token,
    address: IpAddr,
}

impl FromRequestParts<Website> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, website: &Website) -> Result<Self, ApiError> {
        let Address(address) = Address::from_request_parts(parts, website).await?;
        let token = cookie(&parts.headers).ok_or(ApiError::SignedOut)?;
        let store = website.store();
        let found = store
            .directory()
            .web_session(&token, website.settings().idle, website.now())
            .await?
            .ok_or(ApiError::SignedOut)?;
        let member =
            store.view(found.account).await?.member(found.member).await?.ok_or(ApiError::SignedOut)?;
        Ok(Self { account: found.account, member, token, address })
    }
}

impl SignedIn {
    /// Lets pass whom the role covers, and notes who tried without.
    pub(crate) fn may(&self, action: Action, website: &Website) -> Result<(), ApiError> {
        if belay_access::may(self.member.role, action) {
            return Ok(());
        }
        website.security().notice(
            Noticed::new(SecurityKind::Forbidden, self.address)
                .account(self.account)
                .detail(format!("{} asked for {action:?}", self.member.sign_in_id)),
        );
        Err(ApiError::Forbidden)
    }

    /// The person did something: the sign-in lives on.
    pub(crate) async fn active(&self, website: &Website) -> Result<(), ApiError> {
        Ok(website.store().directory().touch_web_session(&self.token, website.now()).await?)
    }
}

/// The sign-in's secret from the cookies of a request.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<Token> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .and_then(|(_, value)| value.parse().ok())
}
