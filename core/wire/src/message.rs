//! What console and applet say to each other inside the link: `belay-session/1`. Spec: `docs/protocol/messages.md`.

use crate::codec::{Reader, WireError, Writer};
use crate::input::Input;
use crate::link::Class;
use crate::right::{Right, Rights};
use crate::{charter, input};

mod screen;
pub use screen::{
    CursorShape, MAX_CURSOR_SIDE, MAX_MONITORS, MAX_UPDATE, Monitor, ScreenTimings, ScreenUpdate, Stage,
    VideoFormat, View,
};

/// Name and version; part of the seal's transcript, so that both ends agree on it.
pub const NAME: &str = "belay-session/1";
/// Longest chat line in bytes.
pub const MAX_CHAT: usize = 4096;
/// Longest session description of a path, in bytes.
pub const MAX_SDP: usize = 16384;
/// Longest candidate of a path, in bytes.
pub const MAX_CANDIDATE: usize = 512;
const MAX_NAME: usize = 128;

/// What became of a request for rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// The end user allows it.
    Granted = 1,
    /// The end user refuses it.
    Refused = 2,
    /// Nobody answered in time; the same as a refusal.
    TimedOut = 3,
    /// The charter does not allow it to be asked.
    NotAllowed = 4,
    /// Another prompt is open.
    Busy = 5,
    /// The request makes no sense now (no charter yet, control without view, already granted or ended).
    OutOfOrder = 6,
}

impl Outcome {
    /// Every outcome, in the order of their numbers.
    pub const ALL: [Outcome; 6] = [
        Outcome::Granted,
        Outcome::Refused,
        Outcome::TimedOut,
        Outcome::NotAllowed,
        Outcome::Busy,
        Outcome::OutOfOrder,
    ];
}

/// Why rights ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Cause {
    /// The end user withdrew them.
    EndUser = 1,
    /// The technician gave them back.
    Technician = 2,
    /// The right they depend on ended.
    Dependent = 3,
    /// The tool failed on the end user's computer.
    Failure = 4,
    /// The console could not be reached for too long.
    Offline = 5,
}

impl Cause {
    /// Every cause, in the order of their numbers.
    pub const ALL: [Cause; 5] =
        [Cause::EndUser, Cause::Technician, Cause::Dependent, Cause::Failure, Cause::Offline];
}

/// What the applet thinks of a charter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CharterVerdict {
    /// It is good: rights can be asked for.
    Accepted = 1,
    /// It is not signed by the website that the applet came from.
    Signature = 2,
    /// It is not a document of this version.
    Document = 3,
    /// It was made for another session.
    Foreign = 4,
    /// Its time is over, or has not come.
    Time = 5,
}

impl CharterVerdict {
    /// Every verdict, in the order of their numbers.
    pub const ALL: [CharterVerdict; 5] = [
        CharterVerdict::Accepted,
        CharterVerdict::Signature,
        CharterVerdict::Document,
        CharterVerdict::Foreign,
        CharterVerdict::Time,
    ];
}

/// Who ends the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EndedBy {
    /// The end user, by button, key or by closing the window.
    EndUser = 1,
    /// The technician.
    Technician = 2,
}

