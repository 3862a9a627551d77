//! An applet and a console meet at a gateway, over real TLS sockets on the loopback.
#![allow(clippy::unwrap_used)]

use belay_link::{Link, Output, PathId, PathKind};
use belay_net::Dial;
use belay_net::applet::{Command, Connection, Event, Interruption, Leg, connect};
use belay_net::gateway::{Gateway, Service, SocketMessage, Website};
use belay_relay::Limits;
use belay_relay::admission::{Admission, AdmitAnswer, AdmitRequest, LegEvent, LegNews};
use belay_seal::{Binding, ConsoleHandshake, Seal, Secrets};
use belay_wire::gateway::{FromGateway, Hello, Leaving, Refusal, ReportKind, Role, ToGateway};
use belay_wire::message::{CharterVerdict, EndedBy};
use belay_wire::{AccountId, LegTicket, Message, Moment, Right, SessionAuthenticationId, SessionId};
use futures_util::{SinkExt, StreamExt};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::Message as Socket;

#[path = "walk/browser.rs"]
mod browser;
#[path = "walk/direct.rs"]
mod direct;
#[path = "walk/hostile.rs"]
mod hostile;
#[path = "walk/slow.rs"]
mod slow;

const ID: [u8; 16] = [7; 16];
const SESSION: SessionId = SessionId::from_bytes([5; 16]);
const ACCOUNT: AccountId = AccountId::from_bytes([3; 16]);
const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A website that knows one session and keeps what it is told. Every admission gives a return ticket with the next number.
#[derive(Default)]
struct OneSession {
    news: Mutex<Vec<LegNews>>,
    admissions: Mutex<u8>,
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

struct Server {
    anchors: String,
    origin: String,
    gateway: Arc<Gateway<OneSession>>,
    gateway_port: u16,
    website: Arc<OneSession>,
    /// Cuts every connection of the gateway.
    cut: Arc<tokio::sync::Notify>,
}

async fn start() -> Server {
    start_with(None).await
}

/// The same, with a STUN and TURN service.
async fn start_with(service: Option<Service>) -> Server {
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
    let cut = Arc::new(tokio::sync::Notify::new());
    tokio::spawn({
        let (gateway, cut) = (Arc::clone(&gateway), Arc::clone(&cut));
        async move {
            loop {
                let (stream, _) = sockets.accept().await.unwrap();
                let (tls, gateway, cut) = (tls.clone(), Arc::clone(&gateway), Arc::clone(&cut));
                tokio::spawn(async move {
                    let Ok(stream) = tls.accept(stream).await else { return };
                    serve(gateway, stream, cut).await;
                });
            }
        }
    });
    Server { anchors: certificate.cert.pem(), origin, gateway, gateway_port, website, cut }
}

async fn serve(
    gateway: Arc<Gateway<OneSession>>,
    stream: TlsStream<TcpStream>,
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
                Socket::Binary(bytes) => SocketMessage::Frame(bytes),
                Socket::Ping(_) | Socket::Pong(_) | Socket::Frame(_) | Socket::Close(_) => {
                    SocketMessage::Ping
                }
                Socket::Text(_) => SocketMessage::Foreign,
            })
        })
        .with(|message: SocketMessage| async {
            Ok::<_, tokio_tungstenite::tungstenite::Error>(match message {
                SocketMessage::Frame(bytes) => Socket::Binary(bytes),
                SocketMessage::Ping | SocketMessage::Foreign => Socket::Ping(Default::default()),
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

fn applet(server: &Server, id: [u8; 16]) -> Connection {
    let dial = Dial::new(&server.origin, &server.anchors).unwrap();
    let id = SessionAuthenticationId::from_bytes(id);
    connect(dial, Leg { account: ACCOUNT, id, version: "1".into(), platform: "test".into() })
}

/// The next event, but for those about paths.
async fn next(connection: &mut Connection) -> Event {
    loop {
        let event = tokio::time::timeout(Duration::from_secs(10), connection.events.recv()).await;
        match event.unwrap().unwrap() {
            Event::Path(_) | Event::Attempted(_) | Event::Quiet => {}
            event => return event,
        }
    }
}

/// A console written against the specification, without any of the browser's code.
type ConsoleSocket = tokio_tungstenite::WebSocketStream<tokio_rustls::client::TlsStream<TcpStream>>;

struct Console {
    socket: ConsoleSocket,
    ticket: LegTicket,
    seal: Seal,
    link: Link,
    path: PathId,
    started: std::time::Instant,
}

impl Console {
    async fn open(server: &Server) -> Console {
        let (socket, ticket) = Console::enter(server, [9; 32].to_vec()).await;
        Console::shake_hands(socket, ticket).await
    }

    async fn shake_hands(mut socket: ConsoleSocket, ticket: LegTicket) -> Console {
        let binding = Binding::of(&SessionAuthenticationId::from_bytes(ID));
        let secrets = Secrets { key: [1; 32], nonce: [2; 32] };
        let (handshake, commit) = ConsoleHandshake::start(secrets, binding).unwrap();
        socket.send(Socket::binary(ToGateway::Frame(commit).encode())).await.unwrap();
        let FromGateway::Frame(answer) = receive(&mut socket).await else { panic!("no answer") };
        let (seal, open) = handshake.answered(&answer).unwrap();
        socket.send(Socket::binary(ToGateway::Frame(open).encode())).await.unwrap();
        let mut link = Link::new();
        let path = PathId(0);
        link.path_up(path, PathKind::Relay, Moment(0));
        Console { socket, ticket, seal, link, path, started: std::time::Instant::now() }
    }

    /// A leg that is in and paired, with its return ticket.
    async fn enter(server: &Server, credential: Vec<u8>) -> (ConsoleSocket, LegTicket) {
        let mut roots = rustls::RootCertStore::empty();
        use rustls_pki_types::pem::PemObject;
        roots
            .add(rustls_pki_types::CertificateDer::from_pem_slice(server.anchors.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect((LOOPBACK, server.gateway_port)).await.unwrap();
        let stream = tokio_rustls::TlsConnector::from(Arc::new(tls))
            .connect("localhost".try_into().unwrap(), stream)
            .await
            .unwrap();
        let url = format!("wss://localhost:{}/gateway/v1", server.gateway_port);
        let mut request =
            tokio_tungstenite::tungstenite::client::IntoClientRequest::into_client_request(url).unwrap();
        let name = belay_wire::gateway::SUBPROTOCOL.parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", name);
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        let hello = ToGateway::Hello(Hello {
            role: Role::Console,
            account: ACCOUNT,
            credential,
            version: "1".into(),
            platform: "test".into(),
        });
        socket.send(Socket::binary(hello.encode())).await.unwrap();
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

    async fn say(&mut self, message: &Message) {
        self.link.send(message.class(), message.encode()).unwrap();
        assert_eq!(self.drain().await, None, "nothing was received");
    }

    /// Sends what the link wants to send, up to the next message of the applet.
    async fn drain(&mut self) -> Option<Message> {
        let now = self.now();
        self.link.tick(now);
        while let Some(output) = self.link.poll(now) {
            match output {
                Output::Transmit { packet, .. } => {
                    let frame = self.seal.seal(&packet).unwrap();
                    self.socket.send(Socket::binary(ToGateway::Frame(frame).encode())).await.unwrap();
                }
                Output::Deliver { message, .. } => return Some(Message::decode(&message).unwrap()),
                Output::Active(_) => {}
            }
        }
        None
    }

    /// Waits as long as an acknowledgement does, and sends it.
    async fn acknowledge(&mut self) {
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(self.drain().await, None, "nothing more was said");
    }

    async fn hear(&mut self) -> Message {
        loop {
            if let Some(message) = self.drain().await {
                return message;
            }
            let FromGateway::Frame(frame) = receive(&mut self.socket).await else { panic!("not a frame") };
            let now = self.now();
            self.link.received(self.path, &self.seal.open(&frame).unwrap(), now).unwrap();
        }
    }

    fn now(&self) -> Moment {
        Moment(u64::try_from(self.started.elapsed().as_micros()).unwrap())
    }
}

async fn receive(
    socket: &mut (impl StreamExt<Item = Result<Socket, tokio_tungstenite::tungstenite::Error>> + Unpin),
) -> FromGateway {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(10), socket.next()).await.unwrap();
        if let Socket::Binary(bytes) = message.unwrap().unwrap() {
            return FromGateway::decode(&bytes).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn applet_and_console_meet_talk_and_part() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(SESSION)));
    let mut console = Console::open(&server).await;
    let code = console.seal.security_code();
    let line = Message::Chat { line: [1; 16], text: "Grüße, how can I help?".into() };
    console.say(&line).await;
    assert!(matches!(next(&mut applet).await, Event::Paired(shown) if shown == code));
    assert!(matches!(next(&mut applet).await, Event::Message(message) if message == line));
    let answer = Message::Chat { line: [2; 16], text: "It does not print".into() };
    applet.commands.send(Command::Send(answer.clone())).await.unwrap();
    assert_eq!(console.hear().await, answer);
    applet.commands.send(Command::Report(ReportKind::Violation, Right::RemoteControl)).await.unwrap();
    applet.commands.send(Command::Send(Message::End(EndedBy::EndUser))).await.unwrap();
    applet.commands.send(Command::Bye(Leaving::EndedByEndUser)).await.unwrap();
    assert_eq!(console.hear().await, Message::End(EndedBy::EndUser));
    console.acknowledge().await;
    assert_eq!(receive(&mut console.socket).await, FromGateway::PartnerLeft(Leaving::EndedByEndUser));
    applet.task.await.unwrap();
    drop(console);
    for _ in 0..100 {
        if server.gateway.legs() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(server.gateway.legs(), 0);
    let events: Vec<_> = server.website.news.lock().unwrap().iter().map(|news| news.event).collect();
    assert_eq!(events[0], LegEvent::Report(ReportKind::Violation, Right::RemoteControl));
    assert_eq!(events[1], LegEvent::Left(Role::Applet, Leaving::EndedByEndUser));
}

#[tokio::test]
async fn a_wrong_id_is_refused_with_its_reason() {
    let server = start().await;
    assert!(matches!(next(&mut applet(&server, [8; 16])).await, Event::Refused(Refusal::Unknown)));
}

#[tokio::test]
async fn a_server_with_another_certificate_is_not_talked_to() {
    let (server, other) = (start().await, start().await);
    let impostor = Server { anchors: other.anchors.clone(), ..server };
    let event = next(&mut applet(&impostor, ID)).await;
    assert!(matches!(event, Event::Unreachable(belay_net::DialError::Certificate { .. })), "{event:?}");
}

#[tokio::test]
async fn a_message_from_the_wrong_end_is_a_breach() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(_)));
    let mut console = Console::open(&server).await;
    console.say(&Message::CharterChecked(CharterVerdict::Accepted)).await;
    assert!(matches!(next(&mut applet).await, Event::Paired(_)));
    assert!(matches!(next(&mut applet).await, Event::Breach(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_that_got_the_answer_to_another_begins_again() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(SESSION)));
    let (mut socket, ticket) = Console::enter(&server, [9; 32].to_vec()).await;
    let binding = Binding::of(&SessionAuthenticationId::from_bytes(ID));
    let (mut begun, mut answers) = (Vec::new(), Vec::new());
    for n in 1..=2 {
        let secrets = Secrets { key: [n; 32], nonce: [n; 32] };
        let (handshake, commit) = ConsoleHandshake::start(secrets, binding).unwrap();
        socket.send(Socket::binary(ToGateway::Frame(commit).encode())).await.unwrap();
        let FromGateway::Frame(answer) = receive(&mut socket).await else { panic!("no answer") };
        begun.push(handshake);
        answers.push(answer);
    }
    // As if the first commitment had been that of a console whose connection died: its answer goes to the second one.
    let (mut seal, open) = begun.pop().unwrap().answered(&answers[0]).unwrap();
    for frame in [open, seal.seal(b"opens nowhere").unwrap()] {
        socket.send(Socket::binary(ToGateway::Frame(frame).encode())).await.unwrap();
    }
    let mut console = Console::shake_hands(socket, ticket).await;
    console.say(&line(1)).await;
    let code = console.seal.security_code();
    assert!(matches!(next(&mut applet).await, Event::Paired(shown) if shown == code));
    assert!(matches!(next(&mut applet).await, Event::Message(message) if message == line(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goodbye_during_a_cut_is_told_after_all() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(SESSION)));
    server.cut.notify_waiters();
    assert!(matches!(next(&mut applet).await, Event::Interrupted(Interruption::Ours(_))));
    applet.commands.send(Command::Bye(Leaving::EndedByEndUser)).await.unwrap();
    applet.task.await.unwrap();
    let told = LegEvent::Left(Role::Applet, Leaving::EndedByEndUser);
    for _ in 0..100 {
        if server.website.news.lock().unwrap().iter().any(|news| news.event == told) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nobody was told: {:?}", server.website.news.lock().unwrap());
}

/// Whether the website hears of the applet's goodbye within a time.
async fn told_of_goodbye(server: &Server, within: Duration) -> bool {
    let told = LegEvent::Left(Role::Applet, Leaving::Closed);
    let is_told = async {
        while !server.website.news.lock().unwrap().iter().any(|news| news.event == told) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(within, is_told).await.is_ok()
}

/// A direct path and the gateway keep no order between them, so the applet has to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goodbye_does_not_overtake_the_reason_for_it() {
    for answers in [true, false] {
        let server = start().await;
        let mut applet = applet(&server, ID);
        assert!(matches!(next(&mut applet).await, Event::Admitted(SESSION)));
        let mut console = Console::open(&server).await;
        console.say(&line(1)).await;
        assert!(matches!(next(&mut applet).await, Event::Paired(_)));
        assert!(matches!(next(&mut applet).await, Event::Message(_)));
        applet.commands.send(Command::Send(Message::LinkProved([7; 32]))).await.unwrap();
        applet.commands.send(Command::Bye(Leaving::Closed)).await.unwrap();
        // Nobody has anything more to say to it.
        drop(applet.commands);
        assert!(!told_of_goodbye(&server, Duration::from_millis(400)).await, "before the reason has arrived");
        if answers {
            assert_eq!(console.hear().await, Message::LinkProved([7; 32]));
            console.acknowledge().await;
            assert!(told_of_goodbye(&server, Duration::from_millis(500)).await, "as soon as it has arrived");
        } else {
            assert!(
                told_of_goodbye(&server, Duration::from_secs(4)).await,
                "a silent console holds up nobody"
            );
        }
        applet.task.await.unwrap();
    }
}

#[tokio::test]
async fn the_website_ends_the_session_for_the_applet() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(_)));
    server.gateway.end(SESSION);
    assert!(matches!(next(&mut applet).await, Event::PartnerLeft(Leaving::EndedByTechnician)));
    assert!(matches!(next(&mut applet).await, Event::Interrupted(Interruption::Ours(_))));
}

impl Console {
    /// Comes back after a cut, and goes on with the same seal.
    async fn come_back(&mut self, server: &Server, path: u32) {
        let now = self.now();
        self.link.path_down(self.path, now);
        let credential = self.ticket.secret_bytes().to_vec();
        (self.socket, self.ticket) = Console::enter(server, credential).await;
        self.path = PathId(path);
        // A new path is pinged at once, whether or not something waits to be sent again.
        self.link.path_up(self.path, PathKind::Relay, now);
        self.drain().await;
    }
}

fn line(n: u8) -> Message {
    Message::Chat { line: [n; 16], text: format!("line {n}") }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_cut_the_same_pairing_goes_on_and_nothing_is_lost_or_repeated() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(SESSION)));
    let mut console = Console::open(&server).await;
    console.say(&line(1)).await;
    assert!(matches!(next(&mut applet).await, Event::Paired(_)));
    assert!(matches!(next(&mut applet).await, Event::Message(message) if message == line(1)));
    for path in 1..4 {
        server.cut.notify_waiters();
        // Said by both while nobody can hear it.
        applet.commands.send(Command::Send(line(50 + path))).await.unwrap();
        console.link.send(belay_wire::link::Class::Ordered, line(path).encode()).unwrap();
        while console.link.poll(console.now()).is_some() {}
        loop {
            match next(&mut applet).await {
                Event::Interrupted(Interruption::Ours(_)) => break,
                Event::Interrupted(_) | Event::Resumed => {}
                other => panic!("{other:?}"),
            }
        }
        console.come_back(&server, u32::from(path)).await;
        let mut heard = Vec::new();
        while !heard.contains(&line(path)) {
            match next(&mut applet).await {
                Event::Interrupted(_) | Event::Resumed => {}
                Event::Message(message) => heard.push(message),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(heard, [line(path)]);
        assert_eq!(console.hear().await, line(50 + path));
    }
    assert_eq!(*server.website.admissions.lock().unwrap(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_replays_after_the_cut_gets_nothing_but_a_new_handshake() {
    let server = start().await;
    let mut applet = applet(&server, ID);
    assert!(matches!(next(&mut applet).await, Event::Admitted(SESSION)));
    let mut console = Console::open(&server).await;
    console.link.send(belay_wire::link::Class::Ordered, line(1).encode()).unwrap();
    let packet = loop {
        match console.link.poll(console.now()) {
            // The first packet is a ping; the second carries the line.
            Some(Output::Transmit { packet, .. }) if packet.len() > 20 => break packet,
            Some(_) => {}
            None => panic!("nothing to send"),
        }
    };
    let recorded = console.seal.seal(&packet).unwrap();
    console.socket.send(Socket::binary(ToGateway::Frame(recorded.clone()).encode())).await.unwrap();
    assert!(matches!(next(&mut applet).await, Event::Paired(_)));
    assert!(matches!(next(&mut applet).await, Event::Message(_)));
    server.cut.notify_waiters();
    assert!(matches!(next(&mut applet).await, Event::Interrupted(_)));
    let (mut socket, _) = Console::enter(&server, console.ticket.secret_bytes().to_vec()).await;
    for bad in [recorded, vec![belay_wire::seal::SEALED], vec![belay_wire::seal::SEALED; 60]] {
        socket.send(Socket::binary(ToGateway::Frame(bad).encode())).await.unwrap();
        let FromGateway::Frame(answer) = receive(&mut socket).await else { panic!("no answer") };
        assert_eq!(answer, belay_wire::seal::SealFrame::Unknown.encode());
    }
    // Whose connection went first, and whether the partner's is mentioned, is chance.
    loop {
        match next(&mut applet).await {
            Event::Interrupted(Interruption::Returned) => break,
            Event::Interrupted(Interruption::Ours(_) | Interruption::Partner) => {}
            other => panic!("{other:?}"),
        }
    }
    while let Ok(event) = applet.events.try_recv() {
        assert!(matches!(event, Event::Path(_)), "a replay was taken for something: {event:?}");
    }
    assert!(applet.events.try_recv().is_err(), "a replay was taken for something");
}
