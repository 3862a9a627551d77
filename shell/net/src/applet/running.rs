//! What the applet keeps over its connections: the pairing with the console, and what waits to be said.
//!
//! The session is attended to at all times: while the gateway is connected, while it is being reached again, and on
//! direct paths meanwhile.

mod judge;
mod liveness;
mod paths;
mod serving;

use belay_seal::{Binding, Secrets};
use belay_wire::gateway::{FromGateway, Leaving, Refusal, ToGateway};
use belay_wire::seal::{COMMIT, SEALED, SealFrame};
use belay_wire::{Message, Moment, SessionAuthenticationId};
use std::future::Future;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message as Socket;

use super::addresses::Addresses;
use super::choice::Ready;
use super::departures::Departures;
use super::outbound::Outbound;
use super::{Command, Event, Insecure, Interruption};
use crate::pairing::{Breach, Happening, Interference, Pairing};
use paths::Paths;

/// How long a goodbye waits until the console has what was said before it. A direct path and the gateway keep no order
/// between them: a goodbye that overtakes the reason for it would leave the console without one.
const HEARD_OUT: Duration = Duration::from_millis(1500);
/// A technician who leaves after so long without a secure connection has given up on it: the console's own twenty seconds
/// begin a little earlier than those of the applet.
const GIVEN_UP: Duration = Duration::from_secs(18);
/// Reports that wait for the next connection.
const KEPT_REPORTS: usize = 64;

/// Why serving a connection ended.
pub(super) enum Ended {
    /// The applet said goodbye, or is gone.
    Quietly,
    /// The gateway put us out.
    Refused(Refusal),
    /// The connection is gone.
    Lost {
        /// What the system said, or we think.
        reason: String,
        /// Another one, which stands already.
        ready: Option<Ready>,
        /// It is gone for a reason of our own: nobody else comes back at the same time, and there is nothing to wait for.
        at_once: bool,
    },
}

/// What ended the attending to the session.
pub(super) enum Attended<T> {
    /// What was waited for.
    Done(T),
    /// This computer has other addresses than before.
    Moved,
}

/// For how long the session is attended to.
struct Limit<'a, T> {
    /// The moment, by whether there is a pairing and when its link has reason to doubt the way by the gateway.
    at: &'a (dyn Fn(bool, Option<Moment>) -> Moment + Sync),
    /// What is done then.
    done: T,
}

/// Goes on, or ends the serving.
type Flow<C = ()> = ControlFlow<Ended, C>;

pub(super) struct Running {
    binding: Binding,
    happened: mpsc::Sender<Event>,
    pairing: Option<Pairing>,
    /// The partner is there again, and its first frame will tell whether it goes on or starts anew.
    returning: bool,
    /// Why the way by the gateway is not there.
    broken: Option<Interruption>,
    /// The silence since this moment was told.
    quiet: Option<Moment>,
    /// The applet was told that there is no way, and not yet that there is one again.
    interrupted: bool,
    reports: Vec<ToGateway>,
    /// The goodbye that was said while the gateway was not there.
    unsaid: Option<Leaving>,
    /// The goodbye that is wanted, and until when it waits for what was said before it to arrive.
    leaving: Option<(Leaving, Moment)>,
    started: Instant,
    out: Option<Outbound>,
    paths: Paths,
    /// When the first commitment came of a technician whose handshakes have not got done since. Each interruption begins a new
    /// one, so a pairing's own time says nothing of how long the technician has been tried to be met.
    unsecured: Option<Moment>,
    /// What the applet was told of interference in this pairing, and when.
    interference: (Interference, Option<Instant>),
    departures: Departures,
    addresses: Addresses,
}

impl Running {
    pub(super) fn new(
        id: &SessionAuthenticationId,
        happened: mpsc::Sender<Event>,
        departures: Departures,
    ) -> Running {
        Running {
            binding: Binding::of(id),
            happened,
            pairing: None,
            returning: false,
            broken: None,
            quiet: None,
            interrupted: false,
            reports: Vec::new(),
            leaving: None,
            unsaid: None,
            started: Instant::now(),
            out: None,
            paths: Paths::new(),
            unsecured: None,
            interference: (Interference::default(), None),
            departures,
            addresses: Addresses::new(),
        }
    }

    /// The goodbye that nobody has heard.
    pub(super) fn unsaid(&self) -> Option<Leaving> {
        self.unsaid
    }

