//! `POST /sign-in`: id and password for a cookie. A wrong id, a wrong password and a locked id get the same
//! answer after the same work, so that nobody can tell which ids exist.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use belay_access::{SecurityKind, Verdict};
use belay_identity::{IdentityError, Verification, random_token};
use belay_store::SignInId;

use crate::error::ApiError;
use crate::extract::{Address, Body, COOKIE, cookie};
use crate::limits::Tried;
use crate::security::Noticed;
use crate::types::{Error, Me, SignIn};
use crate::website::Website;

/// Sign in.
#[utoipa::path(
    post,
    path = "/sign-in",
    tag = "sign-in",
    request_body = SignIn,
    responses(
        (status = 200, description = "signed in, with the cookie", body = Me),
        (status = 401, description = "sign-in-failed", body = Error),
        (status = 403, description = "foreign-origin", body = Error),
        (status = 429, description = "slow-down", body = Error),
    )
)]
pub(crate) async fn sign_in(
    State(website): State<Website>,
    Address(address): Address,
    headers: HeaderMap,
    Body(SignIn { id, password }): Body<SignIn>,
) -> Result<impl IntoResponse, ApiError> {
    let now = website.now();
    if let Err(wait) = website.buckets().take(Tried::SignIn, address, now) {
        website.security().notice(Noticed::new(SecurityKind::SlowedDown, address).detail("sign-in"));
        return Err(ApiError::SlowDown(wait));
    }
    let directory = website.store().directory();
    let attempt = match SignInId::new(&id) {
        Some(id) => Some((directory.begin_sign_in(&id, now).await?, id)),
        None => None,
    };
    let (verdict, credential) = match &attempt {
        Some((attempt, _)) => (attempt.verdict, attempt.credential.as_ref()),
        None => (Verdict::Proceed, None),
    };
    let checked = match verdict {
        Verdict::Proceed => credential,
        // The work is done all the same, against nothing.
        Verdict::Locked { .. } => None,
    };
    let hash = checked.map(|credential| credential.password_hash.as_str());
    let verification = match website.passwords().verify(&password, hash).await {
        Ok(verification) => verification,
        Err(IdentityError::TooLong { .. }) => Verification::Wrong,
        Err(error) => return Err(error.into()),
    };
    let (Verification::Right, Some(credential), Some((_, id))) = (verification, checked, &attempt) else {
        let kind = match verdict {
            Verdict::Proceed => SecurityKind::SignInFailed,
            Verdict::Locked { .. } => SecurityKind::SignInLocked,
        };
        let noticed = match (&attempt, credential) {
            (Some((_, id)), Some(credential)) => {
                Noticed::new(kind, address).account(credential.account).detail(id.as_str())
            }
            // What was typed is not written down: now and then it is a password in the wrong field.
            (Some(_) | None, _) => Noticed::new(kind, address).detail("an id nobody has"),
        };
        website.security().notice(noticed);
        return Err(ApiError::SignInFailed);
    };

    directory.sign_in_succeeded(id).await?;
    let (account, member) = (credential.account, credential.member);
    if website.passwords().needs_rehash(&credential.password_hash) {
        // A password from the days of shorter ones may be refused as a new one; then its old hash stays.
        match website.passwords().hash(&password).await {
            Ok(hash) => {
                // `false` only when the member has been removed meanwhile, which the next line notices.
                let _replaced = directory.replace_password_hash(account, member, &hash).await?;
            }
            Err(error) => tracing::warn!(%error, "a password could not be hashed at today's cost"),
        }
    }
    if let Some(previous) = cookie(&headers) {
        directory.delete_web_session(&previous).await?;
    }
    let token = random_token();
    directory.create_web_session(&token, account, member, now).await?;
    let member = website.store().view(account).await?.member(member).await?.ok_or(ApiError::SignInFailed)?;
    website.security().notice(
        Noticed::new(SecurityKind::SignedIn, address).account(account).detail(member.sign_in_id.as_str()),
    );
    let me: Me = super::describe(&website, account, &member).await?;
    let cookie = format!("{COOKIE}={}; HttpOnly; Secure; SameSite=Strict; Path=/", token.to_text());
    Ok(([(header::SET_COOKIE, cookie)], Json(me)))
}
