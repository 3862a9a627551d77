//! `belay serve`: opens the store, prepares TLS, takes the port, runs the wanted roles until asked to stop.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use belay_api::admission::Admission;
use belay_api::{Clock, Limits, ListedGateway, Reach, Settings, Website, WebsiteParts, app};
use belay_identity::role_key::{RoleKey, hex_of};
use belay_identity::{Cost, Passwords};
use belay_program::config::Origin;
use belay_program::reload::Wishes;
use belay_program::{Config, shutdown};
use belay_store::{Create, OpenError, Store};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::arguments::Form;
use crate::remote::{KeyFiles, Remote};
use crate::role::{self, Roles};
use crate::tls::{Renewal, Tls};
use crate::{account, door, gateway, tls, turn};

/// How often time-outs are applied.
const SWEEP_EVERY: Duration = Duration::from_secs(20);
/// How often another port is tried when the system chooses one and its UDP side is taken.
const PORT_TRIES: usize = 16;

/// Runs the server until it is asked to stop.
pub async fn serve(config: &Config, roles: Roles, form: Form) -> anyhow::Result<()> {
    install_provider();
    match (roles.website, roles.gateway) {
        (true, _) => website(config, roles, form).await,
        (false, true) => gateway_alone(config, roles, form).await,
        (false, false) => worker_alone(config, form).await,
    }
}

/// A website, with the gateway in the same process or without.
async fn website(config: &Config, roles: Roles, form: Form) -> anyhow::Result<()> {
    let (listener, address) = listen(config)?;
    let public = public_origin(config, address);
    let store = Store::open(&config.data_dir, Create::IfAbsent).await?;
    let tls = tls::prepare(config, &public)?;
    let clock = Clock::System;
    let away = store.recover_after_restart(clock.now()).await?;
    if away > 0 {
        tracing::info!(sessions = away, "sessions of an earlier run wait for their applets to come back");
    }
    let passwords = tokio::task::spawn_blocking(|| Passwords::new(Cost::PRODUCTION)).await??;
    let settings = settings(config, address, &public, &tls)?;
    if !roles.gateway && settings.gateways.is_empty() {
        tracing::warn!(
            "this process runs no gateway and gateways is empty, so nobody can connect; list one in gateways"
        );
    }
    warn_of_regions(config, &store).await?;
    let idle = settings.idle;
    let parts = WebsiteParts { store: store.clone(), passwords, settings, clock: clock.clone() };
    let (website, security_log) = Website::start(parts)
        .with_context(|| format!("public_url {public} cannot be written into headers; correct it"))?;

    let admission = Admission::new(website.clone());
    let mut tasks = vec![belay_api::internal::watch(&website)];
    let service = if roles.gateway { turn::start(config, address, &public)? } else { None };
    let turn = service.as_ref().map(|(service, _)| service.turn.clone());
    let legs = if roles.gateway {
        let service = service.map(|(service, _)| service);
        let admits = gateway::Beside(admission.clone());
        let gateway = gateway::start(admits, config.limits.gateway_legs, service);
        let (mut ended, follower) = admission.ended_sessions();
        let legs = gateway.clone();
        tasks.push(follower);
        tasks.push(tokio::spawn(async move {
            while let Some(session) = ended.recv().await {
                legs.end(session);
            }
        }));
        gateway::routes(gateway)
    } else {
        Router::new()
    };
    if roles.worker {
        tasks.push(tokio::spawn(sweep(store.clone(), idle, clock)));
    }

    let (stop, stopping) = watch::channel(false);
    tasks.push(tokio::spawn(stop_when_asked(stop)));
    tasks.push(tokio::spawn(renew(tls.renewal, Wishes::new()?)));
    announce(&public, &tls.fingerprint, config, None, form)?;
    let served = door::serve(listener, tls.server, turn, &public, app(&website, legs), stopping).await;

    for task in tasks {
        task.abort();
    }
    website.flush().await;
    drop((website, admission));
    security_log.abort();
    store.close().await?;
    tracing::info!("stopped");
    served
}

