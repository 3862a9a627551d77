//! Which gateway: a few of the list are tried at once, the quickest is taken, and the others are there when it says no.

use belay_wire::gateway::Refusal;
use hyper::Uri;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;

use super::Leg;
use super::reach::{Admitted, Credential, enter, random_byte};
use crate::dial::{Dial, DialError};

/// Gateways that are tried at once.
const AT_ONCE: usize = 4;
/// The others may be this much slower than the first to answer, and are still compared with it.
const GRACE: Duration = Duration::from_millis(150);

/// The pause before a second connection is tried again.
const PREPARED_AGAIN: Duration = Duration::from_millis(500);

/// A gateway that answered, with the connection it answered on.
struct Answered {
    gateway: Uri,
    after: Duration,
    stream: TlsStream<TcpStream>,
}

/// A connection to a gateway over which nothing was said yet.
pub(super) struct Ready {
    gateway: Uri,
    stream: Box<TlsStream<TcpStream>>,
}

/// The applet's choice, which remembers where it was let in.
#[derive(Default)]
pub(super) struct Choice {
    /// The console is there too, or was.
    last: Option<Uri>,
}

impl Choice {
    /// Connects to the gateway at which the applet is. Waits for ever when it cannot be reached.
    pub(super) async fn prepare(&self, dial: &Dial) -> Ready {
        let Some(gateway) = self.last.clone() else { return std::future::pending().await };
        loop {
            match dial.reach(&gateway).await {
                Ok(stream) => return Ready { gateway, stream: Box::new(stream) },
                Err(error) => tracing::debug!(%error, "no second connection yet"),
            }
            tokio::time::sleep(PREPARED_AGAIN).await;
        }
    }

    /// Comes back: over a connection that stands already, at the gateway of before, or at another of the list, which is asked for
    /// meanwhile.
    pub(super) async fn come_back(
        &mut self,
        dial: &Dial,
        leg: &Leg,
        credential: &Credential,
        ready: Option<Ready>,
    ) -> Result<Result<Admitted, Refusal>, DialError> {
        let ready = match (ready, self.last.clone()) {
            (Some(ready), _) => Some(ready),
            (None, None) => None,
            (None, Some(gateway)) => {
                let known = async { dial.reach(&gateway).await.map(|stream| (gateway.clone(), stream)) };
                tokio::select! {
                    biased;
                    Ok((gateway, stream)) = known => Some(Ready { gateway, stream: Box::new(stream) }),
                    Ok(list) = dial.gateways() => return self.reach_one_of(list, dial, leg, credential).await,
                    else => None,
                }
            }
        };
        if let Some(Ready { gateway, stream }) = ready {
            match enter(dial, &gateway, Some(*stream), leg, credential).await {
                Ok(Err(Refusal::Full | Refusal::Unavailable)) | Err(_) => {
                    tracing::info!(%gateway, "the gateway of before does not take the applet now");
                }
                answer => return answer,
            }
        }
        self.reach(dial, leg, credential).await
    }

    /// Finds a gateway that lets the applet in. One that is full or broken is passed over.
    pub(super) async fn reach(
        &mut self,
        dial: &Dial,
        leg: &Leg,
        credential: &Credential,
    ) -> Result<Result<Admitted, Refusal>, DialError> {
        let list = dial.gateways().await?;
        self.reach_one_of(list, dial, leg, credential).await
    }

    async fn reach_one_of(
        &mut self,
        list: Vec<Uri>,
        dial: &Dial,
        leg: &Leg,
        credential: &Credential,
    ) -> Result<Result<Admitted, Refusal>, DialError> {
        let mut list = VecDeque::from(list);
        // Those that are equally near share the applets.
        let first = usize::from(random_byte()) % list.len();
        list.rotate_left(first);
        if let Some(at) = list.iter().position(|gateway| Some(gateway) == self.last.as_ref()) {
            list.swap(0, at);
        }
        let mut why = None;
        while !list.is_empty() {
            let tried: Vec<Uri> = list.drain(..list.len().min(AT_ONCE)).collect();
            let (answered, slow, failed) = probe(dial, tried).await;
            // What did not answer in time is tried last; it may be slow, or the others full.
            list.extend(slow);
            for error in failed {
                tracing::warn!(%error, "gateway not usable");
                why = Some(Err(error));
            }
            for Answered { gateway, after, stream } in self.ordered(answered) {
                tracing::info!(%gateway, ?after, "trying this gateway");
                match enter(dial, &gateway, Some(stream), leg, credential).await {
                    Ok(Err(Refusal::Full | Refusal::Unavailable)) => {
                        tracing::info!(%gateway, "this gateway takes nobody now");
                        why = Some(Ok(Err(Refusal::Full)));
                    }
                    Ok(Ok(admitted)) => {
                        self.last = Some(gateway);
                        return Ok(Ok(admitted));
                    }
                    Ok(Err(refusal)) => return Ok(Err(refusal)),
                    Err(error) => {
                        tracing::warn!(%gateway, %error, "gateway not usable");
                        why = Some(Err(error));
                    }
                }
            }
        }
        why.unwrap_or(Ok(Err(Refusal::Unavailable)))
    }

    /// The last one before all, so that the console need not follow; then by quickness.
    fn ordered(&self, mut answered: Vec<Answered>) -> Vec<Answered> {
        answered.sort_by_key(|one| (Some(&one.gateway) != self.last.as_ref(), one.after));
        answered
    }
}

/// Connects to all of them at once: those that answered, those that were slower than the first by more than the grace,
/// and what went wrong with the others. When none of them answers, it ends with the last failure.
async fn probe(dial: &Dial, gateways: Vec<Uri>) -> (Vec<Answered>, Vec<Uri>, Vec<DialError>) {
    let started = Instant::now();
    let mut open = JoinSet::new();
    let mut waiting = gateways.clone();
    for gateway in gateways {
        let dial = dial.clone();
        open.spawn(async move {
            let stream = dial.reach(&gateway).await;
            (gateway, started.elapsed(), stream)
        });
    }
    let (mut answered, mut failed) = (Vec::new(), Vec::new());
    let mut until: Option<Instant> = None;
    loop {
        let next = match until {
            Some(until) => timeout_at(until, open.join_next()).await.ok().flatten(),
            None => open.join_next().await,
        };
        let Some(done) = next else { break };
        // A task that was not aborted and did not panic has a result.
        let Ok((gateway, after, stream)) = done else { continue };
        waiting.retain(|one| *one != gateway);
        match stream {
            Ok(stream) => {
                until.get_or_insert(Instant::now() + after.max(GRACE));
                answered.push(Answered { gateway, after, stream });
            }
            Err(error) => failed.push(error),
        }
    }
    (answered, waiting, failed)
}
