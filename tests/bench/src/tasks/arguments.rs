//! How to measure tasks.

use clap::Args;

/// How to measure tasks.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Options {
    /// A smoke test: few tasks, a small domain, one round. Its figures mean nothing, and go to a file of their own.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How many tasks there are in a round [default: 10000].
    #[arg(long, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    tasks: Option<u32>,
    /// How many rounds of tasks; each has them on both databases once [default: 5].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// How many users ask for them.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) owners: u32,
    /// How large the domain is that is copied, in MiB; a multiple of 4 [default: 400].
    #[arg(long, value_parser = clap::value_parser!(u32).range(4..=4_096))]
    mebibytes: Option<u32>,
    /// How many data nodes the HSDS server has.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) data_nodes: u8,
    /// How often it is copied in each way [default: 3].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    copies: Option<u32>,
}

impl Options {
    pub(crate) fn tasks(&self) -> u32 {
        self.tasks.unwrap_or(if self.quick { 500 } else { 10_000 })
    }

    pub(crate) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 })
    }

    pub(crate) fn mebibytes(&self) -> u32 {
        self.mebibytes.unwrap_or(if self.quick { 16 } else { 400 })
    }

    pub(crate) fn copies(&self) -> u32 {
        self.copies.unwrap_or(if self.quick { 1 } else { 3 })
    }
}
