//! One leg's connection: reading and writing go on side by side, so that a leg whose downlink is slow is still heard.

use super::{Gate, Gateway, Order, Service, SocketMessage, Website};
use belay_relay::{Introduction, LegId};
use belay_wire::gateway::{FromGateway, Relaying};
use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// How often a leg is asked whether it is alive.
const PING_EVERY: Duration = Duration::from_secs(15);
/// Time a leg has to take a batch of messages, and for each [`SLOWEST`] bytes of it one second more.
const SEND_WITHIN: Duration = Duration::from_secs(20);
/// The slowest downlink that is waited for, in bytes a second.
const SLOWEST: u64 = 8 * 1024;
/// Bytes after which a batch of messages is flushed even if more are waiting.
const BATCH: usize = 32 * 1024;
/// How long credentials for the STUN and TURN service are good for new allocations; new ones come well before.
const CREDENTIALS_FOR: Duration = Duration::from_secs(3600);
/// Time the STUN and TURN service has to make credentials.
const INTRODUCE_WITHIN: Duration = Duration::from_secs(5);
/// Time a leg has to hear the last word and answer the close.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// What a leg may still have on its way then, in bytes.
const CLOSE_BYTES: usize = 4 << 20;

/// Serves a leg until either direction ends.
pub(super) async fn run<W, S, E>(
    gateway: &Arc<Gateway<W>>,
    leg: LegId,
    browser: bool,
    socket: S,
    orders: mpsc::Receiver<Order>,
    gate: watch::Receiver<Gate>,
) where
    W: Website,
    S: Stream<Item = Result<SocketMessage, E>> + Sink<SocketMessage> + Send,
    E: Send,
{
    let (mut sink, mut stream) = socket.split();
    let mut introduced = false;
    let gone = tokio::select! {
        () = write(gateway, leg, &mut sink, orders, &mut introduced) => false,
        () = read(gateway, leg, browser, &mut stream, gate) => true,
    };
    gateway.lock().outgoing.remove(&leg);
    gateway.drive_leg(leg, browser, |relay, now| relay.closed(leg, now));
    if let Some(service) = gateway.service.as_ref().filter(|_| introduced)
        && service.turn.dismiss(leg).await.is_err()
    {
        tracing::debug!(?leg, "the TURN server is gone already");
    }
    let closed = async {
        if sink.close().await.is_ok() && !gone {
            hear_out(&mut stream).await;
        }
    };
    // A peer that does not answer the close must not hold the task.
    if tokio::time::timeout(CLOSE_WITHIN, closed).await.is_err() {
        tracing::debug!(?leg, "leg did not answer the close");
    }
}

/// Reads on until the leg has closed too. The system takes back what it has not delivered yet when a connection is dropped while
/// something still comes in: without this a leg that talks would not hear the last word wherever the network is slow or loses.
async fn hear_out<E>(stream: &mut (impl Stream<Item = Result<SocketMessage, E>> + Unpin)) {
    let mut bytes = 0;
    while let Some(Ok(message)) = stream.next().await {
        if let SocketMessage::Frame(frame) = message {
            bytes += frame.len();
        }
        if bytes > CLOSE_BYTES {
            return;
        }
    }
}

/// Ends when the leg has gone.
async fn read<W: Website, E>(
    gateway: &Arc<Gateway<W>>,
    leg: LegId,
    browser: bool,
    stream: &mut (impl Stream<Item = Result<SocketMessage, E>> + Unpin),
    mut gate: watch::Receiver<Gate>,
) {
    loop {
        open(&mut gate).await;
        match stream.next().await {
            Some(Ok(SocketMessage::Frame(bytes))) => {
                gateway.drive_leg(leg, browser, |relay, now| relay.received(leg, bytes.into(), now));
            }
            Some(Ok(SocketMessage::Ping)) => {
                gateway.drive_leg(leg, browser, |relay, now| relay.heard(leg, now));
            }
            Some(Ok(SocketMessage::Foreign)) => {
                gateway.drive_leg(leg, browser, |relay, now| relay.received(leg, Vec::new(), now));
            }
            Some(Err(_)) | None => return,
        }
    }
}

