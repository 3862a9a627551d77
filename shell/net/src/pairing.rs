//! One pairing as the applet sees it: handshake, then the link inside the seal, over the relay and direct paths.
//! Bytes in, bytes and messages out.

use belay_link::{Link, LinkError, Measures, Output, PathId, PathKind};
use belay_seal::{AppletHandshake, AppletStep, Binding, Seal, SealError, Secrets, SecurityCode};
use belay_wire::link::Class;
use belay_wire::message::Sender;
use belay_wire::{Message, Moment};
use std::collections::VecDeque;
use std::time::Duration;
use thiserror::Error;

/// Forged packets in a row that end a pairing.
const FORGED: u32 = 100;
/// So many packets that do not open, none that does within this time, and the keys are not the same.
const NEVER_OPENED: u32 = 3;
const OPENS_WITHIN: Duration = Duration::from_secs(3);
/// How long the handshake may take from its first frame to the first packet that opens.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(20);

/// Why a pairing must end.
#[derive(Debug, Error)]
pub(crate) enum Breach {
    /// The handshake failed.
    #[error("the connection could not be secured: {0}")]
    Handshake(SealError),
    /// The two ends have made different keys.
    #[error("the two ends have come to different keys")]
    Keys,
    /// The handshake began and did not end.
    #[error("the connection was not secured within {} seconds", HANDSHAKE_WITHIN.as_secs())]
    Unfinished,
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

/// What somebody on the way has done to a pairing so far; none of it was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interference {
    /// Packets that were changed, made up, or of another session.
    pub forged: u64,
    /// Packets that came once more.
    pub repeated: u64,
    /// Packets of ours that were swallowed; they were sent again.
    pub swallowed: u64,
}

enum State {
    Handshake { next: Option<Box<AppletHandshake>>, answered: bool },
    Sealed { seal: Box<Seal>, confirmed: bool, forged: u32 },
}

/// What came out of a pairing.
pub(crate) enum Happening {
    /// Send this through the gateway.
    Relay(Vec<u8>),
    /// Send this on a direct path.
    Direct(PathId, Vec<u8>),
    /// The other side proved that it has the keys.
    Confirmed(SecurityCode),
    /// The console came back with the same keys.
    Resumed,
    /// A message.
    Message(Message),
    /// Another path is in use from now on, or none.
    Active(Option<PathId>),
}

pub(crate) struct Pairing {
    state: State,
    link: Link,
    /// The path by the gateway, if there is one now; each connection to a gateway is a path of its own.
    relay: Option<PathId>,
    paths: u32,
    /// When the last packet of the console came.
    heard: Moment,
    happenings: VecDeque<Happening>,
    /// When the first frame of the handshake came.
    began: Option<Moment>,
    /// When the first packet came that did not open.
    failing: Option<Moment>,
    interference: Interference,
}

impl Pairing {
    pub(crate) fn new(secrets: Secrets, binding: Binding) -> Result<Pairing, Breach> {
        let handshake = AppletHandshake::new(secrets, binding).map_err(Breach::Handshake)?;
        let state = State::Handshake { next: Some(Box::new(handshake)), answered: false };
        let (link, happenings) = (Link::new(), VecDeque::new());
        let interference = Interference::default();
        Ok(Pairing {
            state,
            link,
            relay: None,
            paths: 0,
            heard: Moment(0),
            happenings,
            began: None,
            failing: None,
            interference,
        })
    }

    /// What somebody on the way has done so far.
    pub(crate) fn interference(&self) -> Interference {
        Interference { swallowed: self.link.swallowed(), ..self.interference }
    }

    /// The way by the gateway is gone; what is not acknowledged goes another, or waits.
    pub(crate) fn relay_down(&mut self, now: Moment) {
        if let Some(path) = self.relay.take() {
            self.link.path_down(path, now);
        }
    }

    /// A direct path is there.
    pub(crate) fn direct_up(&mut self, now: Moment) -> PathId {
        let path = self.new_path();
        self.link.path_up(path, PathKind::Datagram, now);
        path
    }

    /// A direct path is gone.
    pub(crate) fn direct_down(&mut self, path: PathId, now: Moment) {
        self.link.path_down(path, now);
    }

