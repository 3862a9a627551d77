//! The TURN server's sockets: one thread that owns `belay_turn::Turn`, the UDP sockets, the relay ports and the streams.
//!
//! Everything on the thread is of the thread alone, so nothing is locked; the rest of the program talks to it by commands.

mod ports;
mod stream;

use crate::udp::{Datagrams, Inbox, Outbox};
use aws_lc_rs::rand::SecureRandom;
use belay_relay::LegId;
use belay_turn::{Carrier, Client, Credentials, Forward, Output, RelayId, Settings, Turn};
use belay_wire::gateway::Role;
use belay_wire::{Moment, SessionId};
use ports::Ports;
use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use stream::Streams;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};

/// Commands that may wait for the thread.
const QUEUED_COMMANDS: usize = 1024;
/// Bytes asked of the system for the buffers of the client sockets.
const SOCKET_BUFFER: usize = 4 << 20;
/// Batches of one socket before the others have their turn.
const BATCHES: usize = 4;
/// How often the machine hears of the time.
const TICK: Duration = Duration::from_millis(500);

/// An address on which relay ports are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayAt {
    /// The address of this computer.
    pub bind: IpAddr,
    /// The address under which others reach it: another one where a cloud translates addresses one to one.
    pub public: IpAddr,
}

impl RelayAt {
    /// An address that others reach as it is.
    pub fn own(ip: IpAddr) -> RelayAt {
        RelayAt { bind: ip, public: ip }
    }
}

/// Where the server listens and relays.
#[derive(Clone, Debug)]
pub struct TurnConfig {
    /// The machine's settings. `families` is set from `relay`, whose addresses are added to `own`.
    pub machine: Settings,
    /// Addresses of the client sockets; port 0 takes any.
    pub listen: Vec<SocketAddr>,
    /// Addresses on which relay ports are opened, at most one of each family.
    pub relay: Vec<RelayAt>,
    /// Relay ports.
    pub ports: RangeInclusive<u16>,
    /// Streams at a time.
    pub streams: usize,
    /// Streams of one address at a time.
    pub streams_per_address: usize,
}

/// Why the TURN server does not start or does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// A socket cannot be had.
    #[error("cannot listen on UDP {address}; choose another address or free the port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no thread, runtime or randomness.
    #[error("cannot start the TURN server")]
    Start(#[source] io::Error),
    /// No more legs fit.
    #[error("the TURN server is full")]
    Full,
    /// The server has stopped.
    #[error("the TURN server has stopped")]
    Stopped,
}

/// What went through, since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Datagrams and ChannelData relayed.
    pub packets: AtomicU64,
    /// Their bytes, with TURN's own headers.
    pub bytes: AtomicU64,
    /// What was dropped because a receiver or the system did not take it.
    pub lost: AtomicU64,
    /// Allocations there are now.
    pub allocations: AtomicU64,
}

/// A byte stream to a client: TCP, or TLS over it.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

enum Command {
    Admit(LegId, SessionId, Role, Duration, oneshot::Sender<Result<Credentials, TurnError>>),
    Dismiss(LegId),
    Register(LegId, IpAddr),
    Stream(Box<dyn Stream>, SocketAddr),
}

/// A running TURN server. It stops when the last handle is gone.
#[derive(Clone, Debug)]
pub struct TurnServer {
    commands: mpsc::Sender<Command>,
    addresses: Arc<[SocketAddr]>,
    counts: Arc<Counts>,
}

/// The server's thread, to be waited for after the last [`TurnServer`] is dropped.
#[derive(Debug)]
pub struct TurnThread(std::thread::JoinHandle<()>);

impl TurnThread {
    /// Waits for the end.
    pub fn join(self) {
        if self.0.join().is_err() {
            tracing::error!("the TURN thread ended by a fault");
        }
    }
}

