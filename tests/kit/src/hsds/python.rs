//! Python programs with h5pyd, h5py and numpy.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::Command;

use super::{Hsds, HsdsUser};
use crate::environment;

/// How long a program may take on a busy machine.
const END: Duration = Duration::from_secs(120);

impl Hsds {
    /// Runs a Python program whose h5pyd uses this server as that user, and gives what it prints.
    ///
    /// # Errors
    /// It can't be started, fails or takes too long.
    pub async fn python(&self, user: HsdsUser, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = command()?;
        command.env("HS_ENDPOINT", self.url()).env("HS_USERNAME", user.name()).env("HS_PASSWORD", user.password());
        command.env("HOME", self.directory()).current_dir(self.directory());
        run(command, program, arguments).await
    }
}

/// Runs a Python program with h5py and numpy, and gives what it prints.
///
/// # Errors
/// It can't be started, fails or takes too long.
pub async fn python(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    run(command()?, program, arguments).await
}

fn command() -> anyhow::Result<Command> {
    let mut command = Command::new(environment::hsds()?.join("python3"));
    command.env_clear().env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONIOENCODING", "utf-8");
    Ok(command)
}

async fn run(mut command: Command, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    command.arg("-c").arg(program).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(END, command.output()).await.context("a Python program takes too long")??;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("a Python program failed with {}:\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(text)
}
