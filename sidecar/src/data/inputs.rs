//! The inputs of a run, kept by the sidecar itself.

use bytes::Bytes;

use crate::data::audit::{self, ContentDigest, Grant};
use crate::data::caller::Caller;
use crate::data::catalog::{CatalogError, TaskName, TriggerName};
use crate::data::error::DataError;
use crate::data::path::{DomainName, InvalidPath, Key, MAX_SEGMENT, ProjectName, Segments};
use crate::data::placement::NamedStore;
use crate::data::service::{DataService, Right, names, short, single};
use crate::data::settings::base_dir::BaseDir;
use crate::data::store::{StoreError, WriteMode};
use crate::digest::Digest;

/// The folder of a domain that inputs are in.
pub(super) const INPUTS_FOLDER: &str = "offloaded-inputs";
/// What the inputs of a run are called in their folder.
const INPUTS_FILE: &str = "inputs.pb";

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
    /// The folder is named after the cache key, as in Flyte. Inputs that differ only in what does not count have the
    /// same key; where others are there already, the digest of the whole is added to the name.
    ///
    /// # Errors
    /// [`DataError`].
    pub async fn upload_inputs(&self, caller: &Caller, ask: InputsAsk) -> Result<Inputs, DataError> {
        let (project, domain) = names(&ask.project, &ask.domain)?;
        let (size, most) = (length(&ask.bytes), self.settings.upload.max_size);
        if size > most {
            return Err(DataError::Invalid(format!(
                "inputs ({size} bytes) exceed maximum allowed size of {most} bytes"
            )));
        }
        self.admit(caller, &ask.organization, &project, &domain, Right::Write).await?;
        let hash = single("inputs_hash", &ask.hash)?;
        let place = self.inputs_place(&project, &domain, &ask)?;
        let bytes = ask.bytes.clone();
        let digest = tokio::task::spawn_blocking(move || Digest::of(&bytes)).await;
        let digest = digest.map_err(|_| DataError::Internal("failed to hash inputs".into()))?;
        let full = digest.to_string();
        let short = full.get(..16).unwrap_or(&full);
        for name in
            [hash.as_str().to_owned(), format!("{}-{short}", hash.as_str()), format!("{}-{full}", hash.as_str())]
        {
            let folder = place.folder(&name)?;
            if place.keep(&folder, &ask.bytes).await? {
                audit::grant(
                    caller,
                    &Grant {
                        event: "inputs",
                        store: &place.store.name,
                        key: &folder,
                        digest: Some(ContentDigest::Sha256(*digest.as_bytes())),
                        size: Some(size),
                        expires_at_ms: None,
                    },
                );
                return Ok(Inputs { uri: place.store.store.uri(&folder), hash: ask.hash });
            }
        }
        Err(DataError::Internal("failed to write inputs: other inputs are there already".into()))
    }

    /// Looks whether a caller may keep inputs there: before they are read, and again before they are kept.
    ///
    /// # Errors
    /// [`DataError`].
    pub async fn admit_inputs(
        &self,
        caller: &Caller,
        organization: &str,
        project: &str,
        domain: &str,
    ) -> Result<(), DataError> {
        let (project, domain) = names(project, domain)?;
        self.admit(caller, organization, &project, &domain, Right::Write).await
    }

    /// The names of the inputs that do not count for the cache key.
    ///
    /// # Errors
    /// [`DataError`].
    pub async fn ignored_inputs(&self, caller: &Caller, task: &TaskOf) -> Result<Vec<String>, DataError> {
        let started;
        let task = match task {
            TaskOf::Task(task) => task,
            TaskOf::Trigger(trigger) => {
                short("trigger name", &trigger.name, MAX_SEGMENT)?;
                short("task name", &trigger.task_name, MAX_SEGMENT)?;
                self.admit(caller, &trigger.organization, &trigger.project, &trigger.domain, Right::Read).await?;
                let found =
                    self.catalog.trigger(trigger).await.map_err(|error| unknown("failed to get trigger", &error))?;
                let text = || format!("failed to get trigger: trigger {:?} not found", trigger.name);
                started = found.ok_or_else(|| DataError::NotFound(text()))?;
                &started
            }
        };
        short("task name", &task.name, MAX_SEGMENT)?;
        short("task version", &task.version, MAX_SEGMENT)?;
        self.admit(caller, &task.organization, &task.project, &task.domain, Right::Read).await?;
        let found = self.catalog.ignored_inputs(task).await.map_err(|error| unknown("failed to get task", &error))?;
        let text = || format!("failed to get task: task {:?} version {:?} not found", task.name, task.version);
        found.ok_or_else(|| DataError::NotFound(text()))
    }

    /// Where inputs of a project go: under the usual prefix, or where the client says, if an operator listed that.
    fn inputs_place(&self, project: &ProjectName, domain: &DomainName, ask: &InputsAsk) -> Result<Place, DataError> {
        let organization = match ask.organization.as_str() {
            "" => None,
            text => Some(single("organization", text)?),
        };
        let parts = organization.iter().map(Segments::as_str).chain([project.as_str(), domain.as_str(), INPUTS_FOLDER]);
        let tail: Vec<&str> = parts.collect();
        let tail = Segments::parse(&tail.join("/")).map_err(no_path)?;
        if ask.base_dir.is_empty() {
            let prefix = self.settings.upload.storage_prefix.as_ref();
            let base = prefix.map_or_else(
                || tail.clone().as_str().to_owned(),
                |prefix| format!("{}/{}", prefix.as_str(), tail.as_str()),
            );
            return Ok(Place {
                store: self.store_of(project, domain)?,
                base: Segments::parse(&base).map_err(no_path)?,
            });
        }
        let base = BaseDir::parse(&ask.base_dir).map_err(|error| DataError::Invalid(format!("base_dir {error}")))?;
        if !self.settings.upload.base_dirs.iter().any(|allowed| base.is_within(allowed)) {
            return Err(DataError::Denied("base_dir is none of those that are allowed here".into()));
        }
        let (store, key) = self
            .placement
            .find(&base.join(&tail))
            .ok_or_else(|| DataError::Invalid("base_dir is in no store that is configured here".into()))?;
        Ok(Place { store, base: Segments::parse(key.as_str()).map_err(no_path)? })
    }
}