/// A gateway that asks a website in another process.
async fn gateway_alone(config: &Config, roles: Roles, form: Form) -> anyhow::Result<()> {
    let (listener, address) = listen(config)?;
    let public = public_origin(config, address);
    let tls = tls::prepare(config, &public)?;
    let key = RoleKey::load_or_make(&role::key_file(config))?;
    let public_key = hex_of(&key.public());
    let remote = Remote::new(config, key, &public)?;
    let origin = remote.origin();
    let service = turn::start(config, address, &public)?.map(|(service, _)| service);
    let turn = service.as_ref().map(|service| service.turn.clone());
    let gateway = gateway::start(remote.clone(), config.limits.gateway_legs, service);
    let legs = gateway.clone();
    let follower = remote.clone();
    let mut tasks = vec![tokio::spawn(async move { follower.follow(|session| legs.end(session)).await })];
    let files = KeyFiles { key: role::key_file(config), next: role::next_key_file(config) };
    let wishes = Wishes::new()?;
    tasks.push(tokio::spawn(async move { remote.renew_key(files, wishes).await }));
    let store = if roles.worker {
        let store = Store::open(&config.data_dir, Create::IfAbsent).await?;
        let idle = Duration::from_secs(u64::from(config.sign_off_seconds));
        tasks.push(tokio::spawn(sweep(store.clone(), idle, Clock::System)));
        Some(store)
    } else {
        None
    };
    let (stop, stopping) = watch::channel(false);
    tasks.push(tokio::spawn(stop_when_asked(stop)));
    tasks.push(tokio::spawn(renew(tls.renewal, Wishes::new()?)));
    announce(&public, &tls.fingerprint, config, Some(&public_key), form)?;
    let app = gateway::routes_alone(gateway, origin);
    let served = door::serve(listener, tls.server, turn, &public, app, stopping).await;
    for task in tasks {
        task.abort();
    }
    if let Some(store) = store {
        store.close().await?;
    }
    tracing::info!("stopped");
    served
}

/// Says which accounts no gateway serves: they stay in their region, and wait.
async fn warn_of_regions(config: &Config, store: &Store) -> anyhow::Result<()> {
    let regions = account::regions(config);
    for account in store.directory().accounts().await? {
        if let Some(region) = account.region.filter(|region| !regions.contains(&region.as_str())) {
            tracing::warn!(
                account = %account.id, region,
                "no gateway is in the region of this account, so its sessions cannot begin; list one in gateways"
            );
        }
    }
    Ok(())
}

/// Only what has to be done from time to time.
async fn worker_alone(config: &Config, form: Form) -> anyhow::Result<()> {
    let store = Store::open(&config.data_dir, Create::IfAbsent).await?;
    let idle = Duration::from_secs(u64::from(config.sign_off_seconds));
    let sweeper = tokio::spawn(sweep(store.clone(), idle, Clock::System));
    match form {
        Form::Json => {
            let line = serde_json::json!({ "ready": true, "data_dir": config.data_dir });
            crate::print(&format!("{line}\n"))?;
        }
        Form::Text => crate::print("Belay's worker is ready.\n")?,
    }
    shutdown::requested().await?;
    sweeper.abort();
    store.close().await?;
    tracing::info!("stopped");
    Ok(())
}

