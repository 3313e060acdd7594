//! Reading request bodies, bounded in size and time.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::api::problem::Problem;

/// The most bytes of a request body.
pub const MAX_BODY: usize = 16 << 10;
/// How long a body may take to arrive.
const MAX_TIME: Duration = Duration::from_secs(5);

/// Reads a JSON body.
///
/// # Errors
/// The [`Problem`] to answer. It never quotes the body.
pub async fn json<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    parse(&bytes(body).await?)
}

/// Reads JSON.
///
/// # Errors
/// The [`Problem`] to answer. It never quotes the body.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        Problem::malformed(format!(
            "the body is not what is expected here, at line {} column {}",
            error.line(),
            error.column()
        ))
    })
}

/// Reads a body.
///
/// # Errors
/// The [`Problem`] to answer.
pub async fn bytes(body: Body) -> Result<Bytes, Problem> {
    bytes_within(body, MAX_BODY, MAX_TIME).await
}

/// Reads a body of at most `limit` bytes that arrives within `time`.
///
/// # Errors
/// The [`Problem`] to answer.
pub async fn bytes_within(body: Body, limit: usize, time: Duration) -> Result<Bytes, Problem> {
    let collected = tokio::time::timeout(time, Limited::new(body, limit).collect())
        .await
        .map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", "the body did not arrive in time"))?;
    match collected {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let detail = format!("a body may have {limit} bytes");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail))
        }
        Err(_) => Err(Problem::malformed("the body did not arrive whole")),
    }
}
