//! A server of OpenSSH for tests: Debian's, with keys of its own and a free port.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{geteuid, getuid};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::address::ReservedAddress;
use crate::environment;
use crate::postgres::other_user;
use crate::process::Process;
use crate::wait::wait_for;

/// How long a start may take on a busy machine.
const READY: Duration = Duration::from_secs(30);

/// A server of OpenSSH on loopback, which lets one user in with one key. Dropping it kills it.
#[derive(Debug)]
pub struct OpenSsh {
    root: PathBuf,
    /// What is the server's.
    home: TempDir,
    /// What is its client's.
    client: TempDir,
    address: ReservedAddress,
    user: String,
    server: Process,
}

impl OpenSsh {
    /// Makes keys, starts a server, and waits until it is ready.
    ///
    /// # Errors
    /// It is not there, or does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let root = environment::openssh()?;
        let (home, client, address) = (tempfile::tempdir()?, tempfile::tempdir()?, ReservedAddress::new()?);
        // It lets in nobody but whom it runs as, unless it runs as root; and then it needs more of the machine.
        let (user, group) = if geteuid().is_root() { other_user()? } else { (getuid().as_raw(), 0) };
        let at = |name: &str| home.path().join(name);
        let own = |path: &Path, mode: u32| -> anyhow::Result<()> {
            fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
            if geteuid().is_root() {
                chown(path, Some(user), Some(group))?;
            }
            Ok(())
        };
        let key = client.path().join("id");
        for path in [&at("host_key"), &key] {
            make_key(&root, path)?;
        }
        fs::copy(client.path().join("id.pub"), at("authorized_keys"))?;
        let host_key = fs::read_to_string(at("host_key.pub"))?;
        fs::write(client.path().join("known_hosts"), format!("* {host_key}"))?;
        let config = format!(
            "ListenAddress {}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\nStrictModes no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPrintMotd no\n\
             Subsystem sftp internal-sftp\n",
            address.address(),
            at("host_key").display(),
            at("authorized_keys").display(),
        );
        fs::write(at("config"), config)?;
        for (name, mode) in [("", 0o700), ("host_key", 0o600), ("authorized_keys", 0o600), ("config", 0o600)] {
            own(&at(name), mode)?;
        }
        let mut command = program(&root, "usr/sbin/sshd");
        command.args(["-D", "-e", "-f"]).arg(at("config")).current_dir(home.path());
        if geteuid().is_root() {
            command.uid(user).gid(group);
        }
        let mut server = Process::start(command, client.path().join("log"))?;
        let ready = wait_for(READY, "OpenSSH to be ready", async || match server.check_alive() {
            Err(error) => Some(Err(error)),
            Ok(()) => TcpStream::connect(address.address()).await.ok().map(|_| Ok(())),
        });
        ready.await?.context("OpenSSH did not start")?;
        Ok(Self { root, home, client, address, user: name_of(user)?, server })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address.address()
    }

    /// Whom it lets in.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// A folder of that user's.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.home.path()
    }

    /// A client (`ssh`, `scp`) that reaches the server by a command, whatever host it is asked for, and says nothing of
    /// its own.
    #[must_use]
    pub fn client(&self, name: &str, proxy_command: &str) -> Command {
        let mut command = program(&self.root, &format!("usr/bin/{name}"));
        let at = |name: &str| self.client.path().join(name).display().to_string();
        for option in [
            format!("ProxyCommand={proxy_command}"),
            format!("UserKnownHostsFile={}", at("known_hosts")),
            "GlobalKnownHostsFile=/dev/null".to_owned(),
            format!("IdentityFile={}", at("id")),
            format!("User={}", self.user),
            "IdentitiesOnly=yes".to_owned(),
            "BatchMode=yes".to_owned(),
            "LogLevel=ERROR".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        // No configuration of whoever runs the tests.
        command.args(["-F", "/dev/null"]);
        if name == "scp" {
            command.arg("-S").arg(self.root.join("usr/bin/ssh"));
        }
        command
    }

    /// The end of what the server printed.
    #[must_use]
    pub fn last_lines(&self) -> String {
        self.server.last_lines()
    }
}

fn make_key(root: &Path, path: &Path) -> anyhow::Result<()> {
    let mut command = program(root, "usr/bin/ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path);
    let output = command.stdin(Stdio::null()).output().context("can't run ssh-keygen")?;
    if !output.status.success() {
        bail!("ssh-keygen ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

fn program(root: &Path, path: &str) -> Command {
    let mut command = Command::new(root.join(path));
    let libraries = ["x86_64", "aarch64"].map(|name| root.join(format!("usr/lib/{name}-linux-gnu")));
    command.env("LD_LIBRARY_PATH", std::env::join_paths(libraries).unwrap_or_else(|_| OsString::new()));
    command
}

/// What the user with that number is called.
fn name_of(user: u32) -> anyhow::Result<String> {
    let users = fs::read_to_string("/etc/passwd")?;
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(user)).then(|| name.to_owned())
    });
    name.with_context(|| format!("user {user} has no name"))
}
