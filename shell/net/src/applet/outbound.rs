//! The way out to the gateway: a task of its own writes, so that a gateway that does not take its frames holds up
//! nothing else. Its owner sees how much waits.

use belay_wire::gateway::ToGateway;
use futures_util::{Sink, SinkExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message as Socket;

/// Frames that may wait; what the link sends stays far below because it looks at the bytes.
const FRAMES: usize = 1024;
/// Bytes waiting from which on nothing more should be sent.
const FULL: usize = 256 << 10;
/// How long the last frames and the goodbye may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

enum Wanted {
    Frame(Vec<u8>),
    Ping,
}

/// Writes to one connection. Ends with its owner.
pub(super) struct Outbound {
    frames: mpsc::Sender<Wanted>,
    waiting: Arc<AtomicUsize>,
    room: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Outbound {
    /// Starts to write to a socket.
    pub(super) fn start<S>(mut sink: S) -> Outbound
    where
        S: Sink<Socket> + Unpin + Send + 'static,
        S::Error: std::fmt::Display,
    {
        let (frames, mut wanted) = mpsc::channel::<Wanted>(FRAMES);
        let (waiting, room) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let (written, freed) = (Arc::clone(&waiting), Arc::clone(&room));
        let task = tokio::spawn(async move {
            while let Some(wanted) = wanted.recv().await {
                let (len, message) = match wanted {
                    Wanted::Frame(frame) => (frame.len(), Socket::binary(frame)),
                    Wanted::Ping => (0, Socket::Ping(Default::default())),
                };
                if let Err(error) = sink.send(message).await {
                    // The reading half hears of it too, and ends the connection.
                    tracing::info!(%error, "the gateway takes no more");
                    return;
                }
                let before = written.fetch_sub(len, Ordering::AcqRel);
                if before >= FULL / 2 && before - len < FULL / 2 {
                    freed.notify_one();
                }
            }
            // A server that does not answer the close must not hold the applet.
            let _ = tokio::time::timeout(CLOSE_WITHIN, sink.close()).await;
        });
        Outbound { frames, waiting, room, task }
    }

    /// Puts a frame at the end of the queue; whether it was taken.
    pub(super) fn send(&self, frame: &ToGateway) -> bool {
        let bytes = frame.encode();
        self.waiting.fetch_add(bytes.len(), Ordering::AcqRel);
        self.frames.try_send(Wanted::Frame(bytes)).is_ok()
    }

    /// Asks the gateway for a sign of life; whether the question was taken.
    pub(super) fn ping(&self) -> bool {
        self.frames.try_send(Wanted::Ping).is_ok()
    }

    /// Whether more should wait until [`Outbound::room`].
    pub(super) fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Acquire) >= FULL
    }

    /// Tells when there is room again.
    pub(super) fn room(&self) -> Arc<Notify> {
        Arc::clone(&self.room)
    }

    /// Writes what waits, says goodbye, and ends.
    pub(super) async fn close(self) {
        let Outbound { frames, mut task, .. } = self;
        drop(frames);
        if tokio::time::timeout(CLOSE_WITHIN * 2, &mut task).await.is_err() {
            task.abort();
        }
    }

    /// Ends at once.
    pub(super) fn abandon(self) {
        self.task.abort();
    }
}
