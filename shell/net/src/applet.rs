//! The applet's connection: finds a gateway, is admitted, and carries messages for as long as the session lives.

use belay_seal::{Binding, Secrets, SecurityCode};
use belay_wire::gateway::{FromGateway, Hello, Leaving, Refusal, ReportKind, Role, ToGateway};
use belay_wire::{AccountId, Message, Moment, Right, SessionAuthenticationId, SessionId};
use futures_util::{SinkExt, StreamExt};
use hyper::Uri;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Socket;

use crate::dial::{Dial, DialError};
use crate::pairing::{Breach, Happening, Pairing};

/// Silence of the gateway, which pings every 15 seconds, after which it is lost.
const SILENCE: Duration = Duration::from_secs(45);
const QUEUE: usize = 256;

/// Who connects.
#[derive(Clone)]
pub struct Leg {
    /// The account in the applet's tag.
    pub account: AccountId,
    /// The session authentication id in the applet's tag.
    pub id: SessionAuthenticationId,
    /// The applet's version.
    pub version: String,
    /// Operating system and architecture.
    pub platform: String,
}

/// What happens on the connection, in order. After [`Event::Refused`], [`Event::Lost`] and [`Event::Unreachable`] nothing follows.
#[derive(Debug)]
pub enum Event {
    /// The gateway let the applet in; the technician can see that somebody waits.
    Admitted(SessionId),
    /// The gateway did not let it in.
    Refused(Refusal),
    /// No gateway could be reached.
    Unreachable(DialError),
    /// A technician's console is there and the seal stands. Whatever belonged to an earlier pairing is over.
    Paired(SecurityCode),
    /// The console said something.
    Message(Message),
    /// The console went; the session waits for it or is over.
    PartnerLeft(Leaving),
    /// The console (or somebody in between) broke the protocol; this pairing is over.
    Breach(String),
    /// The connection to the gateway is gone.
    Lost(String),
}

/// What the applet wants said.
#[derive(Debug)]
pub enum Command {
    /// To the console. Dropped while there is none.
    Send(Message),
    /// To the website.
    Report(ReportKind, Right),
    /// Goodbye to all; the connection ends.
    Bye(Leaving),
}

/// The running connection. Dropping `commands` ends it.
pub struct Connection {
    /// What happens.
    pub events: mpsc::Receiver<Event>,
    /// What to say. Sending waits when the network does not keep up.
    pub commands: mpsc::Sender<Command>,
    /// Ends when the connection has ended and everything was sent.
    pub task: tokio::task::JoinHandle<()>,
}

/// Starts to connect. Must be called within a Tokio runtime.
pub fn connect(dial: Dial, leg: Leg) -> Connection {
    let (happened, events) = mpsc::channel(QUEUE);
    let (commands, wanted) = mpsc::channel(QUEUE);
    let task = tokio::spawn(async move {
        let last = match reach(&dial, &leg).await {
            Ok(Ok((socket, session))) => {
                if happened.send(Event::Admitted(session)).await.is_err() {
                    return;
                }
                Running::new(socket, Binding::of(&leg.id), happened.clone()).run(wanted).await
            }
            Ok(Err(refusal)) => Some(Event::Refused(refusal)),
            Err(error) => Some(Event::Unreachable(error)),
        };
        if let Some(last) = last {
            // Nobody listens any more: then nobody needs to know.
            let _ = happened.send(last).await;
        }
    });
    Connection { events, commands, task }
}

type Socketed = WebSocketStream<TlsStream<TcpStream>>;

