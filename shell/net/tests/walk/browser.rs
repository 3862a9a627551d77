//! The console's side with a direct path: a peer connection that offers, as a browser does, over real sockets.

use super::line;
use belay_link::{Link, Output, PathId, PathKind};
use belay_meeting::{Console, Server, Socket};
use belay_seal::Seal;
use belay_wire::gateway::{FromGateway, ToGateway};
use belay_wire::{LegTicket, Message, Moment};
use futures_util::{SinkExt, StreamExt};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId, Reliability};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::{Candidate, CandidateKind, Event, Input, Rtc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message as Said;

/// How much longer the way by the gateway is, so that it is clear which is the better one.
const DETOUR: Duration = Duration::from_millis(150);

struct Packet {
    tcp: bool,
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

/// The offering peer connection.
struct Peer {
    rtc: Rtc,
    channel: ChannelId,
    pending: Option<SdpPendingOffer>,
    wake: Instant,
    udp: Option<Arc<UdpSocket>>,
    tcp: Option<tokio::net::tcp::OwnedWriteHalf>,
}

/// A console with a browser's peer connection.
pub struct Browser {
    socket: Option<Socket>,
    ticket: LegTicket,
    seal: Seal,
    link: Link,
    relay: PathId,
    paths: u32,
    /// Frames of the gateway that are still on the detour.
    detour: VecDeque<(Instant, Vec<u8>)>,
    peer: Option<Peer>,
    attempt: u32,
    direct: Option<PathId>,
    /// Only TCP, as in a network that lets no datagrams through.
    tcp_only: bool,
    /// Nothing gets through but by the applet's relayed address.
    pub only_relayed: bool,
    /// The direct path swallows everything.
    pub silent: bool,
    /// The applet's candidates.
    pub candidates: Vec<Candidate>,
    pub gone: Vec<u32>,
    pub heard: Vec<Message>,
    packets: mpsc::Receiver<Packet>,
    arriving: mpsc::Sender<Packet>,
    started: Instant,
}

impl Browser {
    pub async fn open(server: &Server, tcp_only: bool) -> Browser {
        let Console { socket, ticket, seal, link, path, started, .. } = Console::open(server).await;
        let (arriving, packets) = mpsc::channel(1000);
        let mut browser = Browser {
            socket: Some(socket),
            ticket,
            seal,
            link,
            relay: path,
            paths: path.0,
            detour: VecDeque::new(),
            peer: None,
            attempt: 0,
            direct: None,
            tcp_only,
            only_relayed: false,
            silent: false,
            candidates: Vec::new(),
            gone: Vec::new(),
            heard: Vec::new(),
            packets,
            arriving,
            started,
        };
        browser.say(&line(0)).await;
        browser
    }

    /// Offers a direct path.
    pub async fn offer(&mut self) {
        let mut rtc = Rtc::builder()
            .set_crypto_provider(Arc::new(str0m::crypto::from_feature_flags()))
            .clear_codecs()
            .build(Instant::now());
        let mut changes = rtc.sdp_api();
        let channel = changes.add_channel_with_config(ChannelConfig {
            label: "belay-link/2".into(),
            ordered: false,
            reliability: Reliability::MaxRetransmits { retransmits: 0 },
            negotiated: Some(0),
            protocol: String::new(),
        });
        let (offer, pending): (SdpOffer, SdpPendingOffer) = changes.apply().unwrap();
        let pending = Some(pending);
        self.peer = Some(Peer { rtc, channel, pending, wake: Instant::now(), udp: None, tcp: None });
        self.attempt += 1;
        let sdp = offer.to_sdp_string();
        self.say(&Message::PathOffer { attempt: self.attempt, sdp }).await;
    }

    pub fn is_direct(&self) -> bool {
        self.direct.is_some() && self.link.active() == self.direct
    }

    pub async fn say(&mut self, message: &Message) {
        self.link.send(message.class(), message.encode()).unwrap();
        self.pump().await;
    }

    /// Goes on until something is so.
    pub async fn until(&mut self, what: &str, is_so: impl Fn(&Browser) -> bool) {
        let limit = Instant::now() + Duration::from_secs(120);
        while !is_so(self) {
            assert!(Instant::now() < limit, "not within two minutes: {what}; heard {}", self.heard.len());
            self.step().await;
        }
    }

    /// The connection to the gateway is lost.
    pub fn lose_gateway(&mut self) {
        self.socket = None;
        self.detour.clear();
        self.link.path_down(self.relay, self.now());
    }

    /// Comes back to the gateway with the same seal.
    pub async fn come_back(&mut self, server: &Server) {
        let credential = self.ticket.secret_bytes().to_vec();
        let (socket, ticket) = Console::enter(server, credential).await;
        (self.socket, self.ticket) = (Some(socket), ticket);
        self.paths += 1;
        self.relay = PathId(self.paths);
        let now = self.now();
        self.link.path_up(self.relay, PathKind::Relay, now);
        self.pump().await;
    }

    /// Waits for the next thing and does it.
    pub async fn step(&mut self) {
        let link = self.link.next_timeout().map(|at| self.started + Duration::from_micros(at.0));
        let peer = self.peer.as_ref().map(|peer| peer.wake);
        let detour = self.detour.front().map(|(at, _)| *at);
        let soon = Instant::now() + Duration::from_millis(500);
        let wake = [link, peer, detour].into_iter().flatten().fold(soon, Instant::min);
        tokio::select! {
            frame = relayed(&mut self.socket) => {
                if let Some(FromGateway::Frame(frame)) = frame {
                    self.detour.push_back((Instant::now() + DETOUR, frame));
                }
            }
            packet = self.packets.recv() => self.packet(packet.unwrap()).await,
            () = tokio::time::sleep_until(wake.into()) => {}
        }
        while self.detour.front().is_some_and(|(at, _)| *at <= Instant::now()) {
            let (_, frame) = self.detour.pop_front().unwrap();
            let (relay, now) = (self.relay, self.now());
            if let Ok(packet) = self.seal.open(&frame) {
                self.link.received(relay, &packet, now).unwrap();
            }
        }
        if let Some(peer) = &mut self.peer
            && peer.wake <= Instant::now()
        {
            peer.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
        }
        self.pump().await;
    }

    async fn packet(&mut self, packet: Packet) {
        let Packet { tcp, from, to, bytes } = packet;
        let by_relay = self.candidates.iter().any(|one| is_relayed(one) && one.addr() == from);
        if self.only_relayed && !by_relay {
            return;
        }
        let Some(peer) = self.peer.as_mut().filter(|_| !self.silent) else { return };
        let proto = if tcp { Protocol::Tcp } else { Protocol::Udp };
        let receive = Receive::new(proto, from, to, &bytes).unwrap();
        peer.rtc.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
    }

    async fn pump(&mut self) {
        let now = self.now();
        self.link.tick(now);
        loop {
            self.drain_peer().await;
            let now = self.now();
            match self.link.poll(now) {
                Some(Output::Transmit { path, packet }) => {
                    let frame = self.seal.seal(&packet).unwrap();
                    if path == self.relay {
                        if let Some(socket) = &mut self.socket {
                            let _ = socket.0.send(Said::binary(ToGateway::Frame(frame).encode())).await;
                        }
                    } else if let Some(peer) = self.peer.as_mut().filter(|_| !self.silent)
                        && let Some(mut channel) = peer.rtc.channel(peer.channel)
                    {
                        // What the channel does not take is lost, like any datagram.
                        let _ = channel.write(true, &frame).unwrap();
                    }
                }
                Some(Output::Deliver { message, .. }) => {
                    self.message(Message::decode(&message).unwrap()).await;
                }
                Some(Output::Active(_)) => {}
                None => return,
            }
        }
    }

    async fn message(&mut self, message: Message) {
        match message {
            Message::PathAnswer { attempt, sdp } if attempt == self.attempt => {
                let peer = self.peer.as_mut().unwrap();
                let answer = SdpAnswer::from_sdp_string(&sdp).unwrap();
                peer.rtc.sdp_api().accept_answer(peer.pending.take().unwrap(), answer).unwrap();
            }
            Message::PathCandidate { attempt, candidate }
                if attempt == self.attempt && !candidate.is_empty() =>
            {
                self.candidate(Candidate::from_sdp_string(&candidate).unwrap()).await;
            }
            Message::PathAnswer { .. } | Message::PathCandidate { .. } => {}
            Message::PathGone { attempt } => self.gone.push(attempt),
            other => self.heard.push(other),
        }
    }

    async fn candidate(&mut self, candidate: Candidate) {
        self.candidates.push(candidate.clone());
        if self.only_relayed && !is_relayed(&candidate) {
            return;
        }
        let is_tcp = candidate.proto() == Protocol::Tcp;
        let peer = self.peer.as_mut().unwrap();
        if is_tcp != self.tcp_only || !candidate.addr().is_ipv4() {
            return;
        }
        if is_tcp && peer.tcp.is_none() {
            let stream = TcpStream::connect(candidate.addr()).await.unwrap();
            let (at, from) = (stream.local_addr().unwrap(), candidate.addr());
            let (mut reader, writer) = stream.into_split();
            peer.tcp = Some(writer);
            let arriving = self.arriving.clone();
            tokio::spawn(async move {
                while let Ok(len) = reader.read_u16().await {
                    let mut bytes = vec![0; usize::from(len)];
                    reader.read_exact(&mut bytes).await.unwrap();
                    let _ = arriving.send(Packet { tcp: true, from, to: at, bytes }).await;
                }
            });
            let ours = Candidate::builder().tcp().host(at).tcptype(TcpType::Active).build().unwrap();
            peer.rtc.add_local_candidate(ours);
        }
        if !is_tcp && peer.udp.is_none() {
            let socket = Arc::new(UdpSocket::bind((candidate.addr().ip(), 0)).await.unwrap());
            let at = socket.local_addr().unwrap();
            peer.udp = Some(Arc::clone(&socket));
            let arriving = self.arriving.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 2048];
                while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
                    let bytes = buffer[..len].to_vec();
                    if arriving.send(Packet { tcp: false, from, to: at, bytes }).await.is_err() {
                        return;
                    }
                }
            });
            let ours = Candidate::host(at, Protocol::Udp).unwrap();
            let text = ours.to_sdp_string();
            peer.rtc.add_local_candidate(ours);
            let attempt = self.attempt;
            let ours = Message::PathCandidate { attempt, candidate: text };
            self.link.send(ours.class(), ours.encode()).unwrap();
        }
        let peer = self.peer.as_mut().unwrap();
        peer.rtc.add_remote_candidate(candidate);
    }

    async fn drain_peer(&mut self) {
        let now = self.now();
        let Some(peer) = &mut self.peer else { return };
        loop {
            match peer.rtc.poll_output().unwrap() {
                str0m::Output::Timeout(at) => {
                    peer.wake = at;
                    return;
                }
                str0m::Output::Transmit(_) if self.silent => {}
                str0m::Output::Transmit(out) => match (out.proto, &peer.udp, &mut peer.tcp) {
                    (Protocol::Udp, Some(socket), _) => {
                        let _ = socket.send_to(&out.contents, out.destination).await;
                    }
                    (Protocol::Tcp, _, Some(writer)) => {
                        let mut framed = u16::try_from(out.contents.len()).unwrap().to_be_bytes().to_vec();
                        framed.extend_from_slice(&out.contents);
                        let _ = writer.write_all(&framed).await;
                    }
                    other => panic!("no socket for {other:?}"),
                },
                str0m::Output::Event(Event::ChannelOpen(..)) => {
                    self.paths += 1;
                    self.direct = Some(PathId(self.paths));
                    self.link.path_up(PathId(self.paths), PathKind::Datagram, now);
                }
                str0m::Output::Event(Event::ChannelData(data)) => {
                    if let (Some(path), Ok(packet)) = (self.direct, self.seal.open(&data.data)) {
                        self.link.received(path, &packet, now).unwrap();
                    }
                }
                str0m::Output::Event(_) => {}
            }
        }
    }

    fn now(&self) -> Moment {
        Moment(u64::try_from(self.started.elapsed().as_micros()).unwrap())
    }
}

fn is_relayed(candidate: &Candidate) -> bool {
    candidate.kind() == CandidateKind::Relayed
}

/// The next frame by the gateway; waits for ever when it is not connected.
async fn relayed(socket: &mut Option<Socket>) -> Option<FromGateway> {
    let Some(connected) = socket else { return std::future::pending().await };
    match connected.0.next().await {
        Some(Ok(Said::Binary(bytes))) => Some(FromGateway::decode(&bytes).unwrap()),
        Some(Ok(_)) => None,
        Some(Err(_)) | None => {
            *socket = None;
            None
        }
    }
}
