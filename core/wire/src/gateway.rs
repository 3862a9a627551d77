//! Between a leg (applet or console) and the gateway: `belay-gateway/1`. Spec: `docs/protocol/gateway.md`.

use crate::codec::{Reader, WireError, Writer};
use crate::id::{AccountId, LegTicket, SessionId};
use crate::right::Right;

/// Name and version; also the WebSocket subprotocol, with a dot for the slash.
pub const NAME: &str = "belay-gateway/1";
/// The WebSocket subprotocol.
pub const SUBPROTOCOL: &str = "belay-gateway.1";
/// Largest frame in bytes, either way.
pub const MAX_FRAME: usize = 1 << 20;
const MAX_VERSION: usize = 64;
const MAX_PLATFORM: usize = 64;
/// Most servers named in one [`Relaying`].
pub const MAX_SERVERS: usize = 8;
const MAX_CREDENTIAL: usize = 128;
const MAX_URL: usize = 255;

/// Which end of a session a leg is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// 1: the end user's applet; it has a session authentication id (16 bytes).
    Applet,
    /// 2: the technician's console; it has a leg ticket (32 bytes).
    Console,
}

/// The first frame of a leg.
#[derive(Clone, PartialEq, Eq)]
pub struct Hello {
    /// Which end this is.
    pub role: Role,
    /// The account the leg belongs to.
    pub account: AccountId,
    /// 16 bytes for an applet's session authentication id, 32 for a console's leg ticket and for anybody's return ticket. Secret.
    pub credential: Vec<u8>,
    /// The program's version, at most 64 bytes.
    pub version: String,
    /// Operating system and architecture, at most 64 bytes; hostile text.
    pub platform: String,
}

impl std::fmt::Debug for Hello {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Hello({:?}, {}, {:?}, {:?}, credential hidden)",
            self.role, self.account, self.version, self.platform
        )
    }
}

/// Why a leg is not admitted, or is put out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Refusal {
    /// The credential is not known.
    Unknown = 1,
    /// The credential was used before.
    Used = 2,
    /// The credential, or the session, has expired.
    Expired = 3,
    /// The credential belongs to another account or installation.
    Foreign = 4,
    /// The gateway is full; try another.
    Full = 5,
    /// The leg broke the protocol, or speaks another version.
    Protocol = 6,
    /// Too many tries from this address; wait.
    SlowDown = 7,
    /// The website could not be asked; try again.
    Unavailable = 8,
    /// The session is over, or another leg took this one's place.
    Replaced = 9,
}

impl Refusal {
    /// Every refusal, in the order of their numbers.
    pub const ALL: [Refusal; 9] = [
        Refusal::Unknown,
        Refusal::Used,
        Refusal::Expired,
        Refusal::Foreign,
        Refusal::Full,
        Refusal::Protocol,
        Refusal::SlowDown,
        Refusal::Unavailable,
        Refusal::Replaced,
    ];
}

/// What the applet lets the website know, for session list and security log. Holds no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ReportKind {
    /// The end user granted the right.
    Granted = 1,
    /// The end user refused it, or let the prompt time out.
    Refused = 2,
    /// The end user withdrew it, or it ended with the session.
    Withdrawn = 3,
    /// The console did something without the right.
    Violation = 4,
    /// The connection was not secure: the proof of the invitation link was wrong, the keys of the two ends differ, or packets were not
    /// the other end's. The right means nothing then.
    Tampered = 5,
}

impl ReportKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [ReportKind; 5] = [
        ReportKind::Granted,
        ReportKind::Refused,
        ReportKind::Withdrawn,
        ReportKind::Violation,
        ReportKind::Tampered,
    ];
}

/// Why a leg goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Leaving {
    /// The connection was lost.
    Lost = 1,
    /// The end user ended the session.
    EndedByEndUser = 2,
    /// The technician ended the session.
    EndedByTechnician = 3,
    /// The page or window was closed without ending the session.
    Closed = 4,
}

