//! Drives `belay_relay::Relay`: one task for each leg, one lock for the brain, bounded queues between them.

use belay_relay::admission::{AdmitAnswer, AdmitRequest, LegNews};
use belay_relay::{LegId, Limits, Output, Relay};
use belay_wire::gateway::{Refusal, Role};
use belay_wire::{Moment, SessionId};
use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How often a leg is asked whether it is alive.
const PING_EVERY: Duration = Duration::from_secs(15);
/// Bytes that may wait for one leg before it is dropped as lost.
const QUEUED_BYTES: usize = 8 << 20;
/// Messages that may wait for one leg.
const QUEUED_MESSAGES: usize = 4096;
/// News that may wait for the website.
const QUEUED_NEWS: usize = 4096;
/// Time a leg has to take one message.
const SEND_WITHIN: Duration = Duration::from_secs(20);

/// The gateway's questions to the website. In one process a call, between roles a signed request.
pub trait Website: Send + Sync + 'static {
    /// May this leg come in? For an applet this is where "waiting" is recorded.
    fn admit(&self, request: AdmitRequest) -> impl Future<Output = AdmitAnswer> + Send;
    /// Record what happened.
    fn tell(&self, news: LegNews) -> impl Future<Output = ()> + Send;
}

/// A message of a leg's socket, whatever WebSocket library carries it.
#[derive(Clone, Debug)]
pub enum SocketMessage {
    /// One binary message.
    Frame(Bytes),
    /// A sign of life, or the question for one.
    Ping,
    /// Anything the protocol does not know, such as a text message.
    Foreign,
}

struct Outgoing {
    messages: mpsc::Sender<Bytes>,
    queued: Arc<AtomicUsize>,
}

struct Inner {
    relay: Relay,
    outgoing: HashMap<LegId, Outgoing>,
}

/// A gateway, shared by the tasks of its legs.
pub struct Gateway<W> {
    inner: Mutex<Inner>,
    website: Arc<W>,
    next: AtomicU64,
    started: Instant,
    news: mpsc::Sender<LegNews>,
}

