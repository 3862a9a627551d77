//! Every default of the configuration, and every key that exists.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::{Anchor, Applets, Config, Limits, Log, Tls, TlsSource, Turn, WebsiteAt};
use crate::logging::LogFormat;

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Flag,
    List,
}

/// Every key there is, in the order of the documentation.
pub(super) const KEYS: &[(&str, Kind)] = &[
    ("listen", Kind::Text),
    ("public_url", Kind::Text),
    ("data_dir", Kind::Text),
    ("tls.certificate", Kind::Text),
    ("tls.key", Kind::Text),
    ("tls.self_signed", Kind::Flag),
    ("tls.anchor", Kind::Text),
    ("sign_off_seconds", Kind::Number),
    ("applets.linux_x86_64", Kind::Text),
    ("region", Kind::Text),
    ("gateways", Kind::List),
    ("website.url", Kind::Text),
    ("website.anchor", Kind::Text),
    ("turn.enabled", Kind::Flag),
    ("turn.udp_port", Kind::Number),
    ("turn.relay_addresses", Kind::List),
    ("turn.relay_ports", Kind::Text),
    ("turn.host", Kind::Text),
    ("log.format", Kind::Text),
    ("log.level", Kind::Text),
    ("limits.pin_per_address", Kind::Number),
    ("limits.pin_in_all", Kind::Number),
    ("limits.sign_in_per_address", Kind::Number),
];

/// What holds when nothing is written.
pub(super) fn config() -> Config {
    Config {
        listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8443),
        public_url: None,
        data_dir: PathBuf::from("/var/lib/belay"),
        tls: Tls { source: TlsSource::SelfSigned, anchor: Anchor::Default },
        sign_off_seconds: 900,
        applets: Applets { linux_x86_64: None },
        gateways: Vec::new(),
        website: WebsiteAt { url: None, anchor: None },
        turn: Turn {
            enabled: true,
            udp_port: None,
            relay_addresses: Vec::new(),
            // Those that systems do not give out by themselves (RFC 6335), as RFC 8656 section 6.2 wants.
            relay_ports: 49_152..=65_535,
            host: None,
        },
        region: "local".to_owned(),
        log: Log { format: LogFormat::Text, level: "info".to_owned() },
        limits: Limits { pin_per_address: 10, pin_in_all: 100, sign_in_per_address: 10 },
    }
}
