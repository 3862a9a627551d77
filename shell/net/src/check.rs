//! What works of the way to an installation, step by step, as seen from here: for `belay doctor`, and for the applet.
//!
//! Nothing of it needs a session, opens one, or says who asks. The words are for those who show it.

mod datagrams;

use hyper::Uri;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::client::TlsStream;

use crate::dial::{Dial, DialError};

/// Time for each step.
const WITHIN: Duration = Duration::from_secs(5);

/// A step on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The name has an address (DNS).
    Name,
    /// Somebody listens at the port (TCP).
    Port,
    /// It is the right server (TLS).
    Certificate,
    /// The website answers (HTTPS).
    Website,
    /// The gateway takes connections (WebSocket).
    Gateway,
    /// Datagrams come through (UDP, STUN).
    Datagrams,
    /// Datagrams would be relayed (TURN).
    Relay,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Good,
    /// It does not.
    Bad(Trouble),
    /// It was not tried.
    Skipped(Skip),
}

/// Why a step does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No such name, or nobody to ask.
    NoName,
    /// Nobody listens there.
    Refused,
    /// No answer within the time.
    Silent,
    /// The system's own words.
    Other(String),
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet; most often a clock is wrong.
    NotYet,
    /// The certificate is for another name.
    OtherName,
    /// The certificate goes back to nobody who is trusted.
    Untrusted,
    /// It answers, but not as a website of Belay does.
    NotBelay(String),
}

/// Why a step was not tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// What comes before it does not work.
    Before,
    /// It is not switched on there.
    Off,
}

/// One step at one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Which step.
    pub step: Step,
    /// `HOST[:PORT]`.
    pub host: String,
    /// What was found.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
    /// The addresses of the name, at [`Step::Name`].
    pub addresses: Vec<IpAddr>,
    /// The server's own certificate (DER), at [`Step::Certificate`], also when it is not trusted.
    pub certificate: Option<Vec<u8>>,
}

impl Check {
    /// Whether this is what keeps a session from working. Without datagrams it works, only more slowly.
    pub fn is_fatal(&self) -> bool {
        match self.step {
            Step::Name | Step::Port | Step::Certificate | Step::Website | Step::Gateway => {
                matches!(self.verdict, Verdict::Bad(_))
            }
            Step::Datagrams | Step::Relay => false,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::NoName => f.write_str("the name has no address"),
            Trouble::Refused => f.write_str("nobody listens there"),
            Trouble::Silent => f.write_str("no answer"),
            Trouble::Expired => f.write_str("the certificate has expired"),
            Trouble::NotYet => f.write_str("the certificate is not valid yet"),
            Trouble::OtherName => f.write_str("the certificate is for another name"),
            Trouble::Untrusted => f.write_str("the certificate is not trusted"),
            Trouble::Other(why) | Trouble::NotBelay(why) => f.write_str(why),
        }
    }
}

/// Tries everything, in order: the website, each gateway that it lists, datagrams to this port of the website's computer, or
/// to that of the website.
pub async fn check(dial: &Dial, datagrams_at: Option<u16>) -> Vec<Check> {
    let mut checks = Vec::new();
    let origin = dial.origin().clone();
    let stream = connect(dial, &origin, &mut checks).await;
    let mut gateways = Vec::new();
    let at = Instant::now();
    let verdict = match stream {
        None => Verdict::Skipped(Skip::Before),
        Some(stream) => match tokio::time::timeout(WITHIN, dial.list_over(&origin, stream)).await {
            Err(_) => Verdict::Bad(Trouble::Silent),
            Ok(Ok(list)) => {
                gateways = list;
                Verdict::Good
            }
            Ok(Err(error)) => Verdict::Bad(Trouble::NotBelay(reason(error))),
        },
    };
    checks.push(one(Step::Website, &origin, verdict, at));
    if gateways.is_empty() {
        checks.push(one(Step::Gateway, &origin, Verdict::Skipped(Skip::Before), at));
    }
    for gateway in gateways {
        let same = gateway.authority() == origin.authority();
        let stream =
            if same { dial.reach(&gateway).await.ok() } else { connect(dial, &gateway, &mut checks).await };
        let at = Instant::now();
        let verdict = match stream {
            None => Verdict::Skipped(Skip::Before),
            Some(stream) => match dial.upgrade(&gateway, stream).await {
                Ok(_) => Verdict::Good,
                Err(DialError::Unreachable { .. }) => Verdict::Bad(Trouble::Silent),
                Err(error) => Verdict::Bad(Trouble::NotBelay(reason(error))),
            },
        };
        checks.push(one(Step::Gateway, &gateway, verdict, at));
    }
    let (host, port) = place(&origin);
    let port = datagrams_at.unwrap_or(port);
    let at = Instant::now();
    // Of a server that takes no connections nobody can say what it does with datagrams.
    let reached = checks.iter().any(|check| check.step == Step::Port && check.verdict == Verdict::Good);
    let address = match tokio::time::timeout(WITHIN, lookup_host((host, port))).await {
        Ok(Ok(mut found)) if reached => found.next(),
        Ok(_) | Err(_) => None,
    };
    let (datagrams, relay) = match address {
        None => (Verdict::Skipped(Skip::Before), Verdict::Skipped(Skip::Before)),
        Some(address) => datagrams::check(address).await,
    };
    checks.push(one(Step::Datagrams, &origin, datagrams, at));
    checks.push(one(Step::Relay, &origin, relay, at));
    checks
}

