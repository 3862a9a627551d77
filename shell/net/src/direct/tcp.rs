//! TCP candidates: connections of the console to our listener, with packets framed by RFC 4571.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::peer::Incoming;

/// Connections at once in one attempt; one is needed.
pub(super) const MAX_CONNECTIONS: usize = 16;
/// Packets that may wait for one connection; what is more gets lost.
const PACKETS: usize = 256;
/// A connection that says nothing for so long is closed; ICE speaks more often.
const SILENCE: Duration = Duration::from_secs(30);

/// Accepts connections until it is aborted, and reads their packets.
pub(super) async fn listen(
    at: SocketAddr,
    listener: TcpListener,
    places: Arc<Semaphore>,
    incoming: mpsc::Sender<Incoming>,
) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let incoming = incoming.clone();
        connections.spawn(async move {
            let ended = serve(at, from, stream, &incoming).await;
            tracing::debug!(%from, ?ended, "a direct TCP connection ended");
            let _ = incoming.send(Incoming::Closed { from }).await;
            drop(place);
        });
    }
}

async fn serve(
    at: SocketAddr,
    from: SocketAddr,
    stream: TcpStream,
    incoming: &mpsc::Sender<Incoming>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let (packets, mut wanted) = mpsc::channel::<Vec<u8>>(PACKETS);
    if incoming.send(Incoming::Connected { from, packets }).await.is_err() {
        return Ok(());
    }
    let reading = async {
        loop {
            let len = tokio::time::timeout(SILENCE, reader.read_u16()).await??;
            let mut bytes = vec![0; usize::from(len)];
            tokio::time::timeout(SILENCE, reader.read_exact(&mut bytes)).await??;
            let packet = Incoming::Packet { tcp: true, from, to: at, bytes };
            if incoming.send(packet).await.is_err() {
                return Ok(());
            }
        }
    };
    let writing = async {
        // The queue's other end goes when the peer does not want the connection.
        while let Some(packet) = wanted.recv().await {
            let Ok(len) = u16::try_from(packet.len()) else { continue };
            let mut framed = len.to_be_bytes().to_vec();
            framed.extend_from_slice(&packet);
            writer.write_all(&framed).await?;
        }
        Ok(())
    };
    tokio::select! {
        ended = reading => ended,
        ended = writing => ended,
    }
}