impl<W: Website> Gateway<W> {
    /// An empty gateway. Must be called within a Tokio runtime; its housekeeping ends with the last reference.
    pub fn start(website: Arc<W>, limits: Limits) -> Arc<Gateway<W>> {
        let (news, mut told) = mpsc::channel::<LegNews>(QUEUED_NEWS);
        let inner = Mutex::new(Inner { relay: Relay::new(limits), outgoing: HashMap::new() });
        let gateway = Arc::new(Gateway {
            inner,
            website: Arc::clone(&website),
            next: AtomicU64::new(1),
            started: Instant::now(),
            news,
        });
        // One task tells the website in order; it ends when the gateway, which holds the sender, is gone.
        tokio::spawn(async move {
            while let Some(news) = told.recv().await {
                website.tell(news).await;
            }
        });
        let weak = Arc::downgrade(&gateway);
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_secs(1));
            loop {
                tick.tick().await;
                let Some(gateway) = weak.upgrade() else { return };
                let now = gateway.now();
                gateway.drive(|relay| relay.tick(now));
            }
        });
        gateway
    }

    /// Serves one leg until it goes. `address` is the peer's. `browser` tells that the upgrade came from a page of the
    /// website itself (its `Origin` was checked): only such a leg may be a console.
    pub async fn serve<S, E>(self: &Arc<Self>, socket: S, address: IpAddr, browser: bool)
    where
        S: Stream<Item = Result<SocketMessage, E>> + Sink<SocketMessage> + Send,
        E: Send,
    {
        let leg = LegId(self.next.fetch_add(1, Ordering::Relaxed));
        let (sender, mut outgoing) = mpsc::channel::<Bytes>(QUEUED_MESSAGES);
        let queued = Arc::new(AtomicUsize::new(0));
        self.lock().outgoing.insert(leg, Outgoing { messages: sender, queued: Arc::clone(&queued) });
        let now = self.now();
        self.drive_leg(leg, browser, |relay| relay.opened(leg, address, now));
        let (mut sink, mut stream) = socket.split();
        let mut ping = tokio::time::interval(PING_EVERY);
        ping.reset();
        loop {
            tokio::select! {
                biased;
                message = outgoing.recv() => {
                    let Some(message) = message else { break };
                    let len = message.len();
                    let sent = tokio::time::timeout(SEND_WITHIN, sink.send(SocketMessage::Frame(message))).await;
                    queued.fetch_sub(len, Ordering::Relaxed);
                    if !matches!(sent, Ok(Ok(()))) {
                        break;
                    }
                }
                message = stream.next() => {
                    let now = self.now();
                    match message {
                        Some(Ok(SocketMessage::Frame(bytes))) => {
                            self.drive_leg(leg, browser, |relay| relay.received(leg, bytes.into(), now));
                        }
                        Some(Ok(SocketMessage::Ping)) => self.drive_leg(leg, browser, |relay| relay.heard(leg, now)),
                        Some(Ok(SocketMessage::Foreign)) => {
                            self.drive_leg(leg, browser, |relay| relay.received(leg, Vec::new(), now));
                        }
                        Some(Err(_)) | None => break,
                    }
                }
                _ = ping.tick() => {
                    if !matches!(tokio::time::timeout(SEND_WITHIN, sink.send(SocketMessage::Ping)).await, Ok(Ok(()))) {
                        break;
                    }
                }
            }
        }
        self.lock().outgoing.remove(&leg);
        self.drive_leg(leg, browser, |relay| relay.closed(leg));
        // A peer that does not answer the close must not hold the task.
        if tokio::time::timeout(Duration::from_secs(5), sink.close()).await.is_err() {
            tracing::debug!(?leg, "leg did not take the close");
        }
    }

    /// The website says that a session is over.
    pub fn end(self: &Arc<Self>, session: SessionId) {
        self.drive(|relay| relay.end(session));
    }

    /// How many legs are connected.
    pub fn legs(&self) -> usize {
        self.lock().relay.legs()
    }

    fn drive(self: &Arc<Self>, act: impl FnOnce(&mut Relay)) {
        let mut inner = self.lock();
        act(&mut inner.relay);
        self.carry_out(&mut inner, None);
    }

    fn drive_leg(self: &Arc<Self>, leg: LegId, browser: bool, act: impl FnOnce(&mut Relay)) {
        let mut inner = self.lock();
        act(&mut inner.relay);
        self.carry_out(&mut inner, Some((leg, browser)));
    }

    fn carry_out(self: &Arc<Self>, inner: &mut Inner, leg: Option<(LegId, bool)>) {
        while let Some(output) = inner.relay.poll() {
            match output {
                Output::Send(to, bytes) => {
                    let Some(outgoing) = inner.outgoing.get(&to) else { continue };
                    let len = bytes.len();
                    let full = outgoing.queued.fetch_add(len, Ordering::Relaxed) + len > QUEUED_BYTES;
                    if full || outgoing.messages.try_send(Bytes::from(bytes)).is_err() {
                        tracing::warn!(leg = ?to, "leg does not take its frames, dropped");
                        inner.outgoing.remove(&to);
                        inner.relay.closed(to);
                    }
                }
                // The leg's task ends when its queue is empty and has no sender left.
                Output::Close(to) => {
                    inner.outgoing.remove(&to);
                }
                Output::Admit(id, request) => {
                    let allowed = request.role == Role::Applet || leg == Some((id, true));
                    let gateway = Arc::clone(self);
                    tokio::spawn(async move {
                        let answer = if allowed {
                            gateway.website.admit(request).await
                        } else {
                            Err(Refusal::Foreign)
                        };
                        gateway.drive(|relay| relay.answered(id, answer));
                    });
                }
                Output::Tell(news) => {
                    if self.news.try_send(news).is_err() {
                        tracing::error!(?news, "the website does not keep up, news lost");
                    }
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while holding the lock is a bug of the relay; the others' sessions go on.
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn now(&self) -> Moment {
        Moment(u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}
