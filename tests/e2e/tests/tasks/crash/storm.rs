//! The storm: workers are killed and others started in their place, and some are frozen until after their leases.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::ensure;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::dice::Dice;
use super::site::Site;
use super::{TASKS, ZOMBIES};

/// How many workers use the database, beside one that uses the sidecar.
const WORKERS: usize = 3;
/// How many clients ask for tasks at one time.
const CLIENTS: usize = 8;
/// The time from one blow to the next, in milliseconds.
const CALM_MS: (u64, u64) = (200, 700);
/// How long a worker is frozen, in milliseconds: longer than its lease.
const FROZEN_MS: (u64, u64) = (2_200, 3_500);
/// Of so many blows one freezes, and none by chance: no storm is without.
const FREEZES: usize = 4;
/// How long it may all take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(150);

/// What happened to workers.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) killed: usize,
    pub(super) paused: usize,
}

pub(super) async fn rage(site: &mut Site, mut dice: Dice) -> anyhow::Result<Tally> {
    while site.workers.len() < WORKERS + 1 {
        site.start_worker()?;
    }
    let mut clients = JoinSet::new();
    for first in 0..CLIENTS {
        let client = site.client();
        clients.spawn(async move {
            for number in (ZOMBIES + first..TASKS).step_by(CLIENTS) {
                client.submit(number, false).await?;
            }
            anyhow::Ok(())
        });
    }
    let (mut tally, mut frozen) = (Tally::default(), BTreeMap::new());
    let end = Instant::now() + PATIENCE;
    loop {
        let complete = site.ledger.complete().await?;
        if complete == TASKS {
            break;
        }
        ensure!(Instant::now() < end, "only {complete} tasks are complete after {tally:?}");
        thaw(site, &mut frozen, Instant::now())?;
        let struck = dice.index(site.workers.len());
        if let (Some(worker), false) = (site.workers.get_mut(struck), frozen.contains_key(&struck)) {
            if (tally.killed + tally.paused) % FREEZES == 1 {
                worker.pause().await?;
                frozen.insert(struck, Instant::now() + dice.between(FROZEN_MS.0, FROZEN_MS.1));
                tally.paused += 1;
            } else {
                worker.replace()?;
                tally.killed += 1;
            }
        }
        sleep(dice.between(CALM_MS.0, CALM_MS.1)).await;
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    // Those that are still frozen wake up when there is nothing left to do.
    thaw(site, &mut frozen, end + PATIENCE)?;
    Ok(tally)
}

fn thaw(site: &mut Site, frozen: &mut BTreeMap<usize, Instant>, now: Instant) -> anyhow::Result<()> {
    let due: Vec<usize> = frozen.iter().filter(|(_, until)| **until <= now).map(|(worker, _)| *worker).collect();
    for number in due {
        frozen.remove(&number);
        if let Some(worker) = site.workers.get_mut(number) {
            worker.resume()?;
        }
    }
    Ok(())
}
