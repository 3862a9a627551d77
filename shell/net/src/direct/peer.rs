//! One peer connection: str0m decides, this drives its sockets.
//!
//! str0m's law: one mutation, then `poll_output` until it says when to wake it. An error ends this peer and nothing else.

mod relays;

use belay_turn::stun::Transaction;
use belay_wire::gateway::Relaying;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use str0m::channel::ChannelId;
use str0m::net::{Protocol, Receive, TcpType, Transmit};
use str0m::{Candidate, CandidateKind, Event, IceConnectionState, Input, Output, Rtc, RtcError};
use thiserror::Error;
use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::answer::{self, CHANNEL_FULL};
use super::gather::{self, Sockets};
use super::relayed::Relayed;
use super::{Attempted, FULL, Order, PathKind, Teller, Tried, What, reflexive, relayed, tcp};

/// How long an attempt may take.
const OPEN_WITHIN: Duration = Duration::from_secs(30);
/// How long a path may be silent before it is given up; the link has left it long before.
const SILENT: Duration = Duration::from_secs(15);
/// Candidates of the console that are looked at.
const MAX_CANDIDATES: usize = 64;
/// Pairs that are remembered for the report.
const MAX_TRIED: usize = 64;
/// Packets that may wait for this task.
const PACKETS: usize = 512;
const DATAGRAM: usize = 2048;
/// Bytes that leave at once. Chromium's socket holds 128 KiB with all their overhead, which is half as much of ours: a whole picture in one
/// burst overflows it whenever the browser waits for a processor, and what is lost then costs more than the pause.
const BURST: usize = 32 << 10;
/// The pause after a burst.
const PAUSE: Duration = Duration::from_millis(1);
/// With so many bytes on their way where the answer comes soon nothing is added: with one more frame they are what the browser's socket
/// holds, should it read none of them for a while.
const NEAR: usize = 32 << 10;
/// Whose acknowledgements take longer than this is far away, or on a slow line: there more is on its way at a time, and does not
/// arrive at once. Shorter than most round trips between two houses: those lines are not to be held to so little.
const FAR: Duration = Duration::from_millis(15);

/// What comes from the sockets.
pub(super) enum Incoming {
    Packet { tcp: bool, from: SocketAddr, to: SocketAddr, bytes: Vec<u8> },
    Connected { from: SocketAddr, packets: mpsc::Sender<Vec<u8>> },
    Closed { from: SocketAddr },
}

