//! The one TCP port: what comes by HTTPS goes to the pages, the interface and the gateway, the rest is sorted out before.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::ConnectInfo;
use belay_net::front::{Front, Https, Waiting};
use belay_net::mux::Mux;
use belay_net::turn::TurnServer;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use belay_program::config::Origin;

/// A client that has not sent its request's headers by then is given up.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// How long running answers may take after the wish to stop; event streams would never end by themselves.
const GRACE: Duration = Duration::from_secs(2);

/// Serves until `stopping` becomes true, and then for a little longer what is under way.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    turn: Option<TurnServer>,
    public: &Origin,
    app: Router,
    stopping: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)
        .context("the listener cannot be used; look at the log, and start again")?;
    let mux = Mux::new(TlsAcceptor::from(tls));
    let front = Front::new(mux, turn, &public.to_string(), Waiting::default());
    let mut stop = stopping.clone();
    let serve = move |https| connection(https, app.clone(), stopping.clone());
    front.run(listener, serve, asked(&mut stop), GRACE).await;
    Ok(())
}

/// Ends when the server shall stop.
async fn asked(stopping: &mut watch::Receiver<bool>) {
    if stopping.wait_for(|&stopping| stopping).await.is_err() {
        // Who could ask is gone: then nobody can.
        std::future::pending::<()>().await;
    }
}

/// One HTTPS connection. What it is upgraded to lives on without it.
async fn connection(https: Https, app: Router, mut stopping: watch::Receiver<bool>) {
    let Https { stream, address, place } = https;
    let place = std::sync::Mutex::new(Some(place));
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        // Whoever asks something does not wait at the door any more.
        drop(place.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
        request.extensions_mut().insert(ConnectInfo::<SocketAddr>(address));
        let answer = app.clone().oneshot(request.map(axum::body::Body::new));
        async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    // ALPN offers HTTP/1.1 alone: it carries the upgrades of the legs.
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = asked(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%address, %error, "a connection ended");
    }
}