    /// The connection is gone; `None` when nobody listens any more.
    pub(super) async fn lost(&mut self, reason: String) -> Option<()> {
        let now = self.now();
        self.returning = false;
        match &mut self.pairing {
            Some(pairing) if pairing.is_confirmed() => pairing.relay_down(now),
            Some(_) | None => self.end_pairing(),
        }
        let interruption = Interruption::Ours(reason);
        self.broken = Some(interruption.clone());
        if !self.has_way() {
            self.interrupted = true;
            self.happened.send(Event::Interrupted(interruption)).await.ok()?;
        }
        self.settle(Ok(())).await.is_continue().then_some(())
    }

    /// The gateway is connected again; `None` when nobody listens any more.
    pub(super) async fn returned(&mut self) -> Option<()> {
        if self.pairing.is_some() {
            self.broken = Some(Interruption::Partner);
        } else {
            self.broken = None;
        }
        if self.interrupted {
            self.interrupted = self.pairing.is_some();
            self.happened.send(Event::Interrupted(Interruption::Returned)).await.ok()?;
        }
        Some(())
    }

    /// Waits before the next try, as long as this computer's addresses stay as they are. Breaks when the applet said goodbye.
    pub(super) async fn wait(
        &mut self,
        time: Duration,
        wanted: &mut mpsc::Receiver<Command>,
    ) -> Flow<Attended<()>> {
        self.attend(wanted, tokio::time::sleep(time)).await
    }

    /// Attends to the session until something else is done, or this computer's addresses have changed.
    pub(super) async fn attend<T>(
        &mut self,
        wanted: &mut mpsc::Receiver<Command>,
        something: impl Future<Output = T>,
    ) -> Flow<Attended<T>> {
        self.attend_until(wanted, something, None).await
    }

