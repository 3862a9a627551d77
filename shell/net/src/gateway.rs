//! Drives `belay_relay::Relay`: one task for each leg, one lock for the brain, bounded queues between them.

mod leg;

use crate::turn::TurnServer;
use belay_relay::admission::{AdmitAnswer, AdmitRequest, LegNews};
use belay_relay::{Introduction, LegId, Limits, Output, Relay};
use belay_wire::gateway::{Refusal, Role};
use belay_wire::{Moment, SessionId};
use bytes::Bytes;
use futures_util::{Sink, Stream};
use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// Messages that may wait for one leg. The relay stops reading from the partner before that many are there; the rest is
/// room for the gateway's own words.
const QUEUED_MESSAGES: usize = 8192;
/// News that may wait for the website.
const QUEUED_NEWS: usize = 4096;

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

/// The gateway's STUN and TURN service, as legs are told of it.
#[derive(Clone, Debug)]
pub struct Service {
    /// The server.
    pub turn: TurnServer,
    /// Its URLs (RFC 7064, RFC 7065), at most eight of at most 255 bytes.
    pub urls: Vec<String>,
}

/// What a leg's task is told to do.
enum Order {
    Send(Bytes),
    Introduce(Introduction),
}

/// Whether a leg is read from.
#[derive(Clone, Copy, Default)]
struct Gate {
    held: bool,
    rests_until: Option<Instant>,
}

/// The gateway's end of a leg's task.
struct Outgoing {
    orders: mpsc::Sender<Order>,
    gate: watch::Sender<Gate>,
}

struct Inner {
    relay: Relay,
    outgoing: HashMap<LegId, Outgoing>,
}

/// A gateway, shared by the tasks of its legs.
pub struct Gateway<W> {
    inner: Mutex<Inner>,
    website: Arc<W>,
    service: Option<Service>,
    next: AtomicU64,
    started: Instant,
    news: mpsc::Sender<LegNews>,
}

impl<W: Website> Gateway<W> {
    /// An empty gateway, with a STUN and TURN service or without. Must be called within a Tokio runtime; its housekeeping
    /// ends with the last reference.
    pub fn start(website: Arc<W>, limits: Limits, service: Option<Service>) -> Arc<Gateway<W>> {
        let (news, mut told) = mpsc::channel::<LegNews>(QUEUED_NEWS);
        let inner = Mutex::new(Inner { relay: Relay::new(limits), outgoing: HashMap::new() });
        let gateway = Arc::new(Gateway {
            inner,
            website: Arc::clone(&website),
            service,
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
                gateway.drive(|relay, now| relay.tick(now));
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
        let (orders, wanted) = mpsc::channel(QUEUED_MESSAGES);
        let (gate, gated) = watch::channel(Gate::default());
        self.lock().outgoing.insert(leg, Outgoing { orders, gate });
        self.drive_leg(leg, browser, |relay, now| relay.opened(leg, address, now));
        leg::run(self, leg, browser, socket, wanted, gated).await;
    }

    /// The website says that a session is over.
    pub fn end(self: &Arc<Self>, session: SessionId) {
        self.drive(|relay, _| relay.end(session));
    }

    /// How many legs are connected.
    pub fn legs(&self) -> usize {
        self.lock().relay.legs()
    }

    fn drive(self: &Arc<Self>, act: impl FnOnce(&mut Relay, Moment)) {
        self.drive_as(None, act);
    }

    fn drive_leg(self: &Arc<Self>, leg: LegId, browser: bool, act: impl FnOnce(&mut Relay, Moment)) {
        self.drive_as(Some((leg, browser)), act);
    }

    fn drive_as(self: &Arc<Self>, leg: Option<(LegId, bool)>, act: impl FnOnce(&mut Relay, Moment)) {
        let mut inner = self.lock();
        let now = Moment(u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX));
        act(&mut inner.relay, now);
        self.carry_out(&mut inner, leg, now);
    }

    fn carry_out(self: &Arc<Self>, inner: &mut Inner, leg: Option<(LegId, bool)>, now: Moment) {
        while let Some(output) = inner.relay.poll() {
            match output {
                Output::Send(to, bytes) => {
                    let Some(outgoing) = inner.outgoing.get(&to) else { continue };
                    if outgoing.orders.try_send(Order::Send(bytes.into())).is_err() {
                        tracing::warn!(leg = ?to, "leg does not take its frames, dropped");
                        inner.outgoing.remove(&to);
                        inner.relay.closed(to, now);
                    }
                }
                // The leg's task ends when its queue is empty and has no sender left.
                Output::Close(to) => drop(inner.outgoing.remove(&to)),
                Output::Hold(of) => inner.gate(of, |gate| gate.held = true),
                Output::Go(of) => inner.gate(of, |gate| gate.held = false),
                Output::Rest(of, until) => {
                    let until = self.started + Duration::from_micros(until.0);
                    inner.gate(of, |gate| gate.rests_until = Some(until));
                }
                Output::Introduce(introduction) => {
                    if self.service.is_some()
                        && let Some(outgoing) = inner.outgoing.get(&introduction.leg)
                        && outgoing.orders.try_send(Order::Introduce(introduction)).is_err()
                    {
                        tracing::debug!(?introduction, "leg gets no credentials, its queue is full");
                    }
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
                        gateway.drive(|relay, now| relay.answered(id, answer, now));
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
}

impl Inner {
    fn gate(&self, leg: LegId, change: impl FnOnce(&mut Gate)) {
        if let Some(outgoing) = self.outgoing.get(&leg) {
            outgoing.gate.send_modify(change);
        }
    }
}
