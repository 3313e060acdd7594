//! `POST /v1/data/uploads`: a request with which a file can be put.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};

use crate::api::body;
use crate::api::data::place::{self, RequestForm};
use crate::api::problem::Problem;
use crate::data::service::{DataService, UploadAsk};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct UploadForm {
    organization: String,
    project: String,
    domain: String,
    filename: String,
    filename_root: String,
    content_md5: Option<String>,
    content_sha256: Option<String>,
    content_length: i64,
    expires_in: Option<String>,
    add_content_md5_metadata: bool,
    resumable: bool,
}

#[derive(Serialize)]
struct Answer {
    native_url: String,
    /// How the bytes are sent, where one request is not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'static str>,
    #[serde(flatten)]
    request: RequestForm,
}

pub(super) async fn sign(
    State(service): State<Arc<DataService>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let caller = service.caller(&headers).await?;
    let form: UploadForm = body::json(body).await?;
    let content_md5 = form.content_md5.as_deref().map(|text| place::digest::<16>("content_md5", text)).transpose()?;
    let content_sha256 =
        form.content_sha256.as_deref().map(|text| place::digest::<32>("content_sha256", text)).transpose()?;
    let ask = UploadAsk {
        organization: form.organization,
        project: form.project,
        domain: form.domain,
        filename: form.filename,
        filename_root: form.filename_root,
        content_md5: content_md5.map(Vec::from).unwrap_or_default(),
        content_sha256,
        content_length: form.content_length,
        expires_in: place::expires_in(form.expires_in.as_deref())?,
        add_content_md5_metadata: form.add_content_md5_metadata,
        resumable: form.resumable,
    };
    let upload = service.create_upload(&caller, ask).await?;
    let (method, protocol) = if form.resumable { ("PATCH", Some("tus")) } else { ("PUT", None) };
    let request = RequestForm::new(method, upload.request);
    let answer = Answer { native_url: upload.native_url, protocol, request };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}
