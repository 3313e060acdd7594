//! What can go wrong with a call, and which of it may go right a moment later.
//!
//! The cluster writes most of the text, and may quote what it was shown. So what a call was made with is
//! taken out of the whole error before anything else has it, and before anything is cut.

use std::time::Duration;

use serde::Deserialize;
use serde_json::error::Category;
use thiserror::Error;

use crate::ytsaurus::text;

/// Error codes of YTsaurus that something here depends on (`yt/yt/core`, `yt/yt/client`).
pub mod code {
    /// Anything that has no code of its own.
    pub const GENERIC: i64 = 1;
    /// No answer in time.
    pub const TIMEOUT: i64 = 3;
    /// A connection inside the cluster broke.
    pub const TRANSPORT: i64 = 100;
    /// A part of the cluster is not there.
    pub const UNAVAILABLE: i64 = 105;
    /// Too many requests wait.
    pub const QUEUE_SIZE_LIMIT: i64 = 108;
    /// No such node of Cypress.
    pub const RESOLVE: i64 = 500;
    /// Someone else holds the lock.
    pub const LOCK_CONFLICT: i64 = 402;
    /// The master can't be reached.
    pub const MASTER_COMMUNICATION: i64 = 712;
    /// The credential is no good.
    pub const AUTHENTICATION: i64 = 900;
    /// The credential's holder may not.
    pub const AUTHORIZATION: i64 = 901;
    /// The user is banned.
    pub const USER_BANNED: i64 = 903;
    /// Too many requests of one user.
    pub const REQUEST_RATE_LIMIT: i64 = 904;
    /// A transaction that was asked to be alive is not.
    pub const PREREQUISITE_CHECK_FAILED: i64 = 1_000;
    /// No such operation.
    pub const NO_SUCH_OPERATION: i64 = 1_915;
    /// The proxy takes no requests for now.
    pub const PROXY_BANNED: i64 = 2_100;
    /// No such transaction: it ended or expired.
    pub const NO_SUCH_TRANSACTION: i64 = 11_000;
}

/// The codes after which a call is worth repeating.
const RETRIED: [i64; 7] = [
    code::TIMEOUT,
    code::TRANSPORT,
    code::UNAVAILABLE,
    code::QUEUE_SIZE_LIMIT,
    code::REQUEST_RATE_LIMIT,
    code::PROXY_BANNED,
    code::MASTER_COMMUNICATION,
];
/// The codes after which it is not, whatever else the error says: the answer would be the same.
const FINAL: [i64; 2] = [code::AUTHENTICATION, code::AUTHORIZATION];
/// How deep errors are looked at. The cluster nests them a few levels.
const MAX_DEPTH: usize = 16;
/// What stands where a secret stood.
const REMOVED: &str = "****";
/// The most characters of an error's text that are shown.
const MAX_TEXT: usize = 500;

/// An error as YTsaurus reports it: a tree, in which the cause is at the bottom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct YtError {
    /// Its code.
    pub code: i64,
    /// Its text.
    pub message: String,
    /// What it comes from.
    pub inner_errors: Vec<YtError>,
}

/// Why a call has no result.
#[derive(Clone, Debug, Error)]
pub enum CallError {
    /// The cluster refuses the credential.
    #[error("the cluster rejects the credential: {0}")]
    Credential(YtError),
    /// The exchange failed. It never quotes the request.
    #[error("{0}")]
    Exchange(String),
    /// The cluster says no.
    #[error("{0}")]
    Refused(YtError),
    /// There was no answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The answer is larger than anyone should send.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The answer is not what it should be.
    #[error("the answer can't be read: {0}")]
    Unreadable(String),
    /// The cluster can't answer now.
    #[error("the cluster answered {status}: {error}")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// What it says.
        error: YtError,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
}

impl YtError {
    /// An error with that code and text, and no cause.
    #[must_use]
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), inner_errors: Vec::new() }
    }

    /// Whether the error, or anything that it comes from, has that code.
    #[must_use]
    pub fn has(&self, code: i64) -> bool {
        self.any(&|error| error.code == code, MAX_DEPTH)
    }

    /// Whether the error, or anything that it comes from, says that, in characters.
    #[must_use]
    pub fn says(&self, text: &str) -> bool {
        self.any(&|error| error.text().contains(text), MAX_DEPTH)
    }

    /// Its own text, in characters.
    fn text(&self) -> String {
        // Bytes as characters, as everywhere in the cluster's JSON; proxies on the way write text.
        text::decode(&self.message).unwrap_or_else(|| self.message.clone())
    }

    /// The same with other texts.
    fn with_texts(self, change: &dyn Fn(String) -> String, depth: usize) -> Self {
        let inner = self.inner_errors.into_iter().filter(|_| depth > 0);
        let inner_errors = inner.map(|inner| inner.with_texts(change, depth.saturating_sub(1))).collect();
        Self { code: self.code, message: change(self.message), inner_errors }
    }

    /// Whether the same call may have another answer a moment later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        RETRIED.iter().any(|code| self.has(*code)) && !FINAL.iter().any(|code| self.has(*code))
    }

    fn any(&self, holds: &dyn Fn(&Self) -> bool, depth: usize) -> bool {
        holds(self) || depth > 0 && self.inner_errors.iter().any(|inner| inner.any(holds, depth.saturating_sub(1)))
    }
}

impl std::fmt::Display for YtError {
    /// The texts from the outside in, along the first cause of each; the codes, where there is no text.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (mut texts, mut codes) = (Vec::new(), Vec::new());
        let mut error = Some(self);
        while let Some(current) = error.filter(|_| codes.len() < MAX_DEPTH) {
            codes.push(current.code.to_string());
            if !current.message.is_empty() {
                texts.push(current.text());
            }
            error = current.inner_errors.first();
        }
        if texts.is_empty() {
            return write!(formatter, "code {}", codes.join(": "));
        }
        let text: String = texts.join(": ").chars().filter(|one| !one.is_control()).take(MAX_TEXT).collect();
        write!(formatter, "{text} (code {})", self.code)
    }
}

