//! `POST /v1/data/downloads`: requests with which what a run left behind can be got.

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
use crate::data::service::{Artifact, DataService, DownloadAsk, DownloadSource};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DownloadForm {
    artifact: ArtifactForm,
    #[serde(default)]
    organization: String,
    project: String,
    domain: String,
    run: String,
    action: String,
    attempt: u32,
    #[serde(default)]
    expires_in: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ArtifactForm {
    CodeBundle,
    Report,
}

#[derive(Serialize)]
struct Answer {
    requests: Vec<RequestForm>,
    expires_at: String,
}

pub(super) async fn sign(
    State(service): State<Arc<DataService>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let caller = service.caller(&headers).await?;
    let form: DownloadForm = body::json(body).await?;
    let action = place::action(form.organization, &form.project, &form.domain, form.run, form.action)?;
    let ask = DownloadAsk {
        artifact: match form.artifact {
            ArtifactForm::CodeBundle => Artifact::CodeBundle,
            ArtifactForm::Report => Artifact::Report,
        },
        source: Some(DownloadSource::Attempt(action, form.attempt)),
        expires_in: place::expires_in(form.expires_in.as_deref())?,
    };
    let download = service.download_link(&caller, ask).await?;
    let requests = download.requests.into_iter().map(|request| RequestForm::new("GET", request)).collect();
    let answer = Answer { requests, expires_at: place::date(download.expires_at) };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}