    /// Whether the gateway takes more now.
    pub(crate) fn relay_writable(&mut self, writable: bool) {
        if let Some(path) = self.relay {
            self.link.writable(path, writable);
        }
    }

    /// Whether a direct path takes more now.
    pub(crate) fn direct_writable(&mut self, path: PathId, writable: bool) {
        self.link.writable(path, writable);
    }

    /// Whether what is said now has a way to the console.
    pub(crate) fn has_way(&self) -> bool {
        self.link.active().is_some()
    }

    /// Whether something that was said, pictures aside, is not known to have arrived.
    pub(crate) fn is_unheard(&self) -> bool {
        self.is_confirmed() && self.link.waiting(Class::Ordered) > 0
    }

    /// The path in use, and whether it is the relay.
    pub(crate) fn active(&self) -> Option<(PathId, bool)> {
        self.link.active().map(|path| (path, Some(path) == self.relay))
    }

    /// What is known of a path.
    pub(crate) fn measures(&self, path: PathId, now: Moment) -> Option<Measures> {
        self.link.measures(path, now)
    }

    /// When the gateway's way becomes doubtful because nothing answers there any more, nor on another; nothing is owed: never.
    pub(crate) fn relay_doubted_at(&self) -> Option<Moment> {
        let doubted = self.link.doubted_at(self.relay?)?;
        match self.link.active().filter(|active| Some(*active) != self.relay) {
            Some(carried) => self.link.suspected_at(carried).map(|at| at.max(doubted)),
            None => Some(doubted),
        }
    }

    /// The console is there again and this is its first frame: goes on with the same seal if it opens.
    /// The frame is then taken like any other; otherwise nothing has changed.
    pub(crate) fn resume(&mut self, frame: &[u8], now: Moment) -> Result<bool, Breach> {
        let State::Sealed { seal, confirmed: true, .. } = &mut self.state else { return Ok(false) };
        let Ok(packet) = seal.open(frame) else { return Ok(false) };
        self.relay_down(now);
        let path = self.relay_up(now);
        self.happenings.push_back(Happening::Resumed);
        self.opened(path, &packet, now)?;
        Ok(true)
    }

    fn relay_up(&mut self, now: Moment) -> PathId {
        let path = self.new_path();
        self.relay = Some(path);
        self.link.path_up(path, PathKind::Relay, now);
        path
    }

    fn new_path(&mut self) -> PathId {
        self.paths += 1;
        PathId(self.paths)
    }

    /// A frame came through the gateway.
    pub(crate) fn received(&mut self, frame: &[u8], now: Moment) -> Result<(), Breach> {
        match &mut self.state {
            State::Handshake { next: handshake, answered } => {
                self.began.get_or_insert(now);
                let step = handshake.take().ok_or(Breach::Handshake(SealError::OutOfOrder))?;
                match step.received(frame).map_err(Breach::Handshake)? {
                    AppletStep::Send(next, answer) => {
                        (*handshake, *answered) = (Some(next), true);
                        self.happenings.push_back(Happening::Relay(answer));
                    }
                    AppletStep::Sealed(seal) => {
                        self.state = State::Sealed { seal, confirmed: false, forged: 0 };
                    }
                }
                Ok(())
            }
            State::Sealed { .. } => self.sealed(None, frame, now),
        }
    }

    /// A frame came on a direct path.
    pub(crate) fn received_direct(&mut self, path: PathId, frame: &[u8], now: Moment) -> Result<(), Breach> {
        if self.is_confirmed() { self.sealed(Some(path), frame, now) } else { Ok(()) }
    }

    fn sealed(&mut self, path: Option<PathId>, frame: &[u8], now: Moment) -> Result<(), Breach> {
        let State::Sealed { seal, confirmed, forged } = &mut self.state else { return Ok(()) };
        let packet = match seal.open(frame) {
            Ok(packet) => packet,
            // With several paths a packet may come late; that is no forgery.
            Err(SealError::Late) => return Ok(()),
            Err(SealError::Replayed) => {
                self.interference.repeated = self.interference.repeated.saturating_add(1);
                return Ok(());
            }
            Err(error) => {
                *forged += 1;
                self.interference.forged = self.interference.forged.saturating_add(1);
                tracing::warn!(%error, "a packet was dropped");
                return match *forged {
                    FORGED.. => Err(Breach::Forged),
                    _ => {
                        self.failing.get_or_insert(now);
                        Ok(())
                    }
                };
            }
        };
        *forged = 0;
        if !*confirmed {
            *confirmed = true;
            self.happenings.push_back(Happening::Confirmed(seal.security_code()));
            self.relay_up(now);
        }
        // A frame by a gateway connection that is over already has no path; its content counts all the same.
        let path = path.or(self.relay).unwrap_or(PathId(0));
        self.opened(path, &packet, now)
    }

