//! A gateway's website in another process: each question is one signed request over TLS. Spec: `docs/protocol/internal.md`.

mod renewal;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use belay_api::Clock;
use belay_api::internal::{ADMIT, AdmitBody, AdmitReply, ENDS, STARTED, TELL, TellBody};
use belay_identity::role_key::RoleKey;
use belay_net::gateway::Website;
use belay_program::Config;
use belay_program::config::{Origin, PemSource};
use belay_relay::admission::{AdmitAnswer, AdmitRequest, LegNews};
use belay_wire::SessionId;
use belay_wire::gateway::Refusal;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::sync::RwLock;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

pub use renewal::KeyFiles;

/// Time for a connection and for an answer.
const WITHIN: Duration = Duration::from_secs(10);
/// The website says something at least every 10 seconds; after this a stream is dead.
const SILENCE: Duration = Duration::from_secs(30);
/// Longest answer in bytes.
const ANSWER_MAX: usize = 4096;
/// Longest line of the stream in bytes.
const LINE_MAX: usize = 1024;
/// First and longest pause before another try.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// The website, as this gateway reaches it. Cheap to clone.
#[derive(Clone)]
pub struct Remote(Arc<Inner>);

struct Inner {
    origin: String,
    /// `HOST[:PORT]`, as the `Host` header says it and the signature covers it.
    authority: String,
    host: String,
    port: u16,
    tls: TlsConnector,
    /// Read while a request is under way, written when another key takes its place: what the one before signed must not
    /// come after that.
    key: RwLock<RoleKey>,
    /// Where the stream of ends is opened: it says under which address this gateway is listed.
    ends: String,
    /// The website knows that this process began without legs; admissions before that would be taken for lost ones.
    announced: AtomicBool,
}

/// What the website said.
enum Said {
    Yes(Bytes),
    /// It will say the same the next time.
    No(StatusCode),
}

