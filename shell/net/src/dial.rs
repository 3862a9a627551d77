//! Reaching the installation an applet was made for: TLS with its own trust anchors, the list of gateways, the WebSocket.

use belay_wire::AccountId;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Time to reach a server, and time for each of its answers.
const WITHIN: Duration = Duration::from_secs(10);
/// How often a server that does not answer is knocked at, and how many tries wait for their answer at most.
const KNOCK_EVERY: Duration = Duration::from_secs(1);
const KNOCKS: usize = 4;
const LARGEST_LIST: usize = 64 << 10;
const MOST_GATEWAYS: usize = 16;

/// Why the installation cannot be reached.
#[derive(Debug, Error)]
pub enum DialError {
    /// The address in the applet or in the list is no address.
    #[error("{0:?} is not an address of the form https://host:port, download the program again")]
    Address(String),
    /// The trust anchors cannot be used.
    #[error("the certificates to trust cannot be read: {0}")]
    Anchors(String),
    /// No connection.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the system said.
        reason: String,
    },
    /// The server's certificate is not the expected one.
    #[error("{host} does not prove to be the right server: {reason}")]
    Certificate {
        /// Host and port.
        host: String,
        /// What was wrong.
        reason: String,
    },
    /// An answer that makes no sense.
    #[error("{host} gave an answer that makes no sense: {reason}")]
    Answer {
        /// Host and port.
        host: String,
        /// What was wrong.
        reason: String,
    },
}

/// How to reach one installation.
#[derive(Clone)]
pub struct Dial {
    origin: Uri,
    account: Option<AccountId>,
    tls: Arc<ClientConfig>,
}

impl Dial {
    /// For the website at `origin` (`https://host[:port]`). `anchors` is PEM; empty means the system's trust store.
    pub fn new(origin: &str, anchors: &str) -> Result<Dial, DialError> {
        let origin = parse(origin, "https")?;
        let mut roots = RootCertStore::empty();
        if anchors.trim().is_empty() {
            let system = rustls_native_certs::load_native_certs();
            if roots.add_parsable_certificates(system.certs).0 == 0 {
                return Err(DialError::Anchors("the system has no trusted certificates".into()));
            }
        } else {
            for certificate in CertificateDer::pem_slice_iter(anchors.as_bytes()) {
                let certificate = certificate.map_err(|error| DialError::Anchors(error.to_string()))?;
                roots.add(certificate).map_err(|error| DialError::Anchors(error.to_string()))?;
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| DialError::Anchors(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Dial { origin, account: None, tls: Arc::new(tls) })
    }

    /// The same for one account, whose region decides about its gateways.
    pub fn of_account(self, account: AccountId) -> Dial {
        Dial { account: Some(account), ..self }
    }

    /// The WebSocket addresses of the gateways, as the website lists them.
    pub async fn gateways(&self) -> Result<Vec<Uri>, DialError> {
        let (_, stream) = self.connect(&self.origin).await?;
        self.list_over(&self.origin, stream).await
    }

    /// The website.
    pub(crate) fn origin(&self) -> &Uri {
        &self.origin
    }

    /// Asks the website for the list over a connection to it.
    pub(crate) async fn list_over(
        &self,
        website: &Uri,
        stream: TlsStream<TcpStream>,
    ) -> Result<Vec<Uri>, DialError> {
        let host = website.authority().map(ToString::to_string).unwrap_or_default();
        let wrong = |reason: String| DialError::Answer { host: host.clone(), reason };
        let asked = async {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
                .await
                .map_err(|error| wrong(error.to_string()))?;
            let driver = tokio::spawn(connection);
            let path = "/api/v1/applet/gateways";
            let path = self.account.map_or(path.to_owned(), |account| format!("{path}?account={account}"));
            let request = Request::get(path)
                .header(hyper::header::HOST, &host)
                .header(hyper::header::ACCEPT, "application/json")
                .body(Empty::<Bytes>::new())
                .map_err(|error| wrong(error.to_string()))?;
            let response = sender.send_request(request).await.map_err(|error| wrong(error.to_string()))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LARGEST_LIST).collect().await;
            driver.abort();
            let body = body.map_err(|error| wrong(error.to_string()))?.to_bytes();
            if !status.is_success() {
                return Err(wrong(format!("status {status}")));
            }
            parse_list(&body).map_err(wrong)
        };
        tokio::time::timeout(WITHIN, asked).await.map_err(|_| self.silent(&self.origin))?
    }

    /// Connects to one gateway by TLS.
    pub(crate) async fn reach(&self, gateway: &Uri) -> Result<TlsStream<TcpStream>, DialError> {
        Ok(self.connect(gateway).await?.1)
    }

    /// Opens the WebSocket over a connection to this gateway.
    pub(crate) async fn upgrade(
        &self,
        gateway: &Uri,
        stream: TlsStream<TcpStream>,
    ) -> Result<WebSocketStream<TlsStream<TcpStream>>, DialError> {
        let host = gateway.authority().map(ToString::to_string).unwrap_or_default();
        let wrong = |reason: String| DialError::Answer { host: host.clone(), reason };
        let mut request = gateway.into_client_request().map_err(|error| wrong(error.to_string()))?;
        request.headers_mut().insert(
            hyper::header::SEC_WEBSOCKET_PROTOCOL,
            hyper::header::HeaderValue::from_static(belay_wire::gateway::SUBPROTOCOL),
        );
        let limits = WebSocketConfig::default()
            .max_message_size(Some(belay_wire::gateway::MAX_FRAME))
            .max_frame_size(Some(belay_wire::gateway::MAX_FRAME));
        let upgrade = tokio_tungstenite::client_async_with_config(request, stream, Some(limits));
        let (socket, _) = tokio::time::timeout(WITHIN, upgrade)
            .await
            .map_err(|_| self.silent(gateway))?
            .map_err(|error| wrong(error.to_string()))?;
        Ok(socket)
    }

    async fn connect(&self, uri: &Uri) -> Result<(String, TlsStream<TcpStream>), DialError> {
        let name = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(443);
        let host = uri.authority().map(ToString::to_string).unwrap_or_default();
        let unreachable = |reason: &dyn std::fmt::Display| DialError::Unreachable {
            host: host.clone(),
            reason: reason.to_string(),
        };
        let stream = tokio::time::timeout(WITHIN, knock(name, port))
            .await
            .map_err(|_| unreachable(&"no answer within 10 seconds"))?
            .map_err(|error| unreachable(&error))?;
        stream.set_nodelay(true).map_err(|error| unreachable(&error))?;
        let stream = tokio::time::timeout(WITHIN, self.secure(uri, stream))
            .await
            .map_err(|_| unreachable(&"no TLS answer within 10 seconds"))?
            .map_err(|error| match error.kind() {
                // What rustls finds wrong comes as this; everything else is the way, and says nothing about the server.
                std::io::ErrorKind::InvalidData => {
                    DialError::Certificate { host: host.clone(), reason: error.to_string() }
                }
                _ => unreachable(&error),
            })?;
        Ok((host, stream))
    }

    /// The TLS handshake alone.
    pub(crate) async fn secure(&self, uri: &Uri, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        let name = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let server = ServerName::try_from(name.to_owned())
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error))?;
        TlsConnector::from(Arc::clone(&self.tls)).connect(server, stream).await
    }

    fn silent(&self, uri: &Uri) -> DialError {
        let host = uri.authority().map(ToString::to_string).unwrap_or_default();
        DialError::Unreachable { host, reason: "no answer within 10 seconds".into() }
    }
}

