//! What the API of tasks is asked.

use anyhow::bail;
use reqwest::header::{ETAG, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use url::Url;

use crate::cli::server::{self, Client, NoAnswer};
use crate::tasks::row::TaskId;

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) json: Value,
    /// What tells this version of it from others.
    pub(super) tag: Option<HeaderValue>,
}

/// What came of asking for a task.
#[derive(Debug)]
pub(super) enum Tried {
    Answer(Answer),
    /// It was deleted; what the server says.
    Gone(String),
    /// It is as it was.
    Unchanged,
}

impl Client {
    /// Asks for a page of tasks.
    pub(super) async fn tasks(&self, query: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let mut url = self.at("/tasks");
        url.query_pairs_mut().extend_pairs(query);
        self.page(url).await
    }

    /// Asks for the page that an answer named.
    pub(super) async fn next(&self, named: &str) -> anyhow::Result<Answer> {
        let mut url = self.at("/tasks");
        // Its path may be one in front of a proxy; the server is the one that was asked.
        url.set_query(named.split_once('?').map(|(_, query)| query));
        self.page(url).await
    }

    /// Asks for a task to be done.
    pub(super) async fn submit(&self, request: &Value, key: Option<&HeaderValue>) -> anyhow::Result<Answer> {
        let mut call = self.request(Method::POST, "/tasks").json(request);
        if let Some(key) = key {
            call = call.header("idempotency-key", key.clone());
        }
        whole(ask(call).await?)
    }

    /// Asks about a task.
    pub(super) async fn task(
        &self,
        method: Method,
        id: TaskId,
        below: &str,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Result<Tried, NoAnswer> {
        let call = self.request(method, &format!("/tasks/{id}{below}"));
        ask(headers.iter().fold(call, |call, (name, value)| call.header(name, value.clone()))).await
    }

    async fn page(&self, url: Url) -> anyhow::Result<Answer> {
        whole(ask(self.request_to(Method::GET, url)).await?)
    }
}

async fn ask(call: RequestBuilder) -> Result<Tried, NoAnswer> {
    let answer = server::answer(call).await?;
    match answer.status {
        StatusCode::NOT_MODIFIED => Ok(Tried::Unchanged),
        StatusCode::GONE => Ok(Tried::Gone(server::says(&answer.body))),
        status if status.is_success() => {
            let json = serde_json::from_slice(&answer.body).map_err(|_| NoAnswer::Unreadable)?;
            Ok(Tried::Answer(Answer { json, tag: answer.headers.get(ETAG).cloned() }))
        }
        _ => Err(NoAnswer::refused(&answer)),
    }
}

/// An answer that is neither of something deleted nor of something that did not change.
fn whole(tried: Tried) -> anyhow::Result<Answer> {
    match tried {
        Tried::Answer(answer) => Ok(answer),
        Tried::Gone(words) => bail!("{words}"),
        Tried::Unchanged => Err(NoAnswer::Unreadable.into()),
    }
}