/// Where inputs of a project are kept.
struct Place {
    store: NamedStore,
    base: Segments,
}

impl Place {
    fn folder(&self, name: &str) -> Result<Key, DataError> {
        Key::parse(&format!("{}/{name}", self.base.as_str())).map_err(no_path)
    }

    /// Writes the inputs, unless the very same are there. False where others are.
    async fn keep(&self, folder: &Key, bytes: &Bytes) -> Result<bool, DataError> {
        let key = Key::parse(&format!("{folder}/{INPUTS_FILE}")).map_err(no_path)?;
        let failed = |error| {
            let text = format!("failed to write inputs: {error}");
            match error {
                StoreError::TooLarge { .. } | StoreError::Unsupported(_) => DataError::Invalid(text),
                StoreError::Unavailable(_) => DataError::Unavailable(text),
                StoreError::NoUpload | StoreError::Exists | StoreError::Denied(_) | StoreError::Failed(_) => {
                    DataError::Internal(text)
                }
            }
        };
        let store = &self.store.store;
        match store.write(&key, bytes.clone(), WriteMode::Create).await {
            Ok(()) => Ok(true),
            Err(StoreError::Exists) => match store.read(&key, length(bytes)).await {
                Ok(Some(kept)) => Ok(kept == bytes),
                Ok(None) | Err(StoreError::TooLarge { .. }) => Ok(false),
                Err(error) => Err(failed(error)),
            },
            Err(error) => Err(failed(error)),
        }
    }
}

/// What is said where a task or trigger could not be looked up.
fn unknown(what: &str, error: &CatalogError) -> DataError {
    let text = format!("{what}: {error}");
    match error {
        CatalogError::Unavailable(_) => DataError::Unavailable(text),
        CatalogError::Malformed(_) => DataError::Internal(text),
    }
}

fn no_path(error: InvalidPath) -> DataError {
    DataError::Invalid(format!("failed to construct storage path: {error}"))
}

fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
