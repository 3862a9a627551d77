//! The website as one value, and its routes put together.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{from_fn, from_fn_with_state};
use belay_identity::Passwords;
use belay_store::{Store, Through};
use belay_wire::Moment;
use tokio::task::JoinHandle;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::clock::Clock;
use crate::error::ApiError;
use crate::headers::StrictHeaders;
use crate::internal::Gateways;
use crate::join::AppletFile;
use crate::limits::Buckets;
use crate::security::Security;
use crate::settings::Settings;
use crate::{guard, headers, openapi, pages};

/// Largest body of a request in bytes.
const BODY_MAX: usize = 64 * 1024;
/// A client that sends nothing of its body for this long is given up.
const BODY_SILENCE: Duration = Duration::from_secs(15);

/// What a website is made of.
pub struct WebsiteParts {
    /// Where everything is kept.
    pub store: Store,
    /// Checks passwords.
    pub passwords: Passwords,
    /// What it was told.
    pub settings: Settings,
    /// Where the time comes from.
    pub clock: Clock,
}

/// The website; cheap to clone.
#[derive(Clone)]
pub struct Website(Arc<Inner>);

struct Inner {
    store: Store,
    passwords: Passwords,
    settings: Settings,
    clock: Clock,
    buckets: Arc<Buckets>,
    security: Security,
    headers: StrictHeaders,
    applet: AppletFile,
    gateways: Arc<Gateways>,
}

impl Website {
    /// Puts a website together and starts the task that writes the security log, which ends when the last
    /// clone of the website is gone.
    ///
    /// # Errors
    /// `None` when an origin contains characters that no HTTP header can carry.
    pub fn start(parts: WebsiteParts) -> Option<(Self, JoinHandle<()>)> {
        let WebsiteParts { store, passwords, settings, clock } = parts;
        let headers = StrictHeaders::new(&settings)?;
        let buckets = Arc::new(Buckets::new(settings.limits));
        let (security, task) = Security::start(store.clone(), buckets.clone(), clock.clone());
        let applet = AppletFile::new(settings.applet_linux_x86_64.clone());
        let gateways = Arc::new(Gateways::new(clock.now()));
        let inner = Inner { store, passwords, settings, clock, buckets, security, headers, applet, gateways };
        Some((Self(Arc::new(inner)), task))
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn now(&self) -> Moment {
        self.0.clock.now()
    }

    pub(crate) fn buckets(&self) -> &Buckets {
        &self.0.buckets
    }

    pub(crate) fn security(&self) -> &Security {
        &self.0.security
    }

    pub(crate) fn headers(&self) -> &StrictHeaders {
        &self.0.headers
    }

    pub(crate) fn applet(&self) -> &AppletFile {
        &self.0.applet
    }

    pub(crate) fn gateways(&self) -> &Arc<Gateways> {
        &self.0.gateways
    }

    /// Where the gateway is reached through which a leg came; `None` when it is in no list.
    pub(crate) fn place_of(&self, through: Through) -> Option<String> {
        match through {
            Through::Own => {
                let own = Settings::gateway_url(&self.settings().origin);
                self.settings().lists(&own).then_some(own)
            }
            Through::Gateway(key) => self.gateways().place_of(&key),
        }
    }

    /// Returns when every row of the security log noticed so far is written.
    pub async fn flush(&self) {
        self.0.security.flush().await;
    }
}

/// The whole server as one router: API, pages, and `more` routes (the gateway's), all behind the same guard
/// and under the same headers. Needs `ConnectInfo<SocketAddr>`.
pub fn app(website: &Website, more: Router) -> Router {
    let (api, _) = openapi::routes().split_for_parts();
    let api = api
        .layer(from_fn(api_refusals))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(RequestBodyTimeoutLayer::new(BODY_SILENCE))
        .with_state(website.clone());
    Router::new()
        .merge(api)
        .merge(crate::internal::routes(website))
        .merge(more)
        .merge(pages::routes())
        .layer(from_fn_with_state(website.clone(), guard::guard))
        .layer(from_fn_with_state(website.clone(), headers::strict_headers))
}

/// Gives the framework's own refusals of a known path the common form.
async fn api_refusals(
    request: Request,
    next: axum::middleware::Next,
) -> Result<axum::response::Response, ApiError> {
    let response = next.run(request).await;
    match response.status() {
        axum::http::StatusCode::METHOD_NOT_ALLOWED => Err(ApiError::MethodNotAllowed),
        _ => Ok(response),
    }
}
