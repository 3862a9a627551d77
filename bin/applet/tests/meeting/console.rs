//! A console written against the specification, without any of the browser's code.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use belay_link::{Link, Output, PathId, PathKind};
use belay_seal::{Binding, ConsoleHandshake, Seal, Secrets};
use belay_wire::gateway::{FromGateway, Hello, Role, ToGateway};
use belay_wire::{LegTicket, Message, Moment, SessionAuthenticationId};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Socket;

use super::{ACCOUNT, ID, SESSION, Server};

type ConsoleSocket = tokio_tungstenite::WebSocketStream<tokio_rustls::client::TlsStream<TcpStream>>;

/// A console that stays itself over interruptions.
pub struct Console {
    socket: ConsoleSocket,
    ticket: LegTicket,
    seal: Seal,
    link: Link,
    path: u32,
    started: Instant,
    heard: VecDeque<Message>,
}

impl Console {
    /// Comes in and makes a seal with the applet, which must be there within ten seconds.
    pub async fn open(server: &Server) -> Console {
        let (mut socket, ticket) = enter(server, [9; 32].to_vec()).await;
        let binding = Binding::of(&SessionAuthenticationId::from_bytes(ID));
        let secrets = Secrets { key: [1; 32], nonce: [2; 32] };
        let (handshake, commit) = ConsoleHandshake::start(secrets, binding).unwrap();
        socket.send(Socket::binary(ToGateway::Frame(commit).encode())).await.unwrap();
        let FromGateway::Frame(answer) = receive(&mut socket).await else { panic!("no answer") };
        let (seal, open) = handshake.answered(&answer).unwrap();
        socket.send(Socket::binary(ToGateway::Frame(open).encode())).await.unwrap();
        let mut link = Link::new();
        link.path_up(PathId(0), PathKind::Relay, Moment(0));
        Console { socket, ticket, seal, link, path: 0, started: Instant::now(), heard: VecDeque::new() }
    }

    /// Comes back after a cut, and goes on with the same seal.
    pub async fn come_back(&mut self, server: &Server) {
        let now = self.now();
        self.link.path_down(PathId(self.path), now);
        (self.socket, self.ticket) = enter(server, self.ticket.secret_bytes().to_vec()).await;
        self.path += 1;
        self.link.path_up(PathId(self.path), PathKind::Relay, now);
        self.say(&Message::ScreenSeen { number: 0 }).await;
    }

    /// The code this side shows.
    pub fn code(&self) -> belay_seal::SecurityCode {
        self.seal.security_code()
    }

    pub async fn say(&mut self, message: &Message) {
        let now = self.now();
        self.link.send(message.class(), message.encode()).unwrap();
        self.link.tick(now);
        self.drain().await;
    }

    /// Goes on until the applet says something like this.
    pub async fn hears(&mut self, what: &str, like: impl Fn(&Message) -> bool) -> Message {
        let until = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            while let Some(message) = self.heard.pop_front() {
                if let Message::ScreenUpdate(update) = &message {
                    self.say(&Message::ScreenSeen { number: update.number }).await;
                }
                if like(&message) {
                    return message;
                }
            }
            let received = tokio::time::timeout_at(until, receive(&mut self.socket)).await;
            let received = received.unwrap_or_else(|_| panic!("not heard within 20 seconds: {what}"));
            let FromGateway::Frame(frame) = received else { panic!("{received:?} instead of {what}") };
            let now = self.now();
            self.link.received(PathId(self.path), &self.seal.open(&frame).unwrap(), now).unwrap();
            self.drain().await;
        }
    }

    async fn drain(&mut self) {
        while let Some(output) = self.link.poll(self.now()) {
            match output {
                Output::Transmit { packet, .. } => {
                    let frame = self.seal.seal(&packet).unwrap();
                    self.socket.send(Socket::binary(ToGateway::Frame(frame).encode())).await.unwrap();
                }
                Output::Deliver { message, .. } => self.heard.push_back(Message::decode(&message).unwrap()),
                Output::Active(_) => {}
            }
        }
    }

    fn now(&self) -> Moment {
        Moment(u64::try_from(self.started.elapsed().as_micros()).unwrap())
    }
}

/// A leg that is in and paired, with its return ticket.
async fn enter(server: &Server, credential: Vec<u8>) -> (ConsoleSocket, LegTicket) {
    use rustls_pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls_pki_types::CertificateDer::from_pem_slice(server.anchors.as_bytes()).unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect((super::LOOPBACK, server.gateway_port)).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(tls));
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let url = format!("wss://localhost:{}/gateway/v1", server.gateway_port);
    let mut request =
        tokio_tungstenite::tungstenite::client::IntoClientRequest::into_client_request(url).unwrap();
    let name = belay_wire::gateway::SUBPROTOCOL.parse().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", name);
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    let hello = Hello {
        role: Role::Console,
        account: ACCOUNT,
        credential,
        version: "1".into(),
        platform: "test".into(),
    };
    socket.send(Socket::binary(ToGateway::Hello(hello).encode())).await.unwrap();
    let FromGateway::Admitted(SESSION, ticket) = receive(&mut socket).await else { panic!("not admitted") };
    assert!(matches!(receive(&mut socket).await, FromGateway::Paired(_)));
    (socket, ticket)
}

async fn receive(socket: &mut ConsoleSocket) -> FromGateway {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(30), socket.next()).await.unwrap();
        if let Socket::Binary(bytes) = message.unwrap().unwrap() {
            return FromGateway::decode(&bytes).unwrap();
        }
    }
}
