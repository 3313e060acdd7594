//! Uploads that can be resumed: tus 1.0, with creation, creation-with-upload, checksum, expiration and termination.
//!
//! The signed URL is where an upload is created and the upload itself, so a client that knows nothing but the URL can
//! go on. Which object it becomes is signed: `Upload-Metadata` changes nothing.

mod headers;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::api::objects::conditions::http_date;
use crate::api::objects::digests::one;
use crate::api::objects::intake::{End, drain, receive};
use crate::api::objects::tus::headers::{
    CHECKSUM_ALGORITHM, EXTENSION, MAX_SIZE, METHOD_OVERRIDE, RESUMABLE, UPLOAD_EXPIRES, UPLOAD_LENGTH, UPLOAD_OFFSET,
    VERSION,
};
use crate::api::objects::{put, refusal};
use crate::api::problem::Problem;
use crate::data::store::local::{Chunk, ChunkDigest, LocalStore, Progress, ResumeError, Ticket, Turn, blocking};

/// The version of the protocol.
const TUS: HeaderValue = HeaderValue::from_static("1.0.0");
const EXTENSIONS: HeaderValue =
    HeaderValue::from_static("creation,creation-with-upload,checksum,expiration,termination");

/// `POST`, `PATCH`, `DELETE` and `OPTIONS`.
pub(super) async fn upload(State(store): State<Arc<LocalStore>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path_and_query = head.uri.path_and_query().map_or("", |text| text.as_str());
    match store.verify_upload(head.method.as_str(), path_and_query) {
        Ok(ticket) => answer(&store, ticket, &head.method, path_and_query, &head.headers, body).await,
        Err(error) => refusal::url(error).into_response(),
    }
}

/// Answers a request about an upload, which may do that.
pub(super) async fn answer(
    store: &Arc<LocalStore>,
    ticket: Ticket,
    method: &Method,
    path_and_query: &str,
    headers: &HeaderMap,
    mut body: Body,
) -> Response {
    let asked = Asked { store, ticket: &ticket, headers };
    let done = if method == Method::OPTIONS {
        Ok(asked.options())
    } else {
        asked.act(method, path_and_query, &mut body).await
    };
    let mut response = match done {
        Ok(response) => response,
        Err(problem) => {
            // Who waits to be told to go on has not begun to send.
            if !headers.contains_key(header::EXPECT) {
                drain(&mut body).await;
            }
            problem.into_response()
        }
    };
    response.headers_mut().insert(RESUMABLE, TUS);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What a client asks.
struct Asked<'a> {
    store: &'a Arc<LocalStore>,
    ticket: &'a Ticket,
    headers: &'a HeaderMap,
}