    fn opened(&mut self, path: PathId, packet: &[u8], now: Moment) -> Result<(), Breach> {
        self.heard = now;
        self.link.received(path, packet, now).map_err(|error| Breach::Protocol(error.to_string()))
    }

    /// Sends a message; it waits in the link while there is no way.
    pub(crate) fn send(&mut self, message: &Message) -> Result<(), Breach> {
        Ok(self.link.send(message.class(), message.encode())?)
    }

    /// Time has passed. An error: the keys are not the same, or the handshake takes too long.
    pub(crate) fn tick(&mut self, now: Moment) -> Result<(), Breach> {
        self.link.tick(now);
        if self.judge_keys_at().is_some_and(|at| at <= now) {
            return Err(Breach::Keys);
        }
        if self.handshake_until().is_some_and(|until| until <= now) {
            Err(Breach::Unfinished)
        } else {
            Ok(())
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Moment> {
        let handshake = self.judge_keys_at().into_iter().chain(self.handshake_until());
        self.link.next_timeout().into_iter().chain(handshake).min()
    }

    /// When what does not open means that the keys are not the same, if nothing opens before.
    fn judge_keys_at(&self) -> Option<Moment> {
        match &self.state {
            State::Sealed { confirmed: false, forged: NEVER_OPENED.., .. } => {
                self.failing.map(|since| since + OPENS_WITHIN)
            }
            State::Sealed { .. } | State::Handshake { .. } => None,
        }
    }

    fn handshake_until(&self) -> Option<Moment> {
        self.began.filter(|_| !self.is_confirmed()).map(|began| began + HANDSHAKE_WITHIN)
    }

    /// Whether no frame of its handshake has come yet.
    pub(crate) fn has_not_begun(&self) -> bool {
        self.began.is_none()
    }

    /// When the last packet of the console came, once it has proved that it has the keys.
    pub(crate) fn heard(&self) -> Option<Moment> {
        self.is_confirmed().then_some(self.heard)
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        matches!(self.state, State::Sealed { confirmed: true, .. })
    }

    /// Whether a console's commitment was answered and nothing that it sealed has opened. Another commitment then is
    /// another try: the answer may have come to a console that took the place of the one it was meant for.
    pub(crate) fn is_in_between(&self) -> bool {
        match self.state {
            State::Handshake { answered, .. } => answered,
            State::Sealed { confirmed, .. } => !confirmed,
        }
    }

    /// The next thing that happened or is to be sent. Packets are made when they are asked for: tell before
    /// the next call when a path takes no more.
    pub(crate) fn poll(&mut self, now: Moment) -> Result<Option<Happening>, Breach> {
        if let Some(happening) = self.happenings.pop_front() {
            return Ok(Some(happening));
        }
        let State::Sealed { seal, confirmed: true, .. } = &mut self.state else { return Ok(None) };
        Ok(match self.link.poll(now) {
            None => None,
            Some(Output::Transmit { path, packet }) => {
                let frame = seal.seal(&packet).map_err(Breach::Handshake)?;
                Some(if Some(path) == self.relay {
                    Happening::Relay(frame)
                } else {
                    Happening::Direct(path, frame)
                })
            }
            Some(Output::Deliver { class, message }) => {
                let wrong = |what: &dyn std::fmt::Display| Breach::Protocol(what.to_string());
                let message = Message::decode(&message).map_err(|error| wrong(&error))?;
                let kind = message.kind();
                if message.sender() == Sender::Applet {
                    return Err(wrong(&format!("message kind {kind:#04x} from the wrong end")));
                }
                if message.class() != class {
                    return Err(wrong(&format!("message kind {kind:#04x} as {class:?}")));
                }
                Some(Happening::Message(message))
            }
            Some(Output::Active(path)) => Some(Happening::Active(path)),
        })
    }
}
