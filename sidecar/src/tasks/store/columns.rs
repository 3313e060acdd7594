//! Tasks as columns, and back.

use serde::Serialize;
use serde::de::DeserializeOwned;
use taskgate_core::task::{Progress, Status, Unit};
use taskgate_core::time::UnixTime;

use crate::digest::Digest;
use crate::tasks::row::{Owner, Task, TaskId};
use crate::tasks::store::StoreError;
use crate::tasks::store::database::{Row, Value};

/// Reads a task from the first columns of a row, which are those of the statements' `task`.
pub(super) fn task(row: &Row) -> Result<Task, StoreError> {
    Ok(Task {
        id: id(row, 0)?,
        owner: Owner::new(row.text(1)?),
        request: from_json("request", &row.text(2)?)?,
        digest: Digest::parse(&row.text(3)?).map_err(|error| corrupt("digest", &error))?,
        status: status(row, 4)?,
        progress: Progress { done: row.number(5)?, total: row.maybe_number(6)?, unit: unit(&row.text(7)?)? },
        attempts: small(row, 8)?,
        max_attempts: small(row, 9)?,
        epoch: row.number(10)?,
        fenced: row.number(11)?,
        created: UnixTime::from_millis(row.number(12)?),
        updated: UnixTime::from_millis(row.number(13)?),
        started: time(row, 14)?,
        finished: time(row, 15)?,
        not_before: UnixTime::from_millis(row.number(16)?),
        deadline: time(row, 17)?,
        worker: row.maybe_text(18)?,
        lease_until: time(row, 19)?,
        credential_expires: time(row, 20)?,
        result: row.maybe_text(21)?.map(|text| from_json("result", &text)).transpose()?,
        failure: row.maybe_text(22)?.map(|text| from_json("failure", &text)).transpose()?,
        deleted: time(row, 23)?,
        version: row.number(24)?,
    })
}

/// Reads an id.
pub(super) fn id(row: &Row, column: usize) -> Result<TaskId, StoreError> {
    TaskId::parse(&row.text(column)?).map_err(|error| corrupt("id", &error))
}

/// Reads a state.
pub(super) fn status(row: &Row, column: usize) -> Result<Status, StoreError> {
    let text = row.text(column)?;
    Status::parse(&text).ok_or_else(|| StoreError::Corrupt(format!("a task is `{text}`, which is no state")))
}

/// Reads a time that need not be there.
pub(super) fn time(row: &Row, column: usize) -> Result<Option<UnixTime>, StoreError> {
    Ok(row.maybe_number(column)?.map(UnixTime::from_millis))
}

/// Reads a number that was a small one.
pub(super) fn small(row: &Row, column: usize) -> Result<u32, StoreError> {
    u32::try_from(row.number(column)?).map_err(|error| corrupt("number", &error))
}

/// Writes JSON.
pub(super) fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| corrupt("value", &error))
}

/// The columns of progress.
pub(super) fn progress(progress: Progress) -> [Value; 3] {
    let unit = match progress.unit {
        Unit::Bytes => "bytes",
        Unit::Objects => "objects",
        Unit::Steps => "steps",
    };
    [Value::from(progress.done), Value::from(progress.total), Value::from(unit)]
}

fn unit(text: &str) -> Result<Unit, StoreError> {
    match text {
        "bytes" => Ok(Unit::Bytes),
        "objects" => Ok(Unit::Objects),
        "steps" => Ok(Unit::Steps),
        _ => Err(StoreError::Corrupt(format!("a task counts `{text}`, which is no unit"))),
    }
}

fn from_json<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| corrupt(what, &error))
}

fn corrupt(what: &str, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("the {what} of a task can't be read or written: {error}"))
}

impl From<TaskId> for Value {
    fn from(id: TaskId) -> Self {
        Self::from(id.to_string())
    }
}

impl From<UnixTime> for Value {
    fn from(time: UnixTime) -> Self {
        Self::from(time.as_millis())
    }
}

impl From<Option<UnixTime>> for Value {
    fn from(time: Option<UnixTime>) -> Self {
        Self::from(time.map(UnixTime::as_millis))
    }
}
