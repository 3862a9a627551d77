//! The direct paths of a pairing: messages `30`–`33`, and news of the attempt that runs.

use belay_link::PathId;
use belay_wire::gateway::Relaying;
use belay_wire::{Message, Moment};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

use super::super::addresses::Addresses;
use super::super::{Event, PathInUse};
use super::{Flow, Running};
use crate::direct::{Direct, News, PathKind, What};
use crate::pairing::{Breach, Pairing};

/// News that may wait; the attempt waits then.
const NEWS: usize = 256;
/// A path that the link has not found usable for so long is given up while the gateway's is: another attempt finds a better one
/// sooner than ICE's patience ends.
const SILENT: Duration = Duration::from_secs(2);
/// How often a changed round trip is told.
const TELL_EVERY: Duration = Duration::from_secs(2);

struct Attempt {
    number: u32,
    serial: u64,
    direct: Direct,
    /// The link's path, once the data channel is open.
    path: Option<PathId>,
    kind: PathKind,
    /// Whether the link has found it usable.
    answered: bool,
    /// Since when it has not been, after that.
    silent: Option<Moment>,
}

pub(super) struct Paths {
    attempt: Option<Attempt>,
    /// The highest attempt of this pairing.
    newest: u32,
    serial: u64,
    servers: Option<Relaying>,
    teller: mpsc::Sender<News>,
    told: mpsc::Receiver<News>,
    /// What the applet was told of the path in use, and when.
    shown: Option<(PathInUse, Instant)>,
}

impl Paths {
    pub(super) fn new() -> Paths {
        let (teller, told) = mpsc::channel(NEWS);
        Paths { attempt: None, newest: 0, serial: 0, servers: None, teller, told, shown: None }
    }

    /// The gateway's STUN and TURN servers.
    pub(super) fn servers(&mut self, servers: Relaying) {
        self.servers = Some(servers);
    }

    /// What is new; waits when nothing is.
    pub(super) async fn news(&mut self) -> News {
        match self.told.recv().await {
            Some(news) => news,
            // Cannot happen while `teller` is held; then nothing is ever new.
            None => std::future::pending().await,
        }
    }

    /// The pairing is over.
    pub(super) fn end(&mut self) {
        self.attempt = None;
        self.newest = 0;
        self.shown = None;
    }

    /// The console offers a path; every attempt before is over.
    pub(super) fn offer(
        &mut self,
        number: u32,
        sdp: String,
        pairing: &mut Option<Pairing>,
        started: Instant,
    ) {
        if number <= self.newest {
            return;
        }
        self.newest = number;
        self.drop_attempt(pairing, started);
        self.serial += 1;
        let direct = Direct::answer(self.serial, number, sdp, self.servers.clone(), self.teller.clone());
        let kind = PathKind::DirectUdp;
        self.attempt = Some(Attempt {
            number,
            serial: self.serial,
            direct,
            path: None,
            kind,
            answered: false,
            silent: None,
        });
    }

    /// The console may be reached there.
    pub(super) fn candidate(&self, number: u32, candidate: String) {
        if let Some(attempt) = self.attempt.as_ref().filter(|attempt| attempt.number == number) {
            attempt.direct.candidate(candidate);
        }
    }

    /// Sends a frame; whether the path takes more.
    pub(super) fn send(&self, path: PathId, frame: Vec<u8>) -> bool {
        let Some(attempt) = self.attempt.as_ref().filter(|attempt| attempt.path == Some(path)) else {
            return true;
        };
        attempt.direct.send(frame);
        !attempt.direct.is_full()
    }

    /// This computer's addresses have changed: a path that begins at one that is gone is over.
    pub(super) fn moved(&self, addresses: &Addresses) {
        if let Some(attempt) = &self.attempt {
            attempt.direct.moved(addresses.known());
        }
    }

    /// The console has given the attempt up; what it has seen is still awaited.
    fn give_up(&mut self, number: u32, pairing: &mut Option<Pairing>, started: Instant) {
        let Some(attempt) = self.attempt.as_mut().filter(|attempt| attempt.number == number) else { return };
        attempt.direct.give_up();
        path_down(attempt.path.take(), pairing, started);
    }

    fn drop_attempt(&mut self, pairing: &mut Option<Pairing>, started: Instant) {
        path_down(self.attempt.take().and_then(|attempt| attempt.path), pairing, started);
    }
}