impl TurnServer {
    /// Takes the sockets and starts the thread.
    pub fn start(mut config: TurnConfig) -> Result<(TurnServer, TurnThread), TurnError> {
        config.machine.families =
            config.relay.iter().map(|relay| belay_turn::Family::of(relay.public)).collect();
        config.machine.own.extend(config.relay.iter().flat_map(|relay| [relay.bind, relay.public]));
        for relay in &config.relay {
            let address = SocketAddr::new(relay.bind, 0);
            UdpSocket::bind(address).map_err(|source| TurnError::Listen { address, source })?;
        }
        let mut sockets = Vec::new();
        let mut addresses = Vec::new();
        for &address in &config.listen {
            let listen = |source| TurnError::Listen { address, source };
            let socket = UdpSocket::bind(address).map_err(listen)?;
            addresses.push(socket.local_addr().map_err(listen)?);
            sockets.push(socket);
        }
        let mut random = [0; 64];
        aws_lc_rs::rand::SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| TurnError::Start(io::Error::other("no randomness from the system")))?;
        let counts = Arc::new(Counts::default());
        let (commands, inbox) = mpsc::channel(QUEUED_COMMANDS);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(TurnError::Start)?;
        let shared = Arc::clone(&counts);
        let thread = std::thread::Builder::new()
            .name("turn".to_owned())
            .spawn(move || {
                let local = tokio::task::LocalSet::new();
                local.block_on(&runtime, async {
                    if let Err(error) = run(config, sockets, &random, shared, inbox).await {
                        tracing::error!(%error, "the TURN server ended");
                    }
                });
            })
            .map_err(TurnError::Start)?;
        Ok((TurnServer { commands, addresses: addresses.into(), counts }, TurnThread(thread)))
    }

    /// The addresses of the client sockets.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What went through.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Mints credentials for an admitted leg, good for new allocations for so long.
    pub async fn admit(
        &self,
        leg: LegId,
        session: SessionId,
        role: Role,
        good_for: Duration,
    ) -> Result<Credentials, TurnError> {
        let (answer, answered) = oneshot::channel();
        self.tell(Command::Admit(leg, session, role, good_for, answer)).await?;
        answered.await.map_err(|_| TurnError::Stopped)?
    }

    /// A leg is gone, and all it allocated with it.
    pub async fn dismiss(&self, leg: LegId) -> Result<(), TurnError> {
        self.tell(Command::Dismiss(leg)).await
    }

    /// A leg receives at this address: its partner's relayed addresses may send there.
    pub async fn register(&self, leg: LegId, address: IpAddr) -> Result<(), TurnError> {
        self.tell(Command::Register(leg, address)).await
    }

    /// Serves a stream whose first bytes are STUN ([`crate::mux`] tells). Over the limit it is dropped at once.
    pub async fn serve(&self, stream: Box<dyn Stream>, remote: SocketAddr) -> Result<(), TurnError> {
        self.tell(Command::Stream(stream, remote)).await
    }

    async fn tell(&self, command: Command) -> Result<(), TurnError> {
        self.commands.send(command).await.map_err(|_| TurnError::Stopped)
    }
}

/// The name of a socket on the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Via {
    Clients(u8),
    Relay(RelayId),
}

/// Everything of the thread.
struct Server {
    turn: RefCell<Turn>,
    clients: Vec<Datagrams>,
    ports: RefCell<Ports>,
    streams: RefCell<Streams>,
    inbox: RefCell<Inbox>,
    outbox: RefCell<Outbox<Via>>,
    /// Room for what a relay port received behind the headroom, and for what a stream brought.
    scratch: RefCell<Vec<u8>>,
    counts: Arc<Counts>,
    relayed: Cell<(u64, u64)>,
    started: Instant,
    started_at: Moment,
}

async fn run(
    config: TurnConfig,
    sockets: Vec<UdpSocket>,
    random: &[u8; 64],
    counts: Arc<Counts>,
    mut commands: mpsc::Receiver<Command>,
) -> io::Result<()> {
    let clients: io::Result<Vec<Datagrams>> =
        sockets.into_iter().map(|socket| Datagrams::new(socket, Some(SOCKET_BUFFER))).collect();
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let server = Rc::new(Server {
        turn: RefCell::new(Turn::new(config.machine, random)),
        clients: clients?,
        ports: RefCell::new(Ports::new(config.relay, config.ports)),
        streams: RefCell::new(Streams::new(config.streams, config.streams_per_address)),
        inbox: RefCell::new(Inbox::default()),
        outbox: RefCell::new(Outbox::default()),
        scratch: RefCell::new(vec![0; stream::SCRATCH]),
        counts,
        relayed: Cell::new((0, 0)),
        started: Instant::now(),
        started_at: Moment(0) + since_1970,
    });
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..server.clients.len() {
        let server = Rc::clone(&server);
        tasks.spawn_local(async move {
            while server.clients[number].readable().await.is_ok() {
                server.clients_sent(number);
                tokio::task::yield_now().await;
            }
        });
    }
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(command) => server.obey(command),
                None => break,
            },
            _ = tick.tick() => {
                let now = server.now();
                server.turn.borrow_mut().tick(now);
                server.settle(now);
            }
        }
    }
    // Ports and streams have tasks that hold the server; they end here.
    tasks.shutdown().await;
    server.ports.borrow_mut().close_all();
    server.streams.borrow_mut().close_all();
    Ok(())
}

impl Server {
    fn now(&self) -> Moment {
        self.started_at + self.started.elapsed()
    }

