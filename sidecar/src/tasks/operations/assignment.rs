//! What a service or a program is told of a task that it is to do.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use taskgate_core::task::{Progress, Unit};
use zeroize::Zeroizing;

use crate::tasks::operation::WorkError;
use crate::tasks::request::Request;
use crate::tasks::row::{Owner, TaskId};
use crate::tasks::work::Work;

/// What a service or a program is told of a task that it is to do.
#[derive(Serialize)]
pub(super) struct Assignment<'a> {
    taskid: TaskId,
    /// Which attempt it is, from 1.
    attempt: u32,
    /// Rises whenever the task is given out.
    epoch: u64,
    owner: &'a Owner,
    request: &'a Request,
    /// The server of the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'a str>,
    /// The owner's `Authorization` header, for whom an operator trusts with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<&'a str>,
    /// Where the last attempt came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<&'a Value>,
}

/// How far others say that they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Said {
    done: u64,
    #[serde(default)]
    total: Option<u64>,
    #[serde(default = "steps")]
    unit: Unit,
}

impl<'a> Assignment<'a> {
    pub(super) fn of(work: &'a Work, forward_credential: bool, checkpoint: Option<&'a Value>) -> Self {
        Self {
            taskid: work.task().id,
            attempt: work.attempt(),
            epoch: work.epoch(),
            owner: &work.task().owner,
            request: work.request(),
            endpoint: work.session().map(|session| session.server().endpoint().as_str()),
            credential: forward_credential.then(|| work.credential().expose()),
            checkpoint,
        }
    }

    /// As one line of JSON. Its memory is wiped, since a credential may be in it.
    pub(super) fn line(&self) -> Result<Zeroizing<Vec<u8>>, WorkError> {
        let mut text = Zeroizing::new(Vec::with_capacity(4 << 10));
        serde_json::to_writer(&mut *text, self)
            .map_err(|error| WorkError::permanent("unwritable", format!("the task can't be written: {error}")))?;
        text.push(b'\n');
        Ok(text)
    }
}

impl From<Said> for Progress {
    fn from(Said { done, total, unit }: Said) -> Self {
        Self { done, total, unit }
    }
}

const fn steps() -> Unit {
    Unit::Steps
}
