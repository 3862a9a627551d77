//! One connection to the gateway, from its admission to its end: what comes by it, and whether it still lives.

use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use std::future::Future;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{self, Message as Socket};

use super::super::choice::Ready;
use super::super::outbound::Outbound;
use super::super::reach::Socketed;
use super::liveness::{Liveness, Sign};
use super::{Attended, Command, Ended, Limit, Never, Running, lost};
use crate::pairing::Pairing;
use belay_wire::Moment;

/// How long the gateway has to hear the goodbye and close.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);

/// What a connection is looked at for.
enum Seen {
    Came(Option<Result<Socket, tungstenite::Error>>),
    /// A second connection stands.
    Ready(Ready),
    /// Time has passed.
    Time,
}

impl Running {
    /// Serves one connection until it ends. `second` makes another one beside it, when this one may be dead.
    pub(in super::super) async fn serve<S: Future<Output = Ready>>(
        &mut self,
        socket: Socketed,
        wanted: &mut mpsc::Receiver<Command>,
        second: impl Fn() -> S,
    ) -> Ended {
        let local = socket.get_ref().get_ref().0.local_addr().ok().map(|address| address.ip());
        let (sink, mut stream) = socket.split();
        self.out = Some(Outbound::start(sink));
        let flow: ControlFlow<Ended, Never> = self.serving(&mut stream, local, wanted, second).await;
        let ended = match flow {
            ControlFlow::Break(ended) => ended,
            ControlFlow::Continue(never) => match never {},
        };
        if let Some(out) = self.out.take() {
            match &ended {
                Ended::Quietly => {
                    out.close().await;
                    hear_out(&mut stream).await;
                }
                Ended::Refused(_) | Ended::Lost { .. } => out.abandon(),
            }
        }
        ended
    }

    async fn serving<S: Future<Output = Ready>>(
        &mut self,
        stream: &mut SplitStream<Socketed>,
        local: Option<IpAddr>,
        wanted: &mut mpsc::Receiver<Command>,
        second: impl Fn() -> S,
    ) -> ControlFlow<Ended, Never> {
        for report in std::mem::take(&mut self.reports) {
            self.transmit(&report)?;
        }
        let mut liveness = Liveness::new(self.now());
        // One that is being made, and one that stands.
        let (mut making, mut ready): (Option<Pin<Box<S>>>, Option<Ready>) = (None, None);
        loop {
            let due = if making.is_none() && ready.is_none() { liveness.second_at() } else { None };
            let replaced = liveness.replaced_at().filter(|_| ready.is_some());
            let look_at = |helped, doubted| {
                due.into_iter().chain(replaced).fold(liveness.look_at(helped, doubted), Moment::min)
            };
            let next = async {
                tokio::select! {
                    biased;
                    message = stream.next() => Seen::Came(message),
                    stands = made(&mut making) => Seen::Ready(stands),
                }
            };
            let limit = Limit { at: &look_at, done: Seen::Time };
            let attended = self.attend_until(wanted, next, Some(limit)).await?;
            let sign = match attended {
                Attended::Moved if local.is_some_and(|local| !self.addresses.has(local)) => {
                    let reason = "this computer has another address now".to_owned();
                    return ControlFlow::Break(Ended::Lost { reason, ready: None, at_once: true });
                }
                Attended::Moved => liveness.moved(self.now()),
                Attended::Done(Seen::Came(message)) => {
                    liveness.heard(self.now());
                    (making, ready) = (None, None);
                    self.incoming(message).await?;
                    Sign::Alive
                }
                Attended::Done(Seen::Ready(stands)) => {
                    (making, ready) = (None, Some(stands));
                    Sign::Alive
                }
                Attended::Done(Seen::Time) => {
                    liveness.look(self.pairing.is_some(), self.doubted_at(), self.now())
                }
            };
            match sign {
                Sign::Alive => {}
                Sign::Ask => {
                    if self.out.as_ref().is_some_and(|out| !out.ping()) {
                        return lost("the gateway takes no more");
                    }
                }
                Sign::Lost => return lost("the gateway has fallen silent"),
            }
            let due = |at: Option<Moment>| at.is_some_and(|at| at <= self.now());
            if due(liveness.replaced_at()) && ready.is_some() {
                let reason = "the gateway answers on another connection only".to_owned();
                return ControlFlow::Break(Ended::Lost { reason, ready, at_once: true });
            }
            if due(liveness.second_at()) && making.is_none() && ready.is_none() {
                making = Some(Box::pin(second()));
            }
        }
    }

    /// When the way by the gateway becomes doubtful, if nothing comes. As long as another way carries the session there is no hurry.
    pub(super) fn doubted_at(&self) -> Option<Moment> {
        self.pairing.as_ref().and_then(Pairing::relay_doubted_at)
    }
}

/// Waits for the second connection, if one is being made.
async fn made<S: Future<Output = Ready>>(making: &mut Option<Pin<Box<S>>>) -> Ready {
    match making {
        Some(making) => making.await,
        None => std::future::pending().await,
    }
}

/// Reads on until the gateway has closed too: the system takes the goodbye back when the connection is dropped while something still
/// comes in.
async fn hear_out(stream: &mut SplitStream<Socketed>) {
    let closed = async { while let Some(Ok(_)) = stream.next().await {} };
    if tokio::time::timeout(CLOSED_WITHIN, closed).await.is_err() {
        tracing::debug!("the gateway did not answer the close");
    }
}
