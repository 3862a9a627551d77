//! `POST /join/download`: the applet with a fresh one-time id in its tag, as an attachment.

use axum::body::Body as HttpBody;
use axum::extract::{Form, State, rejection::FormRejection};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use belay_access::{SecurityKind, Token};
use belay_identity::random_session_authentication_id;
use belay_session::Command;
use bytes::Bytes;
use futures_util::stream;

use crate::error::ApiError;
use crate::extract::Address;
use crate::security::Noticed;
use crate::settings::authority;
use crate::tag::{OperatorBlock, SessionBlock, tag};
use crate::types::{Error, JoinDownload, PlatformName};
use crate::website::Website;

/// The applet for this session.
#[utoipa::path(
    post,
    path = "/join/download",
    tag = "join",
    request_body(content = JoinDownload, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "the applet, as an attachment", content_type = "application/octet-stream"),
        (status = 400, description = "bad-request", body = Error),
        (status = 403, description = "foreign-origin", body = Error),
        (status = 404, description = "join-not-valid", body = Error),
        (status = 409, description = "platform-not-available", body = Error),
    )
)]
pub(crate) async fn join_download(
    State(website): State<Website>,
    Address(address): Address,
    form: Result<Form<JoinDownload>, FormRejection>,
) -> Result<Response, ApiError> {
    let Form(JoinDownload { join_token, platform }) =
        form.map_err(|rejection| ApiError::BadRequest(rejection.body_text()))?;
    let now = website.now();
    let directory = website.store().directory();
    let found = match join_token.parse::<Token>() {
        Ok(token) => directory.join_ticket(&token, now).await?,
        Err(_) => None,
    };
    let Some(found) = found else {
        website
            .security()
            .notice(Noticed::new(SecurityKind::LinkRefused, address).detail("ticket of a download"));
        return Err(ApiError::JoinNotValid);
    };
    let binary = match platform {
        PlatformName::LinuxX86_64 => website.applet().bytes().await,
        PlatformName::WindowsX86_64 | PlatformName::Macos => None,
    };
    let binary = binary.ok_or(ApiError::PlatformNotAvailable)?;
    let command = Command::Downloaded { platform: platform.into() };
    match website.store().apply(found.account, found.session, command, now).await.map_err(ApiError::from) {
        Ok(_) => {}
        Err(ApiError::SessionEnded | ApiError::SessionNotWaiting | ApiError::NotFound) => {
            return Err(ApiError::JoinNotValid);
        }
        Err(error) => return Err(error),
    }
    let id = random_session_authentication_id();
    directory.create_session_authentication(&id, found.account, found.session, now).await?;

    let settings = website.settings();
    let operator = OperatorBlock {
        origin: settings.origin.clone(),
        anchors: settings.anchors.pem(),
        charter_key: hex::encode(website.store().charter_public_key()),
        operator: authority(&settings.origin).to_owned(),
    };
    let session = SessionBlock {
        account: found.account.to_string(),
        session_authentication_id: hex::encode(id.secret_bytes()),
    };
    let tag = tag(&operator, &session).map_err(|error| {
        tracing::error!(%error, "the tag of an applet cannot be made");
        ApiError::Internal
    })?;
    attachment(binary, Bytes::from(tag))
}

fn attachment(binary: Bytes, tag: Bytes) -> Result<Response, ApiError> {
    let length = binary.len() + tag.len();
    let parts = [Ok::<_, std::convert::Infallible>(binary), Ok(tag)];
    Response::builder()
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::CONTENT_DISPOSITION, "attachment; filename=\"belay-support\"")
        .header(header::CONTENT_LENGTH, HeaderValue::from(length))
        .body(HttpBody::from_stream(stream::iter(parts)))
        .map_err(|_| ApiError::Internal)
}
