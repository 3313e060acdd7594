//! `PUT /v1/data/inputs/{project}/{domain}/{hash}`: keeps the inputs of a run, a message `Inputs` of Flyte.
//!
//! The hash is the cache key, as whoever asks computes it. It names the inputs and nothing else: others that are
//! kept under it already stay.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use serde::Serialize;

use crate::api::body;
use crate::api::data::place::{self, Parts};
use crate::api::problem::Problem;
use crate::data::service::{DataService, InputsAsk};

/// How long inputs may take to arrive.
const MAX_TIME: Duration = Duration::from_secs(120);
/// The most bytes of inputs, which are in memory whole, however large files may be.
const MAX_INPUTS: usize = 64 << 20;
/// The longest hash, in bytes.
const MAX_HASH: usize = 64;

#[derive(Serialize)]
pub(super) struct Answer {
    uri: String,
    inputs_hash: String,
}

pub(super) async fn keep(
    State(service): State<Arc<DataService>>,
    place: Parts<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Answer>, Problem> {
    let caller = service.caller(&headers).await?;
    let (project, domain, hash) = place::parts(place)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if hash.is_empty() || hash.len() > MAX_HASH || !hash.bytes().all(is_plain) {
        return Err(Problem::malformed("the hash is not 1 to 64 characters of A-Z, a-z, 0-9, `-` and `_`"));
    }
    let organization = place::parameter(query.as_deref(), "organization")?;
    let base_dir = place::parameter(query.as_deref(), "base_dir")?;
    service.admit_inputs(&caller, &organization, &project, &domain).await?;
    let most = usize::try_from(service.settings().upload.max_size).unwrap_or(usize::MAX).min(MAX_INPUTS);
    let bytes = body::bytes_within(body, most, MAX_TIME).await?;
    let ask = InputsAsk { organization, project, domain, base_dir, hash, bytes };
    let kept = service.upload_inputs(&caller, ask).await?;
    Ok(Json(Answer { uri: kept.uri, inputs_hash: kept.hash }))
}
