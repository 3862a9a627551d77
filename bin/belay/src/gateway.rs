//! The gateway's place in the server: `GET /gateway/v1` becomes a leg, the website answers by a call.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use belay_api::admission::Admission;
use belay_net::gateway::{Gateway, Service, SocketMessage, Website};
use belay_relay::Limits;
use belay_relay::admission::{AdmitAnswer, AdmitRequest, LegNews};
use belay_store::Through;
use belay_wire::gateway::{MAX_FRAME, SUBPROTOCOL};
use futures_util::{SinkExt, StreamExt};

/// The website in the same process.
pub struct Beside(pub Admission);

impl Website for Beside {
    async fn admit(&self, request: AdmitRequest) -> AdmitAnswer {
        self.0.admit(request, Through::Own).await
    }

    async fn tell(&self, news: LegNews) {
        self.0.tell(news, Through::Own).await;
    }
}

/// A gateway with nobody on it, for so many legs at once.
pub fn start<W: Website>(website: W, legs: u32, service: Option<Service>) -> Arc<Gateway<W>> {
    let limits = Limits { legs: legs as usize, ..Limits::default() };
    Gateway::start(Arc::new(website), limits, service)
}

/// Its route. Host and origin were checked in front of it.
pub fn routes<W: Website>(gateway: Arc<Gateway<W>>) -> Router {
    Router::new().route("/gateway/v1", get(leg::<W>)).with_state(gateway)
}

/// Bytes read at once from a leg: most legs wait and say little, and each has one such buffer. It grows for a long frame.
const READ_BUFFER: usize = 4 * 1024;

/// Its route, for a process without a website: a page must be of the website at `origin`, an applet says no origin.
pub fn routes_alone<W: Website>(gateway: Arc<Gateway<W>>, origin: String) -> Router {
    routes(gateway).layer(from_fn(move |request: Request, next: Next| {
        let foreign = request
            .headers()
            .get(header::ORIGIN)
            .is_some_and(|said| !said.as_bytes().eq_ignore_ascii_case(origin.as_bytes()));
        async move {
            if foreign {
                return (StatusCode::FORBIDDEN, "Pages of another website may not connect here.\n")
                    .into_response();
            }
            next.run(request).await
        }
    }))
}

async fn leg<W: Website>(
    State(gateway): State<Arc<Gateway<W>>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let upgrade = upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(MAX_FRAME)
        .max_frame_size(MAX_FRAME)
        .read_buffer_size(READ_BUFFER);
    if upgrade.selected_protocol().is_none() {
        return (StatusCode::BAD_REQUEST, format!("This gateway speaks {SUBPROTOCOL} only.\n"))
            .into_response();
    }
    let browser = headers.contains_key(header::ORIGIN);
    upgrade.on_upgrade(move |socket| serve(gateway, socket, peer, browser))
}

async fn serve<W: Website>(gateway: Arc<Gateway<W>>, socket: WebSocket, peer: SocketAddr, browser: bool) {
    let socket = socket
        .map(|message| message.map(incoming))
        .with(|message| std::future::ready(Ok::<_, axum::Error>(outgoing(message))));
    gateway.serve(socket, peer.ip().to_canonical(), browser).await;
}

fn incoming(message: Message) -> SocketMessage {
    match message {
        Message::Binary(bytes) => SocketMessage::Frame(bytes),
        // After a close the stream ends by itself.
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => SocketMessage::Ping,
        Message::Text(_) => SocketMessage::Foreign,
    }
}

fn outgoing(message: SocketMessage) -> Message {
    match message {
        SocketMessage::Frame(bytes) => Message::Binary(bytes),
        SocketMessage::Ping | SocketMessage::Foreign => Message::Ping(bytes::Bytes::new()),
    }
}
