//! Waiting for a state that another process reaches in its own time.
//!
//! For readiness alone: what a test asserts must hold at once or be waited for here, never slept for.

use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};

/// How often the condition is looked at.
const INTERVAL: Duration = Duration::from_millis(10);

/// Waits until `condition` holds; `what` says it in the error.
///
/// # Errors
/// It did not hold before the deadline.
pub async fn wait_until(
    deadline: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> bool,
) -> anyhow::Result<()> {
    wait_for(deadline, what, async || condition().await.then_some(())).await
}

/// Waits until `probe` finds something.
///
/// # Errors
/// It found nothing before the deadline.
pub async fn wait_for<T>(
    deadline: Duration,
    what: &str,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> anyhow::Result<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = probe().await {
            return Ok(found);
        }
        if Instant::now() >= end {
            bail!("waited {deadline:?} in vain: {what}");
        }
        sleep(INTERVAL).await;
    }
}
