//! Why an operation on datasets can't be done: found when it is asked for, or found again when it is run.

use thiserror::Error;

use crate::hsds::client::error::HsdsError;
use crate::tasks::operation::{Rejection, WorkError};

/// Why an operation can't be done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The request asks for what can't be.
    #[error("{0}")]
    Malformed(String),
    /// No server is configured.
    #[error("no HSDS server is configured here")]
    NoServer,
    /// What the server said of a location.
    #[error("{place}: {error}")]
    Server {
        /// The location, as in `src[0] (/home/a.h5 /x)`.
        place: String,
        /// What it said.
        error: HsdsError,
    },
}

impl Fault {
    /// The request asks for what can't be.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::Malformed(detail.into())
    }
}

impl From<Fault> for Rejection {
    fn from(fault: Fault) -> Self {
        let detail = fault.to_string();
        match fault {
            Fault::Malformed(detail) => Self::Malformed(detail),
            Fault::NoServer => Self::Unavailable(detail),
            Fault::Server { error, .. } => match Self::from(error) {
                Self::Malformed(_) => Self::Malformed(detail),
                Self::Forbidden(_) => Self::Forbidden(detail),
                Self::NotFound(_) => Self::NotFound(detail),
                Self::Exists(_) => Self::Exists(detail),
                Self::Unauthorised => Self::Unauthorised,
                Self::Unavailable(_) => Self::Unavailable(detail),
            },
        }
    }
}

impl From<Fault> for WorkError {
    fn from(fault: Fault) -> Self {
        let detail = fault.to_string();
        match fault {
            Fault::Malformed(_) => Self::permanent("malformed", detail),
            Fault::NoServer => Self::permanent("no-server", detail),
            Fault::Server { error, .. } => match Self::from(error) {
                Self::Permanent { code, .. } => Self::Permanent { code, detail },
                Self::Transient(_) => Self::Transient(detail),
                other => other,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_said_keeps_its_kind_and_names_the_place() {
        let fault = |error| Fault::Server { place: "src[0]".to_owned(), error };
        assert!(matches!(fault(HsdsError::NotFound).into(), Rejection::NotFound(text) if text.starts_with("src[0]: ")));
        assert!(matches!(fault(HsdsError::Unavailable { status: 503 }).into(), WorkError::Transient(_)));
        assert_eq!(WorkError::from(fault(HsdsError::Unauthorised)), WorkError::CredentialEnded);
        assert!(matches!(fault(HsdsError::Forbidden).into(), WorkError::Permanent { code: "forbidden", .. }));
        assert!(matches!(Fault::malformed("x").into(), WorkError::Permanent { code: "malformed", .. }));
    }
}