impl CallError {
    /// An answer that is not what it should be. Only where is said, for what is there could be anything.
    #[must_use]
    pub fn unreadable(error: &serde_json::Error) -> Self {
        let what = match error.classify() {
            Category::Data => "other values than expected",
            Category::Eof => "it breaks off",
            Category::Io | Category::Syntax => "no JSON",
        };
        Self::Unreadable(format!("{what}, line {}, column {}", error.line(), error.column()))
    }

    /// The same without a secret that the call was made with.
    #[must_use]
    pub fn without(self, secret: &str) -> Self {
        if secret.is_empty() { self } else { self.with_texts(&|text| text.replace(secret, REMOVED)) }
    }

    /// The same without anything that the cluster wrote: status and codes are left.
    #[must_use]
    pub fn without_text(self) -> Self {
        self.with_texts(&|_| String::new())
    }

    fn with_texts(self, change: &dyn Fn(String) -> String) -> Self {
        let changed = |error: YtError| error.with_texts(change, MAX_DEPTH);
        match self {
            Self::Credential(error) => Self::Credential(changed(error)),
            Self::Refused(error) => Self::Refused(changed(error)),
            Self::Unavailable { status, error, retry_after } => {
                Self::Unavailable { status, error: changed(error), retry_after }
            }
            // These texts are our own.
            other @ (Self::Exchange(_) | Self::TimedOut(_) | Self::TooLarge(_) | Self::Unreadable(_)) => other,
        }
    }

    /// What the cluster said, where it said something.
    #[must_use]
    pub fn error(&self) -> Option<&YtError> {
        match self {
            Self::Credential(error) | Self::Refused(error) | Self::Unavailable { error, .. } => Some(error),
            Self::Exchange(_) | Self::TimedOut(_) | Self::TooLarge(_) | Self::Unreadable(_) => None,
        }
    }

    /// Whether the cluster's error has that code anywhere.
    #[must_use]
    pub fn has(&self, code: i64) -> bool {
        self.error().is_some_and(|error| error.has(code))
    }

    /// Whether the server does not know the command: it is older than the command.
    #[must_use]
    pub fn is_unknown_command(&self) -> bool {
        matches!(self, Self::Refused(error) if error.says("is not registered"))
    }

    /// Whether the same call may have another answer a moment later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Credential(_) | Self::TooLarge(_) | Self::Unreadable(_) => false,
            Self::Exchange(_) | Self::TimedOut(_) | Self::Unavailable { .. } => true,
            Self::Refused(error) => error.is_passing(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(codes: &[i64]) -> YtError {
        let (first, rest) = codes.split_first().expect("a code");
        let inner_errors = if rest.is_empty() { Vec::new() } else { vec![nested(rest)] };
        YtError { code: *first, message: format!("m{first}"), inner_errors }
    }

    #[test]
    fn codes_count_wherever_they_are() {
        let error = nested(&[1, 700, 500]);
        assert!(error.has(500) && error.has(700) && !error.has(501));
        assert_eq!(error.to_string(), "m1: m700: m500 (code 1)");
    }

    #[test]
    fn a_permission_error_is_final_even_inside_a_passing_one() {
        assert!(nested(&[1, code::QUEUE_SIZE_LIMIT]).is_passing());
        assert!(nested(&[1, code::REQUEST_RATE_LIMIT]).is_passing());
        assert!(!nested(&[code::TRANSPORT, code::AUTHORIZATION]).is_passing());
        assert!(!nested(&[code::RESOLVE]).is_passing());
    }

    #[test]
    fn what_was_shown_to_the_cluster_is_in_no_error() {
        let token = "t0k3n".repeat(100);
        let quotes = YtError::new(code::GENERIC, format!("{} {token} and {token}", "x".repeat(MAX_TEXT - 10)));
        let error = YtError { inner_errors: vec![quotes.clone()], ..YtError::new(code::TIMEOUT, token.clone()) };
        let unavailable = CallError::Unavailable { status: 503, error: error.clone(), retry_after: None };
        for error in [CallError::Credential(error.clone()), CallError::Refused(error), unavailable] {
            let (without, silent) = (error.clone().without(&token), error.clone().without_text());
            let shown = format!("{without} {without:?} {silent} {silent:?}");
            assert!(!shown.contains("t0k3n") && shown.contains(REMOVED), "{shown}");
            assert!(!silent.to_string().contains('x') && silent.to_string().contains("code 3: 1"), "{silent}");
            assert!(without.has(code::TIMEOUT) && silent.has(code::GENERIC));
            assert_eq!(error.clone().without("").to_string(), error.to_string());
        }
    }

    #[test]
    fn what_can_not_be_read_is_not_quoted() {
        for (text, expected) in [
            (r#"["t0k3n"]"#, "other values than expected, line 1, column 8"),
            (r#"["t0k3n""#, "other values than expected, line 1, column 8"),
            ("[1, ", "it breaks off, line 1, column 4"),
            ("<html>", "no JSON, line 1, column 1"),
        ] {
            let error = serde_json::from_str::<Vec<u8>>(text).expect_err("not a list of numbers");
            assert_eq!(CallError::unreadable(&error).to_string(), format!("the answer can't be read: {expected}"));
        }
    }

    #[test]
    fn an_error_as_deep_as_someone_likes_is_no_trouble() {
        let error = nested(&(0..100).collect::<Vec<_>>());
        assert!(!error.has(99));
        assert!(error.to_string().len() < 600);
    }
}