impl Asked<'_> {
    /// What can be done.
    fn options(&self) -> Response {
        let lines = [
            (VERSION, TUS),
            (EXTENSION, EXTENSIONS),
            (MAX_SIZE, HeaderValue::from(self.store.most_bytes(self.ticket.expected()))),
            (CHECKSUM_ALGORITHM, HeaderValue::from_static(ChunkDigest::ALGORITHMS)),
        ];
        (StatusCode::NO_CONTENT, HeaderMap::from_iter(lines)).into_response()
    }

    async fn act(&self, method: &Method, path_and_query: &str, body: &mut Body) -> Result<Response, Problem> {
        if one(self.headers, &RESUMABLE)?.map(str::as_bytes) != Some(TUS.as_bytes()) {
            let detail = "this is an upload that can be resumed: send `Tus-Resumable: 1.0.0`";
            let problem = Problem::new(StatusCode::PRECONDITION_FAILED, "tus-version-unsupported", detail);
            return Err(problem.with_header(VERSION, "1.0.0"));
        }
        let spoken = (method == Method::POST).then(|| self.headers.get(METHOD_OVERRIDE)).flatten();
        match spoken.map_or(method.as_str().as_bytes(), HeaderValue::as_bytes) {
            b"HEAD" => self.look().await,
            b"POST" => self.create(path_and_query, body).await,
            b"PATCH" => self.go_on(body).await,
            b"DELETE" => self.give_up().await,
            _ => Err(Problem::malformed(format!("`{METHOD_OVERRIDE}` can be PATCH or DELETE here"))),
        }
    }

    async fn look(&self) -> Result<Response, Problem> {
        let progress = self.turned(LocalStore::upload_progress).await?;
        let length = [(UPLOAD_LENGTH, HeaderValue::from(progress.length))];
        Ok((StatusCode::OK, length, self.describe(&progress)).into_response())
    }

    async fn create(&self, path_and_query: &str, body: &mut Body) -> Result<Response, Problem> {
        let length = headers::creation(self.headers)?;
        // Bytes may come with the creation. A type of nothing is none: some clients can't help sending one.
        let is_empty = self.headers.get(header::CONTENT_LENGTH).is_some_and(|length| length.as_bytes() == b"0");
        let brings = self.headers.contains_key(header::CONTENT_TYPE) && !is_empty;
        let chunk = if brings { Some(headers::chunk(self.headers, 0)?) } else { None };
        let mut progress = self.turned(move |store, ticket, turn| store.create_upload(ticket, length, turn)).await?;
        if let Some(chunk) = chunk
            && progress.offset == 0
            && progress.object.is_none()
        {
            progress = self.receive(chunk, body).await?;
        }
        let location = HeaderValue::try_from(path_and_query).map_err(|_| Problem::internal())?;
        Ok((StatusCode::CREATED, [(header::LOCATION, location)], self.describe(&progress)).into_response())
    }

    async fn go_on(&self, body: &mut Body) -> Result<Response, Problem> {
        let offset = headers::number(self.headers, &UPLOAD_OFFSET)?;
        let chunk = headers::chunk(self.headers, offset)?;
        let progress = self.receive(chunk, body).await?;
        Ok((StatusCode::NO_CONTENT, self.describe(&progress)).into_response())
    }

    async fn give_up(&self) -> Result<Response, Problem> {
        self.turned(LocalStore::discard_upload).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    }

    /// Takes a request's bytes in.
    async fn receive(&self, chunk: Chunk, body: &mut Body) -> Result<Progress, Problem> {
        let turn = self.store.try_turn(self.ticket).ok_or_else(|| self.refuse(&ResumeError::Busy))?;
        let stop = turn.stop();
        let (store, ticket) = (Arc::clone(self.store), self.ticket.clone());
        let upload = blocking(move || store.resume_upload(&ticket, chunk, &turn)).await;
        let upload = upload.map_err(|error| self.refuse(&error))?;
        let (mut body, key) = (std::mem::take(body), self.ticket.key().clone());
        // Whoever asked is dropped with the connection, and what has come till then shall be written.
        #[expect(
            clippy::disallowed_methods,
            reason = "whoever asked waits for it, and what is not written can be resumed"
        )]
        let received = tokio::spawn(async move {
            let refuse = |error: &ResumeError| refusal::resume(error, &key);
            let (upload, end) = match receive(&mut body, upload, &stop).await {
                Ok(received) => received,
                Err(error) => {
                    drain(&mut body).await;
                    return Err(refuse(&error.into()));
                }
            };
            let whole = matches!(end, End::Whole);
            let progress = blocking(move || upload.end(whole)).await.map_err(|error| refuse(&error))?;
            match end {
                End::Cut(problem) if progress.object.is_none() => Err(problem),
                End::Cut(_) | End::Whole => Ok(progress),
            }
        });
        received.await.unwrap_or_else(|_| Err(Problem::internal()))
    }

    /// Does something with the upload while nobody else does.
    async fn turned<T: Send + 'static>(
        &self,
        act: impl FnOnce(&LocalStore, &Ticket, &Turn) -> Result<T, ResumeError> + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = self.store.turn(self.ticket).await.ok_or_else(|| self.refuse(&ResumeError::Busy))?;
        let (store, ticket) = (Arc::clone(self.store), self.ticket.clone());
        blocking(move || act(&store, &ticket, &turn)).await.map_err(|error| self.refuse(&error))
    }

    /// How far the upload is, and until when it can go on; or what is known of the object.
    fn describe(&self, progress: &Progress) -> HeaderMap {
        let mut lines = match &progress.object {
            Some(facts) => put::known(facts),
            None => http_date(self.ticket.expires())
                .and_then(|date| Some((UPLOAD_EXPIRES, HeaderValue::try_from(date).ok()?)))
                .into_iter()
                .collect(),
        };
        lines.insert(UPLOAD_OFFSET, HeaderValue::from(progress.offset));
        lines
    }

    fn refuse(&self, error: &ResumeError) -> Problem {
        let problem = refusal::resume(error, self.ticket.key());
        match error {
            ResumeError::Offset { offset } => problem.with_header(UPLOAD_OFFSET, &offset.to_string()),
            _ => problem,
        }
    }
}