/// Name, port and certificate of one server, as far as it goes.
async fn connect(dial: &Dial, uri: &Uri, checks: &mut Vec<Check>) -> Option<TlsStream<TcpStream>> {
    let (host, port) = place(uri);
    let at = Instant::now();
    let (addresses, verdict) = match tokio::time::timeout(WITHIN, lookup_host((host, port))).await {
        Err(_) => (Vec::new(), Verdict::Bad(Trouble::NoName)),
        Ok(Err(_)) => (Vec::new(), Verdict::Bad(Trouble::NoName)),
        Ok(Ok(found)) => {
            let found: Vec<SocketAddr> = found.collect();
            let verdict = if found.is_empty() { Verdict::Bad(Trouble::NoName) } else { Verdict::Good };
            (found, verdict)
        }
    };
    let mut check = one(Step::Name, uri, verdict, at);
    check.addresses = addresses.iter().map(SocketAddr::ip).collect();
    checks.push(check);

    let at = Instant::now();
    let (tcp, verdict) = if addresses.is_empty() {
        (None, Verdict::Skipped(Skip::Before))
    } else {
        match tokio::time::timeout(WITHIN, TcpStream::connect(addresses.as_slice())).await {
            Err(_) => (None, Verdict::Bad(Trouble::Silent)),
            Ok(Err(error)) => (None, Verdict::Bad(of_io(&error))),
            Ok(Ok(stream)) => (Some(stream), Verdict::Good),
        }
    };
    checks.push(one(Step::Port, uri, verdict, at));

    let at = Instant::now();
    let (tls, verdict, certificate) = match tcp {
        None => (None, Verdict::Skipped(Skip::Before), None),
        Some(stream) => match tokio::time::timeout(WITHIN, dial.secure(uri, stream)).await {
            Err(_) => (None, Verdict::Bad(Trouble::Silent), None),
            Ok(Err(error)) => (None, Verdict::Bad(of_tls(&error)), None),
            Ok(Ok(stream)) => {
                let chain = stream.get_ref().1.peer_certificates();
                let leaf = chain.and_then(|chain| chain.first()).map(|leaf| leaf.to_vec());
                (Some(stream), Verdict::Good, leaf)
            }
        },
    };
    let mut check = one(Step::Certificate, uri, verdict, at);
    check.certificate = certificate;
    checks.push(check);
    tls
}

fn one(step: Step, uri: &Uri, verdict: Verdict, since: Instant) -> Check {
    let host = uri.authority().map(ToString::to_string).unwrap_or_default();
    Check { step, host, verdict, took: since.elapsed(), addresses: Vec::new(), certificate: None }
}

fn place(uri: &Uri) -> (&str, u16) {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    (host, uri.port_u16().unwrap_or(443))
}

fn of_io(error: &io::Error) -> Trouble {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Trouble::Refused,
        io::ErrorKind::TimedOut => Trouble::Silent,
        _ => Trouble::Other(error.to_string()),
    }
}

fn of_tls(error: &io::Error) -> Trouble {
    use rustls::CertificateError as Certificate;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => match why {
            Certificate::Expired | Certificate::ExpiredContext { .. } => Trouble::Expired,
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => Trouble::NotYet,
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => Trouble::OtherName,
            Certificate::UnknownIssuer | Certificate::BadSignature => Trouble::Untrusted,
            other => Trouble::Other(format!("the certificate is not usable: {other:?}")),
        },
        Some(other) => Trouble::Other(other.to_string()),
        None => of_io(error),
    }
}

fn reason(error: DialError) -> String {
    match error {
        DialError::Answer { reason, .. }
        | DialError::Unreachable { reason, .. }
        | DialError::Certificate { reason, .. } => reason,
        DialError::Address(address) => format!("{address:?} is no address"),
        DialError::Anchors(reason) => reason,
    }
}