/// Waits until the leg may be read from.
async fn open(gate: &mut watch::Receiver<Gate>) {
    loop {
        let Gate { held, rests_until } = *gate.borrow_and_update();
        let rests = rests_until.filter(|&until| until > Instant::now());
        let changed = match (held, rests) {
            (false, None) => return,
            (true, _) => gate.changed().await,
            (false, Some(until)) => tokio::select! {
                () = tokio::time::sleep_until(until.into()) => Ok(()),
                changed = gate.changed() => changed,
            },
        };
        if changed.is_err() {
            // The leg was put out while it was not read from: its last words are still being written.
            std::future::pending::<()>().await;
        }
    }
}

/// Ends when the relay has closed the leg and everything was sent, or when the leg does not take it.
async fn write<W: Website>(
    gateway: &Arc<Gateway<W>>,
    leg: LegId,
    sink: &mut (impl Sink<SocketMessage> + Unpin),
    mut orders: mpsc::Receiver<Order>,
    introduced: &mut bool,
) {
    let mut ping = tokio::time::interval(PING_EVERY);
    ping.reset();
    loop {
        let order = tokio::select! {
            biased;
            order = orders.recv() => order,
            _ = ping.tick() => {
                let sent = tokio::time::timeout(SEND_WITHIN, sink.send(SocketMessage::Ping)).await;
                if !matches!(sent, Ok(Ok(()))) {
                    return;
                }
                continue;
            }
        };
        let Some(mut order) = order else { return };
        // Whatever waits leaves together: fewer records and fewer calls of the system.
        let (mut batch, mut bytes, mut introduction) = (Vec::new(), 0, None);
        loop {
            match order {
                Order::Send(message) => {
                    bytes += message.len();
                    batch.push(message);
                }
                Order::Introduce(wanted) => {
                    introduction = Some(wanted);
                    break;
                }
            }
            if bytes >= BATCH {
                break;
            }
            match orders.try_recv() {
                Ok(next) => order = next,
                Err(_) => break,
            }
        }
        let messages = batch.len();
        if messages > 0 {
            if !send(sink, batch, bytes).await {
                return;
            }
            gateway.drive(|relay, now| relay.taken(leg, messages, bytes, now));
        }
        if let Some((service, introduction)) = gateway.service.as_ref().zip(introduction) {
            *introduced = true;
            // Its message was not queued by the relay, and so it is not taken from there.
            if let Some(message) = introduce(service, introduction).await
                && !send(sink, [message].into(), 0).await
            {
                return;
            }
        }
    }
}

/// `false` when the leg does not take it.
async fn send(sink: &mut (impl Sink<SocketMessage> + Unpin), batch: Vec<Bytes>, bytes: usize) -> bool {
    let within = SEND_WITHIN + Duration::from_secs(bytes as u64 / SLOWEST);
    let all = async {
        for message in batch {
            sink.feed(SocketMessage::Frame(message)).await?;
        }
        sink.flush().await
    };
    matches!(tokio::time::timeout(within, all).await, Ok(Ok(())))
}

/// Lets a leg use the STUN and TURN service, and says so in a message for it.
async fn introduce(service: &Service, introduction: Introduction) -> Option<Bytes> {
    let Introduction { leg, session, role, address } = introduction;
    let minted = async {
        let minted = service.turn.admit(leg, session, role, CREDENTIALS_FOR).await?;
        service.turn.register(leg, address).await.map(|()| minted)
    };
    match tokio::time::timeout(INTRODUCE_WITHIN, minted).await {
        Ok(Ok(minted)) => {
            let relaying = Relaying {
                seconds: CREDENTIALS_FOR.as_secs() as u32,
                user: minted.username,
                password: minted.password,
                servers: service.urls.clone(),
            };
            Some(FromGateway::Relaying(relaying).encode().into())
        }
        Ok(Err(error)) => {
            tracing::warn!(?leg, %error, "leg gets no credentials for TURN");
            None
        }
        Err(_) => {
            tracing::warn!(?leg, "the TURN server did not answer, leg gets no credentials");
            None
        }
    }
}
