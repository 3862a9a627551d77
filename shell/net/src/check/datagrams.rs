//! Whether datagrams come through: a STUN Binding request, then a TURN Allocate request that is to be refused for want of
//! a password.

use belay_turn::stun::{Class, Message, Method, Transaction, Writer, attribute};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;

use super::{Skip, Trouble, Verdict};

/// Sendings, and the time for an answer to each: datagrams may get lost.
const TRIES: u32 = 3;
const WITHIN: Duration = Duration::from_millis(700);
/// The transport that is asked for: UDP (RFC 8656, 18.7).
const UDP: [u8; 4] = [17, 0, 0, 0];

/// Datagrams, and their relay.
pub(super) async fn check(server: SocketAddr) -> (Verdict, Verdict) {
    let open = async {
        let any = match server {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect(server).await?;
        Ok::<_, io::Error>(socket)
    };
    let socket = match open.await {
        Ok(socket) => socket,
        Err(error) => {
            return (Verdict::Bad(Trouble::Other(error.to_string())), Verdict::Skipped(Skip::Before));
        }
    };
    let datagrams = ask(&socket, Method::Binding).await;
    let relay = match datagrams {
        Verdict::Good => ask(&socket, Method::Allocate).await,
        Verdict::Skipped(skip) => Verdict::Skipped(skip),
        Verdict::Bad(_) => Verdict::Skipped(Skip::Before),
    };
    (datagrams, relay)
}

async fn ask(socket: &UdpSocket, method: Method) -> Verdict {
    let mut transaction = [0; 12];
    if aws_lc_rs::rand::fill(&mut transaction).is_err() {
        return Verdict::Bad(Trouble::Other("the system gives no random numbers".into()));
    }
    let transaction = Transaction(transaction);
    let mut request = Vec::new();
    let mut writer = Writer::new(&mut request, method, Class::Request, transaction);
    if method == Method::Allocate {
        writer.add(attribute::REQUESTED_TRANSPORT, &UDP);
    }
    writer.finish();
    for _ in 0..TRIES {
        match socket.send(&request).await {
            // What the datagram before brought back.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                return Verdict::Skipped(Skip::Off);
            }
            Err(error) => return Verdict::Bad(Trouble::Other(error.to_string())),
            Ok(_) => {}
        }
        match tokio::time::timeout(WITHIN, answer(socket, method, transaction)).await {
            Ok(verdict) => return verdict,
            Err(_) => tracing::debug!(?method, "no answer yet"),
        }
    }
    Verdict::Bad(Trouble::Silent)
}

async fn answer(socket: &UdpSocket, method: Method, transaction: Transaction) -> Verdict {
    let mut buffer = [0; 1500];
    loop {
        let length = match socket.recv(&mut buffer).await {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                return Verdict::Skipped(Skip::Off);
            }
            Err(error) => return Verdict::Bad(Trouble::Other(error.to_string())),
        };
        let Some(message) = Message::read(&buffer[..length]) else { continue };
        if message.transaction() != transaction || message.method() != method {
            continue;
        }
        // To be asked for a password is what shows that somebody relays; a Binding has to succeed.
        return match (method, message.class()) {
            (Method::Binding, Class::Success) | (Method::Allocate, Class::Success | Class::Error) => {
                Verdict::Good
            }
            _ => Verdict::Bad(Trouble::NotBelay("an answer that makes no sense".into())),
        };
    }
}
