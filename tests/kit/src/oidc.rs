//! A running OpenID Connect provider: the package `oidc-provider-mock`, which browsers and the sidecar really talk to.

use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tempfile::TempDir;

use crate::address::ReservedAddress;
use crate::environment;
use crate::process::Process;
use crate::wait::wait_for;

/// How long a start may take on a busy machine.
const READY: Duration = Duration::from_secs(60);

/// The provider. Dropping it kills it.
#[derive(Debug)]
pub struct OidcProvider {
    address: ReservedAddress,
    process: Process,
    _directory: TempDir,
}

impl OidcProvider {
    /// Starts one that knows these people, each by `sub` and other claims, and waits until it is ready.
    ///
    /// # Errors
    /// `make oidc` has not run, or it does not get ready.
    pub async fn start(people: &Value) -> anyhow::Result<Self> {
        let (directory, address) = (tempfile::tempdir()?, ReservedAddress::new()?);
        let mut command = Command::new(environment::oidc()?.join("python3"));
        command.arg(environment::repository().join("tests/oidc/provider.py"));
        command.arg(address.address().port().to_string()).arg(people.to_string());
        let mut process = Process::start(command, directory.path().join("log"))?;
        let ready = wait_for(READY, "the sign-in provider to be ready", async || match process.check_alive() {
            Ok(()) => tokio::net::TcpStream::connect(address.address()).await.ok().map(|_| Ok(())),
            Err(error) => Some(Err(error)),
        });
        ready.await?.context("the sign-in provider did not start")?;
        Ok(Self { address, process, _directory: directory })
    }

    /// Its issuer, which is where it is.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("http://{}", self.address.address())
    }

    /// How often somebody was asked who they are.
    #[must_use]
    pub fn forms(&self) -> usize {
        self.lines("form")
    }

    /// How often somebody was known already.
    #[must_use]
    pub fn silent(&self) -> usize {
        self.lines("silent")
    }

    fn lines(&self, line: &str) -> usize {
        self.process.log().lines().filter(|found| *found == line).count()
    }
}
