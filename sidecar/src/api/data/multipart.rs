//! `POST /v1/data/multipart`, `…/parts`, `…/list`, `…/complete` and `…/abort`: files in parts.
//!
//! Every request says which file it is about, as the first one did.

mod form;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use crate::api::data::multipart::form::{AbortForm, BeginForm, CompleteForm, ListForm, SignForm, read};
use crate::api::data::place;
use crate::api::problem::Problem;
use crate::data::multipart::SignedPart;
use crate::data::service::DataService;
use crate::data::settings::duration::GoDuration;
use crate::data::store::multipart::Part;

/// An upload that has begun.
#[derive(Serialize)]
struct Begun {
    upload_id: String,
    native_url: String,
    part_size: u64,
    parts: u16,
    kept_for: String,
}

#[derive(Serialize)]
struct Parts<T> {
    parts: Vec<T>,
}

/// A part that may be put.
#[derive(Serialize)]
struct ToPut {
    number: u16,
    method: &'static str,
    url: String,
    headers: BTreeMap<String, String>,
    expires_at: String,
}

/// A part that is there.
#[derive(Serialize)]
struct There {
    number: u16,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
}

#[derive(Serialize)]
struct Completed {
    native_url: String,
}

pub(super) async fn begin(
    State(service): State<Arc<DataService>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let caller = service.caller(&headers).await?;
    let form: BeginForm = read(body).await?;
    let begun = service.begin_multipart(&caller, &form.ask()?).await?;
    Ok(answer(Begun {
        upload_id: begun.id.as_str().to_owned(),
        native_url: begun.native_url,
        part_size: begun.plan.part_size(),
        parts: begun.plan.parts(),
        kept_for: GoDuration(begun.kept).to_string(),
    }))
}

pub(super) async fn sign(
    State(service): State<Arc<DataService>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let caller = service.caller(&headers).await?;
    let form: SignForm = read(body).await?;
    let expires_in = place::expires_in(form.expires_in.as_deref())?;
    let signed = service.sign_parts(&caller, &form.ask()?, &form.upload_id, &form.parts()?, expires_in).await?;
    let parts = signed.into_iter().map(|SignedPart { number, request }| ToPut {
        number,
        method: "PUT",
        url: request.url.expose().to_owned(),
        headers: request.headers.into_iter().collect(),
        expires_at: place::date(request.expires_at),
    });
    Ok(answer(Parts { parts: parts.collect() }))
}

pub(super) async fn list(
    State(service): State<Arc<DataService>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let caller = service.caller(&headers).await?;
    let form: ListForm = read(body).await?;
    let there = service.list_parts(&caller, &form.ask()?, &form.upload_id).await?;
    let parts = there.into_iter().map(|Part { number, size, etag }| There { number, size, etag });
    Ok(answer(Parts { parts: parts.collect() }))
}

pub(super) async fn complete(
    State(service): State<Arc<DataService>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let caller = service.caller(&headers).await?;
    let form: CompleteForm = read(body).await?;
    let tags = form.tags();
    let native_url = service.complete_multipart(&caller, &form.ask()?, &form.upload_id, tags.as_deref()).await?;
    Ok(answer(Completed { native_url }))
}

pub(super) async fn abort(
    State(service): State<Arc<DataService>>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    let caller = service.caller(&headers).await?;
    let form: AbortForm = read(body).await?;
    service.abort_multipart(&caller, &form.ask()?, &form.upload_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn answer(value: impl Serialize) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(value)).into_response()
}
