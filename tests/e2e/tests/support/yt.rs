//! YTsaurus's own client, as a program and as a library.

use std::env;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use taskgate_emulators::ytsaurus::Ytsaurus;
use taskgate_test_kit::environment;
use tempfile::TempDir;
use tokio::process::Command;

use super::soon;

/// The virtual environment to use instead of the one that `make yt-client` makes.
const TASKGATE_YT_CLIENT: &str = "TASKGATE_YT_CLIENT";

/// The client, set up for one cluster and one user.
#[derive(Debug)]
pub(crate) struct YtClient {
    proxy: String,
    token: &'static str,
    environment: PathBuf,
    home: TempDir,
}

impl YtClient {
    pub(crate) fn new(cluster: &Ytsaurus, token: &'static str) -> anyhow::Result<Self> {
        let proxy = cluster.address().to_string();
        Ok(Self { proxy, token, environment: virtual_environment()?, home: TempDir::new()? })
    }

    /// `yt` with these arguments; what it prints.
    pub(crate) async fn yt(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let program = self.environment.join("bin/yt");
        self.run(&[&[program.to_str().context("no such path")?], arguments].concat()).await
    }

    /// A script of Python, which can import `yt.wrapper`; what it prints.
    pub(crate) async fn python(&self, script: &str) -> anyhow::Result<String> {
        self.run(&["-c", script]).await
    }

    async fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(self.environment.join("bin/python"));
        command.args(arguments).env_clear().env("PATH", env::var_os("PATH").unwrap_or_default());
        command.env("LC_ALL", "C.UTF-8").env("HOME", self.home.path());
        command.env("YT_PROXY", &self.proxy).env("YT_TOKEN", self.token);
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = soon("the client", command.output()).await?.context("can't run Python")?;
        ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }
}

fn virtual_environment() -> anyhow::Result<PathBuf> {
    let named = env::var_os(TASKGATE_YT_CLIENT).filter(|name| !name.is_empty()).map(PathBuf::from);
    let target = env::var_os("CARGO_TARGET_DIR").filter(|name| !name.is_empty()).unwrap_or_else(|| "target".into());
    let place = named.unwrap_or_else(|| environment::repository().join(target).join("tools/ytsaurus"));
    ensure!(
        place.join("bin/yt").exists(),
        "not found: {}; run `make yt-client`, or set {TASKGATE_YT_CLIENT}",
        place.display()
    );
    Ok(place)
}
