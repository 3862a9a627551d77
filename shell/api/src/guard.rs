//! Which requests are let in at all: the right host, and no request of another origin's page.

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;

use belay_access::SecurityKind;

use crate::error::ApiError;
use crate::security::Noticed;
use crate::website::Website;

/// The origin under which the request reached this server, for handlers to build URLs from.
#[derive(Debug, Clone)]
pub(crate) struct OwnOrigin(pub String);

/// Middleware in front of every route.
pub(crate) async fn guard(
    State(website): State<Website>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    // Signed requests of other roles carry no cookie that a page could abuse; their signature covers the host.
    if request.uri().path().starts_with(crate::internal::PREFIX) {
        return next.run(request).await;
    }
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let own = host.and_then(|host| website.settings().origin_of_host(host));
    let Some(own) = own.map(str::to_owned) else {
        return ApiError::UnknownHost.into_response();
    };
    match whence(request.method(), request.headers(), &own) {
        Whence::Own => {
            request.extensions_mut().insert(OwnOrigin(own));
            next.run(request).await
        }
        Whence::Foreign { origin } => {
            website.security().notice(Noticed::new(SecurityKind::ForeignOrigin, peer.ip()).detail(format!(
                "{} {} from {origin}",
                request.method(),
                request.uri().path()
            )));
            ApiError::ForeignOrigin.into_response()
        }
    }
}

/// Where a request comes from.
#[derive(Debug, PartialEq, Eq)]
enum Whence {
    /// A page of this server, or a program that is no browser where that is allowed.
    Own,
    /// A page of another origin, or nobody says.
    Foreign {
        /// What the request said, shortened.
        origin: String,
    },
}

fn whence(method: &Method, headers: &HeaderMap, own: &str) -> Whence {
    let upgrades =
        headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let reads_only = matches!(*method, Method::GET | Method::HEAD);
    if reads_only && !upgrades {
        return Whence::Own;
    }
    let site_is_own = headers.get("sec-fetch-site").is_none_or(|site| site.as_bytes() == b"same-origin");
    let said = match headers.get(header::ORIGIN) {
        Some(origin) if origin.as_bytes().eq_ignore_ascii_case(own.as_bytes()) && site_is_own => {
            return Whence::Own;
        }
        // An applet is no browser and sends no origin; browsers always send one with an upgrade.
        None if upgrades && reads_only && site_is_own => return Whence::Own,
        Some(origin) => String::from_utf8_lossy(origin.as_bytes()).chars().take(200).collect(),
        None => "nowhere".to_owned(),
    };
    Whence::Foreign { origin: said }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "https://localhost:8443";

    fn request(method: Method, headers: &[(&'static str, &'static str)]) -> Whence {
        let map = headers
            .iter()
            .map(|(name, value)| (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap()))
            .collect();
        whence(&method, &map, OWN)
    }

    fn is_own(method: Method, headers: &[(&'static str, &'static str)]) -> bool {
        request(method, headers) == Whence::Own
    }

    #[test]
    fn reading_is_free_and_writing_needs_the_own_origin() {
        assert!(is_own(Method::GET, &[("origin", "https://evil.example")]));
        assert!(is_own(Method::POST, &[("origin", OWN)]));
        assert!(is_own(Method::POST, &[("origin", OWN), ("sec-fetch-site", "same-origin")]));
        assert!(!is_own(Method::POST, &[]));
        assert!(!is_own(Method::POST, &[("origin", "null")]));
        assert!(!is_own(Method::POST, &[("origin", "https://localhost:8444")]));
        assert!(!is_own(Method::DELETE, &[("origin", "https://evil.example")]));
        assert!(!is_own(Method::POST, &[("origin", OWN), ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn an_upgrade_is_for_the_own_page_or_for_no_browser() {
        let upgrade = ("upgrade", "WebSocket");
        assert!(is_own(Method::GET, &[upgrade, ("origin", OWN)]));
        assert!(is_own(Method::GET, &[upgrade]));
        assert!(!is_own(Method::GET, &[upgrade, ("origin", "https://evil.example")]));
        assert!(!is_own(Method::GET, &[upgrade, ("sec-fetch-site", "cross-site")]));
        assert!(!is_own(Method::POST, &[upgrade]));
    }
}
