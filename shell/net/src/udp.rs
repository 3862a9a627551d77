//! UDP sockets for many peers at once: datagrams are received and sent in batches (GRO, GSO) where the system can.

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use tokio::io::Interest;
#[cfg(unix)]
use tokio::io::unix::AsyncFd;

/// Room for one buffer of coalesced datagrams, 64 of which may come as one.
const BUFFER: usize = 65_536;
/// Datagrams in one parcel, and bytes.
const PARCEL_DATAGRAMS: usize = 64;
const PARCEL_BYTES: usize = 60_000;
/// Parcels that wait for the end of a batch.
const PARCELS: usize = 64;

/// A UDP socket.
#[derive(Debug)]
pub struct Datagrams {
    /// Registered for reading only: a socket that also waits to be writable wakes the thread after each datagram sent.
    #[cfg(unix)]
    socket: AsyncFd<UdpSocket>,
    #[cfg(not(unix))]
    socket: tokio::net::UdpSocket,
    state: UdpSocketState,
}

impl Datagrams {
    /// Wraps a socket. Must be called within a Tokio runtime. The buffers are asked for in bytes; the system may give less.
    pub fn new(socket: UdpSocket, buffers: Option<usize>) -> io::Result<Datagrams> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        if let Some(bytes) = buffers {
            state.set_recv_buffer_size(UdpSockRef::from(&socket), bytes)?;
            state.set_send_buffer_size(UdpSockRef::from(&socket), bytes)?;
        }
        // SAFETY: the socket owns its descriptor and keeps it open, the same one, for as long as `AsyncFd` owns the socket.
        #[cfg(unix)]
        #[allow(unsafe_code)]
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?;
        #[cfg(not(unix))]
        let socket = tokio::net::UdpSocket::from_std(socket)?;
        Ok(Datagrams { socket, state })
    }

    /// The socket's own address.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        #[cfg(unix)]
        return self.socket.get_ref().local_addr();
        #[cfg(not(unix))]
        return self.socket.local_addr();
    }

    /// Waits until something may have arrived.
    pub async fn readable(&self) -> io::Result<()> {
        #[cfg(unix)]
        return self.socket.readable().await.map(|mut guard| guard.retain_ready());
        #[cfg(not(unix))]
        return self.socket.readable().await;
    }

    fn send_one(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        #[cfg(unix)]
        let sent = self.socket.get_ref().send_to(datagram, to);
        #[cfg(not(unix))]
        let sent = self.socket.try_send_to(datagram, to);
        sent.map(|_| ())
    }

    /// Receives what is there, without waiting.
    pub fn receive<'i>(&self, inbox: &'i mut Inbox) -> io::Result<Received<'i>> {
        let Inbox { bytes, metas } = inbox;
        let mut rest = bytes.chunks_exact_mut(BUFFER);
        let mut buffers: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(rest.next().unwrap_or_default()));
        #[cfg(unix)]
        let count = self.socket.try_io(Interest::READABLE, |socket| {
            self.state.recv(UdpSockRef::from(socket), &mut buffers, metas)
        })?;
        #[cfg(not(unix))]
        let count = self.socket.try_io(Interest::READABLE, || {
            self.state.recv(UdpSockRef::from(&self.socket), &mut buffers, metas)
        })?;
        Ok(Received { bytes, metas: &metas[..count], at: 0, within: 0 })
    }

    /// Sends datagrams of `segment` bytes each (the last may be shorter) to one address, without waiting: what the
    /// system does not take is lost, as datagrams are.
    fn send(&self, to: SocketAddr, contents: &[u8], segment: usize) -> io::Result<()> {
        if contents.len() <= segment {
            // A single datagram needs nothing of what comes with the others.
            return self.send_one(to, contents);
        }
        #[cfg(unix)]
        let socket = self.socket.get_ref();
        #[cfg(not(unix))]
        let socket = &self.socket;
        let most = self.state.max_gso_segments().max(1) * segment;
        for part in contents.chunks(most) {
            let segment_size = (part.len() > segment).then_some(segment);
            let transmit =
                Transmit { destination: to, ecn: None, contents: part, segment_size, src_ip: None };
            // Readiness to send need not be known: a full buffer loses the datagrams either way.
            let sent = self.state.try_send(UdpSockRef::from(socket), &transmit);
            if let Err(error) = sent {
                if segment_size.is_none() || error.kind() == io::ErrorKind::WouldBlock {
                    return Err(error);
                }
                // The system took the coalesced form badly; it gets them one by one.
                for one in part.chunks(segment) {
                    self.send_one(to, one)?;
                }
            }
        }
        Ok(())
    }
}

/// Room for one batch of received datagrams; one serves all sockets of a thread.
#[derive(Debug)]
pub struct Inbox {
    bytes: Vec<u8>,
    metas: [RecvMeta; BATCH_SIZE],
}

impl Default for Inbox {
    fn default() -> Inbox {
        Inbox { bytes: vec![0; BUFFER * BATCH_SIZE], metas: [RecvMeta::default(); BATCH_SIZE] }
    }
}