impl Leaving {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Leaving; 4] =
        [Leaving::Lost, Leaving::EndedByEndUser, Leaving::EndedByTechnician, Leaving::Closed];
}

/// Credentials for the gateway's STUN and TURN service, good for one leg.
#[derive(Clone, PartialEq, Eq)]
pub struct Relaying {
    /// How long they are valid, in seconds from now.
    pub seconds: u32,
    /// User name, at most 128 bytes.
    pub user: String,
    /// Password, at most 128 bytes. Secret.
    pub password: String,
    /// Where the service is: URLs of RFC 7064 and RFC 7065, at most [`MAX_SERVERS`] of at most 255 bytes.
    pub servers: Vec<String>,
}

impl std::fmt::Debug for Relaying {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Relaying({} s, {:?}, {:?}, password hidden)", self.seconds, self.user, self.servers)
    }
}

impl Relaying {
    fn write(&self, w: &mut Writer) {
        let servers = &self.servers[..self.servers.len().min(MAX_SERVERS)];
        w.u32(self.seconds).text(&self.user, MAX_CREDENTIAL).text(&self.password, MAX_CREDENTIAL);
        w.u8(servers.len() as u8);
        servers.iter().for_each(|url| {
            w.text(url, MAX_URL);
        });
    }

    fn read(r: &mut Reader<'_>) -> Result<Relaying, WireError> {
        let seconds = r.u32()?;
        let user = r.text("user name", MAX_CREDENTIAL)?;
        let password = r.text("password", MAX_CREDENTIAL)?;
        let count = usize::from(r.u8()?);
        if count > MAX_SERVERS {
            return Err(WireError::TooLong { what: "list of servers", limit: MAX_SERVERS });
        }
        let servers = (0..count).map(|_| r.text("URL", MAX_URL)).collect::<Result<_, _>>()?;
        Ok(Relaying { seconds, user, password, servers })
    }
}

/// From a leg to the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToGateway {
    /// 0x01: `[text name][u8 role][16 account][bytes credential][text version][text platform]`. Once, first.
    Hello(Hello),
    /// 0x02: `[bytes…]` for the partner, unread.
    Frame(Vec<u8>),
    /// 0x03: `[u8 reason]`. The leg goes; nothing follows.
    Bye(Leaving),
    /// 0x04: `[u8 kind][u8 right]`. Applet only.
    Report(ReportKind, Right),
}

/// From the gateway to a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromGateway {
    /// 0x81: `[16 session][32 return ticket]`. The leg is in; the ticket lets it in once more after its connection was lost.
    Admitted(SessionId, LegTicket),
    /// 0x82: `[u8 reason]`. The gateway closes after it.
    Refused(Refusal),
    /// 0x83: `[u32 pairing]`. The partner is there; what follows belongs to this pairing, counted from 1.
    Paired(u32),
    /// 0x84: `[u8 reason]`. The partner has gone.
    PartnerLeft(Leaving),
    /// 0x85: `[u32 seconds][text user][text password][u8 n]` then n times `[text URL]`.
    Relaying(Relaying),
    /// 0x02: `[bytes…]` from the partner.
    Frame(Vec<u8>),
}

const HELLO: u8 = 0x01;
/// Kind byte of a forwarded frame, the same both ways.
pub const FRAME: u8 = 0x02;
const BYE: u8 = 0x03;
const REPORT: u8 = 0x04;
const ADMITTED: u8 = 0x81;
const REFUSED: u8 = 0x82;
const PAIRED: u8 = 0x83;
const PARTNER_LEFT: u8 = 0x84;
const RELAYING: u8 = 0x85;

fn numbered<T: Copy>(all: &[T], what: &'static str, value: u8) -> Result<T, WireError> {
    usize::from(value)
        .checked_sub(1)
        .and_then(|at| all.get(at))
        .copied()
        .ok_or(WireError::Unknown { what, value: u64::from(value) })
}

