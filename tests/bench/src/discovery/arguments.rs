//! How to measure discovery.

use std::time::Duration;

use clap::Args;

use crate::discovery::population::Size;

/// How to measure discovery.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Options {
    /// A smoke test: a tenth of the cluster, short periods, few rounds. Its figures mean nothing, and go to
    /// a file of their own.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How often the sidecar is started for its first round [default: 5].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    cold: Option<u32>,
    /// How many later rounds that list operations; those that only list jobs come between them [default: 5].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    listings: Option<u32>,
    /// How often the job moves [default: 9].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    moves: Option<u32>,
    /// Leave it to the system which CPU runs what. By default the sidecar has two CPUs of its own, where
    /// there are more.
    #[arg(long)]
    pub(crate) no_pin: bool,
}

impl Options {
    pub(crate) fn cold(&self) -> u32 {
        self.cold.unwrap_or(if self.quick { 2 } else { 5 })
    }

    pub(crate) fn listings(&self) -> u32 {
        self.listings.unwrap_or(if self.quick { 2 } else { 5 })
    }

    pub(crate) fn moves(&self) -> u32 {
        self.moves.unwrap_or(if self.quick { 3 } else { 9 })
    }

    /// How much smaller than the whole the cluster is.
    pub(crate) fn divisor(&self) -> usize {
        if self.quick { 10 } else { 1 }
    }

    pub(crate) fn size(&self) -> Size {
        Size::whole().part(self.divisor())
    }

    /// `operations_secs` and `jobs_secs`; by default those of the program.
    pub(crate) fn periods(&self) -> Option<(u32, u32)> {
        self.quick.then_some((3, 1))
    }

    /// How often jobs are listed.
    pub(crate) fn jobs_period(&self) -> Duration {
        Duration::from_secs(self.periods().map_or(5, |(_, jobs)| jobs.into()))
    }

    /// How long the rounds and moves take that are waited for, if each does.
    pub(crate) fn waits(&self) -> Duration {
        let listings = Duration::from_secs(self.periods().map_or(30, |(operations, _)| operations.into()));
        listings * 2 * self.listings() + self.jobs_period() * 4 * (self.moves() + self.cold())
    }
}
