//! The load generator: a fixed number of connections, each with one request at a time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::request::Requests;

/// The longest latency that is told from others, in microseconds.
const MAX_LATENCY: u64 = 60_000_000;

/// Connections to one listener. They stay open between slices.
#[derive(Debug)]
pub(crate) struct Load {
    clients: Vec<Client>,
    requests: Requests,
}

/// What came of a slice.
#[derive(Debug)]
pub(crate) struct Tally {
    /// How many requests were answered with 200. There are no others.
    pub(crate) requests: u64,
    /// How long that took.
    pub(crate) elapsed: Duration,
    /// Latencies in microseconds.
    pub(crate) latencies: Histogram<u64>,
}

impl Load {
    /// Opens the connections.
    pub(crate) async fn open(address: SocketAddr, connections: u32, requests: Requests) -> anyhow::Result<Self> {
        let mut clients = Vec::new();
        for _ in 0..connections {
            clients.push(Client::connect(address).await?);
        }
        Ok(Self { clients, requests })
    }

    /// Sends requests for that long.
    ///
    /// # Errors
    /// Any answer but 200, or none.
    pub(crate) async fn run(&mut self, length: Duration) -> anyhow::Result<Tally> {
        let start = Instant::now();
        let end = start + length;
        let mut tasks = JoinSet::new();
        for client in self.clients.drain(..) {
            tasks.spawn(drive(client, self.requests.clone(), end));
        }
        let mut latencies = histogram()?;
        while let Some(done) = tasks.join_next().await {
            let (client, times) = done??;
            for time in times {
                latencies.saturating_record(time.into());
            }
            self.clients.push(client);
        }
        Ok(Tally { requests: latencies.len(), elapsed: start.elapsed(), latencies })
    }
}

/// Sends one request after the other until `end`: the latencies.
async fn drive(mut client: Client, requests: Requests, end: Instant) -> anyhow::Result<(Client, Vec<u32>)> {
    let mut buffer = Vec::with_capacity(1024);
    let mut times = Vec::with_capacity(8192);
    let mut now = Instant::now();
    while now < end {
        requests.write(&mut buffer);
        client.succeed(&buffer).await?;
        let answered = Instant::now();
        times.push(u32::try_from((answered - now).as_micros()).unwrap_or(u32::MAX));
        now = answered;
    }
    Ok((client, times))
}

/// An empty histogram of latencies.
pub(crate) fn histogram() -> anyhow::Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, MAX_LATENCY, 3).context("a histogram")
}
