//! What can go wrong with a call, and which of it may go right a moment later.
//!
//! Texts of the cluster have addresses of servers inside it. They are for the log alone, without what the call
//! was made with.

use std::time::Duration;

use thiserror::Error;

use crate::secret::SecretText;

/// The most characters of a cluster's text that are kept.
const MAX_TEXT: usize = 300;

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// The cluster knows nobody by the token.
    #[error("the cluster rejects the token")]
    Credential,
    /// The exchange failed. It never quotes the request.
    #[error("{0}")]
    Exchange(String),
    /// The token's holder may not, or the token is not for that.
    #[error("the cluster forbids it")]
    Forbidden,
    /// It is not there, or the token's holder may not see it.
    #[error("the cluster has no such thing")]
    NotFound,
    /// The cluster says that the call makes no sense.
    #[error("the cluster answered {status}: {text}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it says.
        text: String,
    },
    /// There was no answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The answer is larger than anyone should send, or has no end.
    #[error("the answer is larger than anyone should send")]
    TooLarge,
    /// The answer is not what it should be.
    #[error("the answer can't be read: {0}")]
    Unreadable(&'static str),
    /// The cluster can't answer now.
    #[error("the cluster answered {status}: {text}")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// What it says.
        text: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
}

impl CallError {
    /// What a status means, with what the body says.
    #[must_use]
    pub fn of_status(status: u16, retry_after: Option<Duration>, body: &[u8], secret: &SecretText) -> Self {
        let text = text(body, secret);
        match status {
            401 => Self::Credential,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            429 | 500.. => Self::Unavailable { status, text, retry_after },
            _ => Self::Refused { status, text },
        }
    }

    /// Whether the same call may have another answer a moment later.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Exchange(_) | Self::TimedOut(_) | Self::Unavailable { .. })
    }
}

/// What an error's body says, in one line.
fn text(body: &[u8], secret: &SecretText) -> String {
    #[derive(serde::Deserialize)]
    struct Errors {
        errors: Vec<String>,
    }
    let said = serde_json::from_slice::<Errors>(body).map(|body| body.errors.join("; ")).unwrap_or_default();
    let said = if secret.expose().is_empty() { said } else { said.replace(secret.expose(), "****") };
    said.chars().map(|character| if character.is_control() { ' ' } else { character }).take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_mean_what_they_say_and_no_token_is_quoted() {
        let secret = SecretText::from("t0k3n".to_owned());
        let body = br#"{"errors":["no t0k3n\nhere"],"error_token":"1+a"}"#;
        let of = |status| CallError::of_status(status, None, body, &secret);
        assert_eq!((of(401), of(403), of(404)), (CallError::Credential, CallError::Forbidden, CallError::NotFound));
        assert!(of(503).is_passing() && of(429).is_passing() && !of(422).is_passing());
        assert_eq!(of(422).to_string(), "the cluster answered 422: no **** here");
        assert_eq!(CallError::of_status(500, None, b"<html>", &secret).to_string(), "the cluster answered 500: ");
    }
}
