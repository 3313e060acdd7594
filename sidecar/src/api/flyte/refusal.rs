//! What clients are told when something is not done.

use connectrpc::{ConnectError, ErrorCode};

use crate::data::error::DataError;

/// The code and text that a client gets. The SDK asks again after "unavailable" and "internal".
pub(super) fn refused(error: DataError) -> ConnectError {
    let text = error.to_string();
    let code = match error {
        DataError::Denied(_) => ErrorCode::PermissionDenied,
        DataError::Exists(_) => ErrorCode::AlreadyExists,
        DataError::Internal(_) => ErrorCode::Internal,
        DataError::Invalid(_) => ErrorCode::InvalidArgument,
        DataError::NotFound(_) => ErrorCode::NotFound,
        DataError::Unauthenticated => ErrorCode::Unauthenticated,
        DataError::Unavailable(_) => ErrorCode::Unavailable,
        DataError::Unimplemented(_) => ErrorCode::Unimplemented,
    };
    ConnectError::new(code, text)
}
