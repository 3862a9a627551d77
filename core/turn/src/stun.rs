//! The byte format of STUN (RFC 8489): messages are read in place and written into a buffer, nothing is copied on the way.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Bytes of a STUN header.
pub const HEADER: usize = 20;
pub(crate) const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const FINGERPRINT_MASK: u32 = 0x5354_554E;

/// Attribute numbers.
pub mod attribute {
    #![allow(missing_docs)] // the names are those of the RFCs
    pub const MAPPED_ADDRESS: u16 = 0x0001;
    pub const USERNAME: u16 = 0x0006;
    pub const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub const ERROR_CODE: u16 = 0x0009;
    pub const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
    pub const CHANNEL_NUMBER: u16 = 0x000C;
    pub const LIFETIME: u16 = 0x000D;
    pub const XOR_PEER_ADDRESS: u16 = 0x0012;
    pub const DATA: u16 = 0x0013;
    pub const REALM: u16 = 0x0014;
    pub const NONCE: u16 = 0x0015;
    pub const XOR_RELAYED_ADDRESS: u16 = 0x0016;
    pub const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
    pub const EVEN_PORT: u16 = 0x0018;
    pub const REQUESTED_TRANSPORT: u16 = 0x0019;
    pub const DONT_FRAGMENT: u16 = 0x001A;
    pub const MESSAGE_INTEGRITY_SHA256: u16 = 0x001C;
    pub const PASSWORD_ALGORITHM: u16 = 0x001D;
    pub const USERHASH: u16 = 0x001E;
    pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub const RESERVATION_TOKEN: u16 = 0x0022;
    pub const PRIORITY: u16 = 0x0024;
    pub const USE_CANDIDATE: u16 = 0x0025;
    pub const FINGERPRINT: u16 = 0x8028;
}

/// What a message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Tell me my address.
    Binding,
    /// Give me a relayed address.
    Allocate,
    /// Keep it, or give it back.
    Refresh,
    /// Relay these bytes to a peer.
    Send,
    /// A peer's bytes.
    Data,
    /// Let these peers in.
    CreatePermission,
    /// Give a peer a short number.
    ChannelBind,
    /// A method this server does not know.
    Other(u16),
}

impl Method {
    fn number(self) -> u16 {
        match self {
            Method::Binding => 1,
            Method::Allocate => 3,
            Method::Refresh => 4,
            Method::Send => 6,
            Method::Data => 7,
            Method::CreatePermission => 8,
            Method::ChannelBind => 9,
            Method::Other(number) => number,
        }
    }

    fn from_number(number: u16) -> Method {
        match number {
            1 => Method::Binding,
            3 => Method::Allocate,
            4 => Method::Refresh,
            6 => Method::Send,
            7 => Method::Data,
            8 => Method::CreatePermission,
            9 => Method::ChannelBind,
            other => Method::Other(other),
        }
    }
}

/// The class of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Wants an answer.
    Request,
    /// Wants none.
    Indication,
    /// The answer "done".
    Success,
    /// The answer "refused".
    Error,
}

/// What ties an answer to its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Transaction(pub [u8; 12]);

fn kind(method: Method, class: Class) -> u16 {
    let m = method.number();
    let c = match class {
        Class::Request => 0x0000,
        Class::Indication => 0x0010,
        Class::Success => 0x0100,
        Class::Error => 0x0110,
    };
    (m & 0x000F) | ((m & 0x0070) << 1) | ((m & 0x0F80) << 2) | c
}

