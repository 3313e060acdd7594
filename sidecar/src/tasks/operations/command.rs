//! An operation that a program does.
//!
//! The program is one that an operator named, with arguments that an operator wrote; it is run without a shell, in a
//! process group of its own, with the task as one line of JSON on its standard input. What it prints is one JSON
//! object a line: `{"progress": …}`, `{"checkpoint": …}`, `{"result": …}`. What it prints on standard error is for
//! the log. Its exit status says how it ended: 0 with a result is complete, 75 (`EX_TEMPFAIL`) is worth another
//! attempt, 77 (`EX_NOPERM`) means that the credential it was sent is no good any more.
//!
//! Nothing of a request is ever in its arguments or environment, and nothing that it started in its group outlives it.

mod lines;
mod process;
pub mod settings;
mod talk;

use std::process::ExitStatus;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::timeout;

pub use settings::CommandOperationSettings;

use crate::tasks::operation::{Description, Operation, Preview, Rejection, WorkError};
use crate::tasks::operations::assignment::Assignment;
use crate::tasks::operations::command::process::Process;
use crate::tasks::operations::command::talk::{Talk, Told};
use crate::tasks::work::{StopReason, Work};

/// The exit status of a program that may do better a moment later.
const EX_TEMPFAIL: i32 = 75;
/// The exit status of a program whose credential is not accepted.
const EX_NOPERM: i32 = 77;
/// How long a program may take to end once it is asked to.
const GRACE: Duration = Duration::from_secs(3);

/// An operation that a program does.
#[derive(Debug)]
pub struct CommandOperation {
    description: Description,
    settings: CommandOperationSettings,
}

impl CommandOperation {
    /// An operation that a program does.
    #[must_use]
    pub fn new(description: Description, settings: CommandOperationSettings) -> Self {
        Self { description, settings }
    }

    /// What the end of the program means.
    fn outcome(&self, status: ExitStatus, told: &Told) -> Result<Value, WorkError> {
        let said = |otherwise: String| if told.complaint.is_empty() { otherwise } else { told.complaint.clone() };
        match (status.code(), &told.result) {
            (Some(0), Some(result)) => Ok(result.clone()),
            (Some(0), None) => Err(WorkError::permanent("no-result", "the program ended without a result")),
            (Some(EX_TEMPFAIL), _) => Err(WorkError::Transient(said("the program asks for another attempt".into()))),
            (Some(EX_NOPERM), _) if self.settings.forward_credential => Err(WorkError::CredentialEnded),
            (Some(code), _) => {
                Err(WorkError::permanent("command-failed", said(format!("the program ended with status {code}"))))
            }
            // Nobody here did that: the machine is short of memory, say.
            (None, _) => Err(WorkError::Transient(format!("the program was killed: {status}"))),
        }
    }
}

#[async_trait]
impl Operation for CommandOperation {
    fn description(&self) -> &Description {
        &self.description
    }

    async fn check(&self, _: &Preview<'_>) -> Result<(), Rejection> {
        // The schema has been checked, and who may read and write what. More only the program knows.
        Ok(())
    }

    async fn run(&self, work: &mut Work) -> Result<Value, WorkError> {
        let checkpoint: Option<Value> = work.checkpoint()?;
        let input = Assignment::of(work, self.settings.forward_credential, checkpoint.as_ref()).line()?;
        // It may be there on another worker, or in a moment.
        let failed = |error: std::io::Error| WorkError::Transient(format!("the program can't be run: {error}"));
        let mut process = Process::start(&self.settings).map_err(failed)?;
        let talk = Talk {
            work,
            operation: &self.description.name,
            secret: self.settings.forward_credential.then(|| work.credential().expose()),
        };
        let talking = async {
            tokio::select! {
                biased;
                () = work.stop().cancelled() => Err(WorkError::Stopped),
                told = timeout(self.settings.timeout, talk.with(&mut process, &input)) => {
                    told.unwrap_or_else(|_| Err(timed_out(self.settings.timeout)))
                }
            }
        };
        let told = talking.await;
        let grace = match (&told, work.stop_reason()) {
            // Somebody else may be at it already.
            (Err(WorkError::Stopped), Some(StopReason::Lost)) | (Ok(_), _) => Duration::ZERO,
            (Err(_), _) => GRACE,
        };
        let status = process.end(grace).await.map_err(failed)?;
        let told = told?;
        let outcome = self.outcome(status, &told);
        if let (Err(WorkError::Transient(_) | WorkError::CredentialEnded), Some(checkpoint)) = (&outcome, &told.unsaved)
        {
            work.save(checkpoint).await?;
        }
        outcome
    }

    fn stopping(&self) -> Duration {
        GRACE + Duration::from_millis(500)
    }
}

fn timed_out(limit: Duration) -> WorkError {
    WorkError::permanent("timed-out", format!("the program did not end within {} s", limit.as_secs()))
}
