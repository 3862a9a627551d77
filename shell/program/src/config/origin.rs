//! An `https` origin: scheme, host and port, and nothing else.

use std::fmt;

/// `https://HOST` or `https://HOST:PORT`, in lower case, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    host: String,
    port: u16,
}

impl Origin {
    /// An origin from its parts. `host` is a name, an IPv4 address, or an IPv6 address in brackets.
    #[must_use]
    pub fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_ascii_lowercase(), port }
    }

    /// Reads an origin; a single slash at the end is forgiven. `None` when it is anything else than an
    /// `https` origin.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("https://")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(v6) => {
                let (address, after) = v6.split_once(']')?;
                address.parse::<std::net::Ipv6Addr>().ok()?;
                let port = match after.strip_prefix(':') {
                    Some(port) => port,
                    None if after.is_empty() => "443",
                    None => return None,
                };
                (format!("[{address}]"), port)
            }
            None => match rest.split_once(':') {
                Some((host, port)) => (host.to_owned(), port),
                None => (rest.to_owned(), "443"),
            },
        };
        let plain = host.starts_with('[')
            || (!host.is_empty()
                && host.len() <= 253
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.'));
        let port = port.parse::<u16>().ok().filter(|port| *port != 0)?;
        plain.then(|| Self::new(&host, port))
    }

    /// The host as in a URL (IPv6 in brackets).
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, 443 where none is written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What a browser sends as `Host`: without the port when it is 443.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.port == 443 { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_and_written_as_browsers_send_them() {
        for (written, sent) in [
            ("https://Help.Example.com", "https://help.example.com"),
            ("https://help.example.com:443/", "https://help.example.com"),
            ("https://localhost:8443", "https://localhost:8443"),
            ("https://[::1]:8443", "https://[::1]:8443"),
        ] {
            assert_eq!(Origin::parse(written).unwrap().to_string(), sent);
        }
    }

    #[test]
    fn what_is_not_an_https_origin_is_refused() {
        for bad in [
            "http://example.com",
            "example.com",
            "https://",
            "https://a/b",
            "https://a:0",
            "https://a:99999",
            "https://u@a",
            "https://[::g]",
            "https://[::1]x",
        ] {
            assert_eq!(Origin::parse(bad), None, "{bad}");
        }
    }
}
