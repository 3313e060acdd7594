//! Getting an object, or a part of it, or what is known of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Stream, stream};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use taskgate_core::signed_url::Claims;
use tokio::task::JoinHandle;

use crate::api::objects::conditions::{self, Outcome};
use crate::api::objects::range::{self, Wanted};
use crate::api::objects::{digests, refusal, tus};
use crate::api::problem::Problem;
use crate::data::path::Key;
use crate::data::store::local::{Facts, LocalStore, META_HEADER, Ticket, blocking};

/// How much of an object is read at a time. Two such pieces of it are in memory at most: one that goes out and one
/// that is read meanwhile.
const PIECE: u64 = 256 << 10;

/// `GET` and `HEAD`.
pub(super) async fn object(State(store): State<Arc<LocalStore>>, request: Request) -> Result<Response, Problem> {
    let (Parts { method, uri, headers, .. }, _) = request.into_parts();
    let path_and_query = uri.path_and_query().map_or("", |text| text.as_str());
    let (key, claims) = store.verify(method.as_str(), path_and_query).map_err(refusal::url)?;
    // Who may `HEAD` an upload does not learn of an object by that.
    if let Some(ticket) = Ticket::of(&key, &claims) {
        return Ok(tus::answer(&store, ticket, &method, path_and_query, &headers, Body::empty()).await);
    }
    let (from, of) = (Arc::clone(&store), key.clone());
    let opened = blocking(move || from.object(&of)).await.map_err(|error| refusal::local(&error, &key))?;
    let Some(opened) = opened else { return Err(refusal::no_object()) };
    let mut answer = describe(&opened.facts, &key, &claims);

    match conditions::evaluate(&headers, &opened.facts) {
        Outcome::Go => {}
        Outcome::NotModified => return Ok((StatusCode::NOT_MODIFIED, answer).into_response()),
        Outcome::Failed => {
            let detail = "the object is not the one that the request is about";
            return Err(Problem::new(StatusCode::PRECONDITION_FAILED, "precondition-failed", detail));
        }
    }
    let size = opened.facts.size;
    // `HEAD` has no ranges.
    let wanted = if method == Method::GET && conditions::range_counts(&headers, &opened.facts) {
        range::wanted(&headers, size)
    } else {
        Wanted::Whole
    };
    let unsatisfiable = |code, detail: &str| {
        Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, code, detail)
            .with_header(header::CONTENT_RANGE, &format!("bytes */{size}"))
    };
    let (status, first, end) = match wanted {
        Wanted::Whole => (StatusCode::OK, 0, size),
        Wanted::Part { first, last } => {
            set(&mut answer, header::CONTENT_RANGE, &format!("bytes {first}-{last}/{size}"));
            (StatusCode::PARTIAL_CONTENT, first, last.saturating_add(1))
        }
        Wanted::Beyond => return Err(unsatisfiable("range-beyond-end", "the object has no such bytes")),
        Wanted::Several => return Err(unsatisfiable("several-ranges", "one range can be asked for at a time")),
    };
    answer.insert(header::CONTENT_LENGTH, HeaderValue::from(end - first));
    let body = if method == Method::HEAD { Body::empty() } else { Body::from_stream(pieces(opened.file, first, end)) };
    Ok((status, answer, body).into_response())
}

/// The headers that every answer about an object has.
fn describe(facts: &Facts, key: &Key, claims: &Claims<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (header::ACCEPT_RANGES, "bytes"),
        (header::CACHE_CONTROL, "private, no-cache"),
        // Whatever it is, a browser takes it for nothing else, runs nothing in it, and tells nobody its address.
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "sandbox"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    set(&mut headers, header::CONTENT_TYPE, claims.content_type.as_deref().unwrap_or("application/octet-stream"));
    let disposition = claims.content_disposition.clone().unwrap_or_else(|| attachment(key));
    set(&mut headers, header::CONTENT_DISPOSITION, &disposition);
    set(&mut headers, header::ETAG, &facts.etag);
    if let Some(date) = conditions::http_date(facts.modified) {
        set(&mut headers, header::LAST_MODIFIED, &date);
    }
    if let Some(note) = &facts.note {
        set(&mut headers, digests::REPR_DIGEST, &digests::repr_digest(&note.sha256));
        if let Some(md5) = note.md5.filter(|_| note.md5_metadata)
            && let Ok(name) = HeaderName::try_from(META_HEADER)
        {
            set(&mut headers, name, &STANDARD.encode(md5));
        }
    }
    headers
}

/// That it is to be kept as a file with the key's last name (RFC 6266).
fn attachment(key: &Key) -> String {
    format!("attachment; filename*=UTF-8''{}", utf8_percent_encode(key.name(), NON_ALPHANUMERIC))
}

/// Sets a header. A value that can't be one is left out.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// A part of a file that is read while it is sent.
struct Reading {
    file: Arc<File>,
    at: u64,
    end: u64,
    next: Option<JoinHandle<io::Result<Bytes>>>,
}

/// The bytes of a file from `at` to before `end`, piece by piece.
fn pieces(file: File, at: u64, end: u64) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let mut reading = Reading { file: Arc::new(file), at, end, next: None };
    reading.read_on();
    stream::unfold(reading, |mut reading| async move {
        let piece = reading.next.take()?.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        match &piece {
            Ok(_) => reading.read_on(),
            // The file was cut short. The client has been told its length, so it sees that something is missing.
            Err(error) => tracing::warn!(%error, "an object could not be read to its end"),
        }
        Some((piece, reading))
    })
}

impl Reading {
    /// Begins to read the next piece, if there is one.
    fn read_on(&mut self) {
        let length = self.end.saturating_sub(self.at).min(PIECE);
        if length == 0 {
            return;
        }
        let (file, at) = (Arc::clone(&self.file), self.at);
        self.at += length;
        self.next = Some(tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            file.read_exact_at(&mut piece, at)?;
            Ok(Bytes::from(piece))
        }));
    }
}
