//! TURN beside coturn and a bare loop: packets and bytes per CPU second, added latency, memory of an idle allocation.

use crate::certificate::{self, Certificate};
use crate::client::{Client, Path, Who};
use crate::process::Server;
use anyhow::{Context, Result, bail};
use belay_turn::stun::{Class, Method, Transaction, Writer};
use std::fmt;
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Bytes of payload in a packet, about what SCTP and video use.
const PAYLOAD: usize = 1000;
/// Packets under way at a time, in all: less than a socket's default buffer holds, so that nothing is lost by overload.
const WINDOW: u64 = 64;
/// Packets that a client sends in a row where it does not send one at a time: what a change of the screen brings.
const ROW: u64 = 16;
/// How often each server is measured; its median counts.
const ROUNDS: u32 = 5;

#[derive(Clone, Copy, PartialEq)]
enum Relay {
    Belay,
    Coturn,
    Bare,
    Direct,
}

impl fmt::Display for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Relay::Belay => "Belay",
            Relay::Coturn => "coturn",
            Relay::Bare => "bare loop",
            Relay::Direct => "no relay",
        })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Udp,
    Tls,
    Pair,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Udp => "UDP, partner outside",
            Way::Tls => "TLS, partner outside",
            Way::Pair => "UDP, both on the relay",
        })
    }
}

/// Where packets arrive: counts them and notes how long each was under way.
struct Sink {
    address: SocketAddr,
    arrived: Arc<AtomicU64>,
    /// Nanoseconds under way, noted while `timing`.
    times: Arc<Mutex<Vec<u64>>>,
    timing: Arc<AtomicBool>,
    start: Instant,
}

impl Sink {
    fn new() -> Result<Sink> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let sink = Sink {
            address: socket.local_addr()?,
            arrived: Arc::default(),
            times: Arc::default(),
            timing: Arc::default(),
            start: Instant::now(),
        };
        sink.listen(vec![socket], 0);
        Ok(sink)
    }

    /// Counts what arrives at these sockets, each on a thread when there are few, in turn when there are many.
    fn listen(&self, sockets: Vec<UdpSocket>, skip: usize) {
        let (arrived, times, timing) =
            (Arc::clone(&self.arrived), Arc::clone(&self.times), Arc::clone(&self.timing));
        let start = self.start;
        std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
                return;
            };
            let local = tokio::task::LocalSet::new();
            local.block_on(&runtime, async {
                let mut tasks = tokio::task::JoinSet::new();
                for socket in sockets {
                    let (arrived, times, timing) =
                        (Arc::clone(&arrived), Arc::clone(&times), Arc::clone(&timing));
                    if socket.set_nonblocking(true).is_err() {
                        return;
                    }
                    let Ok(socket) = tokio::net::UdpSocket::from_std(socket) else { return };
                    tasks.spawn_local(async move {
                        let mut bytes = vec![0; 2048];
                        while let Ok(len) = socket.recv(&mut bytes).await {
                            arrived.fetch_add(1, Ordering::Release);
                            let stamp = bytes.get(skip..skip + 8).and_then(|b| b.try_into().ok());
                            if let (true, Some(stamp), true) =
                                (len > skip + 8, stamp, timing.load(Ordering::Relaxed))
                            {
                                let now = start.elapsed().as_nanos() as u64;
                                if let Ok(mut times) = times.lock() {
                                    times.push(now.saturating_sub(u64::from_be_bytes(stamp)));
                                }
                            }
                        }
                    });
                }
                while tasks.join_next().await.is_some() {}
            });
        });
    }
}

/// A server with its clients, ready to send.
struct Ready {
    server: Option<Server>,
    senders: Vec<Client>,
    sink: Sink,
    /// Memory the clients cost the server, before any traffic.
    idle: u64,
}

fn credentials(server: &Server) -> Vec<Who> {
    let words = |line: &String| line.split_once(' ').map(|(u, p)| (u.to_owned(), p.to_owned()));
    server.lines.iter().skip(2).filter_map(words).collect()
}

