//! One pairing as the applet sees it: handshake, then the link inside the seal. Bytes in, bytes and messages out.

use belay_link::{Link, LinkError, Output, PathId, PathKind};
use belay_seal::{AppletHandshake, AppletStep, Binding, Seal, SealError, Secrets, SecurityCode};
use belay_wire::message::Sender;
use belay_wire::{Message, Moment};
use std::collections::VecDeque;
use thiserror::Error;

/// The relay is the only path of this version.
const RELAY: PathId = PathId(0);
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
    /// A message.
    Message(Message),
}

pub(crate) struct Pairing {
    state: State,
    link: Link,
    happenings: VecDeque<Happening>,
}

impl Pairing {
    pub(crate) fn new(secrets: Secrets, binding: Binding, now: Moment) -> Result<Pairing, Breach> {
        let handshake = AppletHandshake::new(secrets, binding).map_err(Breach::Handshake)?;
        let mut link = Link::new();
        link.path_up(RELAY, PathKind::Relay, now);
        let state = State::Handshake(Some(Box::new(handshake)));
        Ok(Pairing { state, link, happenings: VecDeque::new() })
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