/// A message between console and applet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// 0x01 console: `[bytes document][64 signature]`. First message of a console.
    Charter {
        /// The signed document.
        document: Vec<u8>,
        /// Its Ed25519 signature.
        signature: [u8; charter::SIGNATURE],
    },
    /// 0x02 both: `[16 line id][text]`.
    Chat {
        /// Random; the same line has the same id on both sides and in the store.
        line: [u8; 16],
        /// Hostile text, at most 4096 bytes.
        text: String,
    },
    /// 0x03 both: `[u8]`: whether the sender is typing.
    Typing(bool),
    /// 0x04 both: `[u8 by]`: the session is over.
    End(EndedBy),
    /// 0x10 console: `[u32 request][u32 rights]`: ask the end user. More than one right is the single prompt.
    Request {
        /// Chosen by the console, repeated in the decision.
        request: u32,
        /// What is asked.
        rights: Rights,
    },
    /// 0x11 console: `[u32 request]`: no longer wanted; closes the prompt.
    Cancel {
        /// Which request.
        request: u32,
    },
    /// 0x12 console: `[u32 rights]`: gives rights back.
    Release(Rights),
    /// 0x13 applet: `[u32 request][u32 rights][u8 outcome]`.
    Decision {
        /// Which request.
        request: u32,
        /// What it was about.
        rights: Rights,
        /// What became of it.
        outcome: Outcome,
    },
    /// 0x14 applet: `[u32 rights][u8 cause]`: these rights are gone.
    Withdrawn {
        /// Which rights.
        rights: Rights,
        /// Why.
        cause: Cause,
    },
    /// 0x15 applet: `[u8 right][u8 kind]`: a message of this kind was refused for want of this right.
    Denied {
        /// The right that is missing.
        right: Right,
        /// The refused message's kind byte.
        kind: u8,
    },
    /// 0x17 console: `[32 proof]`: it knows the secret of the invitation link.
    LinkProof([u8; 32]),
    /// 0x18 applet: `[32 proof]`: so does the applet. The answer to a proof, right or wrong.
    LinkProved([u8; 32]),
    /// 0x19 applet: it was downloaded without a link's secret, so the codes are compared by eye.
    NoLinkSecret,
    /// 0x20 applet: `[text version][text platform][text language]`. First message of an applet.
    Welcome {
        /// The applet's version.
        version: String,
        /// Operating system and architecture.
        platform: String,
        /// Language of the applet's window, such as `de`.
        language: String,
    },
    /// 0x16 applet: `[u8 accepted]`: whether the charter was accepted; if not, nothing can be asked.
    CharterChecked(CharterVerdict),
    /// 0x21 console: see [`View`]. Needs desktop view.
    ScreenOpen(View),
    /// 0x22 console: stop showing.
    ScreenClose,
    /// 0x23 applet: `[u8 chosen][u8 n]` then n times `[u8 id][u8 primary][i16 x][i16 y][u16 width][u16 height][text name]`.
    Monitors {
        /// Which one is shown.
        chosen: u8,
        /// All there are.
        list: Vec<Monitor>,
    },
    /// 0x24 applet: see [`CursorShape`].
    CursorShape(CursorShape),
    /// 0x25 console: the viewer cannot go on from what it holds; send everything.
    ScreenResync,
    /// 0x26 console: see [`View`]: what to open as soon as desktop view is granted, without another word. The newest counts.
    ScreenWanted(View),
    /// 0x30 console: `[u32 attempt][text sdp]`: the offer of a direct path. Spec: `docs/protocol/paths.md`.
    PathOffer {
        /// Counts from 1 within a pairing; a newer one ends the ones before.
        attempt: u32,
        /// The session description, at most 16384 bytes.
        sdp: String,
    },
    /// 0x31 applet: `[u32 attempt][text sdp]`: the answer to it.
    PathAnswer {
        /// Of the offer.
        attempt: u32,
        /// The session description, at most 16384 bytes.
        sdp: String,
    },
    /// 0x32 both: `[u32 attempt][text candidate]`: where the sender may be reached.
    PathCandidate {
        /// Of the offer.
        attempt: u32,
        /// The attribute `candidate:…`, at most 512 bytes; empty: there are no more.
        candidate: String,
    },
    /// 0x33 both: `[u32 attempt]`: given up; the sender holds nothing of it any more.
    PathGone {
        /// Of the offer.
        attempt: u32,
    },
    /// 0x50 console: `[u8 on]`: whether to tell how long the stages of the picture take.
    ScreenWatch(bool),
    /// 0x51 applet: see [`ScreenTimings`].
    ScreenTimings(ScreenTimings),
    /// 0x60 applet: see [`ScreenUpdate`].
    ScreenUpdate(ScreenUpdate),
    /// 0x61 applet: `[u16 x][u16 y]`: where the pointer is, in pixels of the picture shown.
    CursorPosition {
        /// From the left.
        x: u16,
        /// From the top.
        y: u16,
    },
    /// 0x62 console: `[u32 number]`: the newest update drawn.
    ScreenSeen {
        /// The update's number.
        number: u32,
    },
    /// 0x40–0x47 console: see [`Input`].
    Input(Input),
}

/// Which end may send a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Only the console.
    Console,
    /// Only the applet.
    Applet,
    /// Either.
    Either,
}

