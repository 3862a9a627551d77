//! The WebSocket path beside nginx as a plain TLS proxy: bytes per CPU second.

use crate::certificate::{self, Certificate};
use crate::process::Server;
use anyhow::{Context, Result, bail};
use belay_wire::AccountId;
use belay_wire::gateway::{FromGateway, Hello, Role, ToGateway};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Bytes in a frame, a small screen update.
const FRAME: usize = 4096;
/// Bytes under way of one pair.
const WINDOW: u64 = 256 * 1024;

/// A leg of Belay's gateway.
pub type Leg = WebSocketStream<TlsStream<TcpStream>>;

/// A TLS connection from this address.
pub async fn tls(
    from: Ipv4Addr,
    server: SocketAddr,
    config: &Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(TlsConnector::from(Arc::clone(config)).connect("localhost".try_into()?, stream).await?)
}

/// An admitted leg of this session.
pub async fn leg(
    from: Ipv4Addr,
    server: SocketAddr,
    config: &Arc<ClientConfig>,
    number: u64,
    role: Role,
) -> Result<Leg> {
    let stream = tls(from, server, config).await?;
    let (mut socket, _) = tokio_tungstenite::client_async("ws://localhost/gateway/v1", stream).await?;
    let mut credential = vec![0; if role == Role::Applet { 16 } else { 32 }];
    credential[..8].copy_from_slice(&number.to_be_bytes());
    let hello = Hello {
        role,
        account: AccountId::from_bytes([1; 16]),
        credential,
        version: "0".to_owned(),
        platform: "bench".to_owned(),
    };
    socket.send(Message::Binary(ToGateway::Hello(hello).encode().into())).await?;
    expect(&mut socket, |frame| matches!(frame, FromGateway::Admitted(..))).await?;
    Ok(socket)
}

async fn expect(socket: &mut Leg, wanted: impl Fn(&FromGateway) -> bool) -> Result<()> {
    while let Some(message) = socket.next().await {
        if let Message::Binary(bytes) = message? {
            let frame = FromGateway::decode(&bytes).map_err(|error| anyhow::anyhow!("{error:?}"))?;
            if wanted(&frame) {
                return Ok(());
            }
            bail!("{frame:?}");
        }
    }
    bail!("closed")
}

/// Bytes sent and received of one pair.
#[derive(Default)]
struct Pair {
    sent: AtomicU64,
    arrived: AtomicU64,
}

