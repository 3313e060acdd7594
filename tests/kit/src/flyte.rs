//! What Flyte's SDK needs around a data proxy: certificates that it believes, the rest of a Flyte, and the SDK itself.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use crate::address::ReservedAddress;
use crate::environment;
use crate::process::Process;
use crate::wait::wait_for;

/// How long a start may take on a busy machine.
const READY: Duration = Duration::from_secs(60);
/// How long a program may take.
const END: Duration = Duration::from_secs(120);

/// What servers speak TLS with, and whom clients believe: gone when it is dropped.
#[derive(Debug)]
pub struct Certificates {
    directory: TempDir,
}

/// What a Flyte has besides its data proxy: projects, tasks, triggers and runs, of which it keeps what it is told.
/// Dropping it kills it.
#[derive(Debug)]
pub struct ControlPlane {
    plain: ReservedAddress,
    secure: ReservedAddress,
    process: Process,
    _directory: TempDir,
}

/// Somebody who uses Flyte's SDK. Hosts that end in `.test` are this machine for it.
#[derive(Debug)]
pub struct FlyteUser {
    home: TempDir,
    /// The host names it meets.
    hosts: String,
    authorities: PathBuf,
}

/// What a program of the SDK prints, line by line. Dropping it kills the program.
#[derive(Debug)]
pub struct Printing {
    lines: Lines<BufReader<ChildStdout>>,
    _program: Child,
}

// === impl Certificates ===

impl Certificates {
    /// One for these names.
    ///
    /// # Errors
    /// `make flyte` has not run.
    pub fn new(names: &[&str]) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut command = python("certificate.py")?;
        let output = command.arg(directory.path()).args(names).output()?;
        ensure!(output.status.success(), "no certificate: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Self { directory })
    }

    /// Who signed it.
    #[must_use]
    pub fn authorities(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.directory.path().join("server.pem")
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.directory.path().join("server.key")
    }
}

// === impl ControlPlane ===

impl ControlPlane {
    /// What the SDK calls it; two labels, so that it takes none of them for an organization.
    pub const HOST: &str = "flyte.test";

    /// Starts one that sends clients to that data proxy, and waits until it is ready.
    ///
    /// # Errors
    /// `make flyte` has not run, or it does not get ready.
    pub async fn start(data: &str, certificates: &Certificates) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let (plain, secure) = (ReservedAddress::new()?, ReservedAddress::new()?);
        let mut command = python("control_plane.py")?;
        command.arg(data).arg(plain.address().port().to_string()).arg(secure.address().port().to_string());
        command.arg(certificates.directory.path());
        let mut process = Process::start(command, directory.path().join("log"))?;
        let ready = wait_for(READY, "the control plane to be ready", async || {
            if let Err(error) = process.check_alive() {
                return Some(Err(error));
            }
            let mut is_open = true;
            for address in [plain.address(), secure.address()] {
                is_open &= tokio::net::TcpStream::connect(address).await.is_ok();
            }
            is_open.then_some(Ok(()))
        });
        ready.await?.context("the control plane did not start")?;
        Ok(Self { plain, secure, process, _directory: directory })
    }

    /// Where it is, without TLS.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.plain.address())
    }

    /// Where it is for the SDK, with TLS: host and port.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("{}:{}", Self::HOST, self.secure.address().port())
    }

    /// Every procedure that was called, with the HTTP status of the answer, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.process.log().lines().map(str::to_owned).collect()
    }
}

// === impl FlyteUser ===

impl FlyteUser {
    /// One who believes these certificates and meets these hosts.
    ///
    /// # Errors
    /// There is no place for files.
    pub fn new(certificates: &Certificates, hosts: &[&str]) -> anyhow::Result<Self> {
        Ok(Self { home: tempfile::tempdir()?, hosts: hosts.join(" "), authorities: certificates.authorities() })
    }

    /// Where files of theirs may be.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Does that with the SDK, set up so; what comes of it.
    ///
    /// # Errors
    /// It can't be started, breaks or takes too long. What the SDK refuses is no error.
    pub async fn ask(&self, settings: &str, arguments: &[&str]) -> anyhow::Result<Value> {
        let printed = self.run("sdk.py", &[&[settings], arguments].concat()).await?;
        // The SDK itself prints how far it is.
        let line = printed.lines().rev().find(|line| !line.trim().is_empty()).context("it printed nothing")?;
        serde_json::from_str(line).with_context(|| printed.clone())
    }

    /// Runs a program of `tests/flyte`; what it prints.
    ///
    /// # Errors
    /// It can't be started, fails or takes too long.
    pub async fn run(&self, script: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = self.command(script, arguments)?;
        let output = tokio::time::timeout(END, command.output()).await.context("it takes too long")??;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("{script} failed with {}:\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(text)
    }

    /// Does that with the SDK, set up so, and gives each line as it is printed.
    ///
    /// # Errors
    /// It can't be started.
    pub fn follow(&self, settings: &str, arguments: &[&str]) -> anyhow::Result<Printing> {
        let mut command = self.command("sdk.py", &[&[settings], arguments].concat())?;
        let mut program = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let output = program.stdout.take().context("it has no output")?;
        Ok(Printing { lines: BufReader::new(output).lines(), _program: program })
    }

    fn command(&self, script: &str, arguments: &[&str]) -> anyhow::Result<tokio::process::Command> {
        let mut command = python(script)?;
        command.args(arguments.iter().map(OsStr::new)).current_dir(self.home.path()).stdin(Stdio::null());
        command.env("HOME", self.home.path()).env("SSL_CERT_FILE", &self.authorities);
        command.env("TASKGATE_TEST_HOSTS", &self.hosts);
        let mut command = tokio::process::Command::from(command);
        command.kill_on_drop(true);
        Ok(command)
    }
}

// === impl Printing ===

impl Printing {
    /// The next line; none at the end.
    ///
    /// # Errors
    /// It takes too long, or is no text.
    pub async fn next(&mut self) -> anyhow::Result<Option<String>> {
        Ok(tokio::time::timeout(END, self.lines.next_line()).await.context("no more is printed")??)
    }
}

/// A program of `tests/flyte`. It sends no telemetry, and leaves nothing beside the program.
fn python(script: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(environment::flyte()?.join("python3"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("DO_NOT_TRACK", "1").env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUTF8", "1");
    command.arg(environment::repository().join("tests/flyte").join(script));
    Ok(command)
}
