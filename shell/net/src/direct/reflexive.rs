//! How the gateway sees our UDP sockets: STUN Binding requests to its `stun:` servers (RFC 8489).

use belay_turn::stun::{Class, Message, Method, Transaction, Writer, attribute};
use std::net::SocketAddr;
use std::time::Duration;

/// Servers asked.
const MAX_SERVERS: usize = 2;
/// When a request goes again if it is not answered; what is not answered then is given up.
pub(super) const AGAIN: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(500), Duration::from_millis(1500), Duration::from_millis(3500)];

/// The addresses of the `stun:` servers among these URLs.
pub(super) async fn servers(urls: &[String]) -> (Vec<SocketAddr>, Vec<String>) {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for host in urls.iter().filter_map(|url| url.strip_prefix("stun:")).take(MAX_SERVERS) {
        let host = if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
            host.to_owned()
        } else {
            format!("{host}:3478")
        };
        match tokio::net::lookup_host(&host).await {
            Ok(addresses) => found.extend(addresses.take(2)),
            Err(error) => failures.push(format!("{host} has no address: {error}")),
        }
    }
    (found, failures)
}

/// A request and what its answer will carry.
pub(super) fn request() -> Option<(Transaction, Vec<u8>)> {
    let mut id = [0; 12];
    aws_lc_rs::rand::fill(&mut id).ok()?;
    let mut bytes = Vec::new();
    Writer::new(&mut bytes, Method::Binding, Class::Request, Transaction(id)).finish();
    Some((Transaction(id), bytes))
}

/// Transaction and address of an answer, if these bytes are one.
pub(super) fn answer(bytes: &[u8]) -> Option<(Transaction, SocketAddr)> {
    let message = Message::read(bytes)?;
    let is_answer = message.method() == Method::Binding && message.class() == Class::Success;
    let seen = message.address(attribute::XOR_MAPPED_ADDRESS).filter(|_| is_answer)?;
    Some((message.transaction(), seen))
}
