//! One pairing as the applet sees it: handshake, then the link inside the seal. Bytes in, bytes and messages out.

use belay_link::{Link, LinkError, Output, PathId, PathKind};
use belay_seal::{AppletHandshake, AppletStep, Binding, Seal, SealError, Secrets, SecurityCode};
use belay_wire::message::Sender;
use belay_wire::{Message, Moment};
use std::collections::VecDeque;
use thiserror::Error;

/// Forged packets in a row that end a pairing.
const FORGED: u32 = 100;

/// Why a pairing must end.
#[derive(Debug, Error)]
pub(crate) enum Breach {
    /// The handshake failed.
    #[error("the connection could not be secured: {0}")]
    Handshake(SealError),
    /// Nothing opens any more.
    #[error("the connection was tampered with")]
    Forged,
    /// Something that opened is not what it should be.
    #[error("the technician's side broke the protocol: {0}")]
    Protocol(String),
    /// The link is lost.
    #[error("the technician's side does not answer any more: {0}")]
    Link(#[from] LinkError),
}

enum State {
    Handshake(Option<Box<AppletHandshake>>),
    Sealed { seal: Box<Seal>, confirmed: bool, forged: u32 },
}

/// What came out of a pairing.
pub(crate) enum Happening {
    /// Send this through the gateway.
    Send(Vec<u8>),
    /// The other side proved that it has the keys.
    Confirmed(SecurityCode),
    /// The console came back with the same keys.
    Resumed,
    /// A message.
    Message(Message),
}

pub(crate) struct Pairing {
    state: State,
    link: Link,
    /// The path by the gateway, if there is one now; each connection to a gateway is a path of its own.
    path: Option<PathId>,
    paths: u32,
    happenings: VecDeque<Happening>,
}

impl Pairing {
    pub(crate) fn new(secrets: Secrets, binding: Binding, now: Moment) -> Result<Pairing, Breach> {
        let handshake = AppletHandshake::new(secrets, binding).map_err(Breach::Handshake)?;
        let state = State::Handshake(Some(Box::new(handshake)));
        let mut pairing =
            Pairing { state, link: Link::new(), path: None, paths: 0, happenings: VecDeque::new() };
        pairing.path_up(now);
        Ok(pairing)
    }

    /// The way to the console is gone; what is not acknowledged waits.
    pub(crate) fn path_down(&mut self, now: Moment) {
        if let Some(path) = self.path.take() {
            self.link.path_down(path, now);
        }
    }

    /// The console is there again and this is its first frame: goes on with the same seal if it opens.
    /// The frame is then taken like any other; otherwise nothing has changed.
    pub(crate) fn resume(&mut self, frame: &[u8], now: Moment) -> Result<bool, Breach> {
        let State::Sealed { seal, confirmed: true, .. } = &mut self.state else { return Ok(false) };
        let Ok(packet) = seal.open(frame) else { return Ok(false) };
        self.path_down(now);
        self.path_up(now);
        self.happenings.push_back(Happening::Resumed);
        self.link.received(&packet, now).map_err(|error| Breach::Protocol(error.to_string()))?;
        self.drain()?;
        Ok(true)
    }

    fn path_up(&mut self, now: Moment) {
        let path = PathId(self.paths);
        self.paths += 1;
        self.path = Some(path);
        self.link.path_up(path, PathKind::Relay, now);
    }

    pub(crate) fn received(&mut self, frame: &[u8], now: Moment) -> Result<(), Breach> {
        match &mut self.state {
            State::Handshake(handshake) => {
                let step = handshake.take().ok_or(Breach::Handshake(SealError::OutOfOrder))?;
                match step.received(frame).map_err(Breach::Handshake)? {
                    AppletStep::Send(next, answer) => {
                        *handshake = Some(next);
                        self.happenings.push_back(Happening::Send(answer));
                    }
                    AppletStep::Sealed(seal) => {
                        self.state = State::Sealed { seal, confirmed: false, forged: 0 };
                    }
                }
                Ok(())
            }
            State::Sealed { seal, confirmed, forged } => {
                let packet = match seal.open(frame) {
                    Ok(packet) => packet,
                    Err(error) => {
                        *forged += 1;
                        tracing::warn!(%error, "a packet was dropped");
                        return if *forged >= FORGED { Err(Breach::Forged) } else { Ok(()) };
                    }
                };
                *forged = 0;
                if !*confirmed {
                    *confirmed = true;
                    self.happenings.push_back(Happening::Confirmed(seal.security_code()));
                }
                self.link.received(&packet, now).map_err(|error| Breach::Protocol(error.to_string()))?;
                self.drain()
            }
        }
    }

    /// Sends a message; it waits in the link while the handshake is not finished.
    pub(crate) fn send(&mut self, message: &Message, now: Moment) -> Result<(), Breach> {
        self.link.send(message.class(), message.encode(), now)?;
        self.drain()
    }

    pub(crate) fn tick(&mut self, now: Moment) -> Result<(), Breach> {
        self.link.tick(now);
        self.drain()
    }

    pub(crate) fn next_timeout(&self) -> Option<Moment> {
        self.link.next_timeout()
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        matches!(self.state, State::Sealed { confirmed: true, .. })
    }

    pub(crate) fn poll(&mut self) -> Option<Happening> {
        self.happenings.pop_front()
    }

    fn drain(&mut self) -> Result<(), Breach> {
        let State::Sealed { seal, .. } = &mut self.state else { return Ok(()) };
        while let Some(output) = self.link.poll() {
            match output {
                Output::Transmit { packet, .. } => {
                    let frame = seal.seal(&packet).map_err(Breach::Handshake)?;
                    self.happenings.push_back(Happening::Send(frame));
                }
                Output::Deliver { class, message } => {
                    let wrong = |what: &dyn std::fmt::Display| Breach::Protocol(what.to_string());
                    let message = Message::decode(&message).map_err(|error| wrong(&error))?;
                    if message.sender() == Sender::Applet {
                        return Err(wrong(&format!(
                            "message kind {:#04x} from the wrong end",
                            message.kind()
                        )));
                    }
                    if message.class() != class {
                        return Err(wrong(&format!("message kind {:#04x} as {class:?}", message.kind())));
                    }
                    self.happenings.push_back(Happening::Message(message));
                }
            }
        }
        Ok(())
    }
}
