//! The TURN server on real sockets, used by programs that know nothing of it: coturn's `turnutils_uclient` and
//! `turnutils_peer` (Debian package coturn; only these two tools are started).
#![allow(clippy::unwrap_used)]

use belay_meeting::coturn::{self, least, totals};
use belay_net::mux::{Mux, MuxError, Sorted};
use belay_net::turn::{RelayAt, TurnConfig, TurnServer, TurnThread};
use belay_relay::LegId;
use belay_turn::{Reach, Settings};
use belay_wire::SessionId;
use belay_wire::gateway::Role;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::{TlsAcceptor, rustls};

struct Bench {
    turn: TurnServer,
    thread: TurnThread,
    udp: SocketAddr,
    tcp: SocketAddr,
    accepting: tokio::task::JoinHandle<()>,
}

fn tls() -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// A server on loopback whose TCP port answers HTTP too.
async fn server(reach: Reach, at: IpAddr) -> Bench {
    let mut machine = Settings::new("gateway.example.com");
    machine.reach = reach;
    machine.loopback = true;
    let config = TurnConfig {
        machine,
        listen: vec![SocketAddr::new(at, 0)],
        relay: vec![RelayAt::own(at)],
        ports: 50_000..=59_999,
        streams: 100,
        streams_per_address: 50,
    };
    let (turn, thread) = TurnServer::start(config).unwrap();
    let listener = TcpListener::bind(SocketAddr::new(at, 0)).await.unwrap();
    let tcp = listener.local_addr().unwrap();
    let mux = Mux::new(tls()).within(Duration::from_secs(2));
    let of_accept = turn.clone();
    let accepting = tokio::spawn(async move {
        while let Ok((stream, address)) = listener.accept().await {
            let (mux, turn) = (mux.clone(), of_accept.clone());
            tokio::spawn(async move {
                match mux.sort(stream, address).await {
                    Ok(Sorted::Turn(stream)) => turn.serve(stream, address).await.unwrap(),
                    Ok(Sorted::Https(mut stream)) => answer(&mut stream, b"secure").await,
                    Ok(Sorted::Http(mut stream)) => answer(&mut stream, b"plain").await,
                    Err(MuxError::Silent { .. } | MuxError::Unknown { .. } | MuxError::Failed { .. }) => {}
                }
            });
        }
    });
    Bench { udp: turn.addresses()[0], turn, thread, tcp, accepting }
}

async fn answer<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(stream: &mut S, text: &[u8]) {
    let mut request = [0; 3];
    stream.read_exact(&mut request).await.unwrap();
    assert_eq!(&request, b"GET", "the sorted byte is still there");
    stream.write_all(text).await.unwrap();
    stream.shutdown().await.unwrap();
}

async fn credentials(bench: &Bench, leg: u64, session: u8, role: Role) -> (String, String) {
    let session = SessionId::from_bytes([session; 16]);
    let minted = bench.turn.admit(LegId(leg), session, role, Duration::from_secs(600)).await.unwrap();
    (minted.username, minted.password)
}

/// Runs coturn's client against one of the server's addresses.
async fn uclient(at: SocketAddr, who: &(String, String), messages: u32, more: &[&str]) -> String {
    coturn::uclient((at.ip(), at.port()), (&who.0, &who.1), messages, more).await
}

#[tokio::test]
async fn coturns_client_talks_to_itself_over_udp_tcp_and_tls() {
    let bench = server(Reach::Session, Ipv4Addr::LOCALHOST.into()).await;
    let ways = [
        ("UDP channels", bench.udp, &["-y"][..]),
        ("UDP indications", bench.udp, &["-y", "-s"]),
        ("TCP channels", bench.tcp, &["-y", "-t"]),
        ("TLS channels", bench.tcp, &["-y", "-t", "-S"]),
    ];
    // The client takes its time, so all ways are gone at once, each by a leg of its own.
    let runs = ways.iter().zip(1..).map(|(&(name, at, more), leg)| {
        let bench = &bench;
        async move {
            let who = credentials(bench, leg, leg as u8, Role::Applet).await;
            let all: Vec<&str> = more.iter().copied().chain(["-m", "4"]).collect();
            let text = uclient(at, &who, 50, &all).await;
            let (sent, received) = totals(&text);
            assert!(sent >= 200, "{name}: {text}");
            assert!(received * 100 >= sent * least(more), "{name}: {received} of {sent} came back\n{text}");
        }
    });
    futures_util::future::join_all(runs).await;
    let Bench { turn, thread, accepting, .. } = bench;
    assert!(turn.counts().packets.load(std::sync::atomic::Ordering::Relaxed) >= 700);
    drop(turn);
    accepting.abort();
    let ended = tokio::task::spawn_blocking(move || thread.join());
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("ends with its last handle").unwrap();
}

