//! `make bench-tasks`: how many tasks a second are accepted and done, and how fast data are copied.
//!
//! Tasks that do nothing go through the store, the queue and a worker of this process, on SQLite and on
//! PostgreSQL in turns, so that both see the same machine. A copy is done by a sidecar, and by HSDS's own
//! `hscopy`, on the same server in turns.
//!
//! Read in this order: [`throughput`], [`timed`], [`copy`] (and [`domain`], [`hscopy`]), [`report`].
//!
//! Never counts a task that did not become complete, or a copy that is not the same: one of them fails the run.

pub(crate) mod arguments;
mod copy;
mod domain;
mod hscopy;
mod report;
mod throughput;
mod timed;

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::timeout;

use crate::tasks::arguments::Options;
use crate::tasks::report::Report;
use crate::{aims, screen};

/// How long a run may take.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Measures, prints and writes.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    // What runs ends with the future.
    timeout(LONGEST, measure(options)).await.context("took too long")?
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    screen::title(&format!("{} tasks that do nothing, {} rounds", options.tasks(), options.rounds()));
    let samples = throughput::measure(options).await?;
    screen::title(&format!("A domain of {} MiB, {} rounds", options.mebibytes(), options.copies()));
    let copies = copy::measure(options).await?;
    let report = Report { samples, copies };
    screen::title("Tasks and copies");
    report.print();
    let figures = report.figures();
    screen::title("Figures");
    figures.iter().for_each(|(name, value)| screen::line(&format!("{name:<28}{value:>9.3}")));
    screen::title("Aims");
    aims::lines(&aims::TASKS, &figures).iter().for_each(|line| screen::line(line));
    crate::report::write("tasks", &figures, options.quick)
}
