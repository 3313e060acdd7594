//! A PostgreSQL server for tests: Debian's, with its own data and a free port.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Signal, geteuid};
use tempfile::TempDir;

use crate::address::ReservedAddress;
use crate::environment;
use crate::process::Process;

/// Its superuser.
const USER: &str = "taskgate";
/// The password of that, which must not show anywhere.
const PASSWORD: &str = "hunter2-of-postgres";
/// How long it may take to be ready, and to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked at.
const INTERVAL: Duration = Duration::from_millis(10);

/// A PostgreSQL server on loopback, gone with its data when dropped.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    home: TempDir,
    address: ReservedAddress,
    /// Whom the server runs as; none is whoever runs this.
    user: Option<(u32, u32)>,
    process: Option<Process>,
}

impl Postgres {
    /// Makes a new database cluster and starts its server.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub fn start() -> anyhow::Result<Self> {
        let programs = environment::postgres()?;
        let home = tempfile::tempdir()?;
        // The server refuses to run as root.
        let user = if geteuid().is_root() { Some(other_user()?) } else { None };
        if let Some((user, group)) = user {
            chown(home.path(), Some(user), Some(group))?;
        }
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700))?;
        let mut server = Self { programs, home, address: ReservedAddress::new()?, user, process: None };
        server.initialise()?;
        server.start_again()?;
        Ok(server)
    }

    /// Where clients find it, password and all.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://{USER}:{PASSWORD}@{}/postgres", self.address.address())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address.address()
    }

    /// The client `psql`, which finds the server at that address, with user and password.
    #[must_use]
    pub fn psql(&self, address: SocketAddr) -> Command {
        let mut command = Command::new(self.programs.join("psql"));
        let url = format!("postgres://{USER}@{address}/postgres?sslmode=disable&connect_timeout=30");
        command.env("PGPASSWORD", PASSWORD).args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "-v"]);
        command.args(["ON_ERROR_STOP=1", "--dbname", &url]);
        command
    }

    /// What must not show anywhere.
    #[must_use]
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Kills it, as a loss of power would.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().context("the server does not run")?.kill()
    }

    /// Starts it on the data that are there, and waits until it is ready.
    ///
    /// # Errors
    /// It is not ready in time.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        let port = self.address.address().port().to_string();
        while Instant::now() < end {
            if self.process.as_mut().is_none_or(|process| process.check_alive().is_err()) {
                // Processes of one that was killed may not have ended yet, and it does not start before that.
                self.process = Some(Process::start(self.server(&port), self.home.path().join("log"))?);
            }
            let mut ready = self.program("pg_isready");
            ready.args(["--quiet", "--host", "127.0.0.1", "--port", &port]).stdin(Stdio::null());
            if ready.status()?.success() {
                return Ok(());
            }
            sleep(INTERVAL);
        }
        let log = self.process.as_ref().map(Process::last_lines).unwrap_or_default();
        bail!("PostgreSQL was not ready after {PATIENCE:?}:\n{log}")
    }

    fn initialise(&self) -> anyhow::Result<()> {
        let password = self.home.path().join("password");
        fs::write(&password, PASSWORD)?;
        if let Some((user, group)) = self.user {
            chown(&password, Some(user), Some(group))?;
        }
        let mut initialise = self.program("initdb");
        initialise.args(["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256"]);
        initialise.arg(format!("--username={USER}"));
        initialise.arg("--pgdata").arg(self.data()).arg("--pwfile").arg(password);
        let output = initialise.stdin(Stdio::null()).output()?;
        if !output.status.success() {
            bail!("initdb ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    fn server(&self, port: &str) -> Command {
        let mut server = self.program("postgres");
        server.arg("-D").arg(self.data()).args(["-p", port, "-h", "127.0.0.1", "-k", ""]);
        server
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(self.home.path());
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        // At once, but with its children.
        let asked = process.signal(Signal::QUIT);
        let end = Instant::now() + PATIENCE;
        while asked.is_ok() && process.check_alive().is_ok() && Instant::now() < end {
            sleep(INTERVAL);
        }
    }
}

/// The user that Debian's package makes, or whoever may do the least.
pub(crate) fn other_user() -> anyhow::Result<(u32, u32)> {
    let users = fs::read_to_string(Path::new("/etc/passwd"))?;
    let find = |name: &str| {
        let fields: Vec<&str> = users
            .lines()
            .map(|line| line.split(':').collect())
            .find(|fields: &Vec<&str>| fields.first() == Some(&name))?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody")).context("there is neither a user `postgres` nor `nobody`")
}
