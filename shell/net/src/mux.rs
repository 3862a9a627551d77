//! One TCP port for everything: tells HTTPS and WSS from TURN, over TLS and plain, by the first bytes.

use crate::swelling::Swelling;
use crate::turn::Stream;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The first byte of a TLS record that carries a handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// A connection by TLS that has said its first byte.
pub type Secured = Begun<TlsStream<Swelling<TcpStream>>>;

/// What a connection turned out to be.
#[allow(clippy::large_enum_variant, reason = "one for each connection, moved once")]
pub enum Sorted {
    /// HTTP inside TLS: HTTPS, and WebSocket after its upgrade.
    Https(Secured),
    /// HTTP without TLS: good for a redirection at most.
    Http(TcpStream),
    /// STUN or TURN, inside TLS or plain: for [`crate::turn::TurnServer::serve`].
    Turn(Box<dyn Stream>),
}

impl std::fmt::Debug for Sorted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Sorted::Https(_) => "Https",
            Sorted::Http(_) => "Http",
            Sorted::Turn(_) => "Turn",
        })
    }
}

/// Why a connection is not served.
#[derive(Debug, thiserror::Error)]
pub enum MuxError {
    /// It said nothing, or did not finish its handshake in time.
    #[error("{address} was silent for too long")]
    Silent {
        /// The other end.
        address: SocketAddr,
    },
    /// The first byte is that of no protocol served here.
    #[error("{address} began with {first:#04x}, which is neither TLS nor HTTP nor STUN")]
    Unknown {
        /// The other end.
        address: SocketAddr,
        /// The byte.
        first: u8,
    },
    /// The connection failed, by TLS or below it.
    #[error("the connection of {address} failed")]
    Failed {
        /// The other end.
        address: SocketAddr,
        /// What happened.
        source: io::Error,
    },
}

/// Sorts connections.
#[derive(Clone)]
pub struct Mux {
    tls: TlsAcceptor,
    within: Duration,
}

impl Mux {
    /// A mux that gives each connection 10 seconds to say what it is, TLS handshake included.
    pub fn new(tls: TlsAcceptor) -> Mux {
        Mux { tls, within: Duration::from_secs(10) }
    }

    /// The same with another limit.
    pub fn within(self, within: Duration) -> Mux {
        Mux { within, ..self }
    }

    /// Waits for the first bytes. The caller bounds how many connections wait here at a time.
    pub async fn sort(&self, stream: TcpStream, address: SocketAddr) -> Result<Sorted, MuxError> {
        // Datagrams over a stream must not wait for each other.
        stream.set_nodelay(true).map_err(|source| MuxError::Failed { address, source })?;
        match tokio::time::timeout(self.within, self.look(stream, address)).await {
            Ok(sorted) => sorted,
            Err(_) => Err(MuxError::Silent { address }),
        }
    }

    async fn look(&self, stream: TcpStream, address: SocketAddr) -> Result<Sorted, MuxError> {
        let failed = |source| MuxError::Failed { address, source };
        let mut first = [0];
        if stream.peek(&mut first).await.map_err(failed)? == 0 {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        match kind(first[0]) {
            Kind::Turn => return Ok(Sorted::Turn(Box::new(stream))),
            Kind::Http => return Ok(Sorted::Http(stream)),
            Kind::Tls => {}
            Kind::Unknown => return Err(MuxError::Unknown { address, first: first[0] }),
        }
        let mut stream = self.tls.accept(Swelling::new(stream)).await.map_err(failed)?;
        // What was named in the handshake does not count: coturn's client names HTTP as well.
        if stream.read(&mut first).await.map_err(failed)? == 0 {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        let begun = Begun { first: Some(first[0]), stream };
        match kind(first[0]) {
            Kind::Turn => Ok(Sorted::Turn(Box::new(begun))),
            Kind::Http => Ok(Sorted::Https(begun)),
            Kind::Tls | Kind::Unknown => Err(MuxError::Unknown { address, first: first[0] }),
        }
    }
}

enum Kind {
    Tls,
    Turn,
    Http,
    Unknown,
}

fn kind(first: u8) -> Kind {
    match first {
        TLS_HANDSHAKE => Kind::Tls,
        b'A'..=b'Z' => Kind::Http,
        other if belay_turn::framing::begins_stun(other) => Kind::Turn,
        _ => Kind::Unknown,
    }
}

/// A stream whose first byte was already read.
#[derive(Debug)]
pub struct Begun<S> {
    first: Option<u8>,
    stream: S,
}

impl<S> Begun<S> {
    /// The stream below, for what it knows of the connection. Reading from it would lose the first byte.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Begun<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() > 0
            && let Some(first) = self.first.take()
        {
            buffer.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Begun<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
