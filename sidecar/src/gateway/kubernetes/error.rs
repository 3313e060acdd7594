//! What Kubernetes says instead of doing it.

use std::error::Error;

use http::StatusCode;
use kube::core::Status;
use thiserror::Error;

use crate::gateway::ledger::{LeaseError, ReserveError};
use crate::gateway::plane::PlaneError;
use crate::kubernetes::{cause, plain};

/// What Kubernetes says instead of doing it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum ApiError {
    /// There is one of that name.
    #[error("it is there already")]
    AlreadyExists,
    /// Somebody changed it in between, or it is another one now.
    #[error("somebody else changed it at the same time")]
    Conflict,
    /// The sidecar's account may not.
    #[error("the sidecar's account may not: {0}")]
    Forbidden(String),
    /// It is not acceptable; what is wrong with it, by field.
    #[error("Kubernetes does not take it: {0}")]
    Invalid(String),
    /// There is none of that name, or no such resource.
    #[error("it is not there")]
    NotFound,
    /// Can't be said now.
    #[error("{0}")]
    Unavailable(String),
}

impl ApiError {
    /// What an answer means that is no success.
    pub(super) fn of(status: StatusCode, said: &[u8]) -> Self {
        let said = serde_json::from_slice::<Status>(said).unwrap_or_default();
        let text = plain(&said.message);
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::CONFLICT if said.reason == "AlreadyExists" => Self::AlreadyExists,
            StatusCode::CONFLICT => Self::Conflict,
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST => Self::Invalid(text),
            StatusCode::UNAUTHORIZED => {
                Self::Unavailable("Kubernetes does not know the sidecar's account, or what `KUBECONFIG` says".into())
            }
            StatusCode::FORBIDDEN => Self::Forbidden(text),
            status => Self::Unavailable(format!("Kubernetes answered {}: {text}", status.as_u16())),
        }
    }

    /// It could not be asked.
    pub(super) fn unreachable(error: &(dyn Error + 'static)) -> Self {
        Self::Unavailable(format!("Kubernetes can't be asked: {}", cause(error)))
    }

    /// It did not answer in time.
    pub(super) fn silent() -> Self {
        Self::Unavailable("Kubernetes does not answer".into())
    }
}

impl From<ApiError> for LeaseError {
    fn from(error: ApiError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<ApiError> for ReserveError {
    fn from(error: ApiError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<ApiError> for PlaneError {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Invalid(text) => Self::Refused(text),
            other => Self::Unavailable(other.to_string()),
        }
    }
}
