//! Every refusal of the website, and the one place that turns refusals into answers.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use belay_identity::IdentityError;
use belay_session::Refusal;
use belay_store::{ApplyError, StoreError};

use crate::types::{Error, ErrorBody};

/// Why a request was not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request cannot be understood; the text says where.
    #[error("the request cannot be understood: {0}")]
    BadRequest(String),
    /// The end user's name is empty, too long, or contains control characters.
    #[error("write a name of 1 to 64 characters")]
    BadName,
    /// The body is larger than 64 KiB.
    #[error("the request is too large; at most 64 KiB are taken")]
    TooLarge,
    /// Wrong id, wrong password, or locked: one answer for all.
    #[error("sign-in id or password is wrong, or too many attempts failed; check both, or wait 15 minutes")]
    SignInFailed,
    /// No living sign-in came with the request.
    #[error("nobody is signed in; sign in again")]
    SignedOut,
    /// The member's role does not cover this.
    #[error("your role does not cover this; ask an administrator of your account")]
    Forbidden,
    /// The request came from a page of another origin.
    #[error("the request came from another website; open this one directly")]
    ForeignOrigin,
    /// The `Host` is not one of this server's.
    #[error("this server has another name; open it by its configured address")]
    UnknownHost,
    /// Too many tries.
    #[error("too many tries; wait {} seconds", seconds(*.0))]
    SlowDown(Duration),
    /// There is no such thing, or not for this account.
    #[error("not found; reload the page")]
    NotFound,
    /// The method does not exist here.
    #[error("this address does not know this method")]
    MethodNotAllowed,
    /// Somebody was faster, or the end user has gone.
    #[error("the session is not waiting any more; somebody else has picked it up, or it has ended")]
    SessionNotWaiting,
    /// The end user waits, but the connection is lost at the moment.
    #[error("the end user's connection is lost; pick the session up when it is back")]
    EndUserAway,
    /// Another technician holds it.
    #[error("another technician holds this session")]
    SessionNotYours,
    /// The session is over.
    #[error("the session is over; start a new one")]
    SessionEnded,
    /// The PIN is wrong, used or expired.
    #[error("this PIN is not valid; check the six digits, or ask your technician for a new one")]
    PinNotValid,
    /// The link is wrong, used or expired.
    #[error("this link is not valid any more; ask your technician for a new one")]
    LinkNotValid,
    /// The join ticket is wrong or expired.
    #[error("this download is not valid any more; start again with a new PIN or link")]
    JoinNotValid,
    /// There is no applet for this platform yet.
    #[error("there is no download for this platform yet; use a Linux computer (x86-64)")]
    PlatformNotAvailable,
    /// No gateway is of the account's region.
    #[error("there is no gateway in the region of this account at the moment; tell the administrator")]
    NoGateway,
    /// Something failed inside; the log has the cause.
    #[error("something went wrong on the server; try again, and tell the administrator if it stays")]
    Internal,
}

impl ApiError {
    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad-request"),
            Self::BadName => (StatusCode::BAD_REQUEST, "bad-name"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
            Self::SignInFailed => (StatusCode::UNAUTHORIZED, "sign-in-failed"),
            Self::SignedOut => (StatusCode::UNAUTHORIZED, "signed-out"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::ForeignOrigin => (StatusCode::FORBIDDEN, "foreign-origin"),
            Self::UnknownHost => (StatusCode::MISDIRECTED_REQUEST, "unknown-host"),
            Self::SlowDown(_) => (StatusCode::TOO_MANY_REQUESTS, "slow-down"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed"),
            Self::SessionNotWaiting => (StatusCode::CONFLICT, "session-not-waiting"),
            Self::EndUserAway => (StatusCode::CONFLICT, "end-user-away"),
            Self::SessionNotYours => (StatusCode::CONFLICT, "session-not-yours"),
            Self::SessionEnded => (StatusCode::CONFLICT, "session-ended"),
            Self::PinNotValid => (StatusCode::NOT_FOUND, "pin-not-valid"),
            Self::LinkNotValid => (StatusCode::NOT_FOUND, "link-not-valid"),
            Self::JoinNotValid => (StatusCode::NOT_FOUND, "join-not-valid"),
            Self::PlatformNotAvailable => (StatusCode::CONFLICT, "platform-not-available"),
            Self::NoGateway => (StatusCode::SERVICE_UNAVAILABLE, "no-gateway"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        let body = Error { error: ErrorBody { code: code.to_owned(), message: self.to_string() } };
        let mut response = (status, Json(body)).into_response();
        if let Self::SlowDown(wait) = self
            && let Ok(value) = HeaderValue::from_str(&seconds(wait).to_string())
        {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = %chain(&error), "the store failed");
        Self::Internal
    }
}

impl From<ApplyError> for ApiError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::NotFound => Self::NotFound,
            ApplyError::Store(error) => error.into(),
            ApplyError::Refused(refusal) => match refusal {
                Refusal::Ended => Self::SessionEnded,
                Refusal::BadName => Self::BadName,
                Refusal::Away => Self::EndUserAway,
                Refusal::NotYours => Self::SessionNotYours,
                Refusal::AlreadyJoined
                | Refusal::NotJoined
                | Refusal::NotDownloaded
                | Refusal::AlreadyAdmitted
                | Refusal::NotWaiting
                | Refusal::NotActive => Self::SessionNotWaiting,
            },
        }
    }
}

impl From<IdentityError> for ApiError {
    fn from(error: IdentityError) -> Self {
        tracing::error!(error = %chain(&error), "the password check failed");
        Self::Internal
    }
}

/// Whole seconds, rounded up, at least one.
fn seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// An error with all its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
