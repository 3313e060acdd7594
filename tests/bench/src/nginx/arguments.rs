//! How to measure NGINX.

use std::time::Duration;

use clap::Args;

use crate::arguments::seconds;

/// Keep-alive connections of the load generator, each with one request at a time.
pub(super) const CONNECTIONS: u32 = 16;

/// How to measure NGINX.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Options {
    /// A smoke test: 2 rounds of 0.3 s slices. Its figures mean nothing, and go to a file of their own.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How many rounds; each goes every way once [default: 9].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// How long a way is gone in a round, in seconds [default: 1.5].
    #[arg(long, value_parser = seconds)]
    slice: Option<Duration>,
    /// Leave it to the system which CPU runs what.
    #[arg(long)]
    pub(super) no_pin: bool,
}

impl Options {
    pub(super) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 2 } else { 9 })
    }

    pub(super) fn slice(&self) -> Duration {
        self.slice.unwrap_or(Duration::from_millis(if self.quick { 300 } else { 1_500 }))
    }
}