/// Why a peer connection ended.
#[derive(Debug, Error)]
pub(super) enum Ended {
    #[error("the offer cannot be read: {0}")]
    Offer(String),
    #[error("the peer connection failed: {0}")]
    Failed(#[from] RtcError),
    #[error("no pair of addresses connected within {} seconds", OPEN_WITHIN.as_secs())]
    NotConnected,
    #[error("nothing came any more for {} seconds", SILENT.as_secs())]
    Silent,
    #[error("the other end closed it")]
    Closed,
    #[error("this computer does not have the address any more at which it began")]
    Moved,
    #[error("it is not wanted any more")]
    Unwanted,
}

/// Runs one attempt to its end.
pub(super) async fn run(
    attempt: u32,
    offer: &str,
    servers: Option<Relaying>,
    orders: mpsc::Receiver<Order>,
    waiting: Arc<AtomicUsize>,
    teller: &Teller,
) {
    let (rtc, channel, answer) = match answer::answer(offer) {
        Ok(answered) => answered,
        Err(ended) => {
            let failures = vec![ended.to_string()];
            return teller
                .tell(What::Attempted(Attempted { attempt, failures, ..Attempted::default() }))
                .await;
        }
    };
    teller.tell(What::Answer(answer)).await;
    let (incoming, packets) = mpsc::channel(PACKETS);
    let mut peer = Peer {
        arriving: incoming.clone(),
        readers: JoinSet::new(),
        relays: Vec::new(),
        reflexive_known: false,
        ended: false,
        rtc,
        channel,
        open: false,
        started: Instant::now(),
        silent_since: None,
        udp: HashMap::new(),
        connections: HashMap::new(),
        relayed: Vec::new(),
        kind: None,
        base: None,
        frames: VecDeque::new(),
        burst: (Instant::now(), 0),
        many_since: None,
        waiting,
        asked: Vec::new(),
        answered: false,
        facts: Attempted { attempt, ..Attempted::default() },
        teller,
    };
    let Sockets { udp, tcp, failures } = gather::sockets().await;
    peer.facts.failures.extend(failures);
    for (at, socket) in &udp {
        peer.readers.spawn(read(*at, Arc::clone(socket), incoming.clone()));
    }
    let places = Arc::new(Semaphore::new(tcp::MAX_CONNECTIONS));
    let listening: Vec<SocketAddr> = tcp.iter().map(|(at, _)| *at).collect();
    for (at, listener) in tcp {
        peer.readers.spawn(tcp::listen(at, listener, Arc::clone(&places), incoming.clone()));
    }
    peer.udp = udp.into_iter().collect();
    let ended = peer.live(&listening, servers.as_ref(), orders, packets).await;
    if let Err(ended) = ended {
        tracing::info!(attempt, reason = %ended, "a direct path ended");
        peer.facts.failures.push(ended.to_string());
    }
    peer.tell_facts().await;
}

/// Reads the datagrams of one socket until it is aborted.
async fn read(at: SocketAddr, socket: Arc<UdpSocket>, incoming: mpsc::Sender<Incoming>) {
    let mut buffer = [0; DATAGRAM];
    loop {
        // An error here is about an earlier sending, such as "port unreachable".
        let Ok((len, from)) = socket.recv_from(&mut buffer).await else { continue };
        let packet = Incoming::Packet { tcp: false, from, to: at, bytes: buffer[..len].to_vec() };
        if incoming.send(packet).await.is_err() {
            return;
        }
    }
}

/// A question to a STUN server that is not answered yet.
struct Asked {
    transaction: Transaction,
    request: Vec<u8>,
    from: SocketAddr,
    server: SocketAddr,
}

/// A TCP connection to us. Dropping it closes it.
struct Connection {
    packets: mpsc::Sender<Vec<u8>>,
    /// Whether it has shown that it knows the description.
    known: bool,
}

struct Peer<'a> {
    /// For those who read sockets.
    arriving: mpsc::Sender<Incoming>,
    readers: JoinSet<()>,
    /// Our relayed addresses.
    relays: Vec<Relayed>,
    /// The STUN servers have answered, or have had their time.
    reflexive_known: bool,
    /// The console knows that there are no more candidates.
    ended: bool,
    rtc: Rtc,
    channel: ChannelId,
    open: bool,
    started: Instant,
    silent_since: Option<Instant>,
    udp: HashMap<SocketAddr, Arc<UdpSocket>>,
    /// Connections by the console's address.
    connections: HashMap<SocketAddr, Connection>,
    /// The console's relayed addresses.
    relayed: Vec<SocketAddr>,
    kind: Option<PathKind>,
    /// Where frames leave this computer.
    base: Option<SocketAddr>,
    frames: VecDeque<Vec<u8>>,
    /// Since when, and how much, has left without a pause.
    burst: (Instant, usize),
    /// Since when as much is on its way as a near browser's socket holds, if so.
    many_since: Option<Instant>,
    waiting: Arc<AtomicUsize>,
    asked: Vec<Asked>,
    /// Whether a STUN server has answered.
    answered: bool,
    facts: Attempted,
    teller: &'a Teller,
}

