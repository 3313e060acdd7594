//! How to measure the feed.

use clap::Args;

/// How to measure the feed.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Options {
    /// A smoke test: 1,000 services instead of 100,000, few moves, one load. Its figures mean nothing, and go to a
    /// file of their own.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How many rows change, one after the other, in each way [default: 200].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    moves: Option<u32>,
    /// How many times a whole table is loaded in each way [default: 5].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    loads: Option<u32>,
    /// How many services the large table has [default: 100000].
    #[arg(long, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    services: Option<u32>,
    /// Leave it to the system which CPU runs what.
    #[arg(long)]
    pub(crate) no_pin: bool,
}

impl Options {
    /// How many rows change.
    pub(super) fn moves(&self) -> u32 {
        self.moves.unwrap_or(if self.quick { 20 } else { 200 })
    }

    /// How many loads there are of each kind.
    pub(super) fn loads(&self) -> u32 {
        self.loads.unwrap_or(if self.quick { 1 } else { 5 })
    }

    /// How many services the large table has.
    pub(super) fn services(&self) -> u32 {
        self.services.unwrap_or(if self.quick { 1_000 } else { 100_000 })
    }

    /// How many the small one has.
    pub(super) fn few(&self) -> u32 {
        self.services().min(if self.quick { 100 } else { 1_000 })
    }
}
