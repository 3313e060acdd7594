//! A worker of tasks, a process of its own.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::environment;
use crate::process::Process;
use crate::sidecar::SidecarHome;

/// How long an orderly end may take.
const END: Duration = Duration::from_secs(60);

/// A running `taskgate worker`. Dropping it kills it.
#[derive(Debug)]
pub struct TaskWorker {
    arguments: Vec<OsString>,
    log: PathBuf,
    process: Process,
}

impl TaskWorker {
    /// Starts a worker with the configuration that a sidecar has there, and with these arguments.
    ///
    /// # Errors
    /// It is not built.
    pub fn start(home: &SidecarHome, name: &str, more: &[&str]) -> anyhow::Result<Self> {
        let config = home.directory().join("taskgate.yaml");
        let mut arguments = vec![OsString::from("worker"), OsString::from("--config"), config.into_os_string()];
        arguments.extend(more.iter().map(OsString::from));
        let log = home.directory().join(format!("{name}.log"));
        let process = run(&arguments, log.clone())?;
        Ok(Self { arguments, log, process })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Everything it logged so far, since before its restarts.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Kills it, as the system would, and starts another one in its place.
    ///
    /// # Errors
    /// It can't be killed or started.
    pub fn replace(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process = run(&self.arguments, self.log.clone())?;
        Ok(())
    }

    /// Freezes it: it does nothing, and notices nothing of the time that passes.
    ///
    /// # Errors
    /// It has ended.
    pub async fn pause(&mut self) -> anyhow::Result<()> {
        self.process.pause().await
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// It has ended.
    pub fn resume(&mut self) -> anyhow::Result<()> {
        self.process.signal(Signal::CONT)
    }

    /// Asks it to end and waits for that: everything that it had to say of its tasks is said then.
    ///
    /// # Errors
    /// It has ended already, or does not end.
    pub async fn stop(mut self) -> anyhow::Result<String> {
        self.process.terminate(END).await?;
        Ok(self.process.log())
    }
}

fn run(arguments: &[OsString], log: PathBuf) -> anyhow::Result<Process> {
    let mut command = Command::new(environment::sidecar()?);
    command.args(arguments);
    Process::start(command, log)
}