impl Peer<'_> {
    async fn live(
        &mut self,
        listening: &[SocketAddr],
        servers: Option<&Relaying>,
        mut orders: mpsc::Receiver<Order>,
        mut packets: mpsc::Receiver<Incoming>,
    ) -> Result<(), Ended> {
        let mut wake = self.drain().await?;
        for at in self.udp.keys().copied().collect::<Vec<_>>() {
            wake = self.own(Candidate::host(at, Protocol::Udp)).await?;
        }
        for at in listening {
            wake = self.own(Candidate::builder().tcp().host(*at).tcptype(TcpType::Passive).build()).await?;
        }
        let urls = servers.map_or(&[][..], |servers| &servers.servers[..]);
        let lookup = async { (reflexive::servers(urls).await, relayed::servers(urls).await) };
        tokio::pin!(lookup);
        let (mut looking, mut round) = (true, 0);
        let mut ask_at = None;
        loop {
            wake = self.flush(wake).await?;
            wake = self.hear_relays(wake).await?;
            let now = Instant::now();
            if !self.open && now >= self.started + OPEN_WITHIN {
                return Err(Ended::NotConnected);
            }
            if self.silent_since.is_some_and(|since| now >= since + SILENT) {
                return Err(Ended::Silent);
            }
            let limits =
                [(!self.open).then(|| self.started + OPEN_WITHIN), self.silent_since.map(|at| at + SILENT)];
            let relays = self.relays.iter().filter_map(Relayed::next_timeout);
            let held = self.many_since.filter(|_| !self.frames.is_empty()).map(|since| since + FAR);
            let held = held.filter(|at| *at > now);
            let until =
                limits.into_iter().flatten().chain(ask_at).chain(relays).chain(held).fold(wake, Instant::min);
            tokio::select! {
                packet = packets.recv() => match packet {
                    Some(packet) => wake = self.incoming(packet, wake).await?,
                    None => return Err(Ended::Unwanted),
                },
                order = orders.recv() => match order {
                    Some(Order::Candidate(candidate)) => wake = self.theirs(&candidate, wake).await?,
                    Some(Order::Frame(frame)) => self.frames.push_back(frame),
                    Some(Order::Moved(addresses)) => self.moved(&addresses)?,
                    None => return Err(Ended::Unwanted),
                },
                ((stun, unknown), (turn, nameless)) = &mut lookup, if looking => {
                    looking = false;
                    self.facts.failures.extend(unknown.into_iter().chain(nameless));
                    self.asking(&stun);
                    ask_at = Some(self.started);
                    if let Some(servers) = servers {
                        self.ask_relays(&turn, servers).await;
                    }
                }
                () = tokio::time::sleep_until(until.into()) => {}
            }
            let now = Instant::now();
            if ask_at.is_some_and(|at| at <= now) {
                ask_at = self.ask(&mut round, now).await;
            }
            if wake <= now {
                self.rtc.handle_input(Input::Timeout(now))?;
                wake = self.drain().await?;
            }
        }
    }

    /// One of our candidates: for the peer connection, and for the console.
    async fn own(&mut self, candidate: Result<Candidate, str0m::error::IceError>) -> Result<Instant, Ended> {
        match candidate {
            Ok(candidate) => {
                let text = candidate.to_sdp_string();
                self.rtc.add_local_candidate(candidate);
                self.facts.ours.push(text.clone());
                self.teller.tell(What::Candidate(text)).await;
            }
            Err(error) => self.facts.failures.push(error.to_string()),
        }
        self.drain().await
    }

    /// One of the console's candidates.
    async fn theirs(&mut self, text: &str, wake: Instant) -> Result<Instant, Ended> {
        if text.is_empty() || self.facts.theirs.len() >= MAX_CANDIDATES {
            return Ok(wake);
        }
        let Ok(candidate) = Candidate::from_sdp_string(text) else {
            self.facts.unreadable += 1;
            return Ok(wake);
        };
        if candidate.kind() == CandidateKind::Relayed {
            self.relayed.push(candidate.addr());
        }
        self.facts.theirs.push(text.to_owned());
        self.rtc.add_remote_candidate(candidate);
        self.drain().await
    }

    /// Prepares the questions how the servers see our sockets.
    fn asking(&mut self, servers: &[SocketAddr]) {
        for from in self.udp.keys() {
            for server in servers.iter().filter(|server| server.is_ipv4() == from.is_ipv4()) {
                if let Some((transaction, request)) = reflexive::request() {
                    self.asked.push(Asked { transaction, request, from: *from, server: *server });
                }
            }
        }
    }

    /// Asks what is not answered; when to do it again.
    async fn ask(&mut self, round: &mut usize, now: Instant) -> Option<Instant> {
        if *round >= reflexive::AGAIN.len() || self.asked.is_empty() {
            self.facts.servers_silent = !self.asked.is_empty() && !self.answered;
            for asked in self.asked.drain(..) {
                self.facts.failures.push(format!("{} did not answer {}", asked.server, asked.from));
            }
            self.reflexive_known = true;
            return None;
        }
        for asked in &self.asked {
            if let Some(socket) = self.udp.get(&asked.from) {
                // A server that cannot be reached is told in the end like one that does not answer.
                let _ = socket.send_to(&asked.request, asked.server).await;
            }
        }
        *round += 1;
        let next = reflexive::AGAIN
            .get(*round)
            .map_or(Duration::from_secs(5), |again| again.saturating_sub(reflexive::AGAIN[*round - 1]));
        Some(now + next)
    }

    async fn incoming(&mut self, incoming: Incoming, wake: Instant) -> Result<Instant, Ended> {
        match incoming {
            Incoming::Connected { from, packets } => {
                self.connections.insert(from, Connection { packets, known: false });
                Ok(wake)
            }
            Incoming::Closed { from } => {
                self.connections.remove(&from);
                Ok(wake)
            }
            Incoming::Packet { tcp, from, to, bytes } => {
                if !tcp
                    && self.asked.iter().any(|asked| asked.server == from)
                    && let Some((transaction, seen)) = reflexive::answer(&bytes)
                {
                    return self.reflexive(transaction, seen, wake).await;
                }
                if let Some(relay) = self.relays.iter_mut().find(|relay| !tcp && relay.local == to) {
                    relay.received(from, &bytes);
                    return Ok(wake);
                }
                self.packet(tcp, from, to, &bytes, wake).await
            }
        }
    }

    /// A packet of the console's, or of a stranger.
    async fn packet(
        &mut self,
        tcp: bool,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
        wake: Instant,
    ) -> Result<Instant, Ended> {
        let proto = if tcp { Protocol::Tcp } else { Protocol::Udp };
        let now = Instant::now();
        let input = Receive::new(proto, from, to, bytes).map(|receive| Input::Receive(now, receive));
        let Some(input) = input.ok().filter(|input| self.rtc.accepts(input)) else {
            // Whoever knows the address but not the description gets nothing, and no place either.
            if tcp && self.connections.get(&from).is_some_and(|connection| !connection.known) {
                self.connections.remove(&from);
            }
            return Ok(wake);
        };
        if let Some(connection) = self.connections.get_mut(&from).filter(|_| tcp) {
            connection.known = true;
        }
        self.heard(tcp, from, to);
        self.rtc.handle_input(input)?;
        self.drain().await
    }

    /// A server told how it sees one of our sockets.
    async fn reflexive(
        &mut self,
        transaction: Transaction,
        seen: SocketAddr,
        wake: Instant,
    ) -> Result<Instant, Ended> {
        let Some(at) = self.asked.iter().position(|asked| asked.transaction == transaction) else {
            return Ok(wake);
        };
        let base = self.asked.swap_remove(at).from;
        self.answered = true;
        if seen == base {
            return Ok(wake);
        }
        self.own(Candidate::server_reflexive(seen, base, Protocol::Udp)).await
    }

    /// Gives frames to the data channel while it takes them.
    async fn flush(&mut self, mut wake: Instant) -> Result<Instant, Ended> {
        while self.open
            && let Some(frame) = self.frames.front()
        {
            let Some(mut channel) = self.rtc.channel(self.channel) else { break };
            let under_way = channel.buffered_amount();
            if under_way < NEAR {
                self.many_since = None;
            } else if self.many_since.get_or_insert_with(Instant::now).elapsed() < FAR {
                break;
            }
            if under_way >= CHANNEL_FULL || !channel.write(true, frame)? {
                break;
            }
            let len = frame.len();
            self.frames.pop_front();
            let before = self.waiting.fetch_sub(len, Ordering::AcqRel);
            if before >= FULL / 2 && before - len < FULL / 2 {
                self.teller.tell(What::Room).await;
            }
            wake = self.drain().await?;
        }
        Ok(wake)
    }

    /// Does what the peer connection wants until it waits; until when.
    async fn drain(&mut self) -> Result<Instant, Ended> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => return Ok(at),
                Output::Transmit(transmit) => self.transmit(&transmit).await,
                Output::Event(event) => self.event(event).await?,
            }
        }
    }

    async fn transmit(&mut self, transmit: &Transmit) {
        let Transmit { proto, source, destination, contents } = transmit;
        let tcp = match proto {
            Protocol::Udp => false,
            Protocol::Tcp => true,
            Protocol::SslTcp | Protocol::Tls => return,
        };
        if is_check(contents) {
            self.tried(tcp, *source, *destination);
        } else {
            self.goes(tcp, *source, *destination).await;
        }
        if tcp {
            if let Some(connection) = self.connections.get(destination) {
                // A full connection loses the packet, as every datagram path may.
                let _ = connection.packets.try_send(contents.to_vec());
            }
        } else if let Some(relay) = self.relays.iter_mut().find(|relay| relay.address == Some(*source)) {
            relay.send(*destination, contents);
        } else if let Some(socket) = self.udp.get(source) {
            // What cannot be sent is lost; ICE notices when nothing arrives.
            let _ = socket.send_to(contents, *destination).await;
            self.pace(contents.len()).await;
        }
    }

    /// Rests after a burst.
    async fn pace(&mut self, bytes: usize) {
        let (since, sent) = &mut self.burst;
        if since.elapsed() > PAUSE {
            (*since, *sent) = (Instant::now(), 0);
        }
        *sent += bytes;
        if *sent >= BURST {
            tokio::time::sleep(PAUSE).await;
            self.burst = (Instant::now(), 0);
        }
    }

    async fn event(&mut self, event: Event) -> Result<(), Ended> {
        match event {
            Event::ChannelOpen(id, _) if id == self.channel => {
                self.open = true;
                let kind = self.kind.unwrap_or(PathKind::DirectUdp);
                self.facts.opened = Some((kind, self.started.elapsed()));
                self.teller.tell(What::Open(kind)).await;
                self.tell_facts().await;
            }
            Event::ChannelData(data) if data.id == self.channel && data.binary => {
                self.teller.tell(What::Frame(data.data)).await;
            }
            Event::ChannelClose(_) | Event::Closed => return Err(Ended::Closed),
            Event::IceConnectionStateChange(state) => {
                self.silent_since = match state {
                    IceConnectionState::Disconnected => self.silent_since.or(Some(Instant::now())),
                    IceConnectionState::New
                    | IceConnectionState::Checking
                    | IceConnectionState::Connected
                    | IceConnectionState::Completed => None,
                };
            }
            // Media and statistics: nothing was agreed on.
            _ => {}
        }
        Ok(())
    }

    /// Frames go this way now.
    async fn goes(&mut self, tcp: bool, from: SocketAddr, to: SocketAddr) {
        let relay = self.relays.iter().find(|relay| relay.address == Some(from));
        self.base = Some(relay.map_or(from, |relay| relay.local));
        let by_us = relay.is_some();
        let kind = match (tcp, by_us || self.relayed.contains(&to)) {
            (true, _) => PathKind::DirectTcp,
            (false, true) => PathKind::RelayedUdp,
            (false, false) => PathKind::DirectUdp,
        };
        if self.kind.replace(kind).is_some_and(|before| before != kind) && self.open {
            self.teller.tell(What::Kind(kind)).await;
        }
    }

    /// This computer has these addresses now. What began at another is over; an attempt that has not found a path yet has told some that
    /// lead nowhere, and may miss those that do.
    fn moved(&self, addresses: &[IpAddr]) -> Result<(), Ended> {
        let gone = |at: &SocketAddr| !at.ip().is_loopback() && !addresses.contains(&at.ip());
        let over = match (self.open, self.base) {
            (true, Some(base)) => gone(&base),
            (true, None) | (false, _) => self.udp.keys().any(gone),
        };
        if over { Err(Ended::Moved) } else { Ok(()) }
    }

    fn tried(&mut self, tcp: bool, from: SocketAddr, to: SocketAddr) {
        let known = self.facts.tried.iter().any(|pair| (pair.tcp, pair.from, pair.to) == (tcp, from, to));
        if !known && self.facts.tried.len() < MAX_TRIED {
            self.facts.tried.push(Tried { tcp, from, to, heard: false });
        }
    }

    fn heard(&mut self, tcp: bool, from: SocketAddr, to: SocketAddr) {
        let pair = |pair: &&mut Tried| (pair.tcp, pair.from, pair.to) == (tcp, to, from);
        if let Some(pair) = self.facts.tried.iter_mut().find(pair) {
            pair.heard = true;
        }
    }

    async fn tell_facts(&self) {
        self.teller.tell(What::Attempted(self.facts.clone())).await;
    }
}

/// Whether a packet is one of ICE (RFC 7983): it tells nothing about where frames go.
fn is_check(packet: &[u8]) -> bool {
    packet.first().is_some_and(|byte| *byte < 4)
}
