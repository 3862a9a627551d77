//! One end of a session: handshake, seal and link as console and applet put them together.

use crate::{APPLET, CONSOLE, Speaker};
use belay_link::{Link, LinkError, Output, PathId, PathKind};
use belay_seal::{AppletHandshake, AppletStep, Binding, ConsoleHandshake, Seal, Secrets};
use belay_wire::Moment;
use belay_wire::link::Class;
use belay_wire::seal::SealFrame;
use std::collections::{HashSet, VecDeque};

/// What an end does.
pub(crate) enum Deed {
    /// Sends this through the gateway.
    Relay(Vec<u8>),
    /// Sends this on a direct path.
    Direct(PathId, Vec<u8>),
    /// Hears this from the other end.
    Hear(Class, Vec<u8>),
}

enum Handshake {
    None,
    Console(ConsoleHandshake),
    Applet(Box<AppletHandshake>),
}

struct Sealed {
    seal: Seal,
    link: Link,
    /// The numbers of the frames that opened.
    opened: HashSet<Vec<u8>>,
}

impl Sealed {
    fn new(seal: Seal) -> Sealed {
        Sealed { seal, link: Link::new(), opened: HashSet::new() }
    }
}

pub(crate) struct End {
    session: usize,
    end: usize,
    /// The number of the pairing it is in, or tries to begin.
    pairing: u32,
    handshake: Handshake,
    sealed: Option<Sealed>,
    relay: Option<PathId>,
    /// The next frame by the gateway is the first since the other end has come, or has sealed.
    first: bool,
    paths: u32,
    rng: fastrand::Rng,
    frames: VecDeque<Vec<u8>>,
    /// Frames that did not open.
    pub(crate) refused: u64,
}

impl End {
    pub(crate) fn new(session: usize, end: usize, seed: u64) -> End {
        End {
            session,
            end,
            pairing: 0,
            handshake: Handshake::None,
            sealed: None,
            relay: None,
            first: false,
            paths: 0,
            rng: fastrand::Rng::with_seed(seed),
            frames: VecDeque::new(),
            refused: 0,
        }
    }

    /// Who this end is in its pairing.
    pub(crate) fn speaker(&self) -> Speaker {
        Speaker { session: self.session, pairing: self.pairing, end: self.end }
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed.is_some()
    }

    /// Whether frames pass by the gateway.
    pub(crate) fn has_relay(&self) -> bool {
        self.relay.is_some()
    }

    pub(crate) fn link(&mut self) -> Option<&mut Link> {
        self.sealed.as_mut().map(|sealed| &mut sealed.link)
    }

    /// The program ends and another takes its place: nothing is remembered but the number of the pairing, which only
    /// the model knows.
    pub(crate) fn begin_anew(&mut self) {
        let (pairing, refused) = (self.pairing, self.refused);
        *self = End { pairing, refused, ..End::new(self.session, self.end, self.rng.u64(..)) };
    }

    /// The other end is at the gateway.
    pub(crate) fn met(&mut self, now: Moment) {
        self.relay_down(now);
        if self.end == APPLET {
            self.first = true;
        } else if self.is_sealed() {
            self.relay_up(now);
        } else {
            self.shake_hands();
        }
    }

    /// This end or the other one is not at the gateway any more.
    pub(crate) fn relay_down(&mut self, now: Moment) {
        if let Some(path) = self.relay.take()
            && let Some(sealed) = &mut self.sealed
        {
            sealed.link.path_down(path, now);
        }
    }

    fn relay_up(&mut self, now: Moment) {
        self.relay = self.path_up(PathKind::Relay, now);
    }

    /// A new path, in a pairing that stands.
    pub(crate) fn path_up(&mut self, kind: PathKind, now: Moment) -> Option<PathId> {
        let sealed = self.sealed.as_mut()?;
        self.paths += 1;
        sealed.link.path_up(PathId(self.paths), kind, now);
        Some(PathId(self.paths))
    }

    pub(crate) fn relay_writable(&mut self, writable: bool) {
        if let (Some(path), Some(sealed)) = (self.relay, &mut self.sealed) {
            sealed.link.writable(path, writable);
        }
    }

    fn shake_hands(&mut self) {
        self.pairing += 1;
        self.sealed = None;
        let (secrets, binding) = (self.secrets(), self.binding());
        let (handshake, commit) =
            ConsoleHandshake::start(secrets, binding).expect("secrets make a handshake");
        self.handshake = Handshake::Console(handshake);
        self.frames.push_back(commit);
    }

    fn secrets(&mut self) -> Secrets {
        let mut bytes = || std::array::from_fn(|_| self.rng.u8(..));
        Secrets { key: bytes(), nonce: bytes() }
    }

    fn binding(&self) -> Binding {
        Binding([self.session as u8; 32])
    }