/// coturn with two ports of its own. What is free now may be taken before it listens (this bench opens thousands of
/// sockets): then once more with others.
fn coturn(folder: &std::path::Path) -> Result<(Server, SocketAddr, SocketAddr)> {
    coturn_at(folder, [free_port()?, free_port()?]).or_else(|error| {
        eprintln!("once more: {error}");
        coturn_at(folder, [free_port()?, free_port()?])
    })
}

/// A port that is free for UDP and for TCP.
fn free_port() -> Result<u16> {
    for _ in 0..100 {
        let udp = UdpSocket::bind("127.0.0.1:0")?;
        let port = udp.local_addr()?.port();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free for UDP and TCP")
}

fn coturn_at(folder: &std::path::Path, ports: [u16; 2]) -> Result<(Server, SocketAddr, SocketAddr)> {
    let mut command = Command::new("turnserver");
    command.args(["-n", "--lt-cred-mech", "--user=bench:secret", "--realm=bench", "--no-cli", "--no-dtls"]);
    command.args(["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--allow-loopback-peers"]);
    command.args(["--min-port=20000", "--max-port=59999", "--log-file=/dev/null", "--no-stdout-log"]);
    command.args([format!("--listening-port={}", ports[0]), format!("--tls-listening-port={}", ports[1])]);
    for (name, file) in [("cert", "cert.pem"), ("pkey", "key.pem"), ("pidfile", "pid"), ("userdb", "db")] {
        command.arg(format!("--{name}={}", folder.join(file).display()));
    }
    let server = Server::foreign(&mut command, ports[1])?;
    answers(ports[0])?;
    let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
    Ok((server, at(ports[0]), at(ports[1])))
}

/// Waits until a STUN server answers at this UDP port: coturn may open it after the others.
fn answers(port: u16) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let mut request = Vec::new();
    Writer::new(&mut request, Method::Binding, Class::Request, Transaction([1; 12]));
    for _ in 0..100 {
        // A port that is not open yet refuses one of them.
        if socket.send(&request).is_ok() && socket.recv(&mut [0; 512]).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("no answer to STUN on UDP port {port}")
}

fn prepare(who: Relay, way: Way, count: usize, folder: &std::path::Path) -> Result<Ready> {
    let sink = Sink::new()?;
    let text = |part: &str| part.to_owned();
    let peer = sink.address.to_string();
    let (server, udp, tls, people) = match who {
        Relay::Direct => {
            let senders = raw(sink.address, count)?;
            return Ok(Ready { server: None, senders, sink, idle: 0 });
        }
        Relay::Bare => {
            let server = Server::own(&[text("serve-loop"), text("--peer"), peer])?;
            let senders = raw(server.lines.first().context("no address")?.parse()?, count)?;
            return Ok(Ready { server: Some(server), senders, sink, idle: 0 });
        }
        Relay::Belay => {
            let sessions = count.to_string();
            let server =
                Server::own(&[text("serve-turn"), text("--sessions"), sessions, text("--peer"), peer])?;
            let address = |at: usize| anyhow::Ok(server.lines.get(at).context("no address")?.parse()?);
            let (udp, tls, people) = (address(0)?, address(1)?, credentials(&server));
            (server, udp, tls, people)
        }
        Relay::Coturn => {
            let (server, udp, tls) = coturn(folder)?;
            (server, udp, tls, vec![(text("bench"), text("secret")); count * 2])
        }
    };
    let before = server.memory()?;
    let config = certificate::client()?;
    let mut senders = Vec::new();
    let mut receivers = Vec::new();
    for pair in people.chunks(2).take(count) {
        let [first, second] = pair else { continue };
        let mut sender = match way {
            Way::Udp | Way::Pair => Client::udp(udp, first.clone())?,
            Way::Tls => Client::tls(tls, first.clone(), &config)?,
        };
        let own = sender.allocate()?;
        match way {
            Way::Udp | Way::Tls => sender.bind(sink.address)?,
            Way::Pair => {
                let mut receiver = Client::udp(udp, second.clone())?;
                let its = receiver.allocate()?;
                receiver.bind(own)?;
                sender.bind(its)?;
                receivers.push(receiver);
            }
        }
        senders.push(sender);
    }
    let clients = (senders.len() + receivers.len()).max(1) as u64;
    let idle = server.memory()?.saturating_sub(before) / clients;
    let sockets = receivers.into_iter().filter_map(|client| match client.path {
        Path::Udp(socket) => Some(socket),
        Path::Tls(_) => None,
    });
    sink.listen(sockets.collect(), 4);
    Ok(Ready { server: Some(server), senders, sink, idle })
}

/// Clients of a server that knows no TURN: their channel header is four bytes more of payload.
fn raw(to: SocketAddr, count: usize) -> Result<Vec<Client>> {
    (0..count).map(|_| Client::udp(to, Default::default())).collect()
}

struct Load {
    arrived: u64,
    lost: u64,
    took: Duration,
    cpu: Duration,
}

impl Load {
    fn per_cpu_second(&self) -> f64 {
        self.arrived as f64 / self.cpu.as_secs_f64().max(1e-9)
    }
}

/// Sends as fast as the window lets, all clients in turn, each so many packets in a row.
fn load(ready: &mut Ready, row: u64, lasts: Duration) -> Result<Load> {
    let mut packet = vec![0xB5; 4 + PAYLOAD];
    let cpu = |ready: &Ready| ready.server.as_ref().map_or(Ok(Duration::ZERO), Server::cpu);
    let mut lost = 0;
    let mut sent = 0u64;
    let first = ready.sink.arrived.load(Ordering::Acquire);
    let (since, cpu_before) = (Instant::now(), cpu(ready)?);
    let clients = ready.senders.len();
    while since.elapsed() < lasts {
        let mut waited = Instant::now();
        let mut last = 0;
        loop {
            let arrived = ready.sink.arrived.load(Ordering::Acquire) - first;
            if sent - lost.min(sent) < arrived + WINDOW {
                break;
            }
            if arrived != last {
                (last, waited) = (arrived, Instant::now());
            } else if waited.elapsed() > Duration::from_millis(200) {
                lost = sent - arrived;
                break;
            }
            std::thread::sleep(Duration::from_micros(20));
        }
        // A burst, then a look at what arrived.
        for _ in 0..16 {
            ready.senders[(sent / row) as usize % clients].send_channel(&mut packet)?;
            sent += 1;
        }
    }
    std::thread::sleep(Duration::from_millis(200));
    let arrived = ready.sink.arrived.load(Ordering::Acquire) - first;
    Ok(Load { arrived, lost: sent - arrived, took: since.elapsed(), cpu: cpu(ready)? - cpu_before })
}

/// 500 packets a second from one client; microseconds under way, median and 99th of a hundred.
fn latency(ready: &mut Ready) -> Result<(f64, f64)> {
    let mut packet = vec![0xB5; 4 + 200];
    ready.sink.timing.store(true, Ordering::Relaxed);
    for number in 0..1000 {
        let next = Instant::now() + Duration::from_millis(2);
        if number == 100 {
            // The first ones warm up.
            ready.sink.times.lock().map_err(|_| anyhow::anyhow!("the sink ended"))?.clear();
        }
        // For the bare loop the four bytes in front arrive as well; the stamp is put where the sink looks.
        let at = if matches!(ready.server.as_ref().map(|s| s.lines.len()), Some(1) | None) { 0 } else { 4 };
        let stamp = (ready.sink.start.elapsed().as_nanos() as u64).to_be_bytes();
        if at == 0 {
            packet[..8].copy_from_slice(&stamp);
            let Some(Client { path: Path::Udp(socket), .. }) = ready.senders.first() else { continue };
            socket.send(&packet)?;
        } else {
            packet[4..12].copy_from_slice(&stamp);
            ready.senders[0].send_channel(&mut packet)?;
        }
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    std::thread::sleep(Duration::from_millis(50));
    let mut times = ready.sink.times.lock().map_err(|_| anyhow::anyhow!("the sink ended"))?.clone();
    times.sort_unstable();
    let at =
        |part: f64| times.get((times.len() as f64 * part) as usize).copied().unwrap_or(0) as f64 / 1000.0;
    Ok((at(0.5), at(0.99)))
}

/// Measures servers in turn, so that what else happens on the machine hits all of them, and prints the median of each.
fn measure(
    servers: &[Relay],
    way: Way,
    row: u64,
    count: usize,
    lasts: Duration,
    folder: &std::path::Path,
) -> Result<()> {
    let senders = if way == Way::Pair { count.div_ceil(2) } else { count };
    let mut all = Vec::new();
    for &who in servers {
        all.push((who, prepare(who, way, senders, folder)?, Vec::new()));
    }
    for round in 0..=ROUNDS {
        for (_, ready, done) in &mut all {
            // The first round warms up.
            let lasts = if round == 0 { Duration::from_millis(300) } else { lasts / ROUNDS };
            let load = load(ready, row, lasts)?;
            if round > 0 {
                done.push(load);
            }
        }
    }
    for (who, ready, mut done) in all {
        done.sort_by(|a, b| a.per_cpu_second().total_cmp(&b.per_cpu_second()));
        let memory = match who {
            Relay::Belay | Relay::Coturn if count > 1 && row == 1 => {
                format!("{:.1} KiB", ready.idle as f64 / 1024.0)
            }
            Relay::Belay | Relay::Coturn | Relay::Bare | Relay::Direct => "–".to_owned(),
        };
        let allocations = if way == Way::Pair { senders * 2 } else { senders };
        let [least, median, most] = [0, done.len() / 2, done.len() - 1].map(|at| &done[at]);
        println!(
            "| {way} | {allocations} | {row} | {who} | {:.0} | {:.0} | {:.0}–{:.0} | {:.0} | {:.2} % | {memory} |",
            median.per_cpu_second(),
            median.per_cpu_second() * PAYLOAD as f64 / 1e6,
            least.per_cpu_second() * PAYLOAD as f64 / 1e6,
            most.per_cpu_second() * PAYLOAD as f64 / 1e6,
            median.arrived as f64 / median.took.as_secs_f64(),
            median.lost as f64 * 100.0 / (median.arrived + median.lost).max(1) as f64,
        );
    }
    Ok(())
}

/// Measures and prints.
pub fn run(lasts: Duration, counts: &[usize]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    Certificate::new()?.write(folder.path())?;
    println!("\n## TURN: {PAYLOAD} bytes in a packet, {WINDOW} packets under way\n");
    println!(
        "| path | allocations | in a row | server | packets per CPU second | MB per CPU second | least–most | packets per second | lost | memory of an idle allocation |"
    );
    println!("| --- | --: | --: | --- | --: | --: | --: | --: | --: | --: |");
    let every = [Way::Udp, Way::Pair, Way::Tls].map(|way| (way, 1));
    for (way, row) in every.into_iter().chain([(Way::Udp, ROW), (Way::Tls, ROW)]) {
        for &count in counts.iter().filter(|&&count| row == 1 || count > 1) {
            let servers: &[Relay] = match way {
                Way::Udp => &[Relay::Belay, Relay::Coturn, Relay::Bare],
                Way::Pair | Way::Tls => &[Relay::Belay, Relay::Coturn],
            };
            measure(servers, way, row, count, lasts, folder.path())?;
        }
    }
    println!("\n## TURN: time under way, one client, 500 packets of 200 bytes a second\n");
    println!("| path | server | p50 | p99 |");
    println!("| --- | --- | --: | --: |");
    for (way, who) in [
        (Way::Udp, Relay::Direct),
        (Way::Udp, Relay::Bare),
        (Way::Udp, Relay::Belay),
        (Way::Udp, Relay::Coturn),
        (Way::Tls, Relay::Belay),
        (Way::Tls, Relay::Coturn),
    ] {
        let mut ready = prepare(who, way, 1, folder.path())?;
        let (p50, p99) = latency(&mut ready)?;
        println!("| {way} | {who} | {p50:.0} µs | {p99:.0} µs |");
    }
    Ok(())
}
