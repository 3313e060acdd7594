//! The heart of a worker: leases are prolonged, and what was deleted is stopped.

use std::sync::Arc;

use taskgate_core::task::Progress;
use tokio::time::{Instant, sleep, timeout};

use crate::tasks::queue::QueueError;
use crate::tasks::store::{Hold, Renewed};
use crate::tasks::work::StopReason;
use crate::tasks::worker::Worker;
use crate::tasks::worker::reins::Reins;

/// Beats for as long as it is polled.
pub(super) async fn beat(worker: &Worker) {
    let mut renewed = Instant::now();
    let mut failures = 0_u32;
    loop {
        sleep(worker.settings.look.min(worker.settings.renew)).await;
        if worker.running() == 0 {
            // What is claimed now has a whole lease.
            renewed = Instant::now();
            continue;
        }
        let asked = Instant::now();
        let is_due = asked.duration_since(renewed) >= worker.settings.renew;
        let patience = worker.settings.renew;
        let outcome =
            if is_due { timeout(patience, renew(worker, asked)).await } else { timeout(patience, check(worker)).await };
        match outcome {
            Ok(Ok(())) => {
                failures = 0;
                if is_due {
                    renewed = asked;
                }
            }
            Ok(Err(error)) => failed(worker, &mut failures, &error.to_string()),
            Err(_) => failed(worker, &mut failures, "no answer in time"),
        }
    }
}

/// Prolongs all leases.
async fn renew(worker: &Worker, asked: Instant) -> Result<(), QueueError> {
    let _turn = worker.turn.write().await;
    let reins = all(worker);
    let holds: Vec<(Hold, Progress)> =
        reins.iter().map(|reins| (reins.held.hold, reins.progress().unwrap_or_default())).collect();
    let renewed = worker.queue.renew(&holds, worker.settings.lease).await?;
    for (reins, renewed) in reins.iter().zip(renewed) {
        if renewed == Renewed::Held {
            reins.prolong(worker.safe_until(asked));
        }
        heed(reins, renewed);
    }
    Ok(())
}

/// Looks what has become of the tasks.
async fn check(worker: &Worker) -> Result<(), QueueError> {
    let reins = all(worker);
    let holds: Vec<Hold> = reins.iter().map(|reins| reins.held.hold).collect();
    let found = worker.queue.check(&holds).await?;
    reins.iter().zip(found).for_each(|(reins, found)| heed(reins, found));
    Ok(())
}

fn heed(reins: &Reins, renewed: Renewed) {
    match renewed {
        Renewed::Held => {}
        Renewed::Deleted => reins.pull(StopReason::Deleted),
        Renewed::Lost => reins.pull(StopReason::Lost),
    }
}

fn all(worker: &Worker) -> Vec<Arc<Reins>> {
    worker.held().values().cloned().collect()
}

fn failed(worker: &Worker, failures: &mut u32, error: &str) {
    *failures = failures.saturating_add(1);
    if *failures == 1 {
        tracing::warn!(worker = worker.name, error, "leases can't be prolonged; it is tried again until they end");
    }
}
