//! Links to what a run left behind.

use taskgate_core::time::UnixTime;

use crate::data::caller::Caller;
use crate::data::catalog::{ActionName, TaskName};
use crate::data::error::DataError;
use crate::data::service::DataService;
use crate::data::settings::SignedDuration;
use crate::data::store::SignedRequest;

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
    pub async fn download_link(&self, _caller: &Caller, _ask: DownloadAsk) -> Result<Download, DataError> {
        Err(DataError::Unimplemented("downloads are not there yet".into()))
    }
}
