//! What can go wrong with a question to the master. Nothing here quotes an answer: answers have secrets in them.

use std::time::Duration;

use thiserror::Error;

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MasterError {
    /// The master knows nobody by what was shown.
    #[error("the master rejects the credential")]
    Credential,
    /// The exchange failed. It never quotes the request.
    #[error("{0}")]
    Exchange(String),
    /// The holder may not.
    #[error("the master forbids it")]
    Forbidden,
    /// It is not there, or the holder may not see it.
    #[error("the master has no such thing")]
    NotFound,
    /// Another answer than yes or no.
    #[error("the master answered {0}")]
    Status(u16),
    /// There was no answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The answer is larger than anyone should send.
    #[error("the answer is larger than anyone should send")]
    TooLarge,
    /// The answer is not what it should be.
    #[error("the answer can't be read: {0}")]
    Unreadable(&'static str),
}

impl MasterError {
    /// What a status that is no success means.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Credential,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            _ => Self::Status(status),
        }
    }
}
