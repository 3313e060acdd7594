//! How to measure data.

use std::time::Duration;

use clap::Args;

/// How to measure data.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Options {
    /// A smoke test: small files, one round. Its figures mean nothing, and go to a file of their own.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How large the file is that goes to both in turns, in MiB [default: 1024].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    mebibytes: Option<u32>,
    /// How often it goes to each [default: 7].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// How large the file is by which memory is measured, in MiB [default: 5120].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    large_mebibytes: Option<u32>,
}

impl Options {
    pub(crate) fn mebibytes(&self) -> u32 {
        self.mebibytes.unwrap_or(if self.quick { 16 } else { 1_024 })
    }

    pub(crate) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 7 })
    }

    pub(crate) fn large_mebibytes(&self) -> u32 {
        self.large_mebibytes.unwrap_or(if self.quick { 64 } else { 5_120 })
    }

    /// How often inputs are kept.
    pub(crate) fn inputs(&self) -> u32 {
        if self.quick { 5 } else { 50 }
    }

    /// For how long URLs of each kind are signed.
    pub(crate) fn slice(&self) -> Duration {
        Duration::from_millis(if self.quick { 200 } else { 3_000 })
    }
}
