//! What is answered instead: each reason has one status and one code.

use axum::http::StatusCode;
use taskgate_core::signed_url::SignedUrlError;

use crate::api::problem::Problem;
use crate::data::path::Key;
use crate::data::store::local::{LocalError, ResumeError};

/// A URL that permits nothing.
pub(super) fn url(error: SignedUrlError) -> Problem {
    let (status, code) = match error {
        SignedUrlError::Expired => (StatusCode::FORBIDDEN, "url-expired"),
        SignedUrlError::Forged => (StatusCode::FORBIDDEN, "url-forged"),
        SignedUrlError::Malformed => (StatusCode::BAD_REQUEST, "url-malformed"),
        SignedUrlError::NotSigned => (StatusCode::FORBIDDEN, "url-not-signed"),
        SignedUrlError::UnknownKey => (StatusCode::FORBIDDEN, "url-key-unknown"),
        SignedUrlError::WrongMethod => (StatusCode::FORBIDDEN, "url-for-another-method"),
    };
    Problem::new(status, code, error.to_string())
}

/// Something that the store did not do.
pub(super) fn local(error: &LocalError, key: &Key) -> Problem {
    let (status, code) = match error {
        LocalError::Digest(_) => (StatusCode::BAD_REQUEST, "digest-mismatch"),
        LocalError::Exists => (StatusCode::PRECONDITION_FAILED, "object-exists"),
        LocalError::Io(error) => {
            tracing::error!(store.key = %key, %error, "an object could not be read or written");
            return Problem::internal();
        }
        LocalError::Length { .. } => (StatusCode::BAD_REQUEST, "wrong-length"),
        LocalError::NameTooLong => (StatusCode::BAD_REQUEST, "name-too-long"),
        LocalError::NoRoom => {
            tracing::error!(store.key = %key, "an object has no room on the disk");
            (StatusCode::INSUFFICIENT_STORAGE, "no-room")
        }
        LocalError::Taken => (StatusCode::CONFLICT, "name-taken"),
        LocalError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large"),
    };
    Problem::new(status, code, error.to_string())
}

/// Something that was not done with an upload that can be resumed.
pub(super) fn resume(error: &ResumeError, key: &Key) -> Problem {
    let (status, code) = match error {
        ResumeError::Busy => (StatusCode::LOCKED, "upload-busy"),
        ResumeError::Checksum => return checksum(error.to_string()),
        ResumeError::Done => (StatusCode::GONE, "upload-done"),
        ResumeError::Length { .. } => (StatusCode::CONFLICT, "upload-of-other-length"),
        ResumeError::Missing => (StatusCode::NOT_FOUND, "no-such-upload"),
        ResumeError::Offset { .. } => (StatusCode::CONFLICT, "wrong-offset"),
        ResumeError::Store(error) => return local(error, key),
    };
    Problem::new(status, code, error.to_string())
}

/// A checksum that is not that of the bytes: tus has a status of its own for that.
fn checksum(detail: String) -> Problem {
    Problem::new(StatusCode::from_u16(460).unwrap_or(StatusCode::BAD_REQUEST), "checksum-mismatch", detail)
}

/// There is no such object.
pub(super) fn no_object() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no-such-object", "there is no object with this key")
}
