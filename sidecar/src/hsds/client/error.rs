//! What can go wrong with a call, and which of it may go right a moment later.

use reqwest::StatusCode;
use thiserror::Error;

/// The most characters of a server's reason that are kept.
const MAX_REASON: usize = 300;
/// How HSDS says that an object is in another domain: it is not found in this one.
const OTHER_DOMAIN: &str = "is not a member of the given domain";
/// How HSDS says that it does not know the kind of a credential.
const UNKNOWN_SCHEME: &str = "Unsupported Authorization header scheme";

/// Why a call has no result. It never quotes the request, whose header is a secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HsdsError {
    /// The server does not take the request.
    #[error("the HSDS server refuses the request: {reason}")]
    BadRequest {
        /// What it says, without control characters.
        reason: String,
    },
    /// Something else is there already.
    #[error("the HSDS server says that something else is there already")]
    Conflict,
    /// The exchange failed.
    #[error("no answer from the HSDS server: {0}")]
    Exchange(String),
    /// The credential's holder may not.
    #[error("the HSDS server does not permit that")]
    Forbidden,
    /// It was deleted.
    #[error("it was deleted from the HSDS server")]
    Gone,
    /// The answer is not what it should be.
    #[error("the HSDS server's answer can't be read: {0}")]
    Malformed(String),
    /// There is no such thing, or not in this domain.
    #[error("it is not on the HSDS server")]
    NotFound,
    /// The request or its answer is too large.
    #[error("too large for one request to the HSDS server")]
    TooLarge,
    /// The server does not take the credential.
    #[error("the HSDS server does not accept the credential")]
    Unauthorised,
    /// The server can't answer now.
    #[error("the HSDS server can't answer now (status {status})")]
    Unavailable {
        /// The HTTP status.
        status: u16,
    },
}

impl HsdsError {
    /// Whether the same call may have another answer a moment later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Exchange(_) | Self::Unavailable { .. } => true,
            Self::BadRequest { .. }
            | Self::Conflict
            | Self::Forbidden
            | Self::Gone
            | Self::Malformed(_)
            | Self::NotFound
            | Self::TooLarge
            | Self::Unauthorised => false,
        }
    }

    /// Whether the thing is not there, be it that it never was.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Gone | Self::NotFound)
    }

    /// An answer that is not what it should be.
    pub(crate) fn malformed(error: impl std::fmt::Display) -> Self {
        Self::Malformed(cleaned(&error.to_string()))
    }

    /// What an answer that is no success means.
    pub(crate) fn of(status: StatusCode, body: &[u8]) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthorised,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::GONE => Self::Gone,
            StatusCode::CONFLICT => Self::Conflict,
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::URI_TOO_LONG => Self::TooLarge,
            StatusCode::TOO_MANY_REQUESTS => Self::Unavailable { status: status.as_u16() },
            status if status.is_server_error() => Self::Unavailable { status: status.as_u16() },
            status if status.is_client_error() => {
                let text = String::from_utf8_lossy(body);
                // Its errors are texts like `400: Invalid selection`.
                let text = text.trim();
                let reason = cleaned(text.strip_prefix("400:").unwrap_or(text).trim());
                if reason.contains(OTHER_DOMAIN) {
                    Self::NotFound
                } else if reason.contains(UNKNOWN_SCHEME) {
                    Self::Unauthorised
                } else {
                    Self::BadRequest { reason }
                }
            }
            // Redirects are not followed: a credential is for the configured server alone.
            status => Self::Malformed(format!("status {}", status.as_u16())),
        }
    }
}

/// A text without control characters, and not too long.
fn cleaned(text: &str) -> String {
    let lines = text.split(char::is_control).filter(|part| !part.is_empty()).collect::<Vec<&str>>().join(" ");
    lines.chars().take(MAX_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> HsdsError {
        HsdsError::of(StatusCode::from_u16(status).expect("a status"), body.as_bytes())
    }

    #[test]
    fn statuses_are_what_they_mean() {
        assert_eq!(of(400, "400: Invalid selection"), HsdsError::BadRequest { reason: "Invalid selection".into() });
        assert_eq!(of(400, "400: Object id is not a member of the given domain"), HsdsError::NotFound);
        assert_eq!(of(400, "400: Unsupported Authorization header scheme: Digest"), HsdsError::Unauthorised);
        assert_eq!(of(401, ""), HsdsError::Unauthorised);
        assert_eq!(of(410, ""), HsdsError::Gone);
        assert_eq!(of(413, ""), HsdsError::TooLarge);
        for status in [429, 500, 502, 503, 504] {
            assert!(of(status, "").is_passing(), "{status}");
        }
        for status in [302, 400, 401, 403, 404, 409, 410, 413, 418] {
            assert!(!of(status, "").is_passing(), "{status}");
        }
    }

    #[test]
    fn a_reason_is_one_short_line() {
        let HsdsError::BadRequest { reason } = of(400, &format!("400: a\r\n\u{1b}[31mb{}", "x".repeat(9_999))) else {
            panic!("another error");
        };
        assert!(reason.starts_with("a [31mb") && reason.chars().count() == 300, "{reason}");
    }
}