#[tokio::test]
async fn coturns_client_reaches_the_partner_outside_and_nobody_else() {
    let bench = server(Reach::Partner, Ipv4Addr::LOCALHOST.into()).await;
    let who = credentials(&bench, 1, 1, Role::Applet).await;
    credentials(&bench, 2, 1, Role::Console).await;
    let (mut echo, port) = coturn::echo();
    let port = port.to_string();
    let ask = ["-e", "127.0.0.1", "-r", &port];
    let refused = uclient(bench.udp, &who, 5, &ask).await;
    assert!(refused.contains("403"), "{refused}");
    bench.turn.register(LegId(2), Ipv4Addr::LOCALHOST.into()).await.unwrap();
    let text = uclient(bench.udp, &who, 100, &ask).await;
    let (sent, received) = totals(&text);
    assert!(sent >= 100 && received * 100 >= sent * 98, "{received} of {sent} came back\n{text}");
    let tls = uclient(bench.tcp, &who, 100, &[&ask[..], &["-t", "-S"]].concat()).await;
    let (sent, received) = totals(&tls);
    assert!(sent >= 100 && received * 100 >= sent * least(&["-S"]), "{received} of {sent} came back\n{tls}");
    // The leg goes: its credentials are worth nothing.
    bench.turn.dismiss(LegId(1)).await.unwrap();
    let gone = uclient(bench.udp, &who, 5, &ask).await;
    assert!(gone.contains("Cannot complete Allocation"), "{gone}");
    echo.kill().await.unwrap();
}

#[tokio::test]
async fn coturns_client_works_over_ipv6() {
    let bench = server(Reach::Session, Ipv6Addr::LOCALHOST.into()).await;
    let who = credentials(&bench, 1, 1, Role::Applet).await;
    let text = uclient(bench.udp, &who, 50, &["-y", "-m", "2", "-x"]).await;
    let (sent, received) = totals(&text);
    assert!(sent >= 100 && received * 100 >= sent * 98, "{received} of {sent} came back\n{text}");
}

#[tokio::test]
async fn one_port_serves_http_plain_and_secure_beside_turn_and_drops_the_silent() {
    let bench = server(Reach::Partner, Ipv4Addr::LOCALHOST.into()).await;
    let mut plain = TcpStream::connect(bench.tcp).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut text = String::new();
    // The server closes with the rest of the request unread, which may cost the end of its answer.
    drop(plain.read_to_string(&mut text).await);
    assert_eq!(text, "plain");
    let output = Command::new("openssl")
        .args(["s_client", "-quiet", "-connect", &bench.tcp.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut secure = output;
    secure.stdin.as_mut().unwrap().write_all(b"GET").await.unwrap();
    let mut text = [0; 6];
    secure.stdout.as_mut().unwrap().read_exact(&mut text).await.unwrap();
    assert_eq!(&text, b"secure");
    secure.kill().await.unwrap();
    // Silent from the start, silent within the TLS handshake, and neither TLS nor HTTP nor STUN.
    for (first, least) in [(&b""[..], 1), (&[0x16, 3, 1, 2, 0][..], 1), (&[0x99; 4][..], 0)] {
        let mut stream = TcpStream::connect(bench.tcp).await.unwrap();
        stream.write_all(first).await.unwrap();
        let since = Instant::now();
        let mut bytes = [0; 64];
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut bytes)).await;
        assert!(matches!(read.expect("dropped in time"), Ok(0) | Err(_)));
        assert!(since.elapsed() >= Duration::from_secs(least));
    }
}
