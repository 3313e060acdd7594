//! `GET /filter.wasm`: the compiled filter, for proxies that fetch it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::api::problem::Problem;
use crate::app::App;
use crate::digest::Digest;
use crate::file;

/// The largest filter.
const MAX_BYTES: u64 = 64 << 20;

pub(super) async fn file(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Problem> {
    let (bytes, digest) = read(&app).await?;
    let etag = format!("\"{digest}\"");
    let known = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| value.as_bytes() == etag.as_bytes());
    if known {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let headers = [(header::CONTENT_TYPE, "application/wasm".to_owned()), (header::ETAG, etag)];
    Ok((headers, bytes).into_response())
}

pub(super) async fn digest(State(app): State<Arc<App>>) -> Result<String, Problem> {
    read(&app).await.map(|(_, digest)| format!("{digest}\n"))
}

/// Reads the file each time: it is asked for when a proxy starts, and a new one counts at once.
async fn read(app: &App) -> Result<(Vec<u8>, Digest), Problem> {
    let path = app.live.load().wasm_file.clone().ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "no-filter", "set `filter.wasm_file` to serve the compiled filter here")
    })?;
    let read = tokio::task::spawn_blocking(move || {
        let bytes = file::read(&path, MAX_BYTES)?;
        let digest = Digest::of(&bytes);
        Ok::<_, file::FileError>((bytes, digest))
    });
    match read.await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            tracing::error!(%error, "the compiled filter can't be served");
            let detail = "the file of `filter.wasm_file` can't be read; see the sidecar's log";
            Err(Problem::new(StatusCode::NOT_FOUND, "no-filter", detail))
        }
        Err(_) => Err(Problem::internal()),
    }
}
