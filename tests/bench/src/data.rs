//! `make bench-data`: how many URLs are signed a second, how fast the local store takes and gives a file beside nginx,
//! and how long inputs of a run take.
//!
//! The sidecar and nginx are processes of their own, on the same disk, asked in turns by the same client, which does
//! nothing but write and read bytes. Both answer an upload once the file is there under its name; neither waits for
//! the disk (`durable: false`), for nginx never does. What waiting costs is printed beside it.
//!
//! Read in this order: [`stage`], [`transfer`], [`inputs`], [`signing`], [`report`].
//!
//! Never counts an answer other than the expected one: one of them fails the run.

pub(crate) mod arguments;
mod inputs;
mod report;
mod signing;
mod stage;
mod transfer;

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::timeout;

use crate::data::arguments::Options;
use crate::data::report::Report;
use crate::data::stage::Stage;
use crate::{aims, screen};

/// How long a run may take.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Measures, prints and writes.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    // What runs ends with the future.
    timeout(LONGEST, measure(options)).await.context("took too long")?
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    screen::title("URLs signed on one core");
    let signed = signing::measure(options.slice()).await?;
    screen::title(&format!("A file of {} MiB, {} rounds", options.mebibytes(), options.rounds()));
    let stage = Stage::start().await?;
    let rounds = transfer::rounds(&stage, options).await?;
    screen::title(&format!("Inputs of 10 MiB, {} times", options.inputs()));
    let inputs = inputs::measure(&stage, options.inputs()).await?;
    screen::title(&format!("A file of {} MiB", options.large_mebibytes()));
    let large = transfer::large(options).await?;
    let report = Report { signed, rounds, inputs, large };
    report.print();
    let figures = report.figures();
    screen::title("Figures");
    figures.iter().for_each(|(name, value)| screen::line(&format!("{name:<28}{value:>12.3}")));
    screen::title("Aims");
    aims::lines(&aims::DATA, &figures).iter().for_each(|line| screen::line(line));
    crate::report::write("data", &figures, options.quick)
}
