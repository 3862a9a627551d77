//! The strict headers that every answer carries.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::settings::{Reach, Settings};
use crate::website::Website;

const PERMISSIONS: &str = "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), \
    geolocation=(), gyroscope=(), hid=(), magnetometer=(), microphone=(), midi=(), payment=(), \
    publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=(), \
    clipboard-read=(self), clipboard-write=(self), fullscreen=(self)";

/// The headers, made once at the start.
pub(crate) struct StrictHeaders(Vec<(HeaderName, HeaderValue)>);

impl StrictHeaders {
    /// `None` only when an origin contains characters that no header can carry.
    pub(crate) fn new(settings: &Settings) -> Option<Self> {
        let gateways: Vec<_> = settings
            .origins()
            // CSP knows no IPv6 addresses; a page opened by one reaches its own gateway through 'self'.
            .filter(|origin| !origin.contains('['))
            .map(|origin| format!("wss://{}", crate::settings::authority(origin)))
            .chain(settings.gateways.iter().filter_map(|gateway| {
                let (host, _) = gateway.url.strip_prefix("wss://")?.split_once('/')?;
                (!host.contains('[')).then(|| format!("wss://{host}"))
            }))
            .collect();
        let policy = format!(
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
             img-src 'self' blob: data:; connect-src 'self' {}; font-src 'self'; worker-src 'self'; \
             manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
            gateways.join(" ")
        );
        let mut headers = vec![
            (header::CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).ok()?),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            // Not `no-referrer`: with it browsers send `Origin: null` with the form that fetches the applet,
            // even to their own origin. Other sites learn nothing either way.
            (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
            (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
            // Together with the line before: shared memory, by which the console's sockets reach it.
            (
                HeaderName::from_static("cross-origin-embedder-policy"),
                HeaderValue::from_static("require-corp"),
            ),
            (
                HeaderName::from_static("cross-origin-resource-policy"),
                HeaderValue::from_static("same-origin"),
            ),
            (HeaderName::from_static("permissions-policy"), HeaderValue::from_static(PERMISSIONS)),
            (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        ];
        match settings.reach {
            Reach::Network => headers
                .push((header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"))),
            Reach::Loopback => {}
        }
        Some(Self(headers))
    }
}

/// Middleware around everything, refusals included.
pub(crate) async fn strict_headers(State(website): State<Website>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in &website.headers().0 {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    if !response.headers().contains_key(header::CACHE_CONTROL) {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
