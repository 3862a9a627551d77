//! A console written against the specification, without any of the browser's code.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use belay_link::{Link, Output, PathId, PathKind};
use belay_seal::{Binding, ConsoleHandshake, Seal, Secrets};
use belay_wire::gateway::{FromGateway, Hello, Role, ToGateway};
use belay_wire::{LegTicket, Message, Moment, SessionAuthenticationId};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Said;

use crate::{ACCOUNT, ID, LOOPBACK, SESSION, Server};

/// A leg's connection.
pub struct Socket(pub tokio_tungstenite::WebSocketStream<tokio_rustls::client::TlsStream<TcpStream>>);

impl Socket {
    /// Sends a frame to the applet.
    pub async fn send(&mut self, frame: Vec<u8>) {
        self.0.send(Said::binary(ToGateway::Frame(frame).encode())).await.unwrap();
    }

    /// Whether the gateway says goodbye now.
    pub async fn is_closed(&mut self) -> bool {
        matches!(self.0.next().await, Some(Ok(Said::Close(_))))
    }
}

/// A console that stays itself over interruptions.
pub struct Console {
    /// Its connection.
    pub socket: Socket,
    /// What lets it in again.
    pub ticket: LegTicket,
    /// Its seal.
    pub seal: Seal,
    /// Its link.
    pub link: Link,
    /// The link's path by the gateway.
    pub path: PathId,
    /// The link's beginning of time.
    pub started: Instant,
    heard: VecDeque<Message>,
}

impl Console {
    /// Comes in and makes a seal with the applet, which must be there within ten seconds.
    pub async fn open(server: &Server) -> Console {
        let (socket, ticket) = Console::enter(server, [9; 32].to_vec()).await;
        Console::shake_hands(socket, ticket).await
    }

    /// Makes a seal with the applet, in a connection that is paired.
    pub async fn shake_hands(mut socket: Socket, ticket: LegTicket) -> Console {
        let binding = Binding::of(&SessionAuthenticationId::from_bytes(ID));
        let secrets = Secrets { key: [1; 32], nonce: [2; 32] };
        let (handshake, commit) = ConsoleHandshake::start(secrets, binding).unwrap();
        socket.send(commit).await;
        let FromGateway::Frame(answer) = receive(&mut socket).await else { panic!("no answer") };
        let (seal, open) = handshake.answered(&answer).unwrap();
        socket.send(open).await;
        let (mut link, path) = (Link::new(), PathId(0));
        link.path_up(path, PathKind::Relay, Moment(0));
        Console { socket, ticket, seal, link, path, started: Instant::now(), heard: VecDeque::new() }
    }

    /// Comes back after a cut, and goes on with the same seal.
    pub async fn come_back(&mut self, server: &Server) {
        let now = self.now();
        self.link.path_down(self.path, now);
        (self.socket, self.ticket) = Console::enter(server, self.ticket.secret_bytes().to_vec()).await;
        self.path = PathId(self.path.0 + 1);
        // A new path is pinged at once, whether or not something waits to be sent again.
        self.link.path_up(self.path, PathKind::Relay, now);
        self.drain().await;
    }

    /// The code this side shows.
    pub fn code(&self) -> belay_seal::SecurityCode {
        self.seal.security_code()
    }

    /// Says this to the applet.
    pub async fn say(&mut self, message: &Message) {
        self.link.send(message.class(), message.encode()).unwrap();
        self.drain().await;
    }

    /// The next thing that the applet says.
    pub async fn hear(&mut self) -> Message {
        self.hears("anything", |_| true).await
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
            self.link.received(self.path, &self.seal.open(&frame).unwrap(), now).unwrap();
            self.drain().await;
        }
    }

    /// Waits as long as an acknowledgement does, and sends it.
    pub async fn acknowledge(&mut self) {
        tokio::time::sleep(Duration::from_millis(60)).await;
        self.drain().await;
        assert!(self.heard.is_empty(), "nothing more was said");
    }

    /// Sends what the link wants to send.
    pub async fn drain(&mut self) {
        let now = self.now();
        self.link.tick(now);
        while let Some(output) = self.link.poll(now) {
            match output {
                Output::Transmit { packet, .. } => self.socket.send(self.seal.seal(&packet).unwrap()).await,
                Output::Deliver { message, .. } => self.heard.push_back(Message::decode(&message).unwrap()),
                Output::Active(_) => {}
            }
        }
    }

    /// The link's time.
    pub fn now(&self) -> Moment {
        Moment(u64::try_from(self.started.elapsed().as_micros()).unwrap())
    }

    /// A leg that is in and paired, with its return ticket.
    pub async fn enter(server: &Server, credential: Vec<u8>) -> (Socket, LegTicket) {
        use rustls_pki_types::pem::PemObject;
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(rustls_pki_types::CertificateDer::from_pem_slice(server.anchors.as_bytes()).unwrap())
            .unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect((LOOPBACK, server.gateway_port)).await.unwrap();
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
        socket.send(Said::binary(ToGateway::Hello(hello).encode())).await.unwrap();
        let mut socket = Socket(socket);
        let FromGateway::Admitted(SESSION, ticket) = receive(&mut socket).await else {
            panic!("not admitted")
        };
        let mut told = receive(&mut socket).await;
        while let FromGateway::Relaying(_) = told {
            told = receive(&mut socket).await;
        }
        assert!(matches!(told, FromGateway::Paired(_)), "{told:?}");
        (socket, ticket)
    }
}

/// What the gateway says next.
pub async fn receive(socket: &mut Socket) -> FromGateway {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(30), socket.0.next()).await.unwrap();
        if let Said::Binary(bytes) = message.unwrap().unwrap() {
            return FromGateway::decode(&bytes).unwrap();
        }
    }
}
