//! Answers to the sidecar's own requests: what they say where they refuse.

use reqwest::{RequestBuilder, StatusCode};

use crate::data::store::StoreError;
use crate::data::store::refusal::{code, denied};
use crate::http;

/// Sends a request. The body of an answer that says that it is done, which has at most so many bytes.
///
/// # Errors
/// Why it was not done; `permission` is named where the store refuses it.
pub(crate) async fn exchange(
    request: RequestBuilder,
    most: usize,
    permission: &'static str,
) -> Result<Vec<u8>, StoreError> {
    let answer = http::exchange_within(request, most).await;
    // The address in the failure would be a right to do the same.
    let answer = answer.map_err(|_| StoreError::Unavailable("it can't be reached".to_owned()))?;
    if answer.status.is_success() { Ok(answer.body) } else { Err(refusal(answer.status, &answer.body, permission)) }
}

/// What an answer means that is none of success.
pub(crate) fn refusal(status: StatusCode, body: &[u8], permission: &'static str) -> StoreError {
    let text = String::from_utf8_lossy(body);
    let code = code(&text);
    let named = |otherwise: &str| code.unwrap_or(otherwise).to_owned();
    match (status, code) {
        (_, Some("NoSuchUpload" | "BlobNotFound")) => StoreError::NoUpload,
        // So Ceph's gateway calls it.
        (StatusCode::NOT_FOUND, Some("NoSuchKey")) => StoreError::NoUpload,
        (_, Some("InvalidPart" | "InvalidPartOrder" | "InvalidBlockList" | "ConditionalRequestConflict")) => {
            StoreError::Unavailable(named(""))
        }
        (StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT, _) => StoreError::Exists,
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => denied(permission, code),
        (StatusCode::NOT_FOUND, Some("NoSuchBucket" | "ContainerNotFound")) => {
            StoreError::Failed("there is no such bucket or container".to_owned())
        }
        (StatusCode::TOO_MANY_REQUESTS, _) => StoreError::Unavailable(named("it has too much to do")),
        (status, _) if status.is_server_error() => StoreError::Unavailable(named("it failed")),
        _ => StoreError::Failed(named("it did not say why")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_why_and_quotes_nothing() {
        let refused = |status: u16, code: &str| {
            let body = format!("<Error><Code>{code}</Code><Message>secret</Message></Error>");
            refusal(StatusCode::from_u16(status).expect("a status"), body.as_bytes(), "s3:PutObject")
        };
        for code in ["NoSuchUpload", "NoSuchKey", "BlobNotFound"] {
            assert_eq!(refused(404, code), StoreError::NoUpload, "{code}");
        }
        assert_eq!(refused(412, "PreconditionFailed"), StoreError::Exists);
        assert_eq!(refused(409, "BlobAlreadyExists"), StoreError::Exists);
        assert_eq!(
            refused(409, "ConditionalRequestConflict"),
            StoreError::Unavailable("ConditionalRequestConflict".into())
        );
        assert_eq!(refused(400, "InvalidPart"), StoreError::Unavailable("InvalidPart".into()));
        assert_eq!(refused(403, "AccessDenied"), StoreError::Denied("s3:PutObject is needed (AccessDenied)".into()));
        assert_eq!(refused(404, "NoSuchBucket"), StoreError::Failed("there is no such bucket or container".into()));
        assert_eq!(refused(503, "SlowDown"), StoreError::Unavailable("SlowDown".into()));
        assert_eq!(refused(400, "not one word"), StoreError::Failed("it did not say why".into()));
    }
}
