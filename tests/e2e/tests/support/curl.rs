//! The real `curl`, for what people are told to type.

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use super::soon;

/// Runs `curl` with these arguments; what it prints.
pub(crate) async fn curl(arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new("curl");
    // No proxy or `.curlrc` of whoever runs the tests.
    command.args(["--disable", "--noproxy", "*", "--silent", "--show-error"]).args(arguments);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = soon("curl", command.output()).await?.context("can't run curl")?;
    ensure!(output.status.success(), "curl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
