//! A program in a process group of its own.
//!
//! The group is ended before the program's own entry in the process table is: as long as that is there, its id is
//! nobody else's, so no signal ever hits a stranger.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use crate::tasks::operations::command::settings::CommandOperationSettings;

/// The first descriptor that is none of the three that every program has.
const FIRST_OTHER: i32 = 3;

/// A running program. Dropping it kills it, and all of its group.
#[derive(Debug)]
pub(super) struct Process {
    // Before the child, which must still be in the process table when the group is killed.
    group: Group,
    child: Child,
}

/// What is written to and read from a program.
#[derive(Debug)]
pub(super) struct Pipes {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

/// A process group, by the id of the process that leads it.
#[derive(Debug)]
struct Group {
    leader: Pid,
    is_reaped: bool,
}

impl Process {
    /// Starts a program. Of what is open here it gets nothing.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn start(settings: &CommandOperationSettings) -> io::Result<Self> {
        let mut command = Command::new(&settings.path);
        command.args(&settings.arguments).current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // What is opened here is closed for it anyway; what this process was started with is not.
        close_fds::set_fds_cloexec_threadsafe(FIRST_OTHER, &[]);
        command.env_clear();
        for name in &settings.environment {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let child = command.spawn()?;
        let leader = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let leader = leader.ok_or_else(|| io::Error::other("it has no process id"))?;
        Ok(Self { group: Group { leader, is_reaped: false }, child })
    }

    /// What is written to and read from it. They can be taken once.
    pub(super) fn pipes(&mut self) -> io::Result<Pipes> {
        let missing = || io::Error::other("a pipe is missing");
        Ok(Pipes {
            stdin: self.child.stdin.take().ok_or_else(missing)?,
            stdout: self.child.stdout.take().ok_or_else(missing)?,
            stderr: self.child.stderr.take().ok_or_else(missing)?,
        })
    }

    /// Returns when the program has ended by itself. What it started and left behind in its group is killed.
    pub(super) async fn ended(&self) -> io::Result<()> {
        self.group.leader_ended().await?;
        self.group.signal(Signal::KILL);
        Ok(())
    }

    /// Ends it, and says how it ended. One that runs is asked to end first, where it is given time for that.
    ///
    /// # Errors
    /// The system's.
    pub(super) async fn end(mut self, grace: Duration) -> io::Result<ExitStatus> {
        if !grace.is_zero() {
            self.group.signal(Signal::TERM);
            // Ended or not: it ends now.
            let _ = timeout(grace, self.group.leader_ended()).await;
        }
        self.group.signal(Signal::KILL);
        let status = self.child.wait().await;
        self.group.is_reaped = true;
        status
    }
}

impl Group {
    fn signal(&self, signal: Signal) {
        match kill_process_group(self.leader, signal) {
            // It may be gone, but for its leader's entry.
            Ok(()) | Err(Errno::SRCH | Errno::PERM) => {}
            Err(error) => tracing::warn!(process = %self.leader.as_raw_nonzero(), %error, "can't signal a program"),
        }
    }

    /// Returns when the leader has ended, and leaves it in the process table.
    async fn leader_ended(&self) -> io::Result<()> {
        let mut children = signal(SignalKind::child())?;
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        while waitid(WaitId::Pid(self.leader), options)?.is_none() {
            children.recv().await;
        }
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.is_reaped {
            self.signal(Signal::KILL);
        }
    }
}