mod kind {
    pub const CHARTER: u8 = 0x01;
    pub const CHAT: u8 = 0x02;
    pub const TYPING: u8 = 0x03;
    pub const END: u8 = 0x04;
    pub const REQUEST: u8 = 0x10;
    pub const CANCEL: u8 = 0x11;
    pub const RELEASE: u8 = 0x12;
    pub const DECISION: u8 = 0x13;
    pub const WITHDRAWN: u8 = 0x14;
    pub const DENIED: u8 = 0x15;
    pub const CHARTER_CHECKED: u8 = 0x16;
    pub const LINK_PROOF: u8 = 0x17;
    pub const LINK_PROVED: u8 = 0x18;
    pub const NO_LINK_SECRET: u8 = 0x19;
    pub const WELCOME: u8 = 0x20;
    pub const SCREEN_OPEN: u8 = 0x21;
    pub const SCREEN_CLOSE: u8 = 0x22;
    pub const MONITORS: u8 = 0x23;
    pub const CURSOR_SHAPE: u8 = 0x24;
    pub const SCREEN_RESYNC: u8 = 0x25;
    pub const SCREEN_WANTED: u8 = 0x26;
    pub const PATH_OFFER: u8 = 0x30;
    pub const PATH_ANSWER: u8 = 0x31;
    pub const PATH_CANDIDATE: u8 = 0x32;
    pub const PATH_GONE: u8 = 0x33;
    pub const SCREEN_WATCH: u8 = 0x50;
    pub const SCREEN_TIMINGS: u8 = 0x51;
    pub const SCREEN_UPDATE: u8 = 0x60;
    pub const CURSOR_POSITION: u8 = 0x61;
    pub const SCREEN_SEEN: u8 = 0x62;
}

impl Message {
    /// The message's kind byte.
    pub fn kind(&self) -> u8 {
        match self {
            Message::Charter { .. } => kind::CHARTER,
            Message::Chat { .. } => kind::CHAT,
            Message::Typing(_) => kind::TYPING,
            Message::End(_) => kind::END,
            Message::Request { .. } => kind::REQUEST,
            Message::Cancel { .. } => kind::CANCEL,
            Message::Release(_) => kind::RELEASE,
            Message::Decision { .. } => kind::DECISION,
            Message::Withdrawn { .. } => kind::WITHDRAWN,
            Message::Denied { .. } => kind::DENIED,
            Message::CharterChecked(_) => kind::CHARTER_CHECKED,
            Message::LinkProof(_) => kind::LINK_PROOF,
            Message::LinkProved(_) => kind::LINK_PROVED,
            Message::NoLinkSecret => kind::NO_LINK_SECRET,
            Message::Welcome { .. } => kind::WELCOME,
            Message::ScreenOpen(_) => kind::SCREEN_OPEN,
            Message::ScreenClose => kind::SCREEN_CLOSE,
            Message::Monitors { .. } => kind::MONITORS,
            Message::CursorShape(_) => kind::CURSOR_SHAPE,
            Message::ScreenResync => kind::SCREEN_RESYNC,
            Message::ScreenWanted(_) => kind::SCREEN_WANTED,
            Message::PathOffer { .. } => kind::PATH_OFFER,
            Message::PathAnswer { .. } => kind::PATH_ANSWER,
            Message::PathCandidate { .. } => kind::PATH_CANDIDATE,
            Message::PathGone { .. } => kind::PATH_GONE,
            Message::ScreenWatch(_) => kind::SCREEN_WATCH,
            Message::ScreenTimings(_) => kind::SCREEN_TIMINGS,
            Message::ScreenUpdate(_) => kind::SCREEN_UPDATE,
            Message::CursorPosition { .. } => kind::CURSOR_POSITION,
            Message::ScreenSeen { .. } => kind::SCREEN_SEEN,
            Message::Input(input) => match input {
                Input::Move(_) => input::MOVE,
                Input::Press { .. } => input::PRESS,
                Input::Wheel { .. } => input::WHEEL,
                Input::Key { .. } => input::KEY,
                Input::Text(_) => input::TEXT,
                Input::Combination(_) => input::COMBINATION,
                Input::ReleaseAll => input::RELEASE_ALL,
                Input::MoveBy { .. } => input::MOVE_BY,
            },
        }
    }

    /// How the message travels.
    pub fn class(&self) -> Class {
        match self {
            Message::Input(_) => Class::Input,
            Message::ScreenUpdate(_) => Class::Screen,
            Message::CursorPosition { .. } => Class::Cursor,
            Message::ScreenSeen { .. } => Class::Seen,
            Message::Charter { .. }
            | Message::Chat { .. }
            | Message::Typing(_)
            | Message::End(_)
            | Message::Request { .. }
            | Message::Cancel { .. }
            | Message::Release(_)
            | Message::Decision { .. }
            | Message::Withdrawn { .. }
            | Message::Denied { .. }
            | Message::CharterChecked(_)
            | Message::LinkProof(_)
            | Message::LinkProved(_)
            | Message::NoLinkSecret
            | Message::Welcome { .. }
            | Message::ScreenOpen(_)
            | Message::ScreenClose
            | Message::Monitors { .. }
            | Message::CursorShape(_)
            | Message::ScreenResync
            | Message::ScreenWanted(_)
            | Message::PathOffer { .. }
            | Message::PathAnswer { .. }
            | Message::PathCandidate { .. }
            | Message::PathGone { .. }
            | Message::ScreenWatch(_)
            | Message::ScreenTimings(_) => Class::Ordered,
        }
    }

