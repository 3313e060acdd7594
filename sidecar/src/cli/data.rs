//! `taskgate upload` and `taskgate download`: a client of the API of data.
//!
//! It asks the server for a signed request, and sends that to wherever the server says: another host, as a rule. The
//! credential goes to the server alone. A signed URL is never shown: whoever has it may use it.

mod api;
mod bars;
pub(super) mod download;
mod patience;
mod signed;
mod source;
pub(super) mod upload;

use std::future::Future;
use std::process::ExitCode;

use anyhow::Context as _;

/// Runs something that does several things at a time.
fn run(act: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.context("can't start")?.block_on(act)
}