/// A well-formed message, read in place.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// INVARIANT: a whole message; the attributes fill exactly what the header says.
    bytes: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a message that must fill `bytes` exactly. `None` for what is not STUN, is cut or carries a wrong fingerprint.
    pub fn read(bytes: &'a [u8]) -> Option<Message<'a>> {
        let header = bytes.first_chunk::<HEADER>()?;
        let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if header[0] & 0xC0 != 0 || header[4..8] != COOKIE || len % 4 != 0 || bytes.len() != HEADER + len {
            return None;
        }
        let message = Message { bytes };
        let mut rest = &bytes[HEADER..];
        while !rest.is_empty() {
            let (number, value_len) = attribute_header(rest)?;
            let whole = 4 + value_len.next_multiple_of(4);
            let at = bytes.len() - rest.len();
            if rest.len() < whole {
                return None;
            }
            if number == attribute::FINGERPRINT {
                let value: [u8; 4] = rest.get(4..8)?.try_into().ok()?;
                if value_len != 4
                    || whole != rest.len()
                    || u32::from_be_bytes(value) != fingerprint(&bytes[..at])
                {
                    return None;
                }
            }
            rest = &rest[whole..];
        }
        Some(message)
    }

    /// The message's bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What it asks for.
    pub fn method(&self) -> Method {
        let k = u16::from_be_bytes([self.bytes[0], self.bytes[1]]);
        Method::from_number((k & 0x000F) | ((k & 0x00E0) >> 1) | ((k & 0x3E00) >> 2))
    }

    /// Whether it is a request, an indication or an answer.
    pub fn class(&self) -> Class {
        match (self.bytes[0] & 1, self.bytes[1] & 0x10) {
            (0, 0) => Class::Request,
            (0, _) => Class::Indication,
            (_, 0) => Class::Success,
            (_, _) => Class::Error,
        }
    }

    /// What ties an answer to it.
    pub fn transaction(&self) -> Transaction {
        let mut id = [0; 12];
        id.copy_from_slice(&self.bytes[8..HEADER]);
        Transaction(id)
    }

    /// All attributes: number, value, and where the attribute starts.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { bytes: self.bytes, at: HEADER }
    }

    /// The value of the first attribute of this number, and where the attribute starts.
    pub fn find(&self, number: u16) -> Option<(&'a [u8], usize)> {
        self.attributes().find(|&(n, ..)| n == number).map(|(_, value, at)| (value, at))
    }

    /// The value of the first attribute of this number, unless it stands behind the message's integrity and so is not
    /// protected by it.
    pub fn value(&self, number: u16) -> Option<&'a [u8]> {
        for (n, value, _) in self.attributes() {
            if n == number {
                return Some(value);
            }
            if matches!(n, attribute::MESSAGE_INTEGRITY | attribute::MESSAGE_INTEGRITY_SHA256) {
                return None;
            }
        }
        None
    }

    /// A text attribute.
    pub fn text(&self, number: u16) -> Option<&'a str> {
        std::str::from_utf8(self.value(number)?).ok()
    }

    /// A number of 32 bits.
    pub fn number(&self, number: u16) -> Option<u32> {
        Some(u32::from_be_bytes(self.value(number)?.try_into().ok()?))
    }

    /// An address that was mixed with cookie and transaction.
    pub fn address(&self, number: u16) -> Option<SocketAddr> {
        unmix(self.value(number)?, self.transaction())
    }
}

fn attribute_header(bytes: &[u8]) -> Option<(u16, usize)> {
    let [a, b, c, d] = *bytes.first_chunk::<4>()?;
    Some((u16::from_be_bytes([a, b]), usize::from(u16::from_be_bytes([c, d]))))
}

/// The attributes of a message in their order.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8], usize);

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at;
        let (number, len) = attribute_header(self.bytes.get(at..)?)?;
        let value = self.bytes.get(at + 4..at + 4 + len)?;
        self.at = at + 4 + len.next_multiple_of(4);
        Some((number, value, at))
    }
}

/// CRC-32 of everything before the attribute, whose length the header already counts.
pub(crate) fn fingerprint(before: &[u8]) -> u32 {
    crc32fast::hash(before) ^ FINGERPRINT_MASK
}