/// Tries the gateways one after the other, from a random one on; those that are full or broken are passed over.
async fn reach(dial: &Dial, leg: &Leg) -> Result<Result<(Socketed, SessionId), Refusal>, DialError> {
    let mut gateways = dial.gateways().await?;
    let first = usize::from(random::<1>()?[0]) % gateways.len();
    gateways.rotate_left(first);
    let mut last = None;
    for gateway in &gateways {
        match enter(dial, gateway, leg).await {
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
) -> Result<Result<(Socketed, SessionId), Refusal>, DialError> {
    let mut socket = dial.gateway(gateway).await?;
    let host = gateway.authority().map(ToString::to_string).unwrap_or_default();
    let wrong = |reason: String| DialError::Answer { host: host.clone(), reason };
    let hello = ToGateway::Hello(Hello {
        role: Role::Applet,
        account: leg.account,
        credential: leg.id.secret_bytes().to_vec(),
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
                Ok(FromGateway::Admitted(session)) => return Ok(Ok((socket, session))),
                Ok(FromGateway::Refused(reason)) => return Ok(Err(reason)),
                Ok(FromGateway::Paired(_) | FromGateway::PartnerLeft(_) | FromGateway::Frame(_)) => {
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

struct Running {
    socket: Socketed,
    binding: Binding,
    happened: mpsc::Sender<Event>,
    pairing: Option<Pairing>,
    started: Instant,
}

/// Why the loop goes on or ends.
enum Flow {
    On,
    End(Option<Event>),
}

impl Running {
    fn new(socket: Socketed, binding: Binding, happened: mpsc::Sender<Event>) -> Running {
        Running { socket, binding, happened, pairing: None, started: Instant::now() }
    }

    async fn run(mut self, mut wanted: mpsc::Receiver<Command>) -> Option<Event> {
        let mut heard = tokio::time::Instant::now();
        loop {
            let timeout = self.pairing.as_ref().and_then(Pairing::next_timeout);
            let timeout = timeout.map_or(heard + SILENCE, |at| {
                let at = self.started + Duration::from_micros(at.0);
                (heard + SILENCE).min(at.into())
            });
            let flow = tokio::select! {
                message = self.socket.next() => {
                    heard = tokio::time::Instant::now();
                    self.incoming(message).await
                }
                command = wanted.recv() => self.command(command).await,
                () = tokio::time::sleep_until(timeout) => {
                    if heard.elapsed() >= SILENCE {
                        Flow::End(Some(Event::Lost("the gateway has fallen silent".into())))
                    } else {
                        let now = self.now();
                        let ticked = self.pairing.as_mut().map_or(Ok(()), |pairing| pairing.tick(now));
                        self.settle(ticked).await
                    }
                }
            };
            if let Flow::End(last) = flow {
                return last;
            }
        }
    }

    async fn incoming(
        &mut self,
        message: Option<Result<Socket, tokio_tungstenite::tungstenite::Error>>,
    ) -> Flow {
        let bytes = match message {
            Some(Ok(Socket::Binary(bytes))) => bytes,
            Some(Ok(Socket::Ping(_) | Socket::Pong(_) | Socket::Frame(_))) => return Flow::On,
            Some(Ok(Socket::Text(_) | Socket::Close(_))) | None => {
                return Flow::End(Some(Event::Lost("the gateway closed the connection".into())));
            }
            Some(Err(error)) => return Flow::End(Some(Event::Lost(error.to_string()))),
        };
        match FromGateway::decode(&bytes) {
            Ok(FromGateway::Frame(frame)) => {
                let now = self.now();
                let taken = self.pairing.as_mut().map_or(Ok(()), |pairing| pairing.received(&frame, now));
                self.settle(taken).await
            }
            Ok(FromGateway::Paired(_)) => {
                let pairing = fresh_secrets()
                    .map_err(|error| Breach::Protocol(error.to_string()))
                    .and_then(|secrets| Pairing::new(secrets, self.binding, self.now()));
                match pairing {
                    Ok(pairing) => {
                        self.pairing = Some(pairing);
                        Flow::On
                    }
                    Err(breach) => Flow::End(Some(Event::Lost(breach.to_string()))),
                }
            }
            Ok(FromGateway::PartnerLeft(reason)) => {
                self.pairing = None;
                self.tell(Event::PartnerLeft(reason)).await
            }
            Ok(FromGateway::Refused(reason)) => Flow::End(Some(Event::Refused(reason))),
            Ok(FromGateway::Admitted(_)) => Flow::End(Some(Event::Lost("the gateway admitted twice".into()))),
            Err(error) => Flow::End(Some(Event::Lost(format!("the gateway broke the protocol: {error}")))),
        }
    }

    async fn command(&mut self, command: Option<Command>) -> Flow {
        let now = self.now();
        match command {
            Some(Command::Send(message)) => {
                let Some(pairing) = self.pairing.as_mut().filter(|pairing| pairing.is_confirmed()) else {
                    return Flow::On;
                };
                let sent = pairing.send(&message, now);
                self.settle(sent).await
            }
            Some(Command::Report(kind, right)) => self.transmit(ToGateway::Report(kind, right)).await,
            Some(Command::Bye(reason)) => {
                let flow = self.transmit(ToGateway::Bye(reason)).await;
                // The goodbye is sent; a server that does not answer the close must not hold the applet.
                let _ = tokio::time::timeout(Duration::from_secs(2), self.socket.close(None)).await;
                match flow {
                    Flow::On => Flow::End(None),
                    end @ Flow::End(_) => end,
                }
            }
            None => Flow::End(None),
        }
    }

    /// Carries out what a pairing wants; a breach ends the pairing, not the connection.
    async fn settle(&mut self, result: Result<(), Breach>) -> Flow {
        while let Some(happening) = self.pairing.as_mut().and_then(Pairing::poll) {
            let flow = match happening {
                Happening::Send(frame) => self.transmit(ToGateway::Frame(frame)).await,
                Happening::Confirmed(code) => self.tell(Event::Paired(code)).await,
                Happening::Message(message) => self.tell(Event::Message(message)).await,
            };
            if matches!(flow, Flow::End(_)) {
                return flow;
            }
        }
        match result {
            Ok(()) => Flow::On,
            Err(breach) => {
                self.pairing = None;
                self.tell(Event::Breach(breach.to_string())).await
            }
        }
    }

    async fn tell(&self, event: Event) -> Flow {
        if self.happened.send(event).await.is_ok() { Flow::On } else { Flow::End(None) }
    }

    async fn transmit(&mut self, frame: ToGateway) -> Flow {
        match self.socket.send(Socket::binary(frame.encode())).await {
            Ok(()) => Flow::On,
            Err(error) => Flow::End(Some(Event::Lost(error.to_string()))),
        }
    }

    fn now(&self) -> Moment {
        Moment(u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

fn fresh_secrets() -> Result<Secrets, DialError> {
    Ok(Secrets { key: random()?, nonce: random()? })
}

fn random<const N: usize>() -> Result<[u8; N], DialError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| DialError::Anchors("the system gives no random numbers".into()))?;
    Ok(bytes)
}
