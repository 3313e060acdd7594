//! How soon a job that moved is reached where it is now.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use taskgate_test_kit::{Envoy, Sidecar};
use tokio::time::{Instant, sleep};

use crate::catalogue::token;
use crate::client::Client;
use crate::discovery::arguments::Options;
use crate::discovery::cluster::Cluster;
use crate::discovery::job::Job;
use crate::discovery::population::moved_service;
use crate::discovery::rounds::Rounds;
use crate::envoy_config::{self, listener};
use crate::request::{Credential, get};
use crate::stage;

/// The longest that a move may take.
const MOVE: Duration = Duration::from_secs(120);
/// The time between two requests.
const BETWEEN: Duration = Duration::from_millis(5);

/// A move of a job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move {
    /// Until a request got there.
    pub(crate) took: Duration,
    /// How long the round took that found it.
    pub(crate) round: Duration,
}

/// Who visits the job, through Envoy.
struct Visitor {
    client: Client,
    request: Vec<u8>,
}

impl Move {
    /// What went before that round: that is the period, but for the milliseconds from round to Envoy.
    pub(crate) fn waited(&self) -> Duration {
        self.took.saturating_sub(self.round)
    }
}

impl Visitor {
    async fn connect(ingress: SocketAddr) -> anyhow::Result<Self> {
        let request = get("/", &moved_service()?, &Credential::Token(token(0)));
        Ok(Self { client: Client::connect(ingress).await?, request })
    }

    /// Makes requests until `job` answers one. None may fail once one was answered.
    async fn reach(&mut self, job: &Job, is_first: bool) -> anyhow::Result<()> {
        let end = Instant::now() + MOVE;
        loop {
            let answer = self.client.exchange(&self.request).await?;
            let body = self.client.body(answer);
            if answer.status == 200 && body == job.answer.as_bytes() {
                return Ok(());
            }
            let text = String::from_utf8_lossy(body);
            ensure!(answer.status == 200 || is_first, "answered {} while the job moved: {text}", answer.status);
            ensure!(Instant::now() < end, "the job is not reached: {} {text}", answer.status);
            sleep(BETWEEN).await;
        }
    }
}

/// Moves a job to and fro, at another time of the period each time.
pub(crate) async fn run(
    sidecar: &Sidecar,
    rounds: &mut Rounds,
    cluster: &mut Cluster,
    options: &Options,
) -> anyhow::Result<Vec<Move>> {
    let jobs = [Job::start("A", "127.0.0.2:0").await?, Job::start("B", "127.0.0.3:0").await?];
    let envoy = stage::envoy(&envoy_config::taskgate_alone(sidecar.internal_address())?, 1).await?;
    let moves = follow(sidecar, rounds, cluster, options, &envoy, &jobs).await;
    let moves = moves.with_context(|| format!("Envoy's log:\n{}", envoy.log()))?;
    envoy.stop().await?;
    Ok(moves)
}

async fn follow(
    sidecar: &Sidecar,
    rounds: &mut Rounds,
    cluster: &mut Cluster,
    options: &Options,
    envoy: &Envoy,
    jobs: &[Job; 2],
) -> anyhow::Result<Vec<Move>> {
    let mut visitor = Visitor::connect(envoy.listener_address(listener::TASKGATE).await?).await?;
    let [first, _] = jobs;
    cluster.move_job(first.address).await?;
    visitor.reach(first, true).await?;
    let mut moves = Vec::new();
    for (number, job) in (0..options.moves()).zip(jobs.iter().cycle().skip(1)) {
        rounds.next(sidecar).await?;
        sleep(options.jobs_period() * number / options.moves()).await;
        let before = Rounds::of(sidecar).await?;
        cluster.move_job(job.address).await?;
        let moved = Instant::now();
        visitor.reach(job, false).await?;
        let took = moved.elapsed();
        *rounds = Rounds::of(sidecar).await?;
        moves.push(Move { took, round: rounds.mean_since(before) });
    }
    Ok(moves)
}