/// An open answer. Its connection ends with it.
struct Open {
    response: Response<Incoming>,
    driver: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Remote {
    /// As the configuration says.
    pub fn new(config: &Config, key: RoleKey, public: &Origin) -> anyhow::Result<Self> {
        let (origin, tls) = Self::check(config)?;
        let origin = origin.to_string();
        let authority = origin.trim_start_matches("https://").to_owned();
        let uri: hyper::Uri = origin.parse().context("website.url is no address; correct it")?;
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(443);
        Ok(Self(Arc::new(Inner {
            origin,
            authority,
            host,
            port,
            tls: TlsConnector::from(Arc::new(tls)),
            key: RwLock::new(key),
            ends: ends_of(public),
            announced: AtomicBool::new(false),
        })))
    }

    /// Does the configuration say enough?
    pub fn check(config: &Config) -> anyhow::Result<(Origin, ClientConfig)> {
        let Some(origin) = config.website.url.clone() else {
            bail!(
                "a gateway without a website in its process must know where the website is; give website.url"
            );
        };
        let mut roots = RootCertStore::empty();
        match &config.website.anchor {
            None => {
                let system = rustls_native_certs::load_native_certs();
                let found = roots.add_parsable_certificates(system.certs).0;
                ensure!(
                    found > 0,
                    "this computer trusts no authorities; give the website's certificate in website.anchor"
                );
            }
            Some(source) => {
                let pem = match source {
                    PemSource::Text(pem) => pem.clone().into_bytes(),
                    PemSource::File(path) => std::fs::read(path).with_context(|| {
                        format!(
                            "{} cannot be read; give a readable PEM file in website.anchor",
                            path.display()
                        )
                    })?,
                };
                let wrong =
                    "website.anchor holds no certificate that can be read; give certificates in PEM form";
                for certificate in CertificateDer::pem_slice_iter(&pem) {
                    roots.add(certificate.context(wrong)?).context(wrong)?;
                }
                ensure!(!roots.is_empty(), wrong);
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok((origin, tls))
    }

    /// The website's origin.
    pub fn origin(&self) -> String {
        self.0.origin.clone()
    }

    /// Listens which sessions have ended, for ever. Before the first time it says that this gateway begins without legs.
    pub async fn follow(&self, ended: impl Fn(SessionId)) {
        self.insist(STARTED, Bytes::new()).await;
        self.0.announced.store(true, Ordering::SeqCst);
        let mut pause = PAUSES.0;
        loop {
            match self.listen(&ended).await {
                Ok(()) => {
                    pause = PAUSES.0;
                    tracing::info!("the website closed the stream of ended sessions, opening it again");
                }
                Err(error) => {
                    tracing::warn!(error = %format!("{error:#}"), "the website cannot be heard, trying again")
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    async fn listen(&self, ended: &impl Fn(SessionId)) -> anyhow::Result<()> {
        let ask = async {
            let key = self.0.key.read().await;
            self.ask(&key, "GET", &self.0.ends, Bytes::new()).await
        };
        let mut open = tokio::time::timeout(WITHIN, ask).await.context("no answer within 10 seconds")??;
        let status = open.response.status();
        ensure!(status == StatusCode::OK, "it refuses with status {status}; is the key trusted there?");
        let mut line = Vec::new();
        loop {
            let frame = tokio::time::timeout(SILENCE, open.response.body_mut().frame());
            let Some(frame) = frame.await.context("the stream is silent")? else { return Ok(()) };
            let Ok(data) = frame?.into_data() else { continue };
            for byte in data {
                if byte != b'\n' {
                    ensure!(line.len() < LINE_MAX, "a line of the stream is too long");
                    line.push(byte);
                    continue;
                }
                let text = String::from_utf8_lossy(&line);
                if let Some(session) = text.strip_prefix("data:").and_then(|id| id.trim().parse().ok()) {
                    ended(session);
                }
                line.clear();
            }
        }
    }

    /// Tries until the website has taken it, or says that it never will.
    async fn insist(&self, path: &str, body: Bytes) {
        let mut pause = PAUSES.0;
        loop {
            match self.post(path, body.clone()).await {
                Ok(Said::Yes(_)) => return,
                // The key may become trusted; everything else stays wrong.
                Ok(Said::No(status)) if status != StatusCode::UNAUTHORIZED || path != STARTED => {
                    tracing::error!(path, %status, "the website refuses what this gateway has to say");
                    return;
                }
                Ok(Said::No(_)) => {
                    tracing::warn!(
                        "the website does not trust this gateway's key; give it to belay role trust there"
                    );
                }
                Err(error) => {
                    tracing::warn!(path, error = %format!("{error:#}"), "the website cannot be reached, trying again");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    async fn post(&self, path: &str, body: Bytes) -> anyhow::Result<Said> {
        let key = self.0.key.read().await;
        self.post_with(&key, path, body).await
    }

    async fn post_with(&self, key: &RoleKey, path: &str, body: Bytes) -> anyhow::Result<Said> {
        let asked = async {
            let mut open = self.ask(key, "POST", path, body).await?;
            let status = open.response.status();
            let answer = Limited::new(open.response.body_mut(), ANSWER_MAX).collect().await;
            let answer =
                answer.map_err(|error| anyhow::anyhow!("its answer cannot be read: {error}"))?.to_bytes();
            match status {
                status if status.is_success() => Ok(Said::Yes(answer)),
                status if status.is_client_error() => Ok(Said::No(status)),
                status => bail!("it failed with status {status}"),
            }
        };
        tokio::time::timeout(WITHIN, asked).await.context("no answer within 10 seconds")?
    }

    async fn ask(&self, key: &RoleKey, method: &str, path: &str, body: Bytes) -> anyhow::Result<Open> {
        let Inner { authority, host, port, tls, .. } = &*self.0;
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(host.clone())?;
        let stream = tls.connect(name, stream).await.context("it does not prove to be the right website")?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the website ended");
            }
        });
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(hyper::header::HOST, authority)
            .header(hyper::header::CONTENT_TYPE, "application/json");
        for (name, value) in key.headers(method, path, authority, Clock::System.now().0, &body) {
            request = request.header(name, value);
        }
        let response = sender.send_request(request.body(Full::new(body))?).await;
        Ok(Open { response: response?, driver })
    }
}

/// Path and query of the stream of ends, for the gateway that is reached at this origin.
fn ends_of(public: &Origin) -> String {
    let authority = public.to_string();
    let authority = authority.trim_start_matches("https://").replace('[', "%5B").replace(']', "%5D");
    format!("{ENDS}?at=wss://{authority}/gateway/v1")
}

impl Website for Remote {
    async fn admit(&self, request: AdmitRequest) -> AdmitAnswer {
        if !self.0.announced.load(Ordering::SeqCst) {
            return Err(Refusal::Unavailable);
        }
        let body = match serde_json::to_vec(&AdmitBody::from(&request)) {
            Ok(body) => Bytes::from(body),
            Err(error) => {
                tracing::error!(%error, "a question cannot be written");
                return Err(Refusal::Unavailable);
            }
        };
        match self.post(ADMIT, body).await {
            Ok(Said::Yes(answer)) => {
                let answer =
                    serde_json::from_slice::<AdmitReply>(&answer).ok().and_then(AdmitReply::into_answer);
                answer.unwrap_or_else(|| {
                    tracing::error!("the website's answer makes no sense; run the same version at both");
                    Err(Refusal::Unavailable)
                })
            }
            Ok(Said::No(status)) => {
                tracing::error!(%status, "the website refuses this gateway; is its key trusted there?");
                Err(Refusal::Unavailable)
            }
            Err(error) => {
                tracing::error!(error = %format!("{error:#}"), "the website cannot be asked");
                Err(Refusal::Unavailable)
            }
        }
    }

    async fn tell(&self, news: LegNews) {
        match serde_json::to_vec(&TellBody::from(news)) {
            Ok(body) => self.insist(TELL, Bytes::from(body)).await,
            Err(error) => tracing::error!(%error, "news cannot be written"),
        }
    }
}
