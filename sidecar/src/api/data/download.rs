//! `POST /v1/data/downloads`: requests with which what a run left behind, or what was uploaded, can be got.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::api::body;
use crate::api::data::place::{self, RequestForm};
use crate::api::problem::Problem;
use crate::data::service::{Artifact, DataService, DownloadAsk, DownloadSource, ObjectAsk};

/// What tells the two forms apart.
#[derive(Deserialize)]
struct Kind {
    uri: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AttemptForm {
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectForm {
    #[serde(default)]
    organization: String,
    uri: String,
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
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_md5: Option<String>,
}

pub(super) async fn sign(
    State(service): State<Arc<DataService>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let caller = service.caller(&headers).await?;
    let bytes = body::bytes(body).await?;
    let kind: Kind = body::parse(&bytes)?;
    let download = if kind.uri.is_some() {
        service.object_link(&caller, object(body::parse(&bytes)?)?).await?
    } else {
        service.download_link(&caller, attempt(body::parse(&bytes)?)?).await?
    };
    let requests = download.requests.into_iter().map(|request| RequestForm::new("GET", request)).collect();
    let answer = Answer {
        requests,
        expires_at: place::date(download.expires_at),
        size: download.object.size,
        content_md5: download.object.content_md5.map(|md5| STANDARD.encode(md5)),
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

fn object(form: ObjectForm) -> Result<ObjectAsk, Problem> {
    let ObjectForm { organization, uri, expires_in } = form;
    Ok(ObjectAsk { organization, uri, expires_in: place::expires_in(expires_in.as_deref())? })
}

fn attempt(form: AttemptForm) -> Result<DownloadAsk, Problem> {
    let action = place::action(form.organization, &form.project, &form.domain, form.run, form.action)?;
    Ok(DownloadAsk {
        artifact: match form.artifact {
            ArtifactForm::CodeBundle => Artifact::CodeBundle,
            ArtifactForm::Report => Artifact::Report,
        },
        source: Some(DownloadSource::Attempt(action, form.attempt)),
        expires_in: place::expires_in(form.expires_in.as_deref())?,
    })
}