    /// A frame came through the gateway. `from` is known to the world alone: whose frame it is, if nobody touched it.
    pub(crate) fn received(&mut self, frame: &[u8], from: Option<Speaker>, now: Moment) {
        let first = std::mem::take(&mut self.first);
        match (SealFrame::decode(frame), self.end) {
            (Ok(SealFrame::Sealed { .. }), APPLET) if !self.is_sealed() => {
                if first {
                    self.frames.push_back(SealFrame::Unknown.encode());
                }
            }
            (Ok(SealFrame::Sealed { .. }), _) => self.open(None, frame, from, first, now),
            (Ok(SealFrame::Commit { .. }), APPLET) => {
                self.relay = None;
                self.sealed = None;
                self.pairing = from.map_or(0, |from| from.pairing);
                let (secrets, binding) = (self.secrets(), self.binding());
                let begun = AppletHandshake::new(secrets, binding).and_then(|begun| begun.received(frame));
                match begun.expect("a first frame is answered") {
                    AppletStep::Send(handshake, answer) => {
                        self.handshake = Handshake::Applet(handshake);
                        self.frames.push_back(answer);
                    }
                    AppletStep::Sealed(_) => panic!("sealed by a commitment"),
                }
            }
            (Ok(SealFrame::Answer { .. }), CONSOLE) => {
                if let Handshake::Console(handshake) = std::mem::replace(&mut self.handshake, Handshake::None)
                {
                    let (seal, open) = handshake.answered(frame).expect("an answer in its place");
                    self.frames.push_back(open);
                    self.sealed = Some(Sealed::new(seal));
                    self.relay_up(now);
                } else if self.sealed.as_ref().is_some_and(|sealed| sealed.opened.is_empty()) {
                    // The first answer was to a commitment of an earlier meeting.
                    self.relay = None;
                    self.shake_hands();
                }
            }
            (Ok(SealFrame::Open { .. }), APPLET) => {
                if let Handshake::Applet(handshake) = std::mem::replace(&mut self.handshake, Handshake::None)
                    && let Ok(AppletStep::Sealed(seal)) = handshake.received(frame)
                {
                    self.sealed = Some(Sealed::new(*seal));
                    self.first = true;
                }
            }
            (Ok(SealFrame::Unknown), CONSOLE) if self.is_sealed() => {
                self.relay = None;
                self.shake_hands();
            }
            (
                Ok(
                    SealFrame::Commit { .. }
                    | SealFrame::Answer { .. }
                    | SealFrame::Open { .. }
                    | SealFrame::Unknown
                    | SealFrame::KeysDiffer,
                ),
                _,
            )
            | (Err(_), _) => self.refused += 1,
        }
    }

    /// A frame came on a direct path.
    pub(crate) fn received_direct(&mut self, path: PathId, frame: &[u8], from: Option<Speaker>, now: Moment) {
        self.open(Some(path), frame, from, false, now);
    }

    /// Opens a frame, which only one of the other end in the same pairing lets happen, and gives it to the link.
    fn open(&mut self, path: Option<PathId>, frame: &[u8], from: Option<Speaker>, first: bool, now: Moment) {
        let other = self.speaker().other();
        let Some(Sealed { seal, opened, .. }) = &mut self.sealed else { return };
        let Ok(packet) = seal.open(frame) else {
            self.refused += 1;
            return;
        };
        assert_eq!(from, Some(other), "what opened was sealed by somebody else, or by nobody");
        let number = frame.get(1..9).map(<[u8]>::to_vec);
        assert!(number.is_some_and(|number| opened.insert(number)), "a frame opened twice");
        if first {
            self.relay_up(now);
        }
        // A frame by a connection that is over already has no path; its content counts all the same.
        let path = path.or(self.relay).unwrap_or(PathId(0));
        let link = self.link().expect("it is sealed");
        link.received(path, &packet, now).expect("the other end keeps to the protocol");
    }

    pub(crate) fn say(&mut self, class: Class, message: Vec<u8>) -> Result<(), LinkError> {
        self.link().map_or(Ok(()), |link| link.send(class, message))
    }

    pub(crate) fn tick(&mut self, now: Moment) {
        if let Some(link) = self.link() {
            link.tick(now);
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Moment> {
        self.sealed.as_ref()?.link.next_timeout()
    }

    /// What it does next.
    pub(crate) fn poll(&mut self, now: Moment) -> Option<Deed> {
        if let Some(frame) = self.frames.pop_front() {
            return Some(Deed::Relay(frame));
        }
        let Sealed { seal, link, .. } = self.sealed.as_mut()?;
        loop {
            return Some(match link.poll(now)? {
                Output::Transmit { path, packet } => {
                    let frame = seal.seal(&packet).expect("a pairing has packets enough");
                    if Some(path) == self.relay { Deed::Relay(frame) } else { Deed::Direct(path, frame) }
                }
                Output::Deliver { class, message } => Deed::Hear(class, message),
                Output::Active(_) => continue,
            });
        }
    }
}
