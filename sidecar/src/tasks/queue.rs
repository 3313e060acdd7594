//! What a worker needs of wherever tasks are kept.

use thiserror::Error;

/// Why the queue can't do something.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QueueError {
    /// It can't be reached; it may a moment later.
    #[error("the queue of tasks can't be reached: {0}")]
    Unavailable(String),
    /// It does not take what it is sent, or says what can't be read.
    #[error("the queue of tasks and this worker don't agree: {0}")]
    Refused(String),
}

impl QueueError {
    /// Whether it may be gone a moment later.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
