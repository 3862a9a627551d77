//! A TURN client for load: allocates, binds one channel, then only sends.

use anyhow::{Context, Result, bail, ensure};
use belay_turn::stun::{Class, Message, Method, Transaction, Writer, attribute};
use belay_turn::{Integrity, framing, long_term_key};
use rustls::{ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

const CHANNEL: u16 = 0x4000;

/// Username and password.
pub type Who = (String, String);

/// How a client reaches its server.
pub enum Path {
    Udp(UdpSocket),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// A client.
pub struct Client {
    pub path: Path,
    who: Who,
    realm: String,
    nonce: String,
    count: u64,
}

impl Client {
    pub fn udp(server: SocketAddr, who: Who) -> Result<Client> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        Ok(Client::on(Path::Udp(socket), who))
    }

    pub fn tls(server: SocketAddr, who: Who, config: &Arc<rustls::ClientConfig>) -> Result<Client> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let connection = ClientConnection::new(Arc::clone(config), "localhost".try_into()?)?;
        Ok(Client::on(Path::Tls(Box::new(StreamOwned::new(connection, stream))), who))
    }

    fn on(path: Path, who: Who) -> Client {
        Client { path, who, realm: String::new(), nonce: String::new(), count: 0 }
    }

    /// Allocates and says the relayed address.
    pub fn allocate(&mut self) -> Result<SocketAddr> {
        let answer = self.ask(Method::Allocate, |writer| {
            writer.add(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
        })?;
        let read = Message::read(&answer).context("not STUN")?;
        read.address(attribute::XOR_RELAYED_ADDRESS).context("no relayed address")
    }

    /// Binds the channel to a peer.
    pub fn bind(&mut self, peer: SocketAddr) -> Result<()> {
        self.ask(Method::ChannelBind, |writer| {
            writer.add(attribute::CHANNEL_NUMBER, &[(CHANNEL >> 8) as u8, CHANNEL as u8, 0, 0]);
            writer.add_address(attribute::XOR_PEER_ADDRESS, peer);
        })?;
        Ok(())
    }

    fn ask(&mut self, method: Method, fill: impl Fn(&mut Writer<'_>)) -> Result<Vec<u8>> {
        for _ in 0..4 {
            self.count += 1;
            let mut id = [0x5A; 12];
            id[..8].copy_from_slice(&self.count.to_be_bytes());
            let mut bytes = Vec::new();
            let mut writer = Writer::new(&mut bytes, method, Class::Request, Transaction(id));
            fill(&mut writer);
            if !self.nonce.is_empty() {
                writer.add(attribute::USERNAME, self.who.0.as_bytes());
                writer.add(attribute::REALM, self.realm.as_bytes());
                writer.add(attribute::NONCE, self.nonce.as_bytes());
                Integrity::Sha1.add(&mut writer, &long_term_key(&self.who.0, &self.realm, &self.who.1));
            }
            self.send(&bytes)?;
            let answer = self.receive()?;
            let read = Message::read(&answer).context("the answer is not STUN")?;
            ensure!(read.transaction() == Transaction(id), "an answer to something else");
            if read.class() == Class::Success {
                return Ok(answer);
            }
            let error = read.value(attribute::ERROR_CODE).context("an error without a number")?;
            match (error.get(2), error.get(3)) {
                (Some(4), Some(1 | 38)) => {
                    self.realm = read.text(attribute::REALM).context("no realm")?.to_owned();
                    self.nonce = read.text(attribute::NONCE).context("no nonce")?.to_owned();
                }
                _ => bail!("{method:?} was refused: {}", String::from_utf8_lossy(error)),
            }
        }
        bail!("{method:?} was challenged again and again")
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.path {
            Path::Udp(socket) => drop(socket.send(bytes)?),
            Path::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()?;
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<Vec<u8>> {
        let mut bytes = vec![0; 2048];
        match &mut self.path {
            Path::Udp(socket) => {
                let len = socket.recv(&mut bytes)?;
                bytes.truncate(len);
                Ok(bytes)
            }
            Path::Tls(stream) => {
                let mut len = 0;
                loop {
                    len += stream.read(&mut bytes[len..])?;
                    if let framing::Framed::Message { message, .. } = framing::first(&bytes[..len]) {
                        bytes.truncate(message);
                        return Ok(bytes);
                    }
                }
            }
        }
    }

    /// Sends payload on the channel. `packet` begins with four bytes for its header.
    pub fn send_channel(&mut self, packet: &mut [u8]) -> Result<()> {
        let len = (packet.len() - 4) as u16;
        packet[..2].copy_from_slice(&CHANNEL.to_be_bytes());
        packet[2..4].copy_from_slice(&len.to_be_bytes());
        match &mut self.path {
            Path::Udp(socket) => drop(socket.send(packet)?),
            Path::Tls(stream) => stream.write_all(packet)?,
        }
        Ok(())
    }
}
