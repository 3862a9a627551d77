//! Getting in: the list of gateways, one after the other, until one says yes or no.

use belay_wire::gateway::{FromGateway, Hello, Refusal, Role, ToGateway};
use belay_wire::{LegTicket, SessionAuthenticationId, SessionId};
use futures_util::{SinkExt, StreamExt};
use hyper::Uri;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Socket;

use super::Leg;
use crate::dial::{Dial, DialError};

pub(super) type Socketed = WebSocketStream<TlsStream<TcpStream>>;
/// The socket of an admitted leg, its session, and what lets it in once more.
pub(super) type Admitted = (Socketed, SessionId, LegTicket);

/// What admits the applet.
pub(super) enum Credential {
    /// The id in its tag, once.
    First(SessionAuthenticationId),
    /// The ticket of the admission before.
    Return(LegTicket),
}

/// Tries the gateways one after the other, from a random one on; those that are full or broken are passed over.
pub(super) async fn reach(
    dial: &Dial,
    leg: &Leg,
    credential: &Credential,
) -> Result<Result<Admitted, Refusal>, DialError> {
    let mut gateways = dial.gateways().await?;
    let first = usize::from(random_byte()) % gateways.len();
    gateways.rotate_left(first);
    let mut last = None;
    for gateway in &gateways {
        match enter(dial, gateway, leg, credential).await {
            Ok(Err(Refusal::Full | Refusal::Unavailable)) => last = Some(Ok(Err(Refusal::Full))),
            Ok(answer) => return Ok(answer),
            Err(error) => {
                tracing::warn!(%gateway, %error, "gateway not usable");
                last = Some(Err(error));
            }
        }
    }
    last.unwrap_or(Ok(Err(Refusal::Unavailable)))
}

async fn enter(
    dial: &Dial,
    gateway: &Uri,
    leg: &Leg,
    credential: &Credential,
) -> Result<Result<Admitted, Refusal>, DialError> {
    let mut socket = dial.gateway(gateway).await?;
    let host = gateway.authority().map(ToString::to_string).unwrap_or_default();
    let wrong = |reason: String| DialError::Answer { host: host.clone(), reason };
    let hello = ToGateway::Hello(Hello {
        role: Role::Applet,
        account: leg.account,
        credential: match credential {
            Credential::First(id) => id.secret_bytes().to_vec(),
            Credential::Return(ticket) => ticket.secret_bytes().to_vec(),
        },
        version: leg.version.clone(),
        platform: leg.platform.clone(),
    });
    socket.send(Socket::binary(hello.encode())).await.map_err(|error| wrong(error.to_string()))?;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(15);
    loop {
        let message = tokio::time::timeout_at(deadline, socket.next())
            .await
            .map_err(|_| wrong("no answer to the session id within 15 seconds".into()))?;
        match message {
            Some(Ok(Socket::Binary(bytes))) => match FromGateway::decode(&bytes) {
                Ok(FromGateway::Admitted(session, ticket)) => return Ok(Ok((socket, session, ticket))),
                Ok(FromGateway::Refused(reason)) => return Ok(Err(reason)),
                Ok(
                    FromGateway::Paired(_)
                    | FromGateway::PartnerLeft(_)
                    | FromGateway::Relaying(_)
                    | FromGateway::Frame(_),
                ) => {
                    return Err(wrong("frames before admission".into()));
                }
                Err(error) => return Err(wrong(error.to_string())),
            },
            Some(Ok(Socket::Ping(_) | Socket::Pong(_) | Socket::Frame(_))) => {}
            Some(Ok(Socket::Text(_) | Socket::Close(_))) | None => {
                return Err(wrong("connection closed".into()));
            }
            Some(Err(error)) => return Err(wrong(error.to_string())),
        }
    }
}

/// A random byte for choices that need no secrecy; 0 when the system has none.
pub(super) fn random_byte() -> u8 {
    let mut byte = [0];
    match aws_lc_rs::rand::fill(&mut byte) {
        Ok(()) => byte[0],
        Err(_) => 0,
    }
}
