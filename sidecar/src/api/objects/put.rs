//! Putting an object.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use taskgate_core::signed_url::Claims;
use tokio_util::sync::CancellationToken;

use crate::api::objects::digests::{self, one};
use crate::api::objects::intake::{End, drain, receive};
use crate::api::objects::refusal;
use crate::api::problem::Problem;
use crate::data::store::WriteMode;
use crate::data::store::local::{Expected, Facts, LocalError, LocalStore, META_HEADER, Placed, blocking};

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
    let writing = match receive(body, writing, &CancellationToken::new()).await.map_err(refuse)? {
        (writing, End::Whole) => writing,
        (_, End::Cut(problem)) => return Err(problem),
    };
    let to = key.clone();
    let written = blocking(move || writing.finish(&to, mode)).await.map_err(refuse)?;

    let status = match written.placed {
        Placed::Created => StatusCode::CREATED,
        Placed::Replaced => StatusCode::OK,
    };
    Ok((status, known(&written.facts), [(header::CACHE_CONTROL, "no-store")]).into_response())
}

/// What a client is told of an object that it has put.
pub(super) fn known(facts: &Facts) -> HeaderMap {
    let digest = facts.note.map(|note| (digests::REPR_DIGEST, digests::repr_digest(&note.sha256)));
    let lines = [(header::ETAG, facts.etag.clone())].into_iter().chain(digest);
    lines.filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect()
}

/// What the object must be: what was signed, and what the request's headers promise besides.
fn expected(claims: &Claims<'_>, headers: &HeaderMap) -> Result<(Expected, WriteMode), Problem> {
    plain(headers)?;
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

/// Refuses a body that is not as it will be kept.
pub(super) fn plain(headers: &HeaderMap) -> Result<(), Problem> {
    let coding = one(headers, &header::CONTENT_ENCODING)?;
    if coding.is_none_or(|coding| coding.eq_ignore_ascii_case("identity")) {
        return Ok(());
    }
    let detail = "objects are kept as they come: send it without a content coding";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-coding-unsupported", detail))
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
