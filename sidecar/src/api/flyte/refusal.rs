//! What clients are told when something is not done.

use connectrpc::{ConnectError, ErrorCode};

use crate::data::error::DataError;

/// The code and text that a client gets. The SDK asks again after "unavailable" and "internal".
pub(super) fn refused(error: DataError) -> ConnectError {
    let (code, text) = match error {
        DataError::Denied(text) => (ErrorCode::PermissionDenied, text),
        DataError::Exists(text) => (ErrorCode::AlreadyExists, text),
        DataError::Internal(text) => (ErrorCode::Internal, text),
        DataError::Invalid(text) => (ErrorCode::InvalidArgument, text),
        DataError::NotFound(text) => (ErrorCode::NotFound, text),
        DataError::Unauthenticated => (ErrorCode::Unauthenticated, DataError::Unauthenticated.to_string()),
        DataError::Unavailable(text) => (ErrorCode::Unavailable, text),
        DataError::Unimplemented(text) => (ErrorCode::Unimplemented, text),
    };
    ConnectError::new(code, text)
}
