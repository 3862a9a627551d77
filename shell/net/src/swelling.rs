//! A connection that is read in large steps while much comes, and in those of its reader while little does.
//!
//! TLS reads four kilobytes at a time, so that a waiting connection holds no more; a record has sixteen, and each step is a call
//! of the system. Here a step that was filled is followed by large ones, until nothing more is there: their buffer is made then, and
//! gone again as soon as the connection waits. So those that wait pay nothing for those that are busy.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The large step: two records of TLS.
const LARGE: usize = 32 << 10;
/// A smaller step than this says nothing about how much there is, filled or not.
const SMALL: usize = 1 << 10;

/// A stream whose reads swell and shrink with what comes.
#[derive(Debug)]
pub struct Swelling<S> {
    stream: S,
    /// Only while much comes.
    held: Option<Held>,
}

/// What was read in a large step and not taken yet.
struct Held {
    bytes: Box<[u8]>,
    from: usize,
    to: usize,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.to - self.from)
    }
}

impl<S> Swelling<S> {
    /// Reads from this stream.
    pub fn new(stream: S) -> Swelling<S> {
        Swelling { stream, held: None }
    }

    /// The stream below, for what it knows of the connection. Reading from it would lose what is held.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Swelling<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Swelling { stream, held } = &mut *self;
        let Some(Held { bytes, from, to }) = held else {
            let room = buffer.remaining();
            ready!(Pin::new(stream).poll_read(context, buffer))?;
            if room >= SMALL && buffer.remaining() == 0 {
                *held = Some(Held { bytes: vec![0; LARGE].into(), from: 0, to: 0 });
            }
            return Poll::Ready(Ok(()));
        };
        if from == to {
            let mut large = ReadBuf::new(bytes);
            let read = Pin::new(stream).poll_read(context, &mut large);
            let len = large.filled().len();
            if len == 0 {
                // Nothing is there, or nothing more will be.
                *held = None;
                return read;
            }
            (*from, *to) = (0, len);
        }
        let len = buffer.remaining().min(*to - *from);
        buffer.put_slice(&bytes[*from..*from + len]);
        *from += len;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Swelling<S> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn whatever_comes_is_read_once_and_in_order_and_who_waits_holds_nothing() {
        let mut rng = fastrand::Rng::with_seed(7);
        let (mut far, near) = tokio::io::duplex(100_000);
        let mut swelling = Swelling::new(near);
        let (mut swollen, mut said, mut heard) = (0, Vec::new(), Vec::new());
        for _ in 0..2000 {
            let mut bytes = vec![0; [1, 100, 4096, 5000, 90_000][rng.usize(..5)]];
            rng.fill(&mut bytes);
            far.write_all(&bytes).await.unwrap();
            said.extend_from_slice(&bytes);
            let mut step = vec![0; [1, 700, 4096, 4096, 20_000][rng.usize(..5)]];
            while heard.len() < said.len() {
                let len = swelling.read(&mut step).await.unwrap();
                assert!(len > 0);
                heard.extend_from_slice(&step[..len]);
                swollen += usize::from(swelling.held.is_some());
            }
            assert!(heard == said, "after {} bytes", said.len());
            said.clear();
            heard.clear();
            // It waits: nothing is there.
            let waits = tokio::time::timeout(std::time::Duration::ZERO, swelling.read(&mut step)).await;
            assert!(waits.is_err());
            assert!(swelling.held.is_none(), "what waits holds nothing");
        }
        assert!(swollen > 1000, "{swollen}");
    }

    #[tokio::test]
    async fn the_end_is_the_end_also_when_much_came_before() {
        let (mut far, near) = tokio::io::duplex(1 << 20);
        far.write_all(&vec![9; 300_000]).await.unwrap();
        far.shutdown().await.unwrap();
        let mut all = Vec::new();
        let mut swelling = Swelling::new(near);
        swelling.read_to_end(&mut all).await.unwrap();
        assert!(all == vec![9; 300_000]);
        assert_eq!(swelling.read(&mut [0; 4096]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn much_is_read_in_few_steps() {
        struct Counted(&'static [u8], usize);
        impl AsyncRead for Counted {
            fn poll_read(
                mut self: Pin<&mut Self>,
                _: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let len = buffer.remaining().min(self.0.len());
                buffer.put_slice(&self.0[..len]);
                self.0 = &self.0[len..];
                self.1 += 1;
                Poll::Ready(Ok(()))
            }
        }
        let mut swelling = Swelling::new(Counted(&[5; 1 << 20], 0));
        let (mut step, mut sum) = ([0; 4096], 0);
        while sum < 1 << 20 {
            sum += swelling.read(&mut step).await.unwrap();
        }
        assert!(swelling.stream.1 <= 34, "{} steps for a megabyte", swelling.stream.1);
    }
}
