//! The master's API: one question, as the provider itself or as a visitor.
//!
//! The provider's own session is begun when it is first needed and again when the master knows it no more; at most once a
//! question, and not for a while after the master refused it. It is shown to the master's API and never to its proxy,
//! which hands what it is shown on to tasks. No redirect is followed, and every answer is bounded in time and size.

pub mod error;

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::determined::client::error::MasterError;
use crate::determined::settings::{Login, MasterSettings};
use crate::determined::shown::Shown;
use crate::http::HttpError;
use crate::secret::SecretText;
use crate::telemetry::trace;

/// The most bytes of an answer.
const MAX_ANSWER: usize = 32 << 20;
/// Where the master's API is: the only place where the provider's own credential is shown.
const API: &str = "/api/v1/";
/// How long nobody signs in after the master refused it: a wrong password tried again and again locks accounts.
const REST_AFTER_REFUSAL: Duration = Duration::from_secs(60);

/// A master that can be asked.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    settings: Arc<MasterSettings>,
    own: Arc<Mutex<Own>>,
}

/// The provider's own session, and when the master last refused to begin one.
#[derive(Debug, Default)]
struct Own {
    session: Option<SecretText>,
    refused: Option<Instant>,
}

/// What the master's proxy makes of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It let the request through to the task.
    Admitted,
    /// It did not, or that can't be told from the task's own answer.
    Refused,
}

#[derive(Deserialize)]
struct Session {
    token: String,
}

