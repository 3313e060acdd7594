//! A server of objects that speaks S3 and verifies signatures: `s3s-fs`.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;

use crate::address::ReservedAddress;
use crate::environment;
use crate::process::Process;
use crate::wait::wait_for;

/// How long a start may take on a busy machine.
const READY: Duration = Duration::from_secs(30);

/// A running `s3s-fs` with one bucket. Dropping it kills it.
///
/// What it does not do as S3 does: two creations of one object at a time may both go well.
#[derive(Debug)]
pub struct S3 {
    directory: TempDir,
    address: ReservedAddress,
    _server: Process,
}

impl S3 {
    /// Its bucket.
    pub const BUCKET: &str = "data";
    /// The id of its access key.
    pub const ACCESS_KEY_ID: &str = "AKIDTEST";
    /// The secret of its access key.
    pub const SECRET_ACCESS_KEY: &str = "a-secret-of-tests";

    /// Starts a server with an empty bucket, and waits until it is ready.
    ///
    /// # Errors
    /// It is not installed, or does not get ready.
    pub async fn start() -> anyhow::Result<Self> {
        let program = environment::s3s_fs()?;
        let (directory, address) = (tempfile::tempdir()?, ReservedAddress::new()?);
        let root = directory.path().join("root");
        fs::create_dir_all(root.join(Self::BUCKET))?;
        let mut command = Command::new(program);
        command.env_clear().current_dir(directory.path());
        command.arg("--host").arg(address.address().ip().to_string());
        command.arg("--port").arg(address.address().port().to_string());
        command.args(["--access-key", Self::ACCESS_KEY_ID, "--secret-key", Self::SECRET_ACCESS_KEY]).arg(root);
        let mut server = Process::start(command, directory.path().join("s3s-fs.log"))?;
        let (client, url) = (reqwest::Client::new(), format!("http://{}/", address.address()));
        let ready = wait_for(READY, "s3s-fs to be ready", async || match server.check_alive() {
            Err(error) => Some(Err(error)),
            Ok(()) => client.get(&url).send().await.ok().map(|_| Ok(())),
        });
        ready.await?.context("s3s-fs did not start")?;
        Ok(Self { directory, address, _server: server })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address.address())
    }

    /// What an object of the bucket has in it.
    ///
    /// # Errors
    /// There is none.
    pub fn object(&self, key: &str) -> anyhow::Result<Vec<u8>> {
        let path = self.directory.path().join("root").join(Self::BUCKET).join(key);
        fs::read(&path).with_context(|| format!("no object {key}"))
    }

    /// How many files it has, besides its own: unfinished uploads too.
    ///
    /// # Errors
    /// They can't be listed.
    pub fn files(&self) -> anyhow::Result<usize> {
        let mut folders = vec![self.directory.path().join("root").join(Self::BUCKET)];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else {
                    files += 1;
                }
            }
        }
        Ok(files)
    }
}
