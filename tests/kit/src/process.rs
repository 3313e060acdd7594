//! A child process with a log, signalled by its own id and killed when dropped.

use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{wait_for, wait_until};

/// How many lines of its log the story of a dead process tells.
const LAST_LINES: usize = 30;
/// How long threads may take to stop.
const PAUSE: Duration = Duration::from_secs(5);

/// A child process.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; what it prints goes to the end of `log`.
    pub(crate) fn start(mut command: Command, log: PathBuf) -> anyhow::Result<Self> {
        let open = || OpenOptions::new().create(true).append(true).open(&log);
        let out = open().with_context(|| format!("can't write {}", log.display()))?;
        let errors = out.try_clone()?;
        command.stdin(Stdio::null()).stdout(out).stderr(errors);
        let child = command.spawn().with_context(|| format!("can't start {}", command.get_program().display()))?;
        Ok(Self { child, log })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it printed so far.
    pub(crate) fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// An error that tells the end of its log, if it has ended.
    pub(crate) fn check_alive(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("ended with {status}:\n{}", self.last_lines()),
        }
    }

    /// The end of its log.
    pub(crate) fn last_lines(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let skipped = lines.len().saturating_sub(LAST_LINES);
        lines.iter().skip(skipped).copied().collect::<Vec<&str>>().join("\n")
    }

    pub(crate) fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        self.check_alive()?;
        let id = Pid::from_child(&self.child);
        kill_process(id, signal).with_context(|| format!("can't signal process {}", self.child.id()))
    }

    /// Stops all its threads; the signal alone returns before they have stopped.
    pub(crate) async fn pause(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)?;
        let threads = format!("/proc/{}/task", self.id());
        wait_until(PAUSE, "the process to stop", async || all_stopped(&threads).unwrap_or_default()).await
    }

    /// Kills it and waits for its end.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Has a process that has children of its own end, which ends them too.
    pub(crate) fn end(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end and waits for that.
    pub(crate) async fn terminate(&mut self, deadline: Duration) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let child = &mut self.child;
        wait_for(deadline, "the process to end", async || child.try_wait().ok().flatten()).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.kill();
    }
}

fn all_stopped(threads: &str) -> std::io::Result<bool> {
    for thread in fs::read_dir(threads)? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        let state = status.lines().find_map(|line| line.strip_prefix("State:"));
        if !state.is_some_and(|state| state.trim_start().starts_with('T')) {
            return Ok(false);
        }
    }
    Ok(true)
}
