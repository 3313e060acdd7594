//! The command line.

use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// Measures the request path: Taskgate beside a plain route, a filter that does nothing, and ext_authz; or,
/// with `access`, sessions; or, with `data`, signed URLs; or, with `discovery`, discovery in a large cluster;
/// or, with `feed`, how soon changes are served; or, with `tasks`, tasks.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) options: Options,
    /// What else to measure, or which part of the bench this process is; none: the request path.
    #[command(subcommand)]
    pub(crate) part: Option<Part>,
}

/// The bench starts itself again for the servers it needs.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// Measures sessions and assertions, and how soon a WebSocket ends whose session did.
    Access(crate::access::arguments::Options),
    /// Measures signed URLs, and what they lead to.
    Data(crate::data::arguments::Options),
    /// Measures discovery in a YTsaurus cluster of 10,000 operations.
    Discovery(crate::discovery::arguments::Options),
    /// Measures how soon a changed row is served, and what a full table does to a worker.
    Feed(crate::feed::arguments::Options),
    /// Measures addresses over xDS: memory, time of a push, and the longest that a request waited.
    Xds(crate::xds::arguments::Options),
    /// Measures NGINX: what it pays for asking the sidecar.
    Nginx(crate::nginx::arguments::Options),
    /// Measures tasks: how many a second, and copies of data.
    Tasks(crate::tasks::arguments::Options),
    /// Measures TCP services at ports of their own: throughput, added latency, and how soon they are there.
    Tcp(crate::tcp::arguments::Options),
    /// That cluster.
    #[command(hide = true)]
    Cluster {
        /// How much smaller it is.
        divisor: usize,
    },
    /// The sidecar that does what the bench tells it.
    #[command(hide = true)]
    FeedSidecar {
        /// Where it listens, and where two jobs are.
        addresses: Vec<std::net::SocketAddr>,
    },
    /// The server behind Envoy.
    #[command(hide = true)]
    Upstream {
        /// How many addresses it listens on.
        addresses: u8,
    },
    /// The external authoriser.
    #[command(hide = true)]
    Authoriser {
        /// How many tokens it knows.
        tokens: usize,
    },
}

/// How to measure.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// A smoke test: 2 rounds of 0.3 s slices with 1000 services. Its figures mean nothing, and go to a
    /// file of their own.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How many rounds; each runs every variant once [default: 9].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// How long a variant runs in a round, in seconds [default: 1.5].
    #[arg(long, value_parser = seconds)]
    slice: Option<Duration>,
    /// How many services the largest table has [default: 100000].
    #[arg(long, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    services: Option<u32>,
    /// Keep-alive connections of the load generator, each with one request at a time.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) connections: u32,
    /// Workers of Envoy.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) concurrency: u8,
    /// Addresses of each service, and of the plain route's cluster.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=3))]
    pub(crate) endpoints: u8,
    /// Leave it to the system which CPU runs what. By default Envoy has CPUs of its own, where there are
    /// enough.
    #[arg(long)]
    pub(crate) no_pin: bool,
    /// Only variants whose name contains this (the plain route always runs); writes no figures.
    #[arg(long)]
    pub(crate) only: Option<String>,
    /// Also variants that lack one part of Taskgate's Envoy configuration each: where the time goes.
    #[arg(long)]
    pub(crate) experiments: bool,
}

impl Options {
    /// For another bench that measures requests: as it measures them by default, but for what is said here.
    pub(crate) fn of_part(quick: bool, rounds: Option<u32>, slice: Option<Duration>, no_pin: bool) -> Self {
        Self {
            quick,
            rounds,
            slice,
            services: None,
            connections: 16,
            concurrency: 1,
            endpoints: 2,
            no_pin,
            only: None,
            experiments: false,
        }
    }

    pub(crate) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 2 } else { 9 })
    }

    pub(crate) fn slice(&self) -> Duration {
        self.slice.unwrap_or(Duration::from_millis(if self.quick { 300 } else { 1_500 }))
    }

    pub(crate) fn services(&self) -> usize {
        let services = self.services.unwrap_or(if self.quick { 1_000 } else { 100_000 });
        usize::try_from(services).unwrap_or(usize::MAX)
    }
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "is no number of seconds".to_owned())?;
    if !(0.05..=60.0).contains(&seconds) {
        return Err("is not between 0.05 and 60".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}