/// Reads a mixed address.
pub(crate) fn unmix(value: &[u8], transaction: Transaction) -> Option<SocketAddr> {
    let [_, family, high, low, ip @ ..] = value else { return None };
    let port = u16::from_be_bytes([high ^ COOKIE[0], low ^ COOKIE[1]]);
    let ip = match (family, ip.len()) {
        (1, 4) => {
            let mut octets: [u8; 4] = ip.try_into().ok()?;
            octets.iter_mut().zip(COOKIE).for_each(|(o, m)| *o ^= m);
            IpAddr::V4(Ipv4Addr::from(octets))
        }
        (2, 16) => {
            let mut octets: [u8; 16] = ip.try_into().ok()?;
            octets.iter_mut().zip(COOKIE.into_iter().chain(transaction.0)).for_each(|(o, m)| *o ^= m);
            IpAddr::V6(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Writes one message to the end of a buffer.
#[derive(Debug)]
pub struct Writer<'b> {
    buffer: &'b mut Vec<u8>,
    start: usize,
    transaction: Transaction,
}

impl<'b> Writer<'b> {
    /// Starts a message.
    pub fn new(
        buffer: &'b mut Vec<u8>,
        method: Method,
        class: Class,
        transaction: Transaction,
    ) -> Writer<'b> {
        let start = buffer.len();
        buffer.extend_from_slice(&kind(method, class).to_be_bytes());
        buffer.extend_from_slice(&[0, 0]);
        buffer.extend_from_slice(&COOKIE);
        buffer.extend_from_slice(&transaction.0);
        Writer { buffer, start, transaction }
    }

    /// Adds an attribute. INVARIANT of callers: a message stays far below 64 KiB; relayed data is bounded by a datagram.
    pub fn add(&mut self, number: u16, value: &[u8]) -> &mut Self {
        self.buffer.extend_from_slice(&number.to_be_bytes());
        self.buffer.extend_from_slice(&(value.len() as u16).to_be_bytes());
        self.buffer.extend_from_slice(value);
        let padding = value.len().next_multiple_of(4) - value.len();
        self.buffer.extend_from_slice(&[0; 3][..padding]);
        let len = (self.buffer.len() - self.start - HEADER) as u16;
        self.set_len(len);
        self
    }

    /// Adds an address mixed with cookie and transaction.
    pub fn add_address(&mut self, number: u16, address: SocketAddr) -> &mut Self {
        let mut value = [0u8; 20];
        let len = match address.ip() {
            IpAddr::V4(ip) => {
                value[4..8].copy_from_slice(&ip.octets());
                value[1] = 1;
                8
            }
            IpAddr::V6(ip) => {
                value[4..20].copy_from_slice(&ip.octets());
                value[1] = 2;
                20
            }
        };
        value[2..4].copy_from_slice(&address.port().to_be_bytes());
        value[2] ^= COOKIE[0];
        value[3] ^= COOKIE[1];
        value[4..].iter_mut().zip(COOKIE.into_iter().chain(self.transaction.0)).for_each(|(o, m)| *o ^= m);
        self.add(number, &value[..len])
    }

    /// Adds an error: its number and a short reason.
    pub fn add_error(&mut self, code: u16, reason: &str) -> &mut Self {
        let mut value = vec![0, 0, (code / 100) as u8, (code % 100) as u8];
        value.extend_from_slice(reason.as_bytes());
        self.add(attribute::ERROR_CODE, &value)
    }

    /// The message so far, its length counting `more` bytes that are still to come.
    pub(crate) fn so_far(&mut self, more: usize) -> &[u8] {
        let len = (self.buffer.len() - self.start - HEADER + more) as u16;
        self.set_len(len);
        &self.buffer[self.start..]
    }

    /// Ends the message with its fingerprint.
    pub fn finish(&mut self) {
        let crc = fingerprint(self.so_far(8));
        self.add(attribute::FINGERPRINT, &crc.to_be_bytes());
    }

    fn set_len(&mut self, len: u16) {
        self.buffer[self.start + 2..self.start + 4].copy_from_slice(&len.to_be_bytes());
    }
}
