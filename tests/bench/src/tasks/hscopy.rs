//! HSDS's own client that copies a domain.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use taskgate_test_kit::{Hsds, environment};
use tokio::process::Command;
use tokio::time::{Instant, interval};

use crate::memory::high_water;
use crate::tasks::domain::{SOURCE, USER};

/// How often its memory is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// How long it took, and the most memory that it held, in MiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) took: Duration,
    pub(super) peak: f64,
}

/// Copies the domain.
pub(super) async fn run(hsds: &Hsds, copy: &str) -> anyhow::Result<Run> {
    let mut command = Command::new(environment::hsds()?.join("hscopy"));
    command.env_clear().env("HOME", hsds.directory()).current_dir(hsds.directory());
    command.args(["--endpoint", &hsds.url(), "--user", USER.name(), "--password", USER.password(), SOURCE, copy]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    let start = Instant::now();
    let mut child = command.spawn().context("can't start hscopy")?;
    let id = child.id().context("hscopy has no process id")?;
    let (mut looks, mut peak) = (interval(LOOK), 0.0_f64);
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            _ = looks.tick() => peak = peak.max(high_water(id).unwrap_or_default()),
        }
    };
    if !status.success() {
        bail!("hscopy ended with {status}");
    }
    Ok(Run { took: start.elapsed(), peak })
}