/// Connects. A try that is not answered within a second is not left to itself: the system repeats what was lost ever more rarely, and a
/// network that comes back would wait for it.
async fn knock(name: &str, port: u16) -> std::io::Result<TcpStream> {
    let mut tries = FuturesUnordered::new();
    let mut again = tokio::time::interval(KNOCK_EVERY);
    loop {
        tokio::select! {
            _ = again.tick(), if tries.len() < KNOCKS => tries.push(TcpStream::connect((name, port))),
            Some(tried) = tries.next() => match tried {
                Ok(stream) => return Ok(stream),
                Err(error) if tries.is_empty() => return Err(error),
                Err(_) => {}
            },
        }
    }
}

fn parse(text: &str, scheme: &str) -> Result<Uri, DialError> {
    let uri: Uri = text.parse().map_err(|_| DialError::Address(text.into()))?;
    if uri.scheme_str() != Some(scheme) || uri.host().is_none_or(str::is_empty) {
        return Err(DialError::Address(text.into()));
    }
    Ok(uri)
}

fn parse_list(body: &[u8]) -> Result<Vec<Uri>, String> {
    #[derive(serde::Deserialize)]
    struct List {
        gateways: Vec<Gateway>,
    }
    #[derive(serde::Deserialize)]
    struct Gateway {
        url: String,
    }
    let list: List = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let urls = list.gateways.iter().take(MOST_GATEWAYS).map(|gateway| parse(&gateway.url, "wss"));
    let urls: Vec<Uri> = urls.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    if urls.is_empty() { Err("no gateway in the list".into()) } else { Ok(urls) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_secure_addresses_are_dialled() {
        for bad in ["http://help.example", "https://", "help.example", "", "wss://help.example"] {
            assert!(matches!(Dial::new(bad, ""), Err(DialError::Address(_))), "{bad}");
        }
        assert!(parse_list(br#"{"gateways":[{"url":"ws://a/gateway/v1"}]}"#).is_err());
        assert!(parse_list(br#"{"gateways":[]}"#).is_err());
        assert!(parse_list(b"{").is_err());
        let list = parse_list(br#"{"gateways":[{"url":"wss://a:1/gateway/v1","region":"eu"}]}"#).unwrap();
        assert_eq!(list[0].port_u16(), Some(1));
    }

    #[test]
    fn anchors_that_are_no_certificates_are_refused() {
        let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(Dial::new("https://localhost", pem), Err(DialError::Anchors(_))));
    }
}
