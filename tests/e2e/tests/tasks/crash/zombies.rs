//! Workers that come back after they have lost their tasks, and say that these are complete.
//!
//! A worker stops by itself when its lease ends, so it takes an accident for this: what it says is on its way while
//! its lease ends. Here it is in the hands of a sidecar that is frozen, and meanwhile another worker, which needs
//! no sidecar, takes the tasks over.

use taskgate_test_kit::wait_until;

use super::ZOMBIES;
use super::logs::Logs;
use super::site::Site;
use crate::support::{PATIENCE, soon};

/// How long they hold their tasks, in seconds.
const LEASE_SECS: &str = "3";
/// What the sidecar counts of refused writes.
const REFUSED: &str = "taskgate_task_fenced_writes_total ";

pub(super) async fn come_back(site: &mut Site) -> anyhow::Result<()> {
    let client = site.client();
    for number in 0..ZOMBIES {
        client.submit(number, true).await?;
    }
    site.start_remote_worker(&["--concurrent", &ZOMBIES.to_string(), "--lease-secs", LEASE_SECS])?;
    soon("the worker to be at its tasks", site.service.holds(ZOMBIES)).await??;

    freeze(site).await?;
    site.service.release();
    site.start_worker()?;
    let ledger = &site.ledger;
    let complete = async || ledger.complete().await.is_ok_and(|complete| complete == ZOMBIES);
    wait_until(PATIENCE, "another worker to complete them", complete).await?;
    site.sidecar.resume()?;

    let sidecar = &site.sidecar;
    let refused = async || {
        let log = sidecar.log();
        Logs::read(&log).refused("complete").len() == ZOMBIES
    };
    wait_until(PATIENCE, "the completions of the first worker to be refused", refused).await?;
    let log = sidecar.log();
    let logs = Logs::read(&log);
    assert!(logs.transitions("complete").is_empty(), "the sidecar took no completion");
    let (completions, renewals) = (logs.refused("complete"), logs.refused("renew"));
    let lines = completions.values().chain(renewals.values()).sum::<usize>();
    assert!(counted(&sidecar.metrics().await?) >= lines, "every refused write counts");
    let rows = site.ledger.rows().await?;
    for (id, _, _, attempts, refused, ..) in rows {
        assert!(refused >= 1 && attempts >= 2, "{id}: {refused} refused writes, {attempts} attempts");
    }
    Ok(())
}

/// Freezes the sidecar while it is not writing.
async fn freeze(site: &mut Site) -> anyhow::Result<()> {
    loop {
        site.sidecar.pause().await?;
        if site.ledger.is_free().await? {
            return Ok(());
        }
        site.sidecar.resume()?;
    }
}

fn counted(metrics: &str) -> usize {
    let values = metrics.lines().filter_map(|line| line.strip_prefix(REFUSED)?.trim().parse::<usize>().ok());
    values.sum()
}
