//! What the website has to be told, as plain values; the executable fills it from its configuration.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// PEM certificates that applets shall trust; empty for the computer's own trust store. Copies share what they hold, so that it
/// can be replaced while the website runs: applets that are downloaded from then on get the new ones.
#[derive(Debug, Clone, Default)]
pub struct Anchors(Arc<RwLock<String>>);

impl Anchors {
    /// These certificates.
    pub fn new(pem: String) -> Self {
        Self(Arc::new(RwLock::new(pem)))
    }

    /// The certificates as they are now.
    pub fn pem(&self) -> String {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Others take their place; whether they are others.
    pub fn replace(&self, pem: String) -> bool {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let changed = *held != pem;
        *held = pem;
        changed
    }
}

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
    /// What applets shall trust.
    pub anchors: Anchors,
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

    /// The gateways that serve an account of this region, best first; `origin`: from where the own one is seen, which is meant where
    /// none is listed. An account that has a region of its own gets gateways of that one and no others; another those of the
    /// website's region, or all where none is of it.
    pub(crate) fn gateways_of(&self, region: Option<&str>, origin: &str) -> Vec<ListedGateway> {
        if self.gateways.is_empty() {
            let own = ListedGateway { url: Self::gateway_url(origin), region: self.region.clone() };
            return if region.is_none_or(|region| region == self.region) { vec![own] } else { Vec::new() };
        }
        let any = self.gateways.iter().any(|gateway| gateway.region == self.region);
        let serves = |gateway: &&ListedGateway| match region {
            Some(region) => gateway.region == region,
            None => !any || gateway.region == self.region,
        };
        self.gateways.iter().filter(serves).cloned().collect()
    }

    /// Their URLs. `at`: where the applet waits, which goes before all.
    pub(crate) fn gateway_urls(&self, region: Option<&str>, origin: &str, at: Option<&str>) -> Vec<String> {
        let mut urls: Vec<_> =
            self.gateways_of(region, origin).into_iter().map(|gateway| gateway.url).collect();
        if let Some(found) = at.and_then(|at| urls.iter().position(|url| url == at)) {
            urls[..=found].rotate_right(1);
        }
        urls
    }

    /// Whether a gateway is listed under this address.
    pub(crate) fn lists(&self, url: &str) -> bool {
        self.gateways.iter().any(|gateway| gateway.url == url)
    }

    /// Whether legs of an account of this region may come in at the gateway of this address; `None`: at one that is in no list.
    pub(crate) fn may_enter(&self, region: Option<&str>, url: Option<&str>, is_own: bool) -> bool {
        let Some(region) = region else { return true };
        match url.and_then(|url| self.gateways.iter().find(|gateway| gateway.url == url)) {
            Some(gateway) => gateway.region == region,
            None => is_own && self.region == region,
        }
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
            anchors: Anchors::default(),
            limits: Limits { pin_per_address: 1, pin_in_all: 1, sign_in_per_address: 1 },
        }
    }

    fn hosts(urls: &[String]) -> Vec<&str> {
        urls.iter().map(|url| url.split('/').nth(2).unwrap()).collect()
    }

    #[test]
    fn gateways_of_the_own_region_serve_and_the_applet_s_comes_first() {
        let eu = settings(&[("a", "eu"), ("far", "us"), ("b", "eu"), ("c", "eu")]);
        let urls = |at: Option<&str>| eu.gateway_urls(None, "https://localhost", at);
        assert_eq!(hosts(&urls(None)), ["a", "b", "c"]);
        assert_eq!(hosts(&urls(Some("wss://c/gateway/v1"))), ["c", "a", "b"]);
        // What is not listed, or not here, does not lead a console anywhere.
        assert_eq!(hosts(&urls(Some("wss://evil/gateway/v1"))), ["a", "b", "c"]);
        assert_eq!(hosts(&urls(Some("wss://far/gateway/v1"))), ["a", "b", "c"]);
        assert!(eu.lists("wss://b/gateway/v1") && !eu.lists("wss://evil/gateway/v1"));
        // A list without regions of ours is better than none.
        let us = settings(&[("a", "us"), ("b", "us")]);
        assert_eq!(hosts(&us.gateway_urls(None, "https://localhost", None)), ["a", "b"]);
        let own = settings(&[]);
        assert_eq!(
            own.gateway_urls(None, "https://localhost:1", Some("wss://x")),
            ["wss://localhost:1/gateway/v1"]
        );
    }

    #[test]
    fn an_account_with_a_region_of_its_own_stays_in_it() {
        let eu = settings(&[("a", "eu"), ("far", "us"), ("b", "eu")]);
        let urls = |region| eu.gateway_urls(Some(region), "https://localhost", Some("wss://b/gateway/v1"));
        assert_eq!(hosts(&urls("us")), ["far"]);
        assert_eq!(hosts(&urls("eu")), ["b", "a"]);
        assert_eq!(urls("asia"), Vec::<String>::new(), "none is better than one elsewhere");
        let may = |region, host: &str| eu.may_enter(region, Some(&format!("wss://{host}/gateway/v1")), false);
        assert!(may(None, "far") && may(Some("us"), "far") && !may(Some("us"), "a"));
        assert!(!may(Some("us"), "evil") && !eu.may_enter(Some("us"), None, false));
        let own = settings(&[]);
        assert_eq!(own.gateway_urls(Some("eu"), "https://localhost", None).len(), 1);
        assert!(own.gateway_urls(Some("us"), "https://localhost", None).is_empty());
        assert!(own.may_enter(Some("eu"), None, true) && !own.may_enter(Some("us"), None, true));
    }
}
