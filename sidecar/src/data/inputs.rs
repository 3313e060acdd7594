//! The inputs of a run, kept by the sidecar itself.

use bytes::Bytes;

use crate::data::caller::Caller;
use crate::data::catalog::{TaskName, TriggerName};
use crate::data::error::DataError;
use crate::data::service::DataService;

/// Inputs to keep. Nothing in it is believed yet, but the hash is the wire's own.
#[derive(Clone, Debug, Default)]
pub struct InputsAsk {
    /// The organization, or empty.
    pub organization: String,
    /// The project's name.
    pub project: String,
    /// The domain's name.
    pub domain: String,
    /// What to keep them under in place of the usual place, `scheme://bucket/prefix`; empty: the usual place.
    pub base_dir: String,
    /// The cache key: a hash of the inputs that count.
    pub hash: String,
    /// The whole message `Inputs`, as it was sent.
    pub bytes: Bytes,
}

/// Where inputs are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// The raw address of the folder that `inputs.pb` is in.
    pub uri: String,
    /// The cache key, as it was given.
    pub hash: String,
}

/// What names the task that inputs are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskOf {
    /// The task itself.
    Task(TaskName),
    /// A trigger that starts it.
    Trigger(TriggerName),
}

impl DataService {
    /// Keeps the inputs of a run.
    ///
    /// # Errors
    /// [`DataError`].
    pub async fn upload_inputs(&self, _caller: &Caller, _ask: InputsAsk) -> Result<Inputs, DataError> {
        Err(DataError::Unimplemented("inputs are not there yet".into()))
    }

    /// The names of the inputs that do not count for the cache key.
    ///
    /// # Errors
    /// [`DataError`].
    pub async fn ignored_inputs(&self, _caller: &Caller, _task: &TaskOf) -> Result<Vec<String>, DataError> {
        Err(DataError::Unimplemented("inputs are not there yet".into()))
    }
}
