//! Rounds of discovery: the first one of a sidecar, and later ones.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use taskgate_test_kit::{Sidecar, SidecarHome, wait_until};
use tokio::time::{Instant, sleep};

use crate::cpu;
use crate::discovery::cluster::{Calls, Cluster};
use crate::placement::Placement;

/// The longest that a round is waited for.
const ROUND: Duration = Duration::from_secs(60);
/// How often the sidecar is asked how many there were. That costs it a little, which counts as its own.
const LOOK: Duration = Duration::from_millis(100);
/// How many rounds it counted, and how long they took together.
const COUNT: &str = "taskgate_ytsaurus_round_duration_seconds_count";
const SUM: &str = "taskgate_ytsaurus_round_duration_seconds_sum";
/// How often the table was brought up to date.
const WRITES: &str = "taskgate_ytsaurus_table_writes_total";

/// What a round came to.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// How long it took.
    pub(crate) took: Duration,
    /// The sidecar's CPU time since the round before.
    pub(crate) cpu: Duration,
    /// The cluster's.
    pub(crate) cluster_cpu: Duration,
    /// What the cluster was asked since then.
    pub(crate) calls: Calls,
}

/// The rounds that a sidecar counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounds {
    count: f64,
    seconds: f64,
}

/// CPU times and calls at one moment.
struct Mark {
    cpu: Duration,
    cluster_cpu: Duration,
    calls: Calls,
}

impl Sample {
    /// Whether operations were listed.
    pub(crate) fn lists(&self) -> bool {
        self.calls.of("list_operations") > 0
    }
}

impl Rounds {
    /// Those up to now.
    pub(crate) async fn of(sidecar: &Sidecar) -> anyhow::Result<Self> {
        let metrics = sidecar.metrics().await?;
        Ok(Self { count: sum(&metrics, COUNT), seconds: sum(&metrics, SUM) })
    }

    /// How long those took that came after `earlier`; mostly one.
    pub(crate) fn mean_since(self, earlier: Self) -> Duration {
        let mean = (self.seconds - earlier.seconds) / (self.count - earlier.count);
        Duration::try_from_secs_f64(mean).unwrap_or_default()
    }

    /// Waits for the next one: how long it took.
    pub(crate) async fn next(&mut self, sidecar: &Sidecar) -> anyhow::Result<Duration> {
        let end = Instant::now() + ROUND;
        loop {
            // It does not answer while it starts.
            if let Ok(now) = Self::of(sidecar).await
                && now.count > self.count
            {
                return Ok(now.mean_since(std::mem::replace(self, now)));
            }
            ensure!(Instant::now() < end, "no round of discovery ends");
            sleep(LOOK).await;
        }
    }
}

impl Mark {
    async fn now(sidecar: &Sidecar, cluster: &mut Cluster) -> anyhow::Result<Self> {
        let cluster_cpu = cpu::time(cluster.id()?)?;
        Ok(Self { cpu: cpu::time(sidecar.id())?, cluster_cpu, calls: cluster.calls().await? })
    }

    /// What came between this and `now`, in which a round took so long.
    fn until(&self, now: &Self, took: Duration) -> Sample {
        Sample {
            took,
            cpu: now.cpu.saturating_sub(self.cpu),
            cluster_cpu: now.cluster_cpu.saturating_sub(self.cluster_cpu),
            calls: now.calls.since(&self.calls),
        }
    }
}

/// Starts a sidecar so often; the last one, and the first round of each.
pub(crate) async fn cold(
    document: &str,
    cluster: &mut Cluster,
    times: u32,
    placement: &Placement,
) -> anyhow::Result<(Sidecar, Vec<Sample>)> {
    let mut home = SidecarHome::new()?;
    let mut samples = Vec::new();
    loop {
        let before = (cpu::time(cluster.id()?)?, cluster.calls().await?);
        let mut sidecar = placement.start(|| home.launch(document))?;
        let mut rounds = Rounds { count: 0.0, seconds: 0.0 };
        let took = rounds.next(&sidecar).await;
        let took = took.with_context(|| sidecar.log())?;
        let now = Mark::now(&sidecar, cluster).await?;
        let before = Mark { cpu: Duration::ZERO, cluster_cpu: before.0, calls: before.1 };
        samples.push(before.until(&now, took));
        sidecar.wait_ready().await?;
        // Whoever starts next finds the tables, and the lock free.
        wait_until(ROUND, "the table to be written", async || is_published(&sidecar).await).await?;
        if samples.len() >= usize::try_from(times)? {
            return Ok((sidecar, samples));
        }
        home = sidecar.stop().await?;
    }
}

/// Waits for that many rounds that list operations, and those between them.
pub(crate) async fn steady(
    sidecar: &Sidecar,
    rounds: &mut Rounds,
    cluster: &mut Cluster,
    listings: u32,
) -> anyhow::Result<Vec<Sample>> {
    // What the start took with it is over after one of each kind.
    let mut samples: Vec<Sample> = Vec::new();
    let mut before = None;
    let mut listed = 0;
    while listed <= listings {
        let took = rounds.next(sidecar).await?;
        let now = Mark::now(sidecar, cluster).await?;
        let sample = before.replace(now).zip(before.as_ref()).map(|(before, now)| before.until(now, took));
        let Some(sample) = sample else { continue };
        let lists = sample.lists();
        if listed > 0 {
            samples.push(sample);
        }
        listed += u32::from(lists);
    }
    Ok(samples)
}

async fn is_published(sidecar: &Sidecar) -> bool {
    sidecar.metrics().await.is_ok_and(|metrics| sum(&metrics, WRITES) > 0.0)
}

/// The sum of a metric over its labels.
pub(crate) fn sum(metrics: &str, name: &str) -> f64 {
    let values = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = if rest.starts_with('{') { rest.rsplit_once("} ")?.1 } else { rest.strip_prefix(' ')? };
        value.trim().parse::<f64>().ok()
    });
    values.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_a_metric_and_no_other() {
        let text = "# HELP a x\na{b=\"c\"} 1\na{b=\"} d\"} 2.5\na_count 7\na 4\n";
        assert_eq!(sum(text, "a"), 7.5);
        assert_eq!(sum(text, "b"), 0.0);
    }
}