impl Pair {
    async fn room(&self) {
        while self.sent.load(Ordering::Acquire) > self.arrived.load(Ordering::Acquire) + WINDOW {
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
    }
}

/// Pairs whose traffic runs until the runtime ends.
type Pairs = Vec<Arc<Pair>>;

async fn pairs_of_belay(server: SocketAddr, count: u64) -> Result<Pairs> {
    let config = certificate::client()?;
    let mut pairs = Pairs::new();
    for number in 1..=count {
        let mut applet = leg(Ipv4Addr::LOCALHOST, server, &config, number, Role::Applet).await?;
        let mut console = leg(Ipv4Addr::LOCALHOST, server, &config, number, Role::Console).await?;
        expect(&mut applet, |frame| matches!(frame, FromGateway::Paired(1))).await?;
        expect(&mut console, |frame| matches!(frame, FromGateway::Paired(1))).await?;
        let pair = Arc::new(Pair::default());
        let frame = Bytes::from(ToGateway::Frame(vec![0xB5; FRAME]).encode());
        let (mut sender, mut keeps) = applet.split();
        let own = Arc::clone(&pair);
        tokio::spawn(async move {
            loop {
                own.room().await;
                own.sent.fetch_add(FRAME as u64, Ordering::Release);
                if sender.send(Message::Binary(frame.clone())).await.is_err() {
                    return;
                }
            }
        });
        tokio::spawn(async move { while let Some(Ok(_)) = keeps.next().await {} });
        let own = Arc::clone(&pair);
        tokio::spawn(async move {
            while let Some(Ok(message)) = console.next().await {
                if let Message::Binary(bytes) = message {
                    own.arrived.fetch_add(bytes.len() as u64 - 1, Ordering::Release);
                }
            }
        });
        pairs.push(pair);
    }
    Ok(pairs)
}

async fn pairs_of_nginx(
    proxy: SocketAddr,
    sink: &TcpListener,
    tls_sink: &TlsAcceptor,
    count: u64,
) -> Result<Pairs> {
    let config = certificate::client()?;
    let mut pairs = Pairs::new();
    for _ in 0..count {
        let (sender, receiver) = through(proxy, sink, tls_sink, &config).await?;
        let (mut sender, mut receiver) = (sender, receiver);
        let pair = Arc::new(Pair::default());
        let own = Arc::clone(&pair);
        tokio::spawn(async move {
            let frame = vec![0xB5; FRAME];
            loop {
                own.room().await;
                own.sent.fetch_add(FRAME as u64, Ordering::Release);
                if sender.write_all(&frame).await.is_err() {
                    return;
                }
            }
        });
        let own = Arc::clone(&pair);
        tokio::spawn(async move {
            let mut bytes = vec![0; 65_536];
            while let Ok(len @ 1..) = receiver.read(&mut bytes).await {
                own.arrived.fetch_add(len as u64, Ordering::Release);
            }
        });
        pairs.push(pair);
    }
    Ok(pairs)
}

type Through = (TlsStream<TcpStream>, tokio_rustls::server::TlsStream<TcpStream>);

async fn through(
    proxy: SocketAddr,
    sink: &TcpListener,
    tls_sink: &TlsAcceptor,
    config: &Arc<ClientConfig>,
) -> Result<Through> {
    let (sender, receiver) = tokio::join!(tls(Ipv4Addr::LOCALHOST, proxy, config), async {
        let (stream, _) = sink.accept().await?;
        stream.set_nodelay(true)?;
        anyhow::Ok(tls_sink.accept(stream).await?)
    });
    Ok((sender?, receiver?))
}

/// nginx as a TLS proxy in front of `sink`, and where it listens.
pub fn nginx(folder: &std::path::Path, sink: SocketAddr) -> Result<(Server, SocketAddr)> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port();
    drop(taken);
    let at = folder.display();
    let text = format!(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\nworker_processes 1;\ndaemon off;\n\
         pid {at}/nginx.pid;\nerror_log {at}/nginx.log;\nworker_rlimit_nofile 20000;\n\
         events {{ worker_connections 19980; }}\nstream {{ server {{ listen 127.0.0.1:{port} ssl backlog=4096;\n\
         ssl_certificate {at}/cert.pem;\nssl_certificate_key {at}/key.pem;\nssl_protocols TLSv1.3;\n\
         proxy_pass {sink};\nproxy_ssl on;\nproxy_ssl_protocols TLSv1.3;\ntcp_nodelay on;\n}} }}\n"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, text)?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder).arg("-c").arg(&file).arg("-e").arg(folder.join("nginx.log"));
    if std::fs::read_to_string("/proc/self/status")?.contains("\nUid:\t0\t") {
        // As root, nginx would change to a user that may not read the folder.
        command.args(["-g", "user root;"]);
    }
    let server = Server::foreign(&mut command, port)?;
    Ok((server, SocketAddr::from(([127, 0, 0, 1], port))))
}

/// Bytes that arrived while `lasts`, the CPU time of the server, and the time it took.
async fn load(server: &Server, pairs: &Pairs, lasts: Duration) -> Result<(u64, Duration, Duration)> {
    let arrived = || pairs.iter().map(|pair| pair.arrived.load(Ordering::Acquire)).sum::<u64>();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (before, cpu, since) = (arrived(), server.cpu()?, Instant::now());
    tokio::time::sleep(lasts).await;
    Ok((arrived() - before, server.cpu()? - cpu, since.elapsed()))
}

fn row(pairs: u64, name: &str, done: (u64, Duration, Duration)) {
    let (bytes, cpu, took) = done;
    let cpu = cpu.as_secs_f64().max(1e-9);
    println!(
        "| {pairs} | {name} | {:.0} | {:.0} |",
        bytes as f64 / cpu / 1e6,
        bytes as f64 / took.as_secs_f64() / 1e6
    );
}

/// Measures and prints.
pub fn run(lasts: Duration) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let made = Certificate::new()?;
    made.write(folder.path())?;
    println!(
        "\n## WebSocket path: frames of {FRAME} bytes, TLS in and TLS out, {} KiB of each pair under way\n",
        WINDOW / 1024
    );
    println!("| pairs | server | MB per CPU second | MB per second |");
    println!("| --: | --- | --: | --: |");
    for count in [1, 50] {
        let server = Server::own(&["serve-web-socket".to_owned()])?;
        let at: SocketAddr = server.lines.first().context("no address")?.parse()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let done = runtime.block_on(async {
            let pairs = pairs_of_belay(at, count).await?;
            load(&server, &pairs, lasts).await
        })?;
        row(count, "Belay", done);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let done = runtime.block_on(async {
            let sink = TcpListener::bind("127.0.0.1:0").await?;
            let (server, proxy) = nginx(folder.path(), sink.local_addr()?)?;
            // The look whether nginx listens came through to the sink.
            drop(tokio::time::timeout(Duration::from_millis(300), sink.accept()).await);
            let pairs = pairs_of_nginx(proxy, &sink, &TlsAcceptor::from(made.server()?), count).await?;
            load(&server, &pairs, lasts).await
        })?;
        row(count, "nginx stream", done);
    }
    Ok(())
}
