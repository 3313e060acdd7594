//! How to measure access.

use std::time::Duration;

use clap::Args;

use crate::arguments::{self, seconds};

/// How to measure access.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Options {
    /// A smoke test: 2 rounds of 0.3 s slices, 3 revocations. Its figures mean nothing, and go to a file of their own.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How many rounds; each runs every variant once [default: 9].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// How long a variant runs in a round, in seconds [default: 1.5].
    #[arg(long, value_parser = seconds)]
    slice: Option<Duration>,
    /// How many WebSockets are ended, one after the other [default: 21].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    revocations: Option<u32>,
    /// Leave it to the system which CPU runs what.
    #[arg(long)]
    no_pin: bool,
}

impl Options {
    /// How requests are measured.
    pub(super) fn requests(&self) -> arguments::Options {
        arguments::Options::of_part(self.quick, self.rounds, self.slice, self.no_pin)
    }

    /// How many WebSockets are ended.
    pub(super) fn revocations(&self) -> u32 {
        self.revocations.unwrap_or(if self.quick { 3 } else { 21 })
    }
}
