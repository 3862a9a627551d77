//! What a connection at rest costs: admitted legs that wait for their partners, and connections through nginx. Those who
//! wait are processes of their own, because a process may hold only so many open files.

use crate::certificate::{self, Certificate};
use crate::process::Server;
use crate::{servers, websocket};
use anyhow::{Context, Result};
use belay_wire::gateway::Role;
use clap::Args;
use futures_util::StreamExt;
use futures_util::stream;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Connections that one process holds.
const OF_A_PROCESS: usize = 5000;
/// Connections that are made at a time.
const AT_A_TIME: usize = 32;
/// How long the server is watched at rest: legs are pinged every 15 seconds.
const REST: Duration = Duration::from_secs(30);

/// Connections that wait.
#[derive(Args)]
pub struct Wait {
    /// For what.
    #[arg(long)]
    server: SocketAddr,
    /// From which address of the loopback.
    #[arg(long)]
    from: Ipv4Addr,
    /// The number of the first session.
    #[arg(long)]
    first: u64,
    /// How many.
    #[arg(long)]
    count: u64,
    /// Legs of Belay's gateway; otherwise just TLS.
    #[arg(long)]
    legs: bool,
}

/// Makes the connections, says that they are there, and holds them.
pub fn wait(wait: Wait) -> Result<()> {
    let Wait { server, from, first, count, legs } = wait;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let config = certificate::client()?;
        let config = &config;
        let made = stream::iter(first..first + count).map(|number| async move {
            if legs {
                let mut leg = websocket::leg(from, server, config, number, Role::Applet).await?;
                // Pings are answered while somebody reads.
                tokio::spawn(async move { while let Some(Ok(_)) = leg.next().await {} });
            } else {
                let mut stream = websocket::tls(from, server, config).await?;
                tokio::spawn(async move {
                    drop(tokio::io::copy(&mut stream, &mut tokio::io::sink()).await);
                });
            }
            anyhow::Ok(())
        });
        let mut made = made.buffer_unordered(AT_A_TIME);
        while let Some(made) = made.next().await {
            made?;
        }
        servers::ready(&[])?;
        std::thread::spawn(|| {
            servers::wait_for_the_end();
            std::process::exit(0);
        });
        std::future::pending::<()>().await;
        Ok(())
    })
}

/// Processes that hold so many connections.
fn crowd(server: SocketAddr, count: usize, legs: bool) -> Result<Vec<Server>> {
    let mut crowd = Vec::new();
    for first in (0..count).step_by(OF_A_PROCESS) {
        let from = Ipv4Addr::new(127, 0, 0, u8::try_from(crowd.len() + 1)?);
        let some = OF_A_PROCESS.min(count - first);
        let mut arguments = vec!["wait".to_owned()];
        for (name, value) in [("server", server.to_string()), ("from", from.to_string())] {
            arguments.extend([format!("--{name}"), value]);
        }
        for (name, value) in [("first", first + 1), ("count", some)] {
            arguments.extend([format!("--{name}"), value.to_string()]);
        }
        if legs {
            arguments.push("--legs".to_owned());
        }
        crowd.push(Server::own(&arguments)?);
    }
    Ok(crowd)
}

/// Measures and prints.
pub fn run(waiting: usize) -> Result<()> {
    println!("\n## Connections at rest\n");
    println!("| server | connections | memory of one | CPU to let one in | CPU in a minute of rest |");
    println!("| --- | --: | --: | --: | --: |");
    let server = Server::own(&["serve-web-socket".to_owned()])?;
    let at = server.lines.first().context("no address")?.parse()?;
    measure("Belay, admitted legs that wait for their partners", &server, waiting, || {
        crowd(at, waiting, true)
    })?;
    drop(server);
    // Each needs two open files of nginx.
    let waiting = waiting / 2;
    let folder = tempfile::tempdir()?;
    let made = Certificate::new()?;
    made.write(folder.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let sink = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let (server, proxy) = websocket::nginx(folder.path(), sink.local_addr()?)?;
    let tls = TlsAcceptor::from(made.server()?);
    runtime.spawn(async move {
        while let Ok((stream, _)) = sink.accept().await {
            let tls = tls.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = tls.accept(stream).await else { return };
                drop(tokio::io::copy(&mut stream, &mut tokio::io::sink()).await);
            });
        }
    });
    measure("nginx stream, connections through it", &server, waiting, || crowd(proxy, waiting, false))
}

fn measure(
    name: &str,
    server: &Server,
    count: usize,
    make: impl FnOnce() -> Result<Vec<Server>>,
) -> Result<()> {
    let (memory, cpu) = (server.memory()?, server.cpu()?);
    let crowd = make()?;
    // The last ones may still be on their way through.
    std::thread::sleep(Duration::from_secs(2));
    let each = (server.memory()? - memory) as f64 / count as f64;
    let let_in = (server.cpu()? - cpu).as_secs_f64() / count as f64;
    let (since, cpu) = (Instant::now(), server.cpu()?);
    std::thread::sleep(REST);
    let rest = (server.cpu()? - cpu).as_secs_f64() * 60.0 / since.elapsed().as_secs_f64();
    println!("| {name} | {count} | {:.1} KiB | {:.2} ms | {rest:.1} s |", each / 1024.0, let_in * 1000.0);
    drop(crowd);
    Ok(())
}