impl ToGateway {
    /// The frame's bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            ToGateway::Hello(hello) => {
                let role = match hello.role {
                    Role::Applet => 1,
                    Role::Console => 2,
                };
                Writer::of(HELLO)
                    .text(NAME, MAX_VERSION)
                    .u8(role)
                    .raw(hello.account.as_bytes())
                    .bytes(&hello.credential)
                    .text(&hello.version, MAX_VERSION)
                    .text(&hello.platform, MAX_PLATFORM)
                    .finish()
            }
            ToGateway::Frame(bytes) => Writer::of(FRAME).raw(bytes).finish(),
            ToGateway::Bye(reason) => Writer::of(BYE).u8(*reason as u8).finish(),
            ToGateway::Report(kind, right) => Writer::of(REPORT).u8(*kind as u8).u8(*right as u8).finish(),
        }
    }

    /// Reads a frame of a leg.
    pub fn decode(bytes: &[u8]) -> Result<ToGateway, WireError> {
        let mut r = Reader::new(bytes);
        let frame = match r.u8()? {
            HELLO => {
                if r.text("protocol name", MAX_VERSION)? != NAME {
                    return Err(WireError::Unknown { what: "protocol version", value: 0 });
                }
                let role = numbered(&[1u8, 2], "role", r.u8()?)?;
                let role = if role == 1 { Role::Applet } else { Role::Console };
                ToGateway::Hello(Hello {
                    role,
                    account: AccountId::from_bytes(r.array()?),
                    credential: r.bytes("credential", 32)?.to_vec(),
                    version: r.text("version", MAX_VERSION)?,
                    platform: r.text("platform", MAX_PLATFORM)?,
                })
            }
            FRAME => ToGateway::Frame(r.remaining().to_vec()),
            BYE => ToGateway::Bye(numbered(&Leaving::ALL, "leaving reason", r.u8()?)?),
            REPORT => {
                ToGateway::Report(numbered(&ReportKind::ALL, "report kind", r.u8()?)?, Right::read(&mut r)?)
            }
            value => return Err(WireError::Unknown { what: "gateway frame", value: u64::from(value) }),
        };
        r.finish()?;
        Ok(frame)
    }
}

impl FromGateway {
    /// The frame's bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            FromGateway::Admitted(session, ticket) => {
                Writer::of(ADMITTED).raw(session.as_bytes()).raw(ticket.secret_bytes()).finish()
            }
            FromGateway::Refused(reason) => Writer::of(REFUSED).u8(*reason as u8).finish(),
            FromGateway::Paired(pairing) => Writer::of(PAIRED).u32(*pairing).finish(),
            FromGateway::PartnerLeft(reason) => Writer::of(PARTNER_LEFT).u8(*reason as u8).finish(),
            FromGateway::Relaying(relaying) => {
                let mut w = Writer::of(RELAYING);
                relaying.write(&mut w);
                w.finish()
            }
            FromGateway::Frame(bytes) => Writer::of(FRAME).raw(bytes).finish(),
        }
    }

    /// Reads a frame of the gateway.
    pub fn decode(bytes: &[u8]) -> Result<FromGateway, WireError> {
        let mut r = Reader::new(bytes);
        let frame = match r.u8()? {
            ADMITTED => {
                FromGateway::Admitted(SessionId::from_bytes(r.array()?), LegTicket::from_bytes(r.array()?))
            }
            REFUSED => FromGateway::Refused(numbered(&Refusal::ALL, "refusal", r.u8()?)?),
            PAIRED => FromGateway::Paired(r.u32()?),
            PARTNER_LEFT => FromGateway::PartnerLeft(numbered(&Leaving::ALL, "leaving reason", r.u8()?)?),
            RELAYING => FromGateway::Relaying(Relaying::read(&mut r)?),
            FRAME => FromGateway::Frame(r.remaining().to_vec()),
            value => return Err(WireError::Unknown { what: "gateway frame", value: u64::from(value) }),
        };
        r.finish()?;
        Ok(frame)
    }
}
