//! What the website has to be told, as plain values; the executable fills it from its configuration.

use std::path::PathBuf;
use std::time::Duration;

/// Whether anybody but this computer can reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only this computer: no HSTS, or every other program on `localhost` would be bound by it.
    Loopback,
    /// A network.
    Network,
}

/// How often strangers may try, in tries a minute.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// PIN tries from one address.
    pub pin_per_address: u32,
    /// PIN tries from everywhere together.
    pub pin_in_all: u32,
    /// Sign-in tries from one address.
    pub sign_in_per_address: u32,
}

/// A gateway to be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGateway {
    /// `wss://HOST[:PORT]/gateway/v1`
    pub url: String,
    /// The name of its region.
    pub region: String,
}

/// The settings of the website.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The origin people type, `https://HOST[:PORT]`: links and applets carry it.
    pub origin: String,
    /// Further origins that reach the same server (the loopback addresses).
    pub more_origins: Vec<String>,
    /// Who can reach the server.
    pub reach: Reach,
    /// The name under which the gateway beside this website is listed.
    pub region: String,
    /// The gateways, best first; empty: the one beside this website.
    pub gateways: Vec<ListedGateway>,
    /// A sign-in dies after this long without activity.
    pub idle: Duration,
    /// The constant applet binary for Linux.
    pub applet_linux_x86_64: PathBuf,
    /// PEM certificates that applets shall trust; empty for the computer's own trust store.
    pub anchors: String,
    /// Limits of tries.
    pub limits: Limits,
}

impl Settings {
    /// Every origin that is this server.
    pub(crate) fn origins(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.origin.as_str()).chain(self.more_origins.iter().map(String::as_str))
    }

    /// The own origin that a `Host` header stands for.
    pub(crate) fn origin_of_host(&self, host: &str) -> Option<&str> {
        self.origins().find(|origin| authority(origin).eq_ignore_ascii_case(host))
    }

    /// The URL of this server's gateway, seen from `origin`.
    pub(crate) fn gateway_url(origin: &str) -> String {
        format!("wss://{}/gateway/v1", authority(origin))
    }

    /// The gateways that serve the accounts of this website, best first: those of its region; all, where none is.
    /// Empty: the one beside it.
    pub(crate) fn gateways_near(&self) -> impl Iterator<Item = &ListedGateway> {
        let any = self.gateways.iter().any(|gateway| gateway.region == self.region);
        self.gateways.iter().filter(move |gateway| !any || gateway.region == self.region)
    }

    /// The URLs of these gateways, best first; the own one is seen from `origin`. `at`: where the applet waits, which
    /// goes before all.
    pub(crate) fn gateway_urls(&self, origin: &str, at: Option<&str>) -> Vec<String> {
        if self.gateways.is_empty() {
            return vec![Self::gateway_url(origin)];
        }
        let mut urls: Vec<_> = self.gateways_near().map(|gateway| gateway.url.clone()).collect();
        if let Some(found) = at.and_then(|at| urls.iter().position(|url| url == at)) {
            urls[..=found].rotate_right(1);
        }
        urls
    }

    /// Whether a gateway that consoles are sent to is listed under this address.
    pub(crate) fn lists(&self, url: &str) -> bool {
        self.gateways_near().any(|gateway| gateway.url == url)
    }

    /// The host of the public origin, without port.
    pub(crate) fn domain(&self) -> &str {
        let authority = authority(&self.origin);
        match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => authority,
        }
    }
}

/// `HOST[:PORT]` of an origin.
pub(crate) fn authority(origin: &str) -> &str {
    origin.strip_prefix("https://").unwrap_or(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(listed: &[(&str, &str)]) -> Settings {
        let gateway = |(host, region): &(&str, &str)| ListedGateway {
            url: format!("wss://{host}/gateway/v1"),
            region: (*region).to_owned(),
        };
        Settings {
            origin: "https://help.example.org".to_owned(),
            more_origins: Vec::new(),
            reach: Reach::Network,
            region: "eu".to_owned(),
            gateways: listed.iter().map(gateway).collect(),
            idle: Duration::from_secs(900),
            applet_linux_x86_64: PathBuf::new(),
            anchors: String::new(),
            limits: Limits { pin_per_address: 1, pin_in_all: 1, sign_in_per_address: 1 },
        }
    }

    fn hosts(urls: &[String]) -> Vec<&str> {
        urls.iter().map(|url| url.split('/').nth(2).unwrap()).collect()
    }

    #[test]
    fn gateways_of_the_own_region_serve_and_the_applet_s_comes_first() {
        let eu = settings(&[("a", "eu"), ("far", "us"), ("b", "eu"), ("c", "eu")]);
        let urls = |at: Option<&str>| eu.gateway_urls("https://localhost", at);
        assert_eq!(hosts(&urls(None)), ["a", "b", "c"]);
        assert_eq!(hosts(&urls(Some("wss://c/gateway/v1"))), ["c", "a", "b"]);
        // What is not listed, or not here, does not lead a console anywhere.
        assert_eq!(hosts(&urls(Some("wss://evil/gateway/v1"))), ["a", "b", "c"]);
        assert_eq!(hosts(&urls(Some("wss://far/gateway/v1"))), ["a", "b", "c"]);
        assert!(eu.lists("wss://b/gateway/v1") && !eu.lists("wss://far/gateway/v1"));
        // A list without regions of ours is better than none.
        let us = settings(&[("a", "us"), ("b", "us")]);
        assert_eq!(hosts(&us.gateway_urls("https://localhost", None)), ["a", "b"]);
        let own = settings(&[]);
        assert_eq!(
            own.gateway_urls("https://localhost:1", Some("wss://x")),
            ["wss://localhost:1/gateway/v1"]
        );
    }
}
