//! What can be done: operations, and what one sees of its task.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use thiserror::Error;

use crate::hsds::client::Session;
use crate::hsds::client::error::HsdsError;
use crate::tasks::request::Request;
use crate::tasks::work::Work;

/// An operation. It never runs code that came from a client.
#[async_trait]
pub trait Operation: fmt::Debug + Send + Sync + 'static {
    /// What it is, and what it takes.
    fn description(&self) -> &Description;

    /// Checks what the schema can't say, with the credential of whoever asks. It changes nothing, here or there.
    async fn check(&self, preview: &Preview<'_>) -> Result<(), Rejection>;

    /// Does the work, from its last checkpoint where it has one.
    ///
    /// # Errors
    /// [`WorkError`], which says whether another attempt makes sense.
    async fn run(&self, work: &mut Work) -> Result<Value, WorkError>;

    /// Ends what an earlier attempt left under way elsewhere: the task is given up before this one was begun.
    async fn abandon(&self, _work: &Work) {}

    /// How long it may take to end once it is told to, where that is longer than a worker waits for all. It is never
    /// longer than the lease allows.
    fn stopping(&self) -> Duration {
        Duration::ZERO
    }
}

/// What an operation is, and what it takes.
#[derive(Clone, Debug)]
pub struct Description {
    /// Its name, as requests have it.
    pub name: String,
    /// What it does, in one sentence.
    pub summary: String,
    /// A JSON Schema (2020-12) of its arguments.
    pub arguments: Value,
    /// How many sources it reads.
    pub sources: RangeInclusive<usize>,
    /// How many destinations it writes.
    pub destinations: RangeInclusive<usize>,
    /// What it does there.
    pub writes: Writes,
}

/// What an operation does to its destinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// It makes them: the name must be free.
    Creates,
    /// It writes data into datasets that are there.
    Updates,
}

/// A task before it is accepted.
#[derive(Debug)]
pub struct Preview<'a> {
    /// What is asked for.
    pub request: &'a Request,
    /// The server, with the credential of whoever asks.
    pub session: Option<&'a Session>,
}

/// Why a request is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    /// The request can't be done as it is.
    #[error("{0}")]
    Malformed(String),
    /// A location may not be read or written.
    #[error("{0}")]
    Forbidden(String),
    /// A location is not there.
    #[error("{0}")]
    NotFound(String),
    /// The destination is there already.
    #[error("{0}")]
    Exists(String),
    /// The credential is no good.
    #[error("the credential is not accepted by the server")]
    Unauthorised,
    /// Nothing can be said at the moment.
    #[error("{0}")]
    Unavailable(String),
}

/// Why work did not end well.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WorkError {
    /// Another attempt would end the same.
    #[error("{detail}")]
    Permanent {
        /// What it is, for programs.
        code: &'static str,
        /// What it is, for people.
        detail: String,
    },
    /// It may go well a moment later.
    #[error("{0}")]
    Transient(String),
    /// The credential is no good any more; its owner must hand in another.
    #[error("the credential is not accepted any more")]
    CredentialEnded,
    /// The task was deleted, the lease was lost, or the worker ends: nobody wants the outcome.
    #[error("stopped")]
    Stopped,
}

impl WorkError {
    /// Another attempt would end the same.
    #[must_use]
    pub fn permanent(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Permanent { code, detail: detail.into() }
    }
}

impl From<HsdsError> for WorkError {
    fn from(error: HsdsError) -> Self {
        let code = match &error {
            HsdsError::Unauthorised => return Self::CredentialEnded,
            // What can't be read may be of something in between: a bounded number of attempts is worth it.
            HsdsError::Exchange(_) | HsdsError::Malformed(_) | HsdsError::Unavailable { .. } => {
                return Self::Transient(error.to_string());
            }
            HsdsError::BadRequest { .. } => "refused",
            HsdsError::Conflict => "conflict",
            HsdsError::Forbidden => "forbidden",
            HsdsError::Gone | HsdsError::NotFound => "not-found",
            HsdsError::TooLarge => "too-large",
        };
        Self::permanent(code, error.to_string())
    }
}

impl From<HsdsError> for Rejection {
    fn from(error: HsdsError) -> Self {
        match error {
            HsdsError::Unauthorised => Self::Unauthorised,
            HsdsError::Forbidden => Self::Forbidden(error.to_string()),
            HsdsError::Gone | HsdsError::NotFound => Self::NotFound(error.to_string()),
            HsdsError::Conflict => Self::Exists(error.to_string()),
            HsdsError::BadRequest { .. } | HsdsError::TooLarge => Self::Malformed(error.to_string()),
            HsdsError::Exchange(_) | HsdsError::Malformed(_) | HsdsError::Unavailable { .. } => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}
