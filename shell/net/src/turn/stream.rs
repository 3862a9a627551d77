//! Clients on streams: messages are cut in a buffer that all share, what goes out waits in a bounded one of their own.

use super::{Server, Stream};
use belay_turn::framing::{self, Framed};
use belay_turn::{Carrier, Client};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};
use tokio::sync::Notify;

/// Room for the longest message and more.
pub(super) const SCRATCH: usize = 2 * 65_536;
/// Bytes that may wait for one client; what comes beyond is lost, as datagrams are.
const WAITING: usize = 256 * 1024;
/// A client that takes nothing for so long while something waits is dropped.
const SLOW: Duration = Duration::from_secs(10);
/// A client without allocation that says nothing for so long is dropped.
const SILENT: Duration = Duration::from_secs(10);

/// The streams there are.
pub(super) struct Streams {
    most: usize,
    per_address: usize,
    next: u64,
    open: HashMap<u64, Rc<Outgoing>>,
    /// INVARIANT: the number of open streams of each address.
    addresses: HashMap<IpAddr, usize>,
}

#[derive(Default)]
struct Outgoing {
    waiting: RefCell<Vec<u8>>,
    wake: Notify,
    over: Cell<bool>,
}

impl Streams {
    pub(super) fn new(most: usize, per_address: usize) -> Streams {
        Streams { most, per_address, next: 0, open: HashMap::new(), addresses: HashMap::new() }
    }

    fn enter(&mut self, remote: SocketAddr) -> Option<(u64, Rc<Outgoing>)> {
        let ip = remote.ip().to_canonical();
        let of_address = self.addresses.entry(ip).or_insert(0);
        if self.open.len() >= self.most || *of_address >= self.per_address {
            if *of_address == 0 {
                self.addresses.remove(&ip);
            }
            return None;
        }
        *of_address += 1;
        let number = self.next;
        self.next += 1;
        let outgoing = Rc::new(Outgoing::default());
        self.open.insert(number, Rc::clone(&outgoing));
        Some((number, outgoing))
    }

    fn leave(&mut self, number: u64, remote: SocketAddr) {
        let ip = remote.ip().to_canonical();
        if self.open.remove(&number).is_some()
            && let Some(count) = self.addresses.get_mut(&ip)
        {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&ip);
            }
        }
    }

    /// Queues a message; `false` when it was dropped.
    pub(super) fn push(&self, number: u64, message: &[u8]) -> bool {
        let Some(outgoing) = self.open.get(&number) else { return false };
        let mut waiting = outgoing.waiting.borrow_mut();
        if waiting.len() + message.len() > WAITING {
            return false;
        }
        let first = waiting.is_empty();
        waiting.extend_from_slice(message);
        let padding = message.len().next_multiple_of(4) - message.len();
        waiting.extend_from_slice(&[0; 3][..padding]);
        if first {
            outgoing.wake.notify_one();
        }
        true
    }

    pub(super) fn hang_up(&self, client: Client) {
        if let Carrier::Stream(number) = client.carrier
            && let Some(outgoing) = self.open.get(&number)
        {
            outgoing.over.set(true);
            outgoing.wake.notify_one();
        }
    }

    pub(super) fn close_all(&mut self) {
        for (_, outgoing) in self.open.drain() {
            outgoing.over.set(true);
            outgoing.wake.notify_one();
        }
    }
}

/// Takes a stream.
pub(super) fn start(server: &Rc<Server>, stream: Box<dyn Stream>, remote: SocketAddr) {
    let Some((number, outgoing)) = server.streams.borrow_mut().enter(remote) else {
        tracing::debug!(%remote, "no room for another TURN stream");
        return;
    };
    let server = Rc::clone(server);
    let client = Client { carrier: Carrier::Stream(number), remote };
    tokio::task::spawn_local(async move {
        let (reader, mut writer) = tokio::io::split(stream);
        let ended = tokio::select! {
            ended = read(&server, client, reader) => ended,
            ended = write(&outgoing, &mut writer) => ended,
        };
        if let Err(error) = ended {
            tracing::debug!(%remote, %error, "a TURN stream ended");
        }
        server.streams.borrow_mut().leave(number, remote);
        server.turn.borrow_mut().gone(client);
        server.settle(server.now());
        // A last word, such as the answer to a refresh that ends it; TLS says goodbye.
        let last = outgoing.waiting.take();
        let goodbye = async {
            writer.write_all(&last).await?;
            writer.shutdown().await
        };
        drop(tokio::time::timeout(Duration::from_secs(2), goodbye).await);
    });
}

async fn read(server: &Rc<Server>, client: Client, mut reader: ReadHalf<Box<dyn Stream>>) -> io::Result<()> {
    // Between two reads a stream keeps only the beginning of a message.
    let mut partial = Vec::new();
    loop {
        let some = poll_fn(|context| {
            let mut scratch = server.scratch.borrow_mut();
            let kept = partial.len();
            scratch[..kept].copy_from_slice(&partial);
            let mut buffer = ReadBuf::new(&mut scratch[kept..]);
            ready!(Pin::new(&mut reader).poll_read(context, &mut buffer))?;
            let read = buffer.filled().len();
            if read == 0 {
                return Poll::Ready(Ok(false));
            }
            Poll::Ready(cut(server, client, &mut scratch[..kept + read], &mut partial).map(|()| true))
        });
        match tokio::time::timeout(SILENT, some).await {
            Ok(Ok(true)) => server.settle(server.now()),
            Ok(Ok(false)) => return Ok(()),
            Ok(Err(error)) => return Err(error),
            Err(_) if server.turn.borrow().holds(client) => {}
            Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "silent, without an allocation")),
        }
    }
}

/// Handles every whole message in `bytes` and keeps the rest.
fn cut(server: &Rc<Server>, client: Client, bytes: &mut [u8], partial: &mut Vec<u8>) -> io::Result<()> {
    let now = server.now();
    let mut turn = server.turn.borrow_mut();
    let mut at = 0;
    loop {
        match framing::first(&bytes[at..]) {
            Framed::Message { message, whole } => {
                if let Some(forward) = turn.received(client, &mut bytes[at..at + message], now) {
                    server.forward(forward);
                }
                at += whole;
            }
            Framed::Wait => break,
            Framed::Garbage => return Err(io::Error::new(io::ErrorKind::InvalidData, "not TURN")),
        }
    }
    partial.clear();
    partial.extend_from_slice(&bytes[at..]);
    Ok(())
}

async fn write(outgoing: &Outgoing, writer: &mut WriteHalf<Box<dyn Stream>>) -> io::Result<()> {
    let mut going = Vec::new();
    loop {
        std::mem::swap(&mut going, &mut *outgoing.waiting.borrow_mut());
        if going.is_empty() {
            if outgoing.over.get() {
                return Ok(());
            }
            // Nothing is kept for a stream at rest.
            going = Vec::new();
            outgoing.waiting.take();
            outgoing.wake.notified().await;
            continue;
        }
        let mut rest = &going[..];
        while !rest.is_empty() {
            let written = poll_fn(|context| Pin::new(&mut *writer).poll_write(context, rest));
            match tokio::time::timeout(SLOW, written).await {
                Ok(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(Ok(count)) => rest = &rest[count..],
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "takes nothing")),
            }
        }
        match tokio::time::timeout(SLOW, writer.flush()).await {
            Ok(flushed) => flushed?,
            Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "takes nothing")),
        }
        going.clear();
    }
}
