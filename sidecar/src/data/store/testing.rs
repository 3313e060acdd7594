//! A service of objects that answers what it was told to, and remembers what it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};

use crate::data::testing::lock;

/// What was asked.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The method and the path, as they came.
    pub(crate) what: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<(u16, &'static str)>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// The service. Dropping it ends it.
pub(crate) struct Scripted {
    pub(crate) url: String,
    script: Script,
    server: tokio::task::JoinHandle<()>,
}

impl Scripted {
    /// Serves these answers one after the other; the last one is repeated.
    pub(crate) async fn start(answers: &[(u16, &'static str)]) -> Self {
        let script = Script { answers: Arc::new(Mutex::new(answers.iter().copied().collect())), ..Script::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let service = Router::new().fallback(answer).with_state(script.clone());
        let server = tokio::spawn(async move { axum::serve(listener, service).await.expect("serves") });
        Self { url, script, server }
    }

    /// What it was asked until now.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *lock(&self.script.asked))
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(
    State(script): State<Script>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(HeaderName, &'static str); 2], &'static str) {
    let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let body = String::from_utf8(body.to_vec()).expect("text");
    lock(&script.asked).push(Asked { what: format!("{method} {}", uri.path()), query, headers, body });
    let mut answers = lock(&script.answers);
    let (status, text) = if answers.len() > 1 { answers.pop_front() } else { answers.front().copied() }.expect("one");
    // Without these there is no object for `object_store`.
    let headers = [(header::LAST_MODIFIED, "Fri, 24 May 2013 00:00:00 GMT"), (header::ETAG, "\"e\"")];
    (StatusCode::from_u16(status).expect("a status"), headers, text)
}