/// Checks everything a start needs, changes nothing, and says so.
pub async fn check(config: &Config, roles: Roles, form: Form) -> anyhow::Result<()> {
    install_provider();
    if roles.gateway && !roles.website {
        Remote::check(config)?;
    }
    let (listener, address) = listen(config)?;
    let public = public_origin(config, address);
    if roles.gateway {
        drop(turn::start(config, address, &public)?);
    }
    drop(listener);
    let store = match Store::open(&config.data_dir, Create::Never).await {
        Ok(store) => {
            let accounts = store.directory().accounts().await?.len();
            store.close().await?;
            Some(accounts)
        }
        Err(OpenError::NoStore { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    if store.is_some() || config.tls.source != belay_program::config::TlsSource::SelfSigned {
        tls::prepare(config, &public)?;
    }
    let applet = applet(config)?;
    let has_applet = applet.is_file();
    match form {
        Form::Json => {
            let line = serde_json::json!({
                "ok": true, "url": public.to_string(), "accounts": store, "applet": has_applet,
            });
            crate::print(&format!("{line}\n"))
        }
        Form::Text => {
            let accounts = match store {
                None => "there is no store yet, the first start makes it".to_owned(),
                Some(count) => format!("the store holds {count} account(s)"),
            };
            let applet = if has_applet { String::new() } else { format!(" {}.", no_applet(&applet)) };
            crate::print(&format!("Everything is in order for {public}: {accounts}.{applet}\n"))
        }
    }
}

fn install_provider() {
    // An error only says that one is installed already.
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

fn listen(config: &Config) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let mut tries = 0;
    loop {
        let (listener, address) = bind(config.listen)?;
        tries += 1;
        // TCP and UDP share the number; where the system chooses it, both sides must be free.
        if config.listen.port() != 0 || tries == PORT_TRIES || turn::free(config, address) {
            return Ok((listener, address));
        }
    }
}

fn bind(wanted: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(wanted).map_err(|error| {
        let mend = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "stop the program that uses it, or choose another port with listen"
            }
            std::io::ErrorKind::PermissionDenied => {
                "choose a port above 1023 with listen, or give the program CAP_NET_BIND_SERVICE"
            }
            _ => "choose an address of this computer with listen",
        };
        anyhow::anyhow!("cannot listen on {wanted} ({error}); {mend}")
    })?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

pub(crate) fn public_origin(config: &Config, address: SocketAddr) -> Origin {
    config.public_url.clone().unwrap_or_else(|| Origin::new("localhost", address.port()))
}

fn settings(config: &Config, address: SocketAddr, public: &Origin, tls: &Tls) -> anyhow::Result<Settings> {
    let loopback = address.ip().is_loopback();
    let more_origins = if loopback {
        ["localhost", "127.0.0.1", "[::1]"]
            .into_iter()
            .map(|host| Origin::new(host, address.port()))
            .filter(|origin| origin != public)
            .map(|origin| origin.to_string())
            .collect()
    } else {
        Vec::new()
    };
    let applet = applet(config)?;
    if !applet.is_file() {
        tracing::warn!("{}", no_applet(&applet));
    }
    let limits = config.limits;
    Ok(Settings {
        origin: public.to_string(),
        more_origins,
        reach: if loopback { Reach::Loopback } else { Reach::Network },
        region: config.region.clone(),
        gateways: config
            .gateways
            .iter()
            .map(|gateway| ListedGateway { url: gateway.url.clone(), region: gateway.region.clone() })
            .collect(),
        idle: Duration::from_secs(u64::from(config.sign_off_seconds)),
        applet_linux_x86_64: applet,
        anchors: tls.anchors.clone(),
        limits: Limits {
            pin_per_address: limits.pin_per_address,
            pin_in_all: limits.pin_in_all,
            sign_in_per_address: limits.sign_in_per_address,
        },
    })
}

/// Where the applet for Linux lies: as configured, or beside this program.
fn applet(config: &Config) -> anyhow::Result<PathBuf> {
    match &config.applets.linux_x86_64 {
        Some(path) => Ok(path.clone()),
        None => {
            let own = std::env::current_exe()
                .context("the place of this program is unknown; give applets.linux_x86_64")?;
            Ok(own.with_file_name("belay-applet"))
        }
    }
}

fn no_applet(path: &std::path::Path) -> String {
    format!(
        "There is no applet at {}, so end users cannot download it; put belay-applet there or give its path in applets.linux_x86_64",
        path.display()
    )
}

fn announce(
    public: &Origin,
    fingerprint: &str,
    config: &Config,
    key: Option<&str>,
    form: Form,
) -> anyhow::Result<()> {
    match form {
        Form::Json => {
            let mut line = serde_json::json!({
                "ready": true,
                "url": public.to_string(),
                "fingerprint": fingerprint,
                "data_dir": config.data_dir,
            });
            if let Some(key) = key {
                line["key"] = key.into();
            }
            crate::print(&format!("{line}\n"))
        }
        Form::Text => match key {
            Some(key) => crate::print(&format!(
                "Belay's gateway is ready at {public}\n\
                 Its key, to be trusted at the website with belay role trust: {key}\n\
                 SHA-256 fingerprint of the certificate: {fingerprint}\n"
            )),
            None => crate::print(&format!(
                "Belay is ready at {public}, technicians sign in at {public}/console/\n\
             SHA-256 fingerprint of the certificate: {fingerprint}\n"
            )),
        },
    }
}

async fn stop_when_asked(stop: watch::Sender<bool>) {
    if let Err(error) = shutdown::requested().await {
        tracing::error!(%error, "signals cannot be heard, the server ends only when it is killed");
        return;
    }
    tracing::info!("stopping");
    stop.send_replace(true);
}

/// Takes renewed certificates and anchors, for ever.
async fn renew(renewal: Option<Renewal>, mut wishes: Wishes) {
    match renewal {
        Some(renewal) => renewal.follow(wishes).await,
        None => loop {
            wishes.next().await;
            tracing::info!(
                "this server makes its certificate itself, and tls.anchor names no file; there is nothing to look at again"
            );
        },
    }
}

async fn sweep(store: Store, idle: Duration, clock: Clock) {
    let mut tick = interval(SWEEP_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        match store.sweep(idle, clock.now()).await {
            Ok(0) => {}
            Ok(swept) => tracing::debug!(swept, "time-outs applied"),
            Err(error) => tracing::error!(%error, "time-outs could not be applied"),
        }
    }
}