    /// Which end may send it; a message from the wrong end is a breach of the protocol.
    pub fn sender(&self) -> Sender {
        match self {
            Message::Chat { .. }
            | Message::Typing(_)
            | Message::End(_)
            | Message::PathCandidate { .. }
            | Message::PathGone { .. } => Sender::Either,
            Message::Charter { .. }
            | Message::Request { .. }
            | Message::Cancel { .. }
            | Message::Release(_)
            | Message::LinkProof(_)
            | Message::ScreenOpen(_)
            | Message::ScreenClose
            | Message::ScreenResync
            | Message::ScreenWanted(_)
            | Message::ScreenSeen { .. }
            | Message::ScreenWatch(_)
            | Message::PathOffer { .. }
            | Message::Input(_) => Sender::Console,
            Message::Decision { .. }
            | Message::Withdrawn { .. }
            | Message::Denied { .. }
            | Message::CharterChecked(_)
            | Message::LinkProved(_)
            | Message::NoLinkSecret
            | Message::Welcome { .. }
            | Message::Monitors { .. }
            | Message::CursorShape(_)
            | Message::ScreenUpdate(_)
            | Message::ScreenTimings(_)
            | Message::PathAnswer { .. }
            | Message::CursorPosition { .. } => Sender::Applet,
        }
    }