fn path_down(path: Option<PathId>, pairing: &mut Option<Pairing>, started: Instant) {
    if let (Some(path), Some(pairing)) = (path, pairing) {
        let now = Moment(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
        pairing.direct_down(path, now);
    }
}

impl Running {
    /// The console has given up an attempt.
    pub(super) fn path_gone(&mut self, number: u32) {
        self.paths.give_up(number, &mut self.pairing, self.started);
    }

    /// Something new of a direct path.
    pub(super) async fn news(&mut self, news: News) -> Flow {
        let now = self.now();
        let Running { paths, pairing: Some(pairing), .. } = self else { return Flow::Continue(()) };
        let Some(attempt) = paths.attempt.as_mut().filter(|attempt| attempt.serial == news.serial) else {
            return Flow::Continue(());
        };
        let number = attempt.number;
        let is_given_up = attempt.direct.is_given_up();
        if is_given_up && !matches!(news.what, What::Attempted(_) | What::Gone) {
            return Flow::Continue(());
        }
        let settled = match news.what {
            What::Answer(sdp) => pairing.send(&Message::PathAnswer { attempt: number, sdp }),
            What::Candidate(candidate) => {
                pairing.send(&Message::PathCandidate { attempt: number, candidate })
            }
            What::Open(kind) => {
                attempt.kind = kind;
                attempt.path = Some(pairing.direct_up(now));
                Ok(())
            }
            What::Kind(kind) => {
                attempt.kind = kind;
                Ok(())
            }
            What::Frame(frame) => match attempt.path {
                Some(path) => pairing.received_direct(path, &frame, now),
                None => Ok(()),
            },
            What::Room => {
                if let Some(path) = attempt.path {
                    pairing.direct_writable(path, true);
                }
                Ok(())
            }
            What::Attempted(facts) => {
                self.tell(Event::Attempted(facts)).await?;
                Ok(())
            }
            What::Gone => {
                let told = match is_given_up {
                    true => Ok(()),
                    false => pairing.send(&Message::PathGone { attempt: number }),
                };
                paths.drop_attempt(&mut self.pairing, self.started);
                told
            }
        };
        self.settle(settled).await
    }

    /// Gives a direct path up that has fallen silent, so that the console looks for another one.
    pub(super) fn give_up_silent(&mut self) -> Result<(), Breach> {
        let now = self.now();
        let Running { paths, pairing: Some(pairing), .. } = self else { return Ok(()) };
        let Some(attempt) = paths.attempt.as_mut() else { return Ok(()) };
        let usable =
            attempt.path.and_then(|path| pairing.measures(path, now)).map(|measures| measures.usable);
        match usable {
            Some(true) => (attempt.answered, attempt.silent) = (true, None),
            Some(false) if attempt.answered => _ = attempt.silent.get_or_insert(now),
            Some(false) | None => {}
        }
        let by_gateway = pairing.active().is_some_and(|(_, is_relay)| is_relay);
        if !by_gateway || attempt.silent.is_none_or(|since| now.since(since) < SILENT) {
            return Ok(());
        }
        tracing::info!(attempt = attempt.number, "a direct path has fallen silent and is given up");
        let gone = Message::PathGone { attempt: attempt.number };
        paths.drop_attempt(&mut self.pairing, self.started);
        self.pairing.as_mut().map_or(Ok(()), |pairing| pairing.send(&gone))
    }

    /// Tells which path is in use, when that or its round trip has changed.
    pub(super) async fn tell_path(&mut self, changed: bool) -> Flow {
        let due = self.paths.shown.as_ref().is_none_or(|(_, at)| at.elapsed() >= TELL_EVERY);
        if !changed && !due && self.kind_shown() {
            return Flow::Continue(());
        }
        let Some(now) = self.in_use() else { return Flow::Continue(()) };
        let is_news = match &self.paths.shown {
            None => true,
            Some((before, _)) => {
                before.kind != now.kind
                    || differs(before.round_trip, now.round_trip)
                    || differs(before.shortest, now.shortest)
            }
        };
        if !is_news {
            return Flow::Continue(());
        }
        self.paths.shown = Some((now.clone(), Instant::now()));
        self.tell(Event::Path(now)).await
    }

    /// Whether the kind that was told last is the one in use.
    fn kind_shown(&self) -> bool {
        self.in_use().map(|path| path.kind) == self.paths.shown.as_ref().map(|(path, _)| path.kind)
    }

    fn in_use(&self) -> Option<PathInUse> {
        let pairing = self.pairing.as_ref()?;
        let (path, is_relay) = pairing.active()?;
        let kind = match &self.paths.attempt {
            Some(attempt) if !is_relay && attempt.path == Some(path) => attempt.kind,
            Some(_) | None if is_relay => PathKind::Relay,
            Some(_) | None => return None,
        };
        let measures = pairing.measures(path, self.now());
        let round_trip = measures.and_then(|measures| measures.round_trip);
        let shortest = measures.and_then(|measures| measures.shortest);
        Some(PathInUse { kind, round_trip, shortest })
    }
}

/// Whether a person would want to know of the change: a quarter and five milliseconds.
fn differs(before: Option<Duration>, now: Option<Duration>) -> bool {
    match (before, now) {
        (None, None) => false,
        (Some(_), None) | (None, Some(_)) => true,
        (Some(before), Some(now)) => {
            let difference = before.abs_diff(now);
            difference > before / 4 && difference > Duration::from_millis(5)
        }
    }
}