    /// The same, at the longest until a moment that follows from what is sent meanwhile.
    async fn attend_until<T>(
        &mut self,
        wanted: &mut mpsc::Receiver<Command>,
        something: impl Future<Output = T>,
        mut limit: Option<Limit<'_, T>>,
    ) -> Flow<Attended<T>> {
        tokio::pin!(something);
        loop {
            self.leave()?;
            let room = self.out.as_ref().map(Outbound::room);
            let room = async {
                match room {
                    Some(room) => room.notified().await,
                    None => std::future::pending().await,
                }
            };
            let wake = self.pairing.as_ref().and_then(Pairing::next_timeout);
            let given_up = self.leaving.map(|(_, at)| at);
            let over = limit.as_ref().map(|limit| (limit.at)(self.pairing.is_some(), self.doubted_at()));
            let wake = wake.into_iter().chain(self.judge_again_at()).chain(given_up).chain(over).min();
            let wake = wake.map(|at| tokio::time::Instant::from(self.started + Duration::from_micros(at.0)));
            let wake = async {
                match wake {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                done = &mut something => return Flow::Continue(Attended::Done(done)),
                () = self.addresses.changed() => {
                    self.paths.moved(&self.addresses);
                    return Flow::Continue(Attended::Moved);
                }
                command = wanted.recv(), if self.leaving.is_none() => self.command(command).await?,
                news = self.paths.news() => self.news(news).await?,
                () = room => {
                    if let Some(pairing) = &mut self.pairing {
                        pairing.relay_writable(true);
                    }
                    self.settle(Ok(())).await?;
                }
                () = wake => {
                    let now = self.now();
                    if over.is_some_and(|at| at <= now) && let Some(limit) = limit.take() {
                        return Flow::Continue(Attended::Done(limit.done));
                    }
                    let ticked = self.pairing.as_mut().map_or(Ok(()), |pairing| pairing.tick(now));
                    let ticked = ticked.and_then(|()| self.give_up_silent());
                    self.settle(ticked).await?;
                }
            }
        }
    }

    async fn incoming(
        &mut self,
        message: Option<Result<Socket, tokio_tungstenite::tungstenite::Error>>,
    ) -> Flow {
        let bytes = match message {
            Some(Ok(Socket::Binary(bytes))) => bytes,
            Some(Ok(Socket::Ping(_) | Socket::Pong(_) | Socket::Frame(_))) => return Flow::Continue(()),
            Some(Ok(Socket::Text(_) | Socket::Close(_))) | None => {
                return lost("the gateway closed the connection");
            }
            Some(Err(error)) => return lost(&error.to_string()),
        };
        match FromGateway::decode(&bytes) {
            Ok(FromGateway::Frame(frame)) => self.frame(&frame).await,
            Ok(FromGateway::Paired(_)) => {
                let kept = self.pairing.as_ref().is_some_and(Pairing::is_confirmed);
                self.returning = kept;
                if kept { Flow::Continue(()) } else { self.start_pairing().await }
            }
            Ok(FromGateway::PartnerLeft(Leaving::Lost)) if self.pairing.is_some() => {
                let now = self.now();
                self.returning = false;
                match &mut self.pairing {
                    Some(pairing) if pairing.is_confirmed() => pairing.relay_down(now),
                    Some(_) | None => self.end_pairing(),
                }
                self.broken = Some(Interruption::Partner);
                if !self.has_way() {
                    self.interrupted = true;
                    self.tell(Event::Interrupted(Interruption::Partner)).await?;
                }
                self.settle(Ok(())).await
            }
            Ok(FromGateway::PartnerLeft(reason)) => {
                let since = self.unsecured.take();
                self.end_pairing();
                (self.returning, self.interrupted) = (false, false);
                if since.is_some_and(|since| self.now().since(since) >= GIVEN_UP) {
                    tracing::error!(reason = %Breach::Unfinished, "the connection is not secure");
                    return self.tell(Event::Insecure(Insecure::Unfinished)).await;
                }
                self.tell(Event::PartnerLeft(reason)).await
            }
            Ok(FromGateway::Relaying(relaying)) => {
                self.paths.servers(relaying);
                Flow::Continue(())
            }
            Ok(FromGateway::Refused(reason)) => Flow::Break(Ended::Refused(reason)),
            Ok(FromGateway::Admitted(..)) => lost("the gateway admitted twice"),
            Err(error) => lost(&format!("the gateway broke the protocol: {error}")),
        }
    }

    async fn frame(&mut self, frame: &[u8]) -> Flow {
        let now = self.now();
        if frame.first() == Some(&COMMIT) {
            self.unsecured.get_or_insert(now);
        }
        if self.returning {
            match frame.first() {
                Some(&SEALED) => {
                    let resumed =
                        self.pairing.as_mut().map_or(Ok(false), |pairing| pairing.resume(frame, now));
                    return match resumed {
                        Ok(false) => self.transmit(&ToGateway::Frame(SealFrame::Unknown.encode())),
                        Ok(true) => {
                            self.returning = false;
                            self.settle(Ok(())).await
                        }
                        Err(breach) => self.settle(Err(breach)).await,
                    };
                }
                Some(&COMMIT) => {
                    self.returning = false;
                    self.start_pairing().await?;
                }
                Some(_) | None => {
                    return self
                        .settle(Err(Breach::Protocol("an unexpected frame on coming back".into())))
                        .await;
                }
            }
        } else if self.pairing.as_ref().is_none_or(Pairing::has_not_begun) {
            match frame.first() {
                // A console that goes on with a seal we do not hold any more.
                Some(&SEALED) => return self.transmit(&ToGateway::Frame(SealFrame::Unknown.encode())),
                // It begins anew where the last pairing broke.
                Some(&COMMIT) if self.pairing.is_none() => self.start_pairing().await?,
                Some(_) | None => {}
            }
        } else if frame.first() == Some(&COMMIT) && self.pairing.as_ref().is_some_and(Pairing::is_in_between)
        {
            self.start_pairing().await?;
        }
        let taken = self.pairing.as_mut().map_or(Ok(()), |pairing| pairing.received(frame, now));
        self.settle(taken).await
    }

    async fn start_pairing(&mut self) -> Flow {
        self.end_pairing();
        match self.new_pairing() {
            Ok(pairing) => {
                self.pairing = Some(pairing);
                Flow::Continue(())
            }
            Err(breach) => self.settle(Err(breach)).await,
        }
    }

    async fn command(&mut self, command: Option<Command>) -> Flow {
        match command {
            Some(Command::Send(message)) => {
                let Some(pairing) = self.pairing.as_mut().filter(|pairing| pairing.is_confirmed()) else {
                    return Flow::Continue(());
                };
                let sent = pairing.send(&message);
                self.settle(sent).await?;
                if let Message::ScreenUpdate(update) = &message {
                    self.departures.note(update.number);
                }
                Flow::Continue(())
            }
            Some(Command::Report(kind, right)) => {
                let report = ToGateway::Report(kind, right);
                if self.out.is_some() {
                    return self.transmit(&report);
                }
                if self.reports.len() < KEPT_REPORTS {
                    self.reports.push(report);
                }
                Flow::Continue(())
            }
            Some(Command::Bye(reason)) => {
                self.leaving = Some((reason, self.now() + HEARD_OUT));
                self.unsaid = Some(reason);
                self.settle(Ok(())).await
            }
            None => Flow::Break(Ended::Quietly),
        }
    }

    /// Says goodbye, if it is wanted and the console has heard what was said before, or does not hear it in time.
    fn leave(&mut self) -> Flow {
        let Some((reason, until)) = self.leaving else { return Flow::Continue(()) };
        let unheard = self.pairing.as_ref().is_some_and(|pairing| pairing.has_way() && pairing.is_unheard());
        if unheard && self.now() < until {
            return Flow::Continue(());
        }
        if self.out.is_some() {
            self.unsaid = None;
        }
        self.transmit(&ToGateway::Bye(reason))?;
        Flow::Break(Ended::Quietly)
    }

    /// Carries out what a pairing wants; a breach ends the pairing, not the connection.
    async fn settle(&mut self, mut result: Result<(), Breach>) -> Flow {
        while let Some(pairing) = &mut self.pairing {
            let now = Moment(u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX));
            match pairing.poll(now) {
                Ok(Some(happening)) => self.happening(happening).await?,
                Ok(None) => break,
                Err(breach) => {
                    result = result.and(Err(breach));
                    break;
                }
            }
        }
        if let Err(breach) = result {
            let fresh = self.pairing.as_ref().is_some_and(|pairing| !pairing.is_confirmed());
            self.unsecured = None;
            self.end_pairing();
            (self.returning, self.interrupted) = (false, false);
            let event = match Insecure::of(&breach) {
                Some(how) => {
                    if fresh {
                        self.transmit(&ToGateway::Frame(SealFrame::KeysDiffer.encode()))?;
                    }
                    tracing::error!(reason = %breach, "the connection is not secure");
                    Event::Insecure(how)
                }
                None => Event::Breach(breach.to_string()),
            };
            self.tell(event).await?;
        }
        self.judge().await
    }

