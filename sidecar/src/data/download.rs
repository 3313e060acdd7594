//! Links to what a run left behind, and to what was uploaded.

mod object;

use std::time::Duration;

use taskgate_core::time::UnixTime;

use crate::data::audit::{self, ContentDigest, Grant};
use crate::data::caller::Caller;
use crate::data::catalog::{ActionName, CatalogError, Found, TaskName};
use crate::data::error::DataError;
use crate::data::path::Key;
use crate::data::placement::NamedStore;
use crate::data::service::{DataService, Right, single};
use crate::data::settings::SignedDuration;
use crate::data::store::{DownloadTerms, Object, SignedRequest};
use crate::data::upload::{expiry, unsigned};

pub use object::ObjectAsk;

/// What a client wants to get.
#[derive(Clone, Debug)]
pub struct DownloadAsk {
    /// What of it.
    pub artifact: Artifact,
    /// Of what; none where the request does not say.
    pub source: Option<DownloadSource>,
    /// How long the URL shall work.
    pub expires_in: Option<SignedDuration>,
}

/// What can be got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Artifact {
    /// The report of an attempt.
    Report,
    /// The code that ran.
    CodeBundle,
    /// The request does not say, or says something that is not known here.
    Unspecified,
}

/// What it can be got of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownloadSource {
    /// An attempt at an action.
    Attempt(ActionName, u32),
    /// An app, by its name.
    App(String),
    /// A version of a task.
    Task(TaskName),
}

/// Links.
#[derive(Clone, Debug)]
pub struct Download {
    /// What is known of the object.
    pub object: Object,
    /// The requests that get it, piece by piece.
    pub requests: Vec<SignedRequest>,
    /// When the first of them ends.
    pub expires_at: UnixTime,
}

impl DataService {
    /// Signs a request that gets what a run left behind.
    ///
    /// # Errors
    /// [`DataError`].
    pub async fn download_link(&self, caller: &Caller, ask: DownloadAsk) -> Result<Download, DataError> {
        if ask.artifact == Artifact::Unspecified {
            return Err(DataError::Invalid("artifact_type is required".into()));
        }
        let expires_in = expiry(ask.expires_in, self.settings.download.max_expires_in)?;
        let Some(DownloadSource::Attempt(action, number)) = ask.source else {
            return Err(DataError::Invalid("unsupported source type".into()));
        };
        self.admit_to(caller, &action).await?;
        let uri = self.artifact(&action, number, ask.artifact).await?;
        let missing = || DataError::NotFound(format!("artifact not found at [{uri}]"));
        let (store, key) = self.object_of(&action, &uri).ok_or_else(missing)?;
        get(caller, &store, &key, expires_in).await?.ok_or_else(missing)
    }

    /// The address of what an attempt left behind.
    async fn artifact(&self, action: &ActionName, number: u32, artifact: Artifact) -> Result<String, DataError> {
        let place = place(action);
        let found = self.catalog.attempt(action, number).await.map_err(|error| {
            let text = format!("failed to get action details: {error}");
            match error {
                CatalogError::Unavailable(_) => DataError::Unavailable(text),
                CatalogError::Malformed(_) => DataError::Internal(text),
            }
        })?;
        let attempt = match found {
            Found::Here(attempt) => attempt,
            Found::NoAction(text) => return Err(DataError::NotFound(format!("failed to get action details: {text}"))),
            Found::NoAttempt => {
                return Err(DataError::NotFound(format!("attempt {number} not found for action [{place}]")));
            }
        };
        let (uri, what) = match artifact {
            Artifact::CodeBundle => (attempt.code_bundle_uri, "code bundle"),
            Artifact::Report | Artifact::Unspecified => (attempt.report_uri, "report"),
        };
        uri.filter(|uri| !uri.is_empty())
            .ok_or_else(|| DataError::NotFound(format!("no {what} URI found for action [{place}] attempt {number}")))
    }

    /// Looks whether a caller may see what an action left behind.
    pub(super) async fn admit_to(&self, caller: &Caller, action: &ActionName) -> Result<(), DataError> {
        single("run name", &action.run)?;
        single("action name", &action.name)?;
        self.admit(caller, &action.organization, &action.project, &action.domain, Right::Read).await
    }
}

/// Signs a request that gets an object; none where there is no object.
async fn get(
    caller: &Caller,
    NamedStore { name, store }: &NamedStore,
    key: &Key,
    expires_in: Duration,
) -> Result<Option<Download>, DataError> {
    let found = store
        .head(key)
        .await
        .map_err(|error| DataError::Internal(format!("failed to check artifact existence: {error}")))?;
    let Some(object) = found else { return Ok(None) };
    let terms = DownloadTerms { expires_in, ..DownloadTerms::default() };
    let request = store.sign_download(key, &terms).await.map_err(|error| unsigned(&error))?;
    audit::grant(
        caller,
        &Grant {
            event: "download",
            store: name,
            key,
            digest: object.content_md5.map(ContentDigest::Md5),
            size: Some(object.size),
            expires_at_ms: Some(request.expires_at.as_millis()),
        },
    );
    Ok(Some(Download { object, expires_at: request.expires_at, requests: vec![request] }))
}

/// What an action is called in messages.
pub(super) fn place(action: &ActionName) -> String {
    let ActionName { organization, project, domain, run, name } = action;
    let organization = if organization.is_empty() { String::new() } else { format!("{organization}/") };
    format!("{organization}{project}/{domain}/{run}/{name}")
}

#[cfg(test)]
mod tests;
