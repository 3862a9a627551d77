//! What the applet keeps over its connections: the pairing with the console, and what waits to be said.

use belay_seal::{Binding, Secrets};
use belay_wire::gateway::{FromGateway, Leaving, Refusal, ToGateway};
use belay_wire::seal::{COMMIT, SEALED, SealFrame};
use belay_wire::{Moment, SessionAuthenticationId};
use futures_util::{SinkExt, StreamExt};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message as Socket;

use super::reach::Socketed;
use super::{Command, Event, Interruption};
use crate::pairing::{Breach, Happening, Pairing};

/// Silence of the gateway, which pings every 15 seconds, after which it is lost.
const SILENCE: Duration = Duration::from_secs(45);
/// Reports that wait for the next connection.
const KEPT_REPORTS: usize = 64;

/// Why serving a connection ended.
pub(super) enum Ended {
    /// The applet said goodbye, or is gone.
    Quietly,
    /// The gateway put us out.
    Refused(Refusal),
    /// The connection is gone.
    Lost(String),
}

/// Goes on, or ends the serving.
type Flow = ControlFlow<Ended>;

pub(super) struct Running {
    binding: Binding,
    happened: mpsc::Sender<Event>,
    pairing: Option<Pairing>,
    /// The partner is there again, and its first frame will tell whether it goes on or starts anew.
    returning: bool,
    reports: Vec<ToGateway>,
    started: Instant,
}

impl Running {
    pub(super) fn new(id: &SessionAuthenticationId, happened: mpsc::Sender<Event>) -> Running {
        let binding = Binding::of(id);
        let (reports, started) = (Vec::new(), Instant::now());
        Running { binding, happened, pairing: None, returning: false, reports, started }
    }

    /// Serves one connection until it ends.
    pub(super) async fn serve(&mut self, socket: Socketed, wanted: &mut mpsc::Receiver<Command>) -> Ended {
        let mut on = Served { running: self, socket };
        match on.run(wanted).await {
            ControlFlow::Break(ended) => ended,
            ControlFlow::Continue(never) => match never {},
        }
    }

    /// The connection is gone; `None` when nobody listens any more.
    pub(super) async fn interrupted(&mut self, reason: String) -> Option<()> {
        let now = self.now();
        self.returning = false;
        match &mut self.pairing {
            Some(pairing) if pairing.is_confirmed() => pairing.path_down(now),
            Some(_) | None => self.pairing = None,
        }
        self.happened.send(Event::Interrupted(Interruption::Ours(reason))).await.ok()
    }

    /// Waits before the next try; what the applet says meanwhile is kept. Breaks when it said goodbye.
    pub(super) async fn wait(
        &mut self,
        time: Duration,
        wanted: &mut mpsc::Receiver<Command>,
    ) -> ControlFlow<()> {
        let until = tokio::time::Instant::now() + time;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return ControlFlow::Continue(()),
                command = wanted.recv() => match command {
                    Some(Command::Send(message)) => {
                        let now = self.now();
                        if let Some(pairing) = &mut self.pairing
                            && let Err(breach) = pairing.send(&message, now)
                        {
                            self.pairing = None;
                            if self.happened.send(Event::Breach(breach.to_string())).await.is_err() {
                                return ControlFlow::Break(());
                            }
                        }
                    }
                    Some(Command::Report(kind, right)) => {
                        if self.reports.len() < KEPT_REPORTS {
                            self.reports.push(ToGateway::Report(kind, right));
                        }
                    }
                    Some(Command::Hurry) => return ControlFlow::Continue(()),
                    Some(Command::Bye(_)) | None => return ControlFlow::Break(()),
                },
            }
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
        Pairing::new(secrets, self.binding, self.now())
    }
}

/// Uninhabited: serving only ever ends by a break.
enum Never {}

struct Served<'a> {
    running: &'a mut Running,
    socket: Socketed,
}