/// A batch of received datagrams.
#[derive(Debug)]
pub struct Received<'i> {
    bytes: &'i mut [u8],
    metas: &'i [RecvMeta],
    at: usize,
    within: usize,
}

impl Received<'_> {
    /// The next datagram and who sent it.
    pub fn next_datagram(&mut self) -> Option<(SocketAddr, &mut [u8])> {
        let mut meta = self.metas.get(self.at)?;
        while self.within >= meta.len.max(1) || (meta.len == 0 && self.within > 0) {
            self.at += 1;
            self.within = 0;
            meta = self.metas.get(self.at)?;
        }
        let stride = if meta.stride == 0 { meta.len.max(1) } else { meta.stride };
        let start = self.at * BUFFER + self.within;
        let end = self.at * BUFFER + (self.within + stride).min(meta.len);
        self.within += stride;
        Some((meta.addr, &mut self.bytes[start..end]))
    }
}

/// Datagrams on their way out, put together by sender and receiver so that each group leaves in one call.
#[derive(Debug)]
pub struct Outbox<K> {
    parcels: Vec<Parcel<K>>,
    used: usize,
}

#[derive(Debug)]
struct Parcel<K> {
    from: K,
    to: SocketAddr,
    segment: usize,
    count: usize,
    /// A datagram shorter than the others ends a parcel.
    ended: bool,
    bytes: Vec<u8>,
}

impl<K> Default for Outbox<K> {
    fn default() -> Outbox<K> {
        Outbox { parcels: Vec::new(), used: 0 }
    }
}

impl<K: Copy + PartialEq> Outbox<K> {
    /// Adds a datagram. `from` names the socket. `true` when [`Outbox::flush`] must come before the next one.
    pub fn push(&mut self, from: K, to: SocketAddr, datagram: &[u8]) -> bool {
        // The last parcel of this way is the only one that may grow, or datagrams would overtake each other.
        let last = self.parcels[..self.used].iter_mut().rev().find(|p| p.from == from && p.to == to);
        if let Some(parcel) = last
            && !parcel.ended
            && !datagram.is_empty()
            && datagram.len() <= parcel.segment
            && parcel.count < PARCEL_DATAGRAMS
            && parcel.bytes.len() + datagram.len() <= PARCEL_BYTES
        {
            parcel.bytes.extend_from_slice(datagram);
            parcel.count += 1;
            parcel.ended = datagram.len() < parcel.segment;
            return false;
        }
        let (segment, ended) = (datagram.len().max(1), datagram.is_empty());
        match self.parcels.get_mut(self.used) {
            Some(parcel) => {
                parcel.bytes.clear();
                parcel.bytes.extend_from_slice(datagram);
                (parcel.from, parcel.to, parcel.segment, parcel.count, parcel.ended) =
                    (from, to, segment, 1, ended);
            }
            None => {
                let bytes = datagram.to_vec();
                self.parcels.push(Parcel { from, to, segment, count: 1, ended, bytes });
            }
        }
        self.used += 1;
        self.used == PARCELS
    }

    /// Sends everything; says how many datagrams the system did not take. `socket` finds a socket by its name.
    pub fn flush<'s>(&mut self, mut socket: impl FnMut(K) -> Option<&'s Datagrams>) -> usize {
        let mut lost = 0;
        for parcel in &self.parcels[..self.used] {
            let Some(socket) = socket(parcel.from) else { continue };
            if let Err(error) = socket.send(parcel.to, &parcel.bytes, parcel.segment) {
                tracing::trace!(to = %parcel.to, %error, "datagrams were not taken");
                lost += parcel.count;
            }
        }
        self.used = 0;
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> Datagrams {
        Datagrams::new(UdpSocket::bind("127.0.0.1:0").unwrap(), Some(1 << 20)).unwrap()
    }

    #[tokio::test]
    async fn what_is_sent_in_parcels_arrives_as_datagrams_in_order() {
        let (a, b, c) = (socket(), socket(), socket());
        let (to_b, to_c) = (b.local_address().unwrap(), c.local_address().unwrap());
        let mut outbox = Outbox::default();
        let mut expected = Vec::new();
        for round in 0..100u32 {
            // Runs of one size, shorter ones between them, empty ones, and another receiver in between.
            let len = [900usize, 900, 900, 17, 1200, 0][round as usize % 6];
            let mut datagram = vec![round as u8; len];
            for full in [outbox.push(1u8, to_c, b"other"), outbox.push(1, to_b, &datagram)] {
                if full {
                    assert_eq!(outbox.flush(|_| Some(&a)), 0);
                }
            }
            datagram.truncate(len);
            expected.push(datagram);
        }
        assert_eq!(outbox.flush(|_| Some(&a)), 0);
        let mut inbox = Inbox::default();
        let mut got = Vec::new();
        while got.len() < expected.len() {
            let within = std::time::Duration::from_secs(5);
            tokio::time::timeout(within, b.readable()).await.expect("nothing is lost").unwrap();
            let Ok(mut received) = b.receive(&mut inbox) else { continue };
            while let Some((from, datagram)) = received.next_datagram() {
                assert_eq!(from, a.local_address().unwrap());
                got.push(datagram.to_vec());
            }
        }
        assert_eq!(got, expected);
    }
}
