//! `make bench-tcp`: what a TCP service costs, at a port of its own and in a tunnel.
//!
//! One job, and three ways to it: directly, through a bare `tcp_proxy` of Envoy, and through a listener that the sidecar
//! had the same Envoy make, with the filter. Then three again: directly, through a plain WebSocket proxy, and through our
//! tunnel. Each round takes every way for a moment; what counts are ratios within a round. Then services come, one after
//! the other and a thousand at once, and it is measured when they answer.
//!
//! Never counts a connection that was not let in: bytes of the job must come.

pub(crate) mod arguments;
mod compared;
mod job;
mod site;
mod tunnels;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use taskgate_test_kit::{Envoy, wait_until};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::memory::mib;
use crate::screen;
use crate::statistics::Spread;
use crate::tcp::arguments::Options;
use crate::tcp::compared::Compared;
use crate::tcp::site::Site;
use crate::tcp::tunnels::Tunnels;

/// How long a run may take.
const LONGEST: Duration = Duration::from_secs(600);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures, prints and writes.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    // What runs ends with the future.
    timeout(LONGEST, measure(options)).await.context("took too long")?
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    let job = job::start()?;
    let site = Site::start(job, 1).await?;
    let envoy = site.envoy().await?;
    let ways = [
        ("direct", job),
        ("bare tcp_proxy", envoy.listener_address("bare").await?),
        ("taskgate", site.address(0).await?),
    ];
    let mut figures = ports(&ways, options).await?;
    figures.extend(tunnels(job, options).await?);
    figures.extend(come(&site, &envoy, options).await?);
    envoy.stop().await?;
    crate::report::write("tcp", &figures, options.quick)
}

/// A job behind a port of its own.
async fn ports(ways: &[(&'static str, SocketAddr)], options: &Options) -> anyhow::Result<Vec<(&'static str, f64)>> {
    for (_, address) in ways {
        reached(*address).await?;
    }
    let compared = Compared::measure(ways, options).await?;
    compared.print("A TCP service through Envoy, one connection, one worker");
    Ok(vec![
        ("tcp_vs_direct", compared.ratio(2, 0).median),
        ("tcp_vs_bare_tcp_proxy", compared.ratio(2, 1).median),
        ("added_latency_us", compared.added(2, 0).median),
        ("added_latency_us_vs_bare", compared.added(2, 1).median),
    ])
}

/// A job in a tunnel.
async fn tunnels(job: SocketAddr, options: &Options) -> anyhow::Result<Vec<(&'static str, f64)>> {
    let tunnels = Tunnels::start(job).await?;
    let ways = [("direct", job), ("plain WebSocket", tunnels.plain), ("taskgate tunnel", tunnels.ours)];
    for (_, address) in ways {
        reached(address).await?;
    }
    let compared = Compared::measure(&ways, options).await?;
    compared.print("A TCP service in a tunnel, one connection, one worker");
    tunnels.stop().await?;
    Ok(vec![
        ("tunnel_vs_direct", compared.ratio(2, 0).median),
        ("tunnel_vs_plain_websocket", compared.ratio(2, 1).median),
        ("plain_websocket_vs_direct", compared.ratio(1, 0).median),
        ("tunnel_added_latency_us", compared.added(2, 0).median),
        ("tunnel_added_latency_us_vs_plain", compared.added(2, 1).median),
    ])
}

/// Services that come: one after the other, then many at once.
async fn come(site: &Site, envoy: &Envoy, options: &Options) -> anyhow::Result<Vec<(&'static str, f64)>> {
    let mut took = Vec::new();
    for number in 1..=options.announced() {
        let started = Instant::now();
        site.publish(number + 1)?;
        reached(site.address(number).await?).await?;
        took.push(started.elapsed().as_secs_f64());
    }
    let announced = Spread::of(took);
    let before = envoy.memory().await?.resident;
    let all = options.announced() + 1 + options.many();
    let started = Instant::now();
    site.publish(all)?;
    let name = "listener_manager.total_listeners_active";
    // One more is the bare one.
    let listen = async || envoy.stat(name).await.is_ok_and(|listeners| listeners == u64::from(all) + 1);
    wait_until(PATIENCE, "all to listen", listen).await?;
    let listened = started.elapsed().as_secs_f64();
    reached(site.address(all - 1).await?).await?;
    let after = envoy.memory().await?.resident;
    screen::title("Services that come");
    screen::line(&format!("one, from the file to the job's answer: {} s", crate::report::range(announced, 3)));
    screen::line(&format!(
        "{} more at once: Envoy listens at all after {listened:.2} s; {:.0} MiB before, {:.0} MiB with them",
        options.many(),
        mib(before),
        mib(after),
    ));
    Ok(vec![
        ("announce_seconds", announced.median),
        ("announce_seconds_max", announced.most),
        ("listeners_1000_seconds", listened),
        ("listeners_1000_mib", mib(after) - mib(before)),
    ])
}

/// Waits until a job answers there.
async fn reached(address: SocketAddr) -> anyhow::Result<()> {
    let answers = async || spawn_blocking(move || job::answers(address)).await.unwrap_or_default();
    wait_until(PATIENCE, "the job to answer", answers).await
}
