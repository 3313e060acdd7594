//! Putting an object.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use taskgate_core::signed_url::Claims;
use tokio::task::JoinHandle;

use crate::api::objects::digests::{self, one};
use crate::api::objects::refusal;
use crate::api::problem::Problem;
use crate::data::path::Key;
use crate::data::store::WriteMode;
use crate::data::store::local::{Expected, LocalError, LocalStore, META_HEADER, Placed, Writing, blocking};

/// How many bytes are gathered before they are written; as many are on their way to the disk meanwhile.
const BATCH: usize = 256 << 10;
/// How long a client may send nothing.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much of a body is taken in though nobody wants it any more: a client that still sends sees no answer.
const DRAINED_BYTES: usize = 1 << 20;
/// How long that may take.
const DRAINED_TIME: Duration = Duration::from_secs(2);

/// `PUT`.
pub(super) async fn object(
    State(store): State<Arc<LocalStore>>,
    uri: Uri,
    request: Request,
) -> Result<Response, Problem> {
    let (head, mut body) = request.into_parts();
    let written = write(&store, uri.path_and_query().map_or("", |text| text.as_str()), &head.headers, &mut body).await;
    // Who waits to be told to go on has not begun to send.
    if written.is_err() && !head.headers.contains_key(header::EXPECT) {
        drain(&mut body).await;
    }
    written
}

async fn write(
    store: &Arc<LocalStore>,
    path_and_query: &str,
    headers: &HeaderMap,
    body: &mut Body,
) -> Result<Response, Problem> {
    let (key, claims) = store.verify("PUT", path_and_query).map_err(refusal::url)?;
    let (expected, mode) = expected(&claims, headers)?;
    let refuse = |error| refusal::local(&error, &key);
    let (into, to) = (Arc::clone(store), key.clone());
    let begin = move || {
        // The last word on that is spoken at the end; this spares the client the way there.
        if mode == WriteMode::Create && into.object(&to)?.is_some() {
            return Err(LocalError::Exists);
        }
        into.begin(expected)
    };
    let writing = blocking(begin).await.map_err(refuse)?;
    let writing = receive(body, writing, &key).await?;
    let to = key.clone();
    let written = blocking(move || writing.finish(&to, mode)).await.map_err(refuse)?;

    let status = match written.placed {
        Placed::Created => StatusCode::CREATED,
        Placed::Replaced => StatusCode::OK,
    };
    let digest = written.facts.note.map(|note| (digests::REPR_DIGEST, digests::repr_digest(&note.sha256)));
    let answer: Vec<(HeaderName, String)> =
        [(header::ETAG, written.facts.etag), (header::CACHE_CONTROL, "no-store".to_owned())]
            .into_iter()
            .chain(digest)
            .collect();
    let mut response = status.into_response();
    for (name, value) in answer {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// What the object must be: what was signed, and what the request's headers promise besides.
fn expected(claims: &Claims<'_>, headers: &HeaderMap) -> Result<(Expected, WriteMode), Problem> {
    let coding = one(headers, &header::CONTENT_ENCODING)?;
    if coding.is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
        let detail = "objects are kept as they come: send it without a content coding";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-coding-unsupported", detail));
    }
    for name in [header::CONTENT_RANGE, header::IF_MATCH, header::IF_UNMODIFIED_SINCE] {
        if headers.contains_key(&name) {
            return Err(Problem::malformed(format!("an object is put whole, and without `{name}`")));
        }
    }
    let create = match one(headers, &header::IF_NONE_MATCH)? {
        None => claims.create_only,
        Some("*") => true,
        Some(_) => return Err(Problem::malformed("`if-none-match` can only be `*` here")),
    };
    let md5 = agreed("content-md5", claims.md5, digests::md5(headers, &digests::CONTENT_MD5)?)?;
    let sha256 = agreed("repr-digest", claims.sha256, digests::sha256(headers)?)?;
    if let Ok(name) = HeaderName::try_from(META_HEADER)
        && let Some(metadata) = digests::md5(headers, &name)?
    {
        if !claims.md5_metadata {
            let detail = format!("the URL was signed without `{META_HEADER}`");
            return Err(Problem::new(StatusCode::FORBIDDEN, "header-not-signed", detail));
        }
        agreed(META_HEADER, claims.md5, Some(metadata))?;
    }
    let length = one(headers, &header::CONTENT_LENGTH)?.and_then(|text| text.parse::<u64>().ok());
    if let (Some(promised), Some(came)) = (claims.size, length)
        && promised != came
    {
        let detail = format!("the URL was signed for {promised} bytes, and `content-length` is {came}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "wrong-length", detail));
    }
    let mode = if create { WriteMode::Create } else { WriteMode::Replace };
    let (size, max_size) = (claims.size.or(length), claims.max_size);
    Ok((Expected { size, max_size, md5, sha256, md5_metadata: claims.md5_metadata }, mode))
}

/// What was signed and what a header says, which must be the same where there are both.
fn agreed<T: PartialEq>(name: &str, signed: Option<T>, said: Option<T>) -> Result<Option<T>, Problem> {
    match (signed, said) {
        (Some(signed), Some(said)) if signed != said => {
            let detail = format!("`{name}` is not the digest that the URL was signed for");
            Err(Problem::new(StatusCode::BAD_REQUEST, "digest-mismatch", detail))
        }
        (signed, said) => Ok(signed.or(said)),
    }
}

/// What is being written to the disk, or is about to be.
enum Flight {
    Idle(Box<Writing>),
    Busy(JoinHandle<Result<Box<Writing>, LocalError>>),
}

/// Takes a body in: while one batch is written the next one is gathered.
async fn receive(body: &mut Body, writing: Writing, key: &Key) -> Result<Writing, Problem> {
    let mut flight = Flight::Idle(Box::new(writing));
    loop {
        let batch = gather(body).await?;
        let landed = match flight {
            Flight::Idle(writing) => Ok(writing),
            Flight::Busy(task) => task.await.unwrap_or_else(|error| Err(LocalError::Io(std::io::Error::other(error)))),
        };
        let mut writing = landed.map_err(|error| refusal::local(&error, key))?;
        if batch.is_empty() {
            return Ok(*writing);
        }
        flight = Flight::Busy(tokio::task::spawn_blocking(move || {
            batch.iter().try_for_each(|bytes| writing.push(bytes))?;
            Ok(writing)
        }));
    }
}

/// The next bytes of a body, about [`BATCH`] of them; empty at its end.
async fn gather(body: &mut Body) -> Result<Vec<Bytes>, Problem> {
    let (mut batch, mut gathered) = (Vec::new(), 0_usize);
    while gathered < BATCH {
        let frame = tokio::time::timeout(PATIENCE, body.frame())
            .await
            .map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", "nothing came for too long"))?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| Problem::malformed("the body did not arrive whole"))?;
        if let Ok(bytes) = frame.into_data()
            && !bytes.is_empty()
        {
            gathered = gathered.saturating_add(bytes.len());
            batch.push(bytes);
        }
    }
    Ok(batch)
}

/// Takes in what a client still sends, within bounds.
async fn drain(body: &mut Body) {
    let all = async {
        let mut drained = 0;
        while drained < DRAINED_BYTES
            && let Some(Ok(frame)) = body.frame().await
        {
            drained += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    // What is left then is cut off with the connection.
    let _ = tokio::time::timeout(DRAINED_TIME, all).await;
}
