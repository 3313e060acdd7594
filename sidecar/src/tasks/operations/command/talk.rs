//! The conversation with a program.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::tasks::operation::WorkError;
use crate::tasks::operations::assignment::Said;
use crate::tasks::operations::command::lines::{Line, Lines};
use crate::tasks::operations::command::process::{Pipes, Process};
use crate::tasks::operations::words::{self, MAX_WORDS};
use crate::tasks::work::Work;

/// The longest line on standard output, in bytes: a result or a checkpoint.
const LONGEST_LINE: usize = 1 << 20;
/// The most bytes on standard output.
const MOST_OUTPUT: u64 = 64 << 20;
/// The longest line on standard error that is looked at, in bytes.
const LONGEST_COMPLAINT: usize = 4 << 10;
/// The most lines of standard error that are logged.
const MOST_COMPLAINTS: u32 = 100;
/// How long after its end it may take until all that a program printed is here.
const DRAIN: Duration = Duration::from_millis(250);
/// The shortest time between two checkpoints: each is a flush of the destinations.
const BETWEEN_CHECKPOINTS: Duration = Duration::from_secs(1);

/// The conversation with a program.
pub(super) struct Talk<'a> {
    pub(super) work: &'a Work,
    pub(super) operation: &'a str,
    /// What the program was sent and must not repeat.
    pub(super) secret: Option<&'a str>,
}

/// What a program said until its end.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) result: Option<Value>,
    /// A checkpoint that is not kept yet.
    pub(super) unsaved: Option<Value>,
    /// Its last words on standard error.
    pub(super) complaint: String,
}

/// What a program prints.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Message {
    Checkpoint(Value),
    Progress(Said),
    Result(Value),
}

impl Talk<'_> {
    /// Talks until the program has ended.
    ///
    /// # Errors
    /// [`WorkError`]; the program may still run then.
    pub(super) async fn with(&self, process: &mut Process, input: &[u8]) -> Result<Told, WorkError> {
        let failed = |error: std::io::Error| WorkError::Transient(format!("can't talk with the program: {error}"));
        let Pipes { stdin, stdout, stderr } = process.pipes().map_err(failed)?;
        let nobody_writes = CancellationToken::new();
        let end = async {
            process.ended().await.map_err(failed)?;
            // Whoever left the group may hold a pipe open for ever.
            sleep(DRAIN).await;
            nobody_writes.cancel();
            Ok(())
        };
        let feeding = async {
            let _ = nobody_writes.run_until_cancelled(feed(stdin, input)).await;
            Ok(())
        };
        let complaining = async { Ok(self.complaints(stderr, &nobody_writes).await) };
        let (told, complaint, (), ()) =
            tokio::try_join!(self.listen(stdout, &nobody_writes), complaining, feeding, end)?;
        Ok(Told { complaint, ..told })
    }

    async fn listen(&self, stdout: ChildStdout, nobody_writes: &CancellationToken) -> Result<Told, WorkError> {
        let mut lines = Lines::new(stdout, LONGEST_LINE);
        let mut told = Told::default();
        let mut next_save = Instant::now();
        loop {
            let line = match &told.unsaved {
                None => lines.next(nobody_writes).await,
                Some(checkpoint) => match timeout_at(next_save, lines.next(nobody_writes)).await {
                    Ok(line) => line,
                    Err(_) => {
                        self.work.save(checkpoint).await?;
                        told.unsaved = None;
                        next_save = Instant::now() + BETWEEN_CHECKPOINTS;
                        continue;
                    }
                },
            };
            let line = line.map_err(|error| WorkError::Transient(format!("can't read what it prints: {error}")))?;
            let Some(line) = line else { return Ok(told) };
            if line.is_cut || lines.total() > MOST_OUTPUT {
                let detail =
                    format!("the program prints lines of more than {LONGEST_LINE} bytes, or more than {MOST_OUTPUT}");
                return Err(WorkError::permanent("output-too-large", detail));
            }
            match message(&line, self.secret)? {
                None => {}
                Some(Message::Checkpoint(checkpoint)) => told.unsaved = Some(checkpoint),
                Some(Message::Progress(said)) => self.work.report(said.into()),
                Some(Message::Result(result)) => told.result = Some(result),
            }
        }
    }

    /// Logs what a program prints on standard error; its last words.
    async fn complaints(&self, stderr: ChildStderr, nobody_writes: &CancellationToken) -> String {
        let mut lines = Lines::new(stderr, LONGEST_COMPLAINT);
        let (mut last, mut count) = (String::new(), 0_u32);
        let task = self.work.task().id;
        while let Ok(Some(line)) = lines.next(nobody_writes).await {
            let text = words::line_without(&String::from_utf8_lossy(&line.bytes), self.secret, MAX_WORDS);
            if text.is_empty() {
                continue;
            }
            count = count.saturating_add(1);
            if count <= MOST_COMPLAINTS {
                tracing::info!(task.id = %task, operation = self.operation, text, "a program says");
            }
            last = text;
        }
        if let Some(more) = count.checked_sub(MOST_COMPLAINTS).filter(|more| *more > 0) {
            tracing::info!(task.id = %task, operation = self.operation, more, "a program said more than is logged");
        }
        last
    }
}

/// Writes the task to a program, which need not read it.
async fn feed(mut stdin: ChildStdin, input: &[u8]) {
    // One that closes its input does without.
    let _ = stdin.write_all(input).await;
    let _ = stdin.shutdown().await;
}

/// Reads a line. What is wrong with it may be told in its own words.
fn message(line: &Line, secret: Option<&str>) -> Result<Option<Message>, WorkError> {
    if line.bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(&line.bytes).map(Some).map_err(|error| {
        let reason = words::line_without(&error.to_string(), secret, MAX_WORDS);
        WorkError::permanent("output-malformed", format!("the program prints what is no message: {reason}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Message>, WorkError> {
        message(&Line { bytes: text.as_bytes().to_vec(), is_cut: false }, Some("Basic Zm9v"))
    }

    #[test]
    fn messages_have_one_meaning() {
        assert!(matches!(read(r#"{"progress":{"done":1,"total":null}}"#), Ok(Some(Message::Progress(_)))));
        assert!(matches!(read(r#"{"result":null}"#), Ok(Some(Message::Result(Value::Null)))));
        assert!(matches!(read(r#"{"checkpoint":[1]}"#), Ok(Some(Message::Checkpoint(Value::Array(_))))));
        assert!(matches!(read("  \r"), Ok(None)));
        for text in
            ["done", "1", r#"{"result":1,"progress":{"done":1}}"#, r#"{"exec":"x"}"#, r#"{"progress":{"done":-1}}"#]
        {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(message(&Line { bytes: b"{\"result\":\"\xff\"}".to_vec(), is_cut: false }, None).is_err());
    }

    #[test]
    fn what_is_no_message_does_not_tell_the_credential() {
        for text in [r#"{"Zm9v":1}"#, r#"{"progress":"Basic Zm9v"}"#] {
            let error = read(text).expect_err("no message").to_string();
            assert!(!error.contains("Zm9v") && error.contains("****"), "{error}");
        }
    }
}