    fn obey(self: &Rc<Self>, command: Command) {
        let now = self.now();
        match command {
            Command::Admit(leg, session, role, good_for, answer) => {
                let minted = self.turn.borrow_mut().admit(leg, session, role, now + good_for, now);
                // The asker may have gone meanwhile.
                drop(answer.send(minted.map_err(|belay_turn::Full| TurnError::Full)));
            }
            Command::Dismiss(leg) => self.turn.borrow_mut().dismiss(leg),
            Command::Register(leg, address) => self.turn.borrow_mut().register(leg, address),
            Command::Stream(stream, remote) => stream::start(self, stream, remote),
        }
        self.settle(now);
    }

    /// Clients' datagrams.
    fn clients_sent(self: &Rc<Self>, number: usize) {
        let carrier = Carrier::Udp(number as u8);
        for _ in 0..BATCHES {
            let mut inbox = self.inbox.borrow_mut();
            let Ok(mut received) = self.clients[number].receive(&mut inbox) else { break };
            let now = self.now();
            let mut turn = self.turn.borrow_mut();
            while let Some((remote, datagram)) = received.next_datagram() {
                if let Some(forward) = turn.received(Client { carrier, remote }, datagram, now) {
                    self.forward(forward);
                }
            }
            drop(turn);
            drop(inbox);
            self.settle(now);
        }
    }

    /// Peers' datagrams at a relay port.
    fn peers_sent(self: &Rc<Self>, relay: RelayId, socket: &Datagrams) {
        for _ in 0..BATCHES {
            let mut inbox = self.inbox.borrow_mut();
            let Ok(mut received) = socket.receive(&mut inbox) else { break };
            let now = self.now();
            let mut turn = self.turn.borrow_mut();
            let mut scratch = self.scratch.borrow_mut();
            while let Some((from, datagram)) = received.next_datagram() {
                let packet = &mut scratch[..4 + datagram.len()];
                packet[4..].copy_from_slice(datagram);
                if let Some(forward) = turn.from_peer(relay, from, packet, now) {
                    self.forward(forward);
                }
            }
            drop(scratch);
            drop(turn);
            drop(inbox);
            self.settle(now);
        }
    }

    fn forward(&self, forward: Forward<'_>) {
        let (packets, bytes) = self.relayed.get();
        let len = match forward {
            Forward::Client(client, bytes) => {
                self.to_client(client, bytes);
                bytes.len()
            }
            Forward::Peer(relay, to, bytes) => {
                self.to_socket(Via::Relay(relay), to, bytes);
                bytes.len()
            }
        };
        self.relayed.set((packets + 1, bytes + len as u64));
    }

    fn to_client(&self, client: Client, bytes: &[u8]) {
        match client.carrier {
            Carrier::Udp(number) => self.to_socket(Via::Clients(number), client.remote, bytes),
            Carrier::Stream(number) => {
                if !self.streams.borrow().push(number, bytes) {
                    self.counts.lost.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    fn to_socket(&self, from: Via, to: SocketAddr, bytes: &[u8]) {
        if self.outbox.borrow_mut().push(from, to, bytes) {
            self.flush();
        }
    }

    fn flush(&self) {
        let ports = self.ports.borrow();
        let lost = self.outbox.borrow_mut().flush(|from| match from {
            Via::Clients(number) => self.clients.get(usize::from(number)),
            Via::Relay(relay) => ports.socket(relay),
        });
        if lost > 0 {
            self.counts.lost.fetch_add(lost as u64, Ordering::Relaxed);
        }
    }

    /// Does what the machine says, and sends what has gathered.
    fn settle(self: &Rc<Self>, now: Moment) {
        loop {
            let Some(output) = self.turn.borrow_mut().poll() else { break };
            match output {
                Output::Send(client, bytes) => self.to_client(client, &bytes),
                Output::Open(relay, family, port) => {
                    let address = ports::open(self, relay, family, port);
                    self.turn.borrow_mut().opened(relay, address, now);
                    self.count_allocations();
                }
                Output::Close(relay) => {
                    // What was relayed just before still leaves.
                    self.flush();
                    self.ports.borrow_mut().close(relay);
                    self.count_allocations();
                }
                Output::HangUp(client) => self.streams.borrow().hang_up(client),
            }
        }
        self.flush();
        let (packets, bytes) = self.relayed.take();
        if packets > 0 {
            self.counts.packets.fetch_add(packets, Ordering::Relaxed);
            self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    fn count_allocations(&self) {
        self.counts.allocations.store(self.turn.borrow().allocations() as u64, Ordering::Relaxed);
    }
}
