//! The servers of this project that are measured, and the bare loop.

use crate::certificate::Certificate;
use anyhow::{Context, Result};
use belay_net::gateway::{Gateway, SocketMessage, Website};
use belay_net::mux::{Mux, Sorted};
use belay_net::swelling::Swelling;
use belay_net::turn::{RelayAt, TurnConfig, TurnServer};
use belay_relay::admission::{Admission, AdmitAnswer, AdmitRequest, LegNews};
use belay_relay::{LegId, Limits};
use belay_turn::Settings;
use belay_wire::gateway::Role;
use belay_wire::{LegTicket, SessionId};
use futures_util::{SinkExt, StreamExt};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// As in the product: the library's own 128 KiB would stay with every leg that only waits.
const READ_BUFFER: usize = 4 * 1024;

/// Says these lines and that it is ready.
pub fn ready(lines: &[String]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }
    writeln!(out)?;
    Ok(out.flush()?)
}

/// Waits until nobody needs this process any more.
pub fn wait_for_the_end() {
    drop(std::io::stdin().read_to_end(&mut Vec::new()));
}

/// TURN as the product has it, with quotas out of the way: all clients come from one address here.
pub fn turn(sessions: u64, peer: SocketAddr) -> Result<()> {
    let mut machine = Settings::new("bench");
    machine.loopback = true;
    machine.limits.session_bytes = u64::MAX / 2;
    machine.limits.stranger_answers = 1_000_000;
    machine.limits.per_address = 100_000;
    let at = Ipv4Addr::LOCALHOST.into();
    let config = TurnConfig {
        machine,
        listen: vec![SocketAddr::new(at, 0)],
        relay: vec![RelayAt::own(at)],
        ports: 20_000..=59_999,
        streams: 10_000,
        streams_per_address: 10_000,
    };
    let (turn, _thread) = TurnServer::start(config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let lines = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut lines = vec![turn.addresses()[0].to_string(), listener.local_addr()?.to_string()];
        for number in 1..=sessions {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            for (leg, role) in [(number * 2, Role::Applet), (number * 2 + 1, Role::Console)] {
                let good_for = Duration::from_secs(3600);
                let minted = turn.admit(LegId(leg), SessionId::from_bytes(id), role, good_for).await?;
                lines.push(format!("{} {}", minted.username, minted.password));
            }
            turn.register(LegId(number * 2 + 1), peer.ip()).await?;
        }
        let mux = Mux::new(TlsAcceptor::from(Certificate::new()?.server()?));
        tokio::spawn(async move {
            while let Ok((stream, address)) = listener.accept().await {
                let (mux, turn) = (mux.clone(), turn.clone());
                tokio::spawn(async move {
                    if let Ok(Sorted::Turn(stream)) = mux.sort(stream, address).await {
                        drop(turn.serve(stream, address).await);
                    }
                });
            }
        });
        anyhow::Ok(lines)
    })?;
    ready(&lines)?;
    std::thread::spawn(|| {
        wait_for_the_end();
        std::process::exit(0);
    });
    runtime.block_on(std::future::pending::<()>());
    Ok(())
}

/// The least a relay can do: one datagram in, one out.
pub fn bare_loop(peer: SocketAddr) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    ready(&[socket.local_addr()?.to_string()])?;
    std::thread::spawn(|| {
        wait_for_the_end();
        std::process::exit(0);
    });
    let mut bytes = vec![0; 65_536];
    loop {
        let (len, _) = socket.recv_from(&mut bytes)?;
        // A full buffer loses the datagram, as everywhere.
        drop(socket.send_to(&bytes[..len], peer));
    }
}

/// A website that lets everybody in: the credential's first bytes are the session.
struct Everybody;

impl Website for Everybody {
    async fn admit(&self, request: AdmitRequest) -> AdmitAnswer {
        let mut id = [0; 16];
        let bytes = request.credential.get(..16).unwrap_or(&[0; 16]);
        id.copy_from_slice(bytes);
        let return_ticket = LegTicket::from_bytes([0; LegTicket::LEN]);
        Ok(Admission { session: SessionId::from_bytes(id), return_ticket })
    }

    async fn tell(&self, _: LegNews) {}
}

/// The WebSocket gateway over TLS, without the website's HTTP server around it.
pub fn websocket() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        // All legs come from one address here, and the quotas shall not be what is measured.
        let limits = Limits {
            legs: 100_000,
            legs_per_address: 100_000,
            strangers: 100_000,
            strangers_per_address: 100_000,
            session_bytes: u64::MAX / 2,
            ..Limits::default()
        };
        let gateway = Gateway::start(Arc::new(Everybody), limits, None);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        ready(&[listener.local_addr()?.to_string()])?;
        let tls = TlsAcceptor::from(Certificate::new()?.server()?);
        std::thread::spawn(|| {
            wait_for_the_end();
            std::process::exit(0);
        });
        loop {
            let (stream, address) = listener.accept().await.context("cannot accept")?;
            let (tls, gateway) = (tls.clone(), Arc::clone(&gateway));
            tokio::spawn(async move {
                drop(stream.set_nodelay(true));
                let Ok(stream) = tls.accept(Swelling::new(stream)).await else { return };
                let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
                let accepted = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await;
                let Ok(socket) = accepted else { return };
                let socket = socket
                    .map(|message| {
                        message.map(|message| match message {
                            Message::Binary(bytes) => SocketMessage::Frame(bytes),
                            Message::Ping(_) | Message::Pong(_) => SocketMessage::Ping,
                            _ => SocketMessage::Foreign,
                        })
                    })
                    .with(|message| async move {
                        Ok::<_, tokio_tungstenite::tungstenite::Error>(match message {
                            SocketMessage::Frame(bytes) => Message::Binary(bytes),
                            SocketMessage::Ping | SocketMessage::Foreign => {
                                Message::Ping(bytes::Bytes::new())
                            }
                        })
                    });
                gateway.serve(Box::pin(socket), address.ip(), true).await;
            });
        }
    })
}
