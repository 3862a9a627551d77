//! A website, a gateway and a console over real TLS sockets on the loopback, for tests of what meets them: the applet's
//! library in `shell/net` and the real program in `bin/applet`. And coturn's tools, for those of both ends of TURN.
#![allow(clippy::unwrap_used, reason = "only tests use this, and for them a failure here is a panic")]

mod console;
pub mod coturn;

pub use console::{Console, Socket, receive};

use belay_net::gateway::{Gateway, Service, SocketMessage, Website};
use belay_relay::Limits;
use belay_relay::admission::{Admission, AdmitAnswer, AdmitRequest, LegNews};
use belay_wire::gateway::{Refusal, Role};
use belay_wire::{AccountId, LegTicket, SessionId};
use futures_util::{SinkExt, StreamExt};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::Message;

/// What admits the applet.
pub const ID: [u8; 16] = [7; 16];
/// The session there is.
pub const SESSION: SessionId = SessionId::from_bytes([5; 16]);
/// Its account.
pub const ACCOUNT: AccountId = AccountId::from_bytes([3; 16]);
/// Where everything is.
pub const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A website that knows one session and keeps what it is told. Every admission gives a return ticket with the next number.
#[derive(Default)]
pub struct OneSession {
    /// What it was told.
    pub news: Mutex<Vec<LegNews>>,
    /// How many legs it has admitted.
    pub admissions: Mutex<u8>,
}

impl Website for OneSession {
    async fn admit(&self, request: AdmitRequest) -> AdmitAnswer {
        let mut admissions = self.admissions.lock().unwrap();
        let returns = request.credential.len() == 32
            && request.credential[0] == 100
            && request.credential[1] <= *admissions;
        let right = match request.role {
            Role::Applet => request.credential == ID || returns,
            Role::Console => request.credential == [9; 32] || returns,
        };
        if !right {
            return Err(Refusal::Unknown);
        }
        *admissions += 1;
        let mut ticket = [0; 32];
        ticket[..2].copy_from_slice(&[100, *admissions]);
        Ok(Admission { session: SESSION, return_ticket: LegTicket::from_bytes(ticket) })
    }

    async fn tell(&self, news: LegNews) {
        self.news.lock().unwrap().push(news);
    }
}

/// Website and gateway.
pub struct Server {
    /// PEM of the certificate to trust.
    pub anchors: String,
    /// The website's origin.
    pub origin: String,
    /// The gateway.
    pub gateway: Arc<Gateway<OneSession>>,
    /// The gateway's port.
    pub gateway_port: u16,
    /// The website as the gateway sees it.
    pub website: Arc<OneSession>,
    /// Cuts every connection of the gateway.
    pub cuts: Arc<tokio::sync::Notify>,
    /// Lets every connection of the gateway fall silent.
    pub silences: Arc<tokio::sync::Notify>,
}

impl Server {
    /// Nothing comes or goes any more on the connections that the gateway has, and nobody is told; new ones are as good as ever.
    pub fn fall_silent(&self) {
        self.silences.notify_waiters();
    }

    /// Cuts every connection of the gateway; new ones are taken at once.
    pub fn cut(&self) {
        self.cuts.notify_waiters();
    }
}

/// Starts them.
pub async fn start() -> Server {
    start_with(None).await
}

/// The same, with a STUN and TURN service.
pub async fn start_with(service: Option<Service>) -> Server {
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = certificate.signing_key.serialize_der().try_into().unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key)
        .unwrap();
    let tls = TlsAcceptor::from(Arc::new(tls));
    let website = Arc::new(OneSession::default());
    let gateway = Gateway::start(Arc::clone(&website), Limits::default(), service);
    let list = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let sockets = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let gateway_port = sockets.local_addr().unwrap().port();
    let origin = format!("https://localhost:{}", list.local_addr().unwrap().port());
    let body =
        format!(r#"{{"gateways":[{{"url":"wss://localhost:{gateway_port}/gateway/v1","region":"eu"}}]}}"#);
    tokio::spawn({
        let tls = tls.clone();
        async move {
            loop {
                let (stream, _) = list.accept().await.unwrap();
                let Ok(mut stream) = tls.accept(stream).await else { continue };
                let _ = stream.read(&mut [0; 4096]).await.unwrap();
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
                let _ = stream.shutdown().await;
            }
        }
    });
    let (cuts, silences) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    tokio::spawn({
        let (gateway, cuts, silences) = (Arc::clone(&gateway), Arc::clone(&cuts), Arc::clone(&silences));
        async move {
            loop {
                let (mut outside, _) = sockets.accept().await.unwrap();
                let (stream, mut inside) = tokio::io::duplex(64 << 10);
                let silence = Arc::clone(&silences);
                tokio::spawn(async move {
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut outside, &mut inside) => {}
                        // Both stay open, and nobody carries anything from one to the other.
                        () = silence.notified() => std::future::pending().await,
                    }
                });
                let (tls, gateway, cut) = (tls.clone(), Arc::clone(&gateway), Arc::clone(&cuts));
                tokio::spawn(async move {
                    let Ok(stream) = tls.accept(stream).await else { return };
                    serve(gateway, stream, cut).await;
                });
            }
        }
    });
    Server { anchors: certificate.cert.pem(), origin, gateway, gateway_port, website, cuts, silences }
}

async fn serve(
    gateway: Arc<Gateway<OneSession>>,
    stream: TlsStream<DuplexStream>,
    cut: Arc<tokio::sync::Notify>,
) {
    #[allow(clippy::result_large_err, reason = "the signature is tungstenite's")]
    let protocol = |_: &_, mut response: tokio_tungstenite::tungstenite::handshake::server::Response| {
        let name = belay_wire::gateway::SUBPROTOCOL.parse().unwrap();
        response.headers_mut().insert("sec-websocket-protocol", name);
        Ok(response)
    };
    let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, protocol).await else { return };
    let socket = socket
        .map(|message| {
            message.map(|message| match message {
                Message::Binary(bytes) => SocketMessage::Frame(bytes),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) | Message::Close(_) => {
                    SocketMessage::Ping
                }
                Message::Text(_) => SocketMessage::Foreign,
            })
        })
        .with(|message: SocketMessage| async {
            Ok::<_, tokio_tungstenite::tungstenite::Error>(match message {
                SocketMessage::Frame(bytes) => Message::Binary(bytes),
                SocketMessage::Ping | SocketMessage::Foreign => Message::Ping(Default::default()),
            })
        });
    let (sink, stream) = socket.split();
    let stream = stream.take_until(Box::pin(async move { cut.notified().await }));
    gateway.serve(Joined { stream, sink }, LOOPBACK, true).await;
}

/// A stream and a sink as one socket again.
struct Joined<R, W> {
    stream: R,
    sink: W,
}

impl<R: futures_util::Stream + Unpin, W: Unpin> futures_util::Stream for Joined<R, W> {
    type Item = R::Item;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<R::Item>> {
        Pin::new(&mut self.stream).poll_next(cx)
    }
}

impl<R: Unpin, W: futures_util::Sink<SocketMessage> + Unpin> futures_util::Sink<SocketMessage>
    for Joined<R, W>
{
    type Error = W::Error;
    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), W::Error>> {
        Pin::new(&mut self.sink).poll_ready(cx)
    }
    fn start_send(mut self: Pin<&mut Self>, item: SocketMessage) -> Result<(), W::Error> {
        Pin::new(&mut self.sink).start_send(item)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), W::Error>> {
        Pin::new(&mut self.sink).poll_flush(cx)
    }
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), W::Error>> {
        Pin::new(&mut self.sink).poll_close(cx)
    }
}
