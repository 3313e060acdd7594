//! `make bench`: what a request costs on its way through Envoy, with Taskgate and with other ways.
//!
//! One Envoy has a listener for each way: a plain static route, the same with a filter that does
//! nothing, Taskgate exactly as `envoy-config/static.yaml` sets it up, and an external authoriser over
//! gRPC and over HTTP. They share the upstream and the load generator. Machines are noisy, so what counts
//! are ratios within a round: each round runs every way for a moment, and the result is the median of the
//! rounds' ratios.
//!
//! `make bench-discovery`: what discovery takes in a large YTsaurus cluster; see [`discovery`].
//!
//! `make bench-tasks`: how many tasks a second, and how fast data are copied; see [`tasks`].
//!
//! `make bench-access`: what sessions and assertions cost, and how soon what was revoked ends; see [`access`].
//!
//! `make bench-nginx`: what NGINX pays for asking the sidecar; see [`nginx`].
//!
//! `make bench-data`: how many URLs are signed a second, and how fast the local store is; see [`data`].
//!
//! `make bench-feed`: how soon a changed row is served, and what a full table does to a worker; see [`feed`].
//!
//! `make bench-xds`: what the sidecar as control plane costs Envoy; see [`xds`].
//!
//! `make bench-tcp`: what a TCP service costs, at a port of its own and in a tunnel; see [`tcp`].
//!
//! Read in this order: [`mod@bench`] (the whole run), [`stage`] (what is started), [`variant`] (the ways),
//! [`rounds`] (how they are measured), [`report`]; then [`access`], [`discovery`], [`tasks`]
//! and [`data`].
//!
//! Never counts an answer other than 200: one of them fails the run. Never leaves anything running:
//! every process belongs to a value here.

mod access;
mod aims;
mod arguments;
mod authoriser;
mod bench;
mod catalogue;
mod child;
mod client;
mod cpu;
mod data;
mod discovery;
mod envoy_config;
mod experiments;
mod feed;
mod load;
mod memory;
mod nginx;
mod noop;
mod placement;
mod push;
mod report;
mod request;
mod rounds;
mod screen;
mod sidecar_config;
mod stage;
mod statistics;
mod tasks;
mod tcp;
mod upstream;
mod variant;
mod verify;
mod xds;

use clap::Parser as _;

use crate::arguments::{Arguments, Part};

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut builder = match arguments.part {
        // These do in this process what a sidecar does.
        Some(Part::Tasks(_) | Part::Tcp(_) | Part::FeedSidecar { .. } | Part::Xds(_)) => {
            tokio::runtime::Builder::new_multi_thread()
        }
        // One thread: load generator and servers share what Envoy leaves of the machine.
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = builder.enable_all().build()?;
    runtime.block_on(async {
        match arguments.part {
            None => bench::run(&arguments.options).await,
            Some(Part::Access(options)) => access::run(&options).await,
            Some(Part::Data(options)) => data::run(&options).await,
            Some(Part::Nginx(options)) => nginx::run(&options).await,
            Some(Part::Discovery(options)) => discovery::run(&options).await,
            Some(Part::Feed(options)) => feed::run(&options).await,
            Some(Part::FeedSidecar { addresses }) => feed::sidecar::serve(&addresses).await,
            Some(Part::Xds(options)) => xds::run(&options).await,
            Some(Part::Tasks(options)) => tasks::run(&options).await,
            Some(Part::Tcp(options)) => tcp::run(&options).await,
            Some(Part::Cluster { divisor }) => discovery::cluster::run(divisor).await,
            Some(Part::Upstream { addresses }) => upstream::run(addresses).await,
            Some(Part::Authoriser { tokens }) => authoriser::run(tokens).await,
        }
    })
}