    /// The message's bytes, kind byte first.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::of(self.kind());
        match self {
            Message::Charter { document, signature } => {
                w.bytes(document).raw(signature);
            }
            Message::Chat { line, text } => {
                w.raw(line).text(text, MAX_CHAT);
            }
            Message::Typing(on) | Message::ScreenWatch(on) => {
                w.u8(u8::from(*on));
            }
            Message::CharterChecked(verdict) => {
                w.u8(*verdict as u8);
            }
            Message::End(by) => {
                w.u8(*by as u8);
            }
            Message::Request { request, rights } => rights.write(w.u32(*request)),
            Message::Cancel { request } => {
                w.u32(*request);
            }
            Message::Release(rights) => rights.write(&mut w),
            Message::Decision { request, rights, outcome } => {
                rights.write(w.u32(*request));
                w.u8(*outcome as u8);
            }
            Message::Withdrawn { rights, cause } => {
                rights.write(&mut w);
                w.u8(*cause as u8);
            }
            Message::Denied { right, kind } => {
                w.u8(*right as u8).u8(*kind);
            }
            Message::LinkProof(proof) | Message::LinkProved(proof) => {
                w.raw(proof);
            }
            Message::NoLinkSecret => {}
            Message::Welcome { version, platform, language } => {
                w.text(version, MAX_NAME).text(platform, MAX_NAME).text(language, MAX_NAME);
            }
            Message::ScreenOpen(view) | Message::ScreenWanted(view) => view.write(&mut w),
            Message::ScreenClose | Message::ScreenResync => {}
            Message::Monitors { chosen, list } => {
                let list = &list[..list.len().min(MAX_MONITORS)];
                w.u8(*chosen).u8(list.len() as u8);
                list.iter().for_each(|monitor| monitor.write(&mut w));
            }
            Message::CursorShape(shape) => shape.write(&mut w),
            Message::PathOffer { attempt, sdp } | Message::PathAnswer { attempt, sdp } => {
                w.u32(*attempt).text(sdp, MAX_SDP);
            }
            Message::PathCandidate { attempt, candidate } => {
                w.u32(*attempt).text(candidate, MAX_CANDIDATE);
            }
            Message::PathGone { attempt } => {
                w.u32(*attempt);
            }
            Message::ScreenTimings(timings) => timings.write(&mut w),
            Message::ScreenUpdate(update) => update.write(&mut w),
            Message::CursorPosition { x, y } => {
                w.u16(*x).u16(*y);
            }
            Message::ScreenSeen { number } => {
                w.u32(*number);
            }
            Message::Input(input) => return input.encode(),
        }
        w.finish()
    }

    /// Reads a message.
    pub fn decode(bytes: &[u8]) -> Result<Message, WireError> {
        let mut r = Reader::new(bytes);
        let message = match r.u8()? {
            kind::CHARTER => Message::Charter {
                document: r.bytes("charter", charter::MAX_DOCUMENT)?.to_vec(),
                signature: r.array()?,
            },
            kind::CHAT => Message::Chat { line: r.array()?, text: r.text("chat line", MAX_CHAT)? },
            kind::TYPING => Message::Typing(r.flag("typing")?),
            kind::END => Message::End(match r.u8()? {
                1 => EndedBy::EndUser,
                2 => EndedBy::Technician,
                value => return Err(WireError::Unknown { what: "end", value: u64::from(value) }),
            }),
            kind::REQUEST => Message::Request { request: r.u32()?, rights: Rights::read(&mut r)? },
            kind::CANCEL => Message::Cancel { request: r.u32()? },
            kind::RELEASE => Message::Release(Rights::read(&mut r)?),
            kind::DECISION => {
                let (request, rights, value) = (r.u32()?, Rights::read(&mut r)?, r.u8()?);
                let outcome = Outcome::ALL.into_iter().find(|outcome| *outcome as u8 == value);
                let outcome =
                    outcome.ok_or(WireError::Unknown { what: "outcome", value: u64::from(value) })?;
                Message::Decision { request, rights, outcome }
            }
            kind::WITHDRAWN => {
                let (rights, value) = (Rights::read(&mut r)?, r.u8()?);
                let cause = Cause::ALL.into_iter().find(|cause| *cause as u8 == value);
                let cause = cause.ok_or(WireError::Unknown { what: "cause", value: u64::from(value) })?;
                Message::Withdrawn { rights, cause }
            }
            kind::DENIED => Message::Denied { right: Right::read(&mut r)?, kind: r.u8()? },
            kind::CHARTER_CHECKED => {
                let value = r.u8()?;
                let verdict = CharterVerdict::ALL.into_iter().find(|verdict| *verdict as u8 == value);
                let unknown = WireError::Unknown { what: "charter verdict", value: u64::from(value) };
                Message::CharterChecked(verdict.ok_or(unknown)?)
            }
            kind::LINK_PROOF => Message::LinkProof(r.array()?),
            kind::LINK_PROVED => Message::LinkProved(r.array()?),
            kind::NO_LINK_SECRET => Message::NoLinkSecret,
            kind::WELCOME => Message::Welcome {
                version: r.text("version", MAX_NAME)?,
                platform: r.text("platform", MAX_NAME)?,
                language: r.text("language", MAX_NAME)?,
            },
            kind::SCREEN_OPEN => Message::ScreenOpen(View::read(&mut r)?),
            kind::SCREEN_WANTED => Message::ScreenWanted(View::read(&mut r)?),
            kind::SCREEN_CLOSE => Message::ScreenClose,
            kind::MONITORS => {
                let (chosen, count) = (r.u8()?, usize::from(r.u8()?));
                if count > MAX_MONITORS {
                    return Err(WireError::TooLong { what: "monitor list", limit: MAX_MONITORS });
                }
                let list = (0..count).map(|_| Monitor::read(&mut r)).collect::<Result<_, _>>()?;
                Message::Monitors { chosen, list }
            }
            kind::CURSOR_SHAPE => Message::CursorShape(CursorShape::read(&mut r)?),
            kind::SCREEN_RESYNC => Message::ScreenResync,
            kind::PATH_OFFER => {
                Message::PathOffer { attempt: r.u32()?, sdp: r.text("session description", MAX_SDP)? }
            }
            kind::PATH_ANSWER => {
                Message::PathAnswer { attempt: r.u32()?, sdp: r.text("session description", MAX_SDP)? }
            }
            kind::PATH_CANDIDATE => {
                Message::PathCandidate { attempt: r.u32()?, candidate: r.text("candidate", MAX_CANDIDATE)? }
            }
            kind::PATH_GONE => Message::PathGone { attempt: r.u32()? },
            kind::SCREEN_WATCH => Message::ScreenWatch(r.flag("watch")?),
            kind::SCREEN_TIMINGS => Message::ScreenTimings(ScreenTimings::read(&mut r)?),
            kind::SCREEN_UPDATE => Message::ScreenUpdate(ScreenUpdate::read(&mut r)?),
            kind::CURSOR_POSITION => Message::CursorPosition { x: r.u16()?, y: r.u16()? },
            kind::SCREEN_SEEN => Message::ScreenSeen { number: r.u32()? },
            value => match Input::decode(value, &mut r)? {
                Some(input) => Message::Input(input),
                None => return Err(WireError::Unknown { what: "message kind", value: u64::from(value) }),
            },
        };
        r.finish()?;
        Ok(message)
    }
}
