//! Azurite: Microsoft's own emulator of Azure Blob Storage, which verifies signatures.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tempfile::TempDir;

use crate::address::ReservedAddress;
use crate::environment;
use crate::process::Process;
use crate::wait::wait_for;

/// How long a start may take on a busy machine.
const READY: Duration = Duration::from_secs(60);

/// The version of the service whose signatures these are, and until when they are good.
const VERSION: &str = "2022-11-02";
const END: &str = "2099-01-01T00:00:00Z";

/// A running Azurite with one account and one container. Dropping it kills it.
#[derive(Debug)]
pub struct Azurite {
    _directory: TempDir,
    address: ReservedAddress,
    _server: Process,
}

impl Azurite {
    /// Its account.
    pub const ACCOUNT: &str = "taskgate";
    /// The account's key: the base64 of a text that says what it is.
    pub const KEY: &str = "dGhlIGtleSBvZiBhbiBhY2NvdW50IG9mIHRlc3Rz";

    /// Its container.
    pub const CONTAINER: &str = "data";

    /// Starts a server with an empty container, and waits until it is ready.
    ///
    /// # Errors
    /// It is not installed, or does not get ready.
    pub async fn start() -> anyhow::Result<Self> {
        let program = environment::azurite()?;
        let (directory, address) = (tempfile::tempdir()?, ReservedAddress::new()?);
        let mut command = Command::new("node");
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("HOME", directory.path()).current_dir(directory.path());
        command.env("AZURITE_ACCOUNTS", format!("{}:{}", Self::ACCOUNT, Self::KEY));
        command.arg(program).args(["--silent", "--skipApiVersionCheck", "--disableTelemetry", "--blobHost"]);
        command.arg(address.address().ip().to_string()).arg("--blobPort").arg(address.address().port().to_string());
        command.arg("--location").arg(directory.path());
        let mut server = Process::start(command, directory.path().join("azurite.log"))?;
        let (client, url) = (reqwest::Client::new(), format!("http://{}/", address.address()));
        let ready = wait_for(READY, "Azurite to be ready", async || match server.check_alive() {
            Err(error) => Some(Err(error)),
            Ok(()) => client.get(&url).send().await.ok().map(|_| Ok(())),
        });
        ready.await?.context("Azurite did not start")?;
        let azurite = Self { _directory: directory, address, _server: server };
        azurite.create_container(&client).await?;
        Ok(azurite)
    }

    /// The address of its account.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/{}", self.address.address(), Self::ACCOUNT)
    }

    async fn create_container(&self, client: &reqwest::Client) -> anyhow::Result<()> {
        // Account, rights, services, kinds, start, end, addresses, protocols, version, encryption.
        let fields = [Self::ACCOUNT, "c", "b", "c", "", END, "", "https,http", VERSION, "", ""].join("\n");
        let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(Self::KEY)?)?;
        mac.update(fields.as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        let query = [
            ("restype", "container"),
            ("sv", VERSION),
            ("ss", "b"),
            ("srt", "c"),
            ("sp", "c"),
            ("se", END),
            ("spr", "https,http"),
            ("sig", &signature),
        ];
        let url = reqwest::Url::parse_with_params(&format!("{}/{}", self.url(), Self::CONTAINER), query)?;
        let answer = client.put(url).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "no container: {status} {text}");
        Ok(())
    }
}
