//! How to measure xDS.

use clap::Args;

/// From so many services on it is the large table.
pub(super) const MANY: u32 = 50_000;

/// How to measure xDS.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Options {
    /// A smoke test: 1,000 services, three changes. Its figures mean nothing, and go to a file of their own.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How many times a row changes [default: 20].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    changes: Option<u32>,
}

impl Options {
    /// How many services there are, one size after the other.
    pub(super) fn sizes(&self) -> Vec<u32> {
        if self.quick { vec![1_000] } else { vec![10_000, 100_000] }
    }

    /// How many times a row changes.
    pub(super) fn changes(&self) -> u32 {
        self.changes.unwrap_or(if self.quick { 3 } else { 20 })
    }
}