    async fn happening(&mut self, happening: Happening) -> Flow {
        match happening {
            Happening::Relay(frame) => {
                self.transmit(&ToGateway::Frame(frame))?;
                if let (Some(out), Some(pairing)) = (&self.out, &mut self.pairing)
                    && out.is_full()
                {
                    pairing.relay_writable(false);
                }
                Flow::Continue(())
            }
            Happening::Direct(path, frame) => {
                if !self.paths.send(path, frame)
                    && let Some(pairing) = &mut self.pairing
                {
                    pairing.direct_writable(path, false);
                }
                Flow::Continue(())
            }
            Happening::Confirmed(code) => {
                self.unsecured = None;
                (self.broken, self.interrupted) = (None, false);
                self.tell(Event::Paired(code)).await
            }
            Happening::Resumed => {
                self.broken = None;
                self.resumed().await
            }
            Happening::Active(path) => {
                if path.is_some() {
                    self.resumed().await?;
                }
                self.tell_path(true).await
            }
            Happening::Message(message) => {
                // Whoever is heard is there; what is heard while the way counts as interrupted would be dropped.
                self.resumed().await?;
                match message {
                    Message::PathOffer { attempt, sdp } => {
                        self.paths.offer(attempt, sdp, &mut self.pairing, self.started)
                    }
                    Message::PathCandidate { attempt, candidate } => self.paths.candidate(attempt, candidate),
                    Message::PathGone { attempt } => self.path_gone(attempt),
                    other => self.tell(Event::Message(other)).await?,
                }
                Flow::Continue(())
            }
        }
    }

    async fn resumed(&mut self) -> Flow {
        if std::mem::take(&mut self.interrupted) {
            self.tell(Event::Resumed).await?;
        }
        Flow::Continue(())
    }

    fn has_way(&self) -> bool {
        self.pairing.as_ref().is_some_and(Pairing::has_way)
    }

    fn end_pairing(&mut self) {
        self.pairing = None;
        self.broken = None;
        self.interference = (Interference::default(), None);
        self.paths.end();
    }

    async fn tell(&self, event: Event) -> Flow {
        match self.happened.send(event).await {
            Ok(()) => Flow::Continue(()),
            Err(_) => Flow::Break(Ended::Quietly),
        }
    }

    /// Sends to the gateway, if it is connected.
    fn transmit(&self, frame: &ToGateway) -> Flow {
        match &self.out {
            Some(out) if !out.send(frame) => lost("the gateway takes no more"),
            Some(_) | None => Flow::Continue(()),
        }
    }

    fn now(&self) -> Moment {
        Moment(u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn new_pairing(&self) -> Result<Pairing, Breach> {
        let mut secrets = Secrets { key: [0; 32], nonce: [0; 32] };
        aws_lc_rs::rand::fill(&mut secrets.key)
            .and_then(|()| aws_lc_rs::rand::fill(&mut secrets.nonce))
            .map_err(|_| Breach::Protocol("the system gives no random numbers".into()))?;
        Pairing::new(secrets, self.binding)
    }
}

/// Uninhabited: serving only ever ends by a break.
enum Never {}

fn lost<C>(reason: &str) -> ControlFlow<Ended, C> {
    ControlFlow::Break(Ended::Lost { reason: reason.to_owned(), ready: None, at_once: false })
}
