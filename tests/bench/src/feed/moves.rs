//! How soon a row that changed is served.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use taskgate_test_kit::wait_until;

use crate::client::Client;
use crate::discovery::job::Job;
use crate::envoy_config::{self, listener};
use crate::feed::arguments::Options;
use crate::feed::sidecar::{FeedSidecar, id};
use crate::placement::Placement;
use crate::request::{Credential, get};
use crate::stage;

/// The longest that anything may take.
const LONGEST: Duration = Duration::from_secs(60);
/// Services that move are this far from each other.
const STRIDE: u32 = 7_919;

/// How the sidecar learns of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A provider tells it.
    Provider,
    /// The services file changes.
    File,
}

/// What came of it, in one way with one table.
#[derive(Debug)]
pub(super) struct Moves {
    pub(super) way: Way,
    pub(super) services: u32,
    /// From the change until a request was answered where the service is now; in order.
    took: Vec<Duration>,
}

impl Moves {
    /// So many of a hundred took no longer than this, in milliseconds.
    pub(super) fn percentile(&self, percent: usize) -> f64 {
        let place = (self.took.len() * percent).div_ceil(100).saturating_sub(1);
        self.took.get(place).map_or(f64::NAN, |took| took.as_secs_f64() * 1e3)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Provider => "provider",
            Self::File => "file",
        })
    }
}

/// Moves one service after the other from the first job to the second.
pub(super) async fn measure(
    sidecar: &mut FeedSidecar,
    way: Way,
    services: u32,
    jobs: &[Job; 2],
    options: &Options,
    placement: &Placement,
) -> anyhow::Result<Moves> {
    let envoy = stage::envoy(&envoy_config::taskgate_alone(sidecar.address())?, 1).await?;
    placement.place(envoy.id())?;
    let mut client = Client::connect(envoy.listener_address(listener::TASKGATE).await?).await?;
    let last = get("/", &id(services - 1), &Credential::None);
    let mut served = async || client.exchange(&last).await.is_ok_and(|answer| answer.status == 200);
    wait_until(LONGEST, "the table to arrive", &mut served).await?;
    // A file that large takes long to be read again; a part of the moves says enough.
    let moves = if way == Way::File { options.moves().div_ceil(4) } else { options.moves() };
    let mut took = Vec::new();
    for number in 0..moves.min(services) {
        let service = number.wrapping_mul(STRIDE) % services;
        let request = get("/", &id(service), &Credential::None);
        ensure!(reached(&mut client, &request, jobs).await? == 0, "service {service} is not where it was");
        let start = Instant::now();
        sidecar.put(way, service, 1).await?;
        while reached(&mut client, &request, jobs).await? == 0 {
            ensure!(start.elapsed() < LONGEST, "the change of service {service} does not arrive");
            // Envoy, the sidecar and this share two CPUs; asking without a rest would be what is measured.
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        took.push(start.elapsed());
    }
    envoy.stop().await?;
    took.sort_unstable();
    Ok(Moves { way, services, took })
}

/// Which job answers.
async fn reached(client: &mut Client, request: &[u8], jobs: &[Job; 2]) -> anyhow::Result<usize> {
    let answer = client.exchange(request).await?;
    let body = client.body(answer);
    let which = jobs.iter().position(|job| answer.status == 200 && body == job.answer.as_bytes());
    which.with_context(|| format!("answered {}: {}", answer.status, String::from_utf8_lossy(body)))
}
