//! How to measure TCP services.

use std::time::Duration;

use clap::Args;

/// How to measure TCP services.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Options {
    /// A smoke test. Its figures mean nothing, and go to a file of their own.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How many rounds; each takes every way once [default: 9].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
}

impl Options {
    pub(super) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 2 } else { 9 })
    }

    /// How long bytes flow in a round, and then how long one is said and heard back.
    pub(super) fn slice(&self) -> Duration {
        Duration::from_millis(if self.quick { 100 } else { 1_000 })
    }

    /// How many services are announced one after the other.
    pub(super) fn announced(&self) -> u32 {
        if self.quick { 3 } else { 20 }
    }

    /// How many come at once.
    pub(super) fn many(&self) -> u32 {
        if self.quick { 50 } else { 1_000 }
    }
}
