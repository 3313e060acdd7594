//! Refusals of the service of data, as problems.

use axum::http::{StatusCode, header};

use crate::api::problem::Problem;
use crate::data::error::DataError;

impl From<DataError> for Problem {
    fn from(error: DataError) -> Self {
        let (status, code) = match &error {
            DataError::Invalid(_) => (StatusCode::BAD_REQUEST, "malformed-request"),
            DataError::Unauthenticated => (StatusCode::UNAUTHORIZED, "credential-missing"),
            DataError::Denied(_) => (StatusCode::FORBIDDEN, "access-denied"),
            DataError::NotFound(_) => (StatusCode::NOT_FOUND, "not-found"),
            DataError::Exists(_) => (StatusCode::CONFLICT, "already-exists"),
            DataError::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            DataError::Unimplemented(_) => (StatusCode::NOT_IMPLEMENTED, "not-offered"),
            DataError::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal-error"),
        };
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(%error, "a request about data failed");
        }
        let problem = Self::new(status, code, error.to_string());
        match error {
            DataError::Unauthenticated => problem.with_header(header::WWW_AUTHENTICATE, "Bearer"),
            DataError::Unavailable(_) => problem.with_header(header::RETRY_AFTER, "2"),
            _ => problem,
        }
    }
}
