//! Tasks and operations as clients see them.
//!
//! Times are text as RFC 3339 has it, in UTC. What a task has not got is left out.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use taskgate_core::task::{Status, Unit};
use taskgate_core::time::UnixTime;

use crate::tasks::operation::{Description, Writes};
use crate::tasks::request::Location;
use crate::tasks::row::{Failure, Task, TaskId};

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskForm {
    /// Its id.
    pub taskid: TaskId,
    /// Its address.
    pub href: String,
    /// Where it is.
    pub status: Status,
    /// The operation.
    pub operation: String,
    /// Who asked for it.
    pub owner: String,
    /// When it was accepted.
    pub created: String,
    /// When anything of it last changed.
    pub updated: String,
    /// When it was first begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<String>,
    /// When it fails if it is not over by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// When the credential that it works with ends, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_expires: Option<String>,
    /// How far it is.
    pub progress: ProgressForm,
    /// How often it was begun.
    pub attempts: u32,
    /// How often it may be begun.
    pub max_attempts: u32,
    /// What is read.
    pub src: Vec<Location>,
    /// What is written.
    pub des: Vec<Location>,
    /// The operation's arguments; left out in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Map<String, Value>>,
    /// What came out of a task that is complete; left out in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Why it failed, or paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorForm>,
    /// What went wrong with the last attempt, where another one follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<ErrorForm>,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgressForm {
    /// How much is done.
    pub done: u64,
    /// How much there is; none while it is not known.
    pub total: Option<u64>,
    /// What is counted.
    pub unit: Unit,
    /// How much was done in a second, from the start to the last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// How many seconds the rest would take at that rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_secs: Option<u64>,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorForm {
    /// What it is, for programs.
    pub code: String,
    /// What it is, for people.
    pub detail: String,
}

/// A page of tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskList {
    /// The tasks, the newest first.
    pub tasks: Vec<TaskForm>,
    /// Where the next page is; none after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperationForm {
    /// Its name.
    pub name: String,
    /// Its address.
    pub href: String,
    /// What it does.
    pub summary: String,
    /// A JSON Schema of its arguments.
    pub arguments: Value,
    /// How many sources it takes.
    pub sources: CountForm,
    /// How many destinations it takes.
    pub destinations: CountForm,
    /// What it does to them: `creates` or `updates`.
    pub writes: String,
}

/// How many there may be of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountForm {
    /// At least.
    pub min: usize,
    /// At most.
    pub max: usize,
}

/// All operations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperationList {
    /// The operations, in the order of their names.
    pub operations: Vec<OperationForm>,
}

impl TaskForm {
    /// A task as it is shown by itself.
    #[must_use]
    pub fn whole(task: &Task) -> Self {
        let mut form = Self::brief(task);
        form.args = Some(task.request.args.clone());
        form.result.clone_from(&task.result);
        form
    }

    /// A task as it is shown among others.
    #[must_use]
    pub fn brief(task: &Task) -> Self {
        let failure = task.failure.as_ref().map(ErrorForm::from);
        let (error, last_error) = match task.status {
            Status::Failed | Status::Paused => (failure, None),
            Status::Queued | Status::InProgress => (None, failure),
            Status::Complete => (None, None),
        };
        Self {
            taskid: task.id,
            href: href(task.id),
            status: task.status,
            operation: task.request.operation.clone(),
            owner: task.owner.to_string(),
            created: date(task.created),
            updated: date(task.updated),
            started: task.started.map(date),
            finished: task.finished.map(date),
            deleted: task.deleted.map(date),
            deadline: task.deadline.map(date),
            credential_expires: task.credential_expires.filter(|_| !task.is_over()).map(date),
            progress: ProgressForm::of(task),
            attempts: task.attempts,
            max_attempts: task.max_attempts,
            src: task.request.src.clone(),
            des: task.request.des.clone(),
            args: None,
            result: None,
            error,
            last_error,
        }
    }
}

impl ProgressForm {
    /// The rate is of times that are kept, not of now: what is shown of a version of a task is always the same.
    fn of(task: &Task) -> Self {
        let progress = task.progress;
        let elapsed = task.started.map(|started| task.updated.since(started).as_secs_f64());
        let rate = elapsed.filter(|elapsed| *elapsed >= 0.1).map(|elapsed| progress.done as f64 / elapsed);
        let rate = rate.filter(|rate| *rate > 0.0);
        let left = progress.total.map(|total| total.saturating_sub(progress.done));
        let eta_secs = match (task.status, rate, left) {
            (Status::InProgress, Some(rate), Some(left)) => Some((left as f64 / rate).ceil() as u64),
            _ => None,
        };
        Self { done: progress.done, total: progress.total, unit: progress.unit, rate, eta_secs }
    }
}

impl From<&Failure> for ErrorForm {
    fn from(failure: &Failure) -> Self {
        Self { code: failure.code.clone(), detail: failure.detail.clone() }
    }
}

impl From<&Description> for OperationForm {
    fn from(description: &Description) -> Self {
        let count = |range: &std::ops::RangeInclusive<usize>| CountForm { min: *range.start(), max: *range.end() };
        let writes = match description.writes {
            Writes::Creates => "creates",
            Writes::Updates => "updates",
        };
        Self {
            name: description.name.clone(),
            href: format!("/operations/{}", description.name),
            summary: description.summary.clone(),
            arguments: description.arguments.clone(),
            sources: count(&description.sources),
            destinations: count(&description.destinations),
            writes: writes.to_owned(),
        }
    }
}

/// The address of a task.
#[must_use]
pub fn href(id: TaskId) -> String {
    format!("/tasks/{id}")
}

/// A time as text.
fn date(time: UnixTime) -> String {
    // What is beyond the years that have four digits is their end.
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX).to_string()
}
