//! The configuration of the server: one typed tree, read from a TOML file and overlaid by environment
//! variables named `BELAY_SECTION__KEY`. A key nobody knows ends the start: a typing mistake must never
//! silently leave a default in force.

mod defaults;
mod origin;
mod read;
mod turn;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::logging::LogFormat;
pub use origin::Origin;
pub use read::{ConfigError, is_region};
pub use turn::{RelayAddress, Turn};

/// Everything the server can be told. Where a value is optional, `None` means "derive it at the start".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `listen`: address and port of the one HTTPS listener. Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// `public_url`: the origin people type. `None`: `https://localhost:PORT` of the listener.
    pub public_url: Option<Origin>,
    /// `data_dir`: the store, its root key and self-made certificates.
    pub data_dir: PathBuf,
    /// `tls.*`
    pub tls: Tls,
    /// `sign_off_seconds`: a console without activity is signed off after this long (60 … 86 400).
    pub sign_off_seconds: u32,
    /// `applets.*`
    pub applets: Applets,
    /// `gateways`: the gateways that are listed, best first; empty: the one in the website's own process.
    pub gateways: Vec<GatewayAt>,
    /// `website.*`: where a gateway without a website in its process asks.
    pub website: WebsiteAt,
    /// `turn.*`: the gateway's STUN and TURN service.
    pub turn: Turn,
    /// `region`: the name under which this gateway is listed.
    pub region: String,
    /// `log.*`
    pub log: Log,
    /// `limits.*`
    pub limits: Limits,
}

/// Where the server's certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Files from outside, or a self-made certificate.
    pub source: TlsSource,
    /// `tls.anchor`: what applets shall trust.
    pub anchor: Anchor,
}

/// Where the certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsSource {
    /// `tls.certificate` and `tls.key`: PEM files.
    Files {
        /// Certificate chain, leaf first.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
    /// `tls.self_signed`: made by the server itself and kept in the data directory; loopback only.
    SelfSigned,
}

/// What an applet trusts when it connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchor {
    /// The self-signed certificate where there is one, otherwise the computer's own trust store.
    Default,
    /// `tls.anchor = ""`: the computer's own trust store (certificates of public authorities).
    System,
    /// `tls.anchor`: a PEM file, or the PEM text itself.
    Pem(PemSource),
}

/// A PEM document in a file or in the configuration itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PemSource {
    /// To be read from here.
    File(PathBuf),
    /// Here it is.
    Text(String),
}

/// Where the constant applet binaries lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applets {
    /// `applets.linux_x86_64`; `None`: `belay-applet` beside the server's executable.
    pub linux_x86_64: Option<PathBuf>,
}

/// A gateway for the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayAt {
    /// `wss://HOST[:PORT]/gateway/v1`
    pub url: String,
    /// The name of its region.
    pub region: String,
}

/// The website that a gateway in another process asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebsiteAt {
    /// `website.url`: its origin.
    pub url: Option<Origin>,
    /// `website.anchor`: what its certificate must go back to; `None`: the computer's own trust store.
    pub anchor: Option<PemSource>,
}

/// How the program logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// `log.format`: `text` or `json`.
    pub format: LogFormat,
    /// `log.level`: `info`, or a list such as `info,belay_store=debug`.
    pub level: String,
}

/// How often strangers may try, each in tries a minute (1 … 100 000), and how many a gateway takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `limits.pin_per_address`: PIN tries from one address.
    pub pin_per_address: u32,
    /// `limits.pin_in_all`: PIN tries from everywhere together.
    pub pin_in_all: u32,
    /// `limits.sign_in_per_address`: sign-in tries from one address.
    pub sign_in_per_address: u32,
    /// `limits.gateway_legs`: applets and consoles at this gateway at once; beyond that it says that it is full.
    pub gateway_legs: u32,
}

impl Config {
    /// Reads `file` (when there is one) and the given environment over it.
    ///
    /// # Errors
    /// One sentence naming the key, the place and the mend.
    pub fn read(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let text = match file {
            None => None,
            Some(path) => Some((
                path,
                std::fs::read_to_string(path)
                    .map_err(|source| ConfigError::Unreadable { file: path.to_owned(), source })?,
            )),
        };
        read::assemble(text.as_ref().map(|(path, text)| (*path, text.as_str())), environment)
    }
}

impl Default for Config {
    fn default() -> Self {
        defaults::config()
    }
}