impl Served<'_> {
    async fn run(&mut self, wanted: &mut mpsc::Receiver<Command>) -> ControlFlow<Ended, Never> {
        for report in std::mem::take(&mut self.running.reports) {
            self.transmit(report).await?;
        }
        let mut heard = tokio::time::Instant::now();
        loop {
            let timeout = self.running.pairing.as_ref().and_then(Pairing::next_timeout);
            let timeout = timeout.map_or(heard + SILENCE, |at| {
                let at = self.running.started + Duration::from_micros(at.0);
                (heard + SILENCE).min(at.into())
            });
            tokio::select! {
                message = self.socket.next() => {
                    heard = tokio::time::Instant::now();
                    self.incoming(message).await?;
                }
                command = wanted.recv() => self.command(command).await?,
                () = tokio::time::sleep_until(timeout) => {
                    if heard.elapsed() >= SILENCE {
                        return lost("the gateway has fallen silent");
                    }
                    let now = self.running.now();
                    let ticked = self.running.pairing.as_mut().map_or(Ok(()), |pairing| pairing.tick(now));
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
                let kept = self.running.pairing.as_ref().is_some_and(Pairing::is_confirmed);
                self.running.returning = kept;
                if kept { Flow::Continue(()) } else { self.start_pairing().await }
            }
            Ok(FromGateway::PartnerLeft(Leaving::Lost)) if self.running.pairing.is_some() => {
                let now = self.running.now();
                self.running.returning = false;
                match &mut self.running.pairing {
                    Some(pairing) if pairing.is_confirmed() => pairing.path_down(now),
                    Some(_) | None => self.running.pairing = None,
                }
                self.tell(Event::Interrupted(Interruption::Partner)).await
            }
            Ok(FromGateway::PartnerLeft(reason)) => {
                self.running.pairing = None;
                self.running.returning = false;
                self.tell(Event::PartnerLeft(reason)).await
            }
            Ok(FromGateway::Relaying(_)) => Flow::Continue(()),
            Ok(FromGateway::Refused(reason)) => Flow::Break(Ended::Refused(reason)),
            Ok(FromGateway::Admitted(..)) => lost("the gateway admitted twice"),
            Err(error) => lost(&format!("the gateway broke the protocol: {error}")),
        }
    }

    async fn frame(&mut self, frame: &[u8]) -> Flow {
        let now = self.running.now();
        if self.running.returning {
            match frame.first() {
                Some(&SEALED) => {
                    let resumed =
                        self.running.pairing.as_mut().map_or(Ok(false), |pairing| pairing.resume(frame, now));
                    return match resumed {
                        Ok(false) => self.transmit(ToGateway::Frame(SealFrame::Unknown.encode())).await,
                        Ok(true) => {
                            self.running.returning = false;
                            self.settle(Ok(())).await
                        }
                        Err(breach) => self.settle(Err(breach)).await,
                    };
                }
                Some(&COMMIT) => {
                    self.running.returning = false;
                    self.start_pairing().await?;
                }
                Some(_) | None => {
                    return self
                        .settle(Err(Breach::Protocol("an unexpected frame on coming back".into())))
                        .await;
                }
            }
        } else if self.running.pairing.is_none() && frame.first() == Some(&SEALED) {
            // A console that goes on with a seal we do not hold any more.
            return self.transmit(ToGateway::Frame(SealFrame::Unknown.encode())).await;
        }
        let now = self.running.now();
        let taken = self.running.pairing.as_mut().map_or(Ok(()), |pairing| pairing.received(frame, now));
        self.settle(taken).await
    }

    async fn start_pairing(&mut self) -> Flow {
        match self.running.new_pairing() {
            Ok(pairing) => {
                self.running.pairing = Some(pairing);
                Flow::Continue(())
            }
            Err(breach) => self.settle(Err(breach)).await,
        }
    }

    async fn command(&mut self, command: Option<Command>) -> Flow {
        let now = self.running.now();
        match command {
            Some(Command::Send(message)) => {
                let Some(pairing) = self.running.pairing.as_mut().filter(|pairing| pairing.is_confirmed())
                else {
                    return Flow::Continue(());
                };
                let sent = pairing.send(&message, now);
                self.settle(sent).await
            }
            Some(Command::Report(kind, right)) => self.transmit(ToGateway::Report(kind, right)).await,
            Some(Command::Hurry) => Flow::Continue(()),
            Some(Command::Bye(reason)) => {
                self.transmit(ToGateway::Bye(reason)).await?;
                // The goodbye is sent; a server that does not answer the close must not hold the applet.
                let _ = tokio::time::timeout(Duration::from_secs(2), self.socket.close(None)).await;
                Flow::Break(Ended::Quietly)
            }
            None => Flow::Break(Ended::Quietly),
        }
    }

    /// Carries out what a pairing wants; a breach ends the pairing, not the connection.
    async fn settle(&mut self, result: Result<(), Breach>) -> Flow {
        while let Some(happening) = self.running.pairing.as_mut().and_then(Pairing::poll) {
            match happening {
                Happening::Send(frame) => self.transmit(ToGateway::Frame(frame)).await?,
                Happening::Confirmed(code) => self.tell(Event::Paired(code)).await?,
                Happening::Resumed => self.tell(Event::Resumed).await?,
                Happening::Message(message) => self.tell(Event::Message(message)).await?,
            }
        }
        match result {
            Ok(()) => Flow::Continue(()),
            Err(breach) => {
                self.running.pairing = None;
                self.running.returning = false;
                self.tell(Event::Breach(breach.to_string())).await
            }
        }
    }

    async fn tell(&self, event: Event) -> Flow {
        match self.running.happened.send(event).await {
            Ok(()) => Flow::Continue(()),
            Err(_) => Flow::Break(Ended::Quietly),
        }
    }

    async fn transmit(&mut self, frame: ToGateway) -> Flow {
        match self.socket.send(Socket::binary(frame.encode())).await {
            Ok(()) => Flow::Continue(()),
            Err(error) => lost(&error.to_string()),
        }
    }
}

fn lost<C>(reason: &str) -> ControlFlow<Ended, C> {
    ControlFlow::Break(Ended::Lost(reason.to_owned()))
}