impl Client {
    /// A client for a master.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(settings: MasterSettings) -> Result<Self, HttpError> {
        let http = settings.reach.client().timeout(settings.reach.timeout).build().map_err(HttpError::Client)?;
        Ok(Self { http, settings: Arc::new(settings), own: Arc::default() })
    }

    /// What the master says to the provider.
    ///
    /// # Errors
    /// [`MasterError`].
    pub async fn own<T: DeserializeOwned>(&self, path: &str) -> Result<T, MasterError> {
        let response = self.as_provider(path).await?;
        read(&self.body(response).await?)
    }

    /// What the master says to a visitor, within that time.
    ///
    /// # Errors
    /// [`MasterError`].
    pub async fn ask<T: DeserializeOwned>(&self, shown: &Shown, path: &str, time: Duration) -> Result<T, MasterError> {
        let asked = async {
            let response = self.send(shown.on(self.request(Method::GET, path)?)).await?;
            read(&self.body(response).await?)
        };
        tokio::time::timeout(time, asked).await.map_err(|_| MasterError::TimedOut(time))?
    }

    /// Whether the master's proxy lets a visitor through to a task, within that time. A task that answers with an error,
    /// or sends to another place than its own, can't be told from a master that does, and counts as one.
    ///
    /// # Errors
    /// [`MasterError`]: can't be said now.
    pub async fn admits(&self, shown: &Shown, path: &str, time: Duration) -> Result<Admission, MasterError> {
        let url = self.url(path)?;
        let request = shown.on(self.http.get(url.clone()));
        let response =
            tokio::time::timeout(time, self.send(request)).await.map_err(|_| MasterError::TimedOut(time))??;
        let location = response.headers().get(reqwest::header::LOCATION).and_then(|value| value.to_str().ok());
        match response.status() {
            status if status.is_success() => Ok(Admission::Admitted),
            // The master, or what is before it, sends elsewhere: to where people sign in, to `https`.
            status if status.is_redirection() && location.is_some_and(|to| is_below(&url, to)) => {
                Ok(Admission::Admitted)
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(MasterError::Status(status.as_u16()))
            }
            _ => Ok(Admission::Refused),
        }
    }

    /// Makes the master see that a service is in use: its watcher of idle tasks looks at the beginnings of requests
    /// alone, before anybody is asked who they are. So nobody's credential is shown, for the master's proxy hands on to
    /// the task whatever it is shown; where the port is for everybody the task sees a request of nobody.
    ///
    /// # Errors
    /// [`MasterError`].
    pub async fn touch(&self, path: &str) -> Result<(), MasterError> {
        self.send(self.request(Method::HEAD, path)?).await.map(drop)
    }

    /// A question of the provider's own to the master's API, with another session where the one at hand has ended.
    async fn as_provider(&self, path: &str) -> Result<Response, MasterError> {
        if !path.starts_with(API) {
            return Err(MasterError::NotFound);
        }
        let token = self.session(None).await?;
        let response = self.send(Shown::Session(token.clone()).on(self.request(Method::GET, path)?)).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let token = self.session(Some(&token)).await?;
        self.send(Shown::Session(token).on(self.request(Method::GET, path)?)).await
    }

    /// The provider's own session; another one than `ended`.
    async fn session(&self, ended: Option<&SecretText>) -> Result<SecretText, MasterError> {
        let (username, password) = match &self.settings.login {
            Login::Token(token) if ended.is_none() => return Ok(token.clone()),
            Login::Token(_) => return Err(MasterError::Credential),
            Login::Password(username, password) => (username, password),
        };
        let mut own = self.own.lock().await;
        match &own.session {
            Some(kept) if ended.is_none_or(|ended| ended.expose() != kept.expose()) => return Ok(kept.clone()),
            _ => own.session = None,
        }
        if own.refused.is_some_and(|refused| refused.elapsed() < REST_AFTER_REFUSAL) {
            return Err(MasterError::Credential);
        }
        let form = json!({"username": username, "password": password.expose(), "isHashed": false});
        let request = self.request(Method::POST, "/api/v1/auth/login")?.json(&form);
        let response = self.send(request).await?;
        let is_refused = response.status().is_client_error() && response.status() != StatusCode::TOO_MANY_REQUESTS;
        own.refused = is_refused.then(Instant::now);
        let Session { token } = read(&self.body(response).await?)?;
        let token = SecretText::from(token);
        own.session = Some(token.clone());
        Ok(token)
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, MasterError> {
        Ok(self.http.request(method, self.url(path)?))
    }

    fn url(&self, path: &str) -> Result<Url, MasterError> {
        // Names in paths are the master's own, which have nothing in them that a path could mean.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.:?=&".contains(&byte);
        if !path.starts_with('/') || !path.bytes().all(is_plain) || path.contains("..") {
            return Err(MasterError::NotFound);
        }
        self.settings.url.join(path).map_err(|_| MasterError::NotFound)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, MasterError> {
        trace::send(request).await.map_err(|error| self.failed(&error))
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, MasterError> {
        let status = response.status();
        if !status.is_success() {
            return Err(MasterError::of_status(status.as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(&error))? {
            if body.len().saturating_add(chunk.len()) > MAX_ANSWER {
                return Err(MasterError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn failed(&self, error: &reqwest::Error) -> MasterError {
        if error.is_timeout() {
            MasterError::TimedOut(self.settings.reach.timeout)
        } else {
            MasterError::Exchange(crate::http::explain(error))
        }
    }
}

/// Whether a redirect leads to that place or below it, on the same server.
fn is_below(place: &Url, location: &str) -> bool {
    place.join(location).is_ok_and(|to| to.origin() == place.origin() && to.path().starts_with(place.path()))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, MasterError> {
    // What is wrong is not said in the words of the parser: they quote what it read.
    serde_json::from_slice(body).map_err(|error| {
        MasterError::Unreadable(if error.is_data() { "other values than expected" } else { "no JSON" })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_says_yes_only_where_it_stays() {
        let place = Url::parse("http://master:8080/proxy/a/").expect("an address");
        for to in ["lab?", "./lab", "/proxy/a/tree", "http://master:8080/proxy/a/lab", "?x=1"] {
            assert!(is_below(&place, to), "{to}");
        }
        for to in [
            "/det/login?redirect=/proxy/a/",
            "https://master:8080/proxy/a/",
            "http://sso.example.test/proxy/a/",
            "//sso.example.test/proxy/a/",
            "/proxy/a/../b/",
            "/proxy/b/",
            "/proxy/a",
            "http://master/proxy/a/",
            "http://",
        ] {
            assert!(!is_below(&place, to), "{to}");
        }
    }
}
