//! The inputs and outputs of an action.

use std::fmt;

use bytes::Bytes;

use crate::data::audit::{self, Grant};
use crate::data::caller::Caller;
use crate::data::catalog::{ActionData, ActionName};
use crate::data::download::place;
use crate::data::error::DataError;
use crate::data::placement::NamedStore;
use crate::data::service::DataService;

/// The data of an action, each with its address; none where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionBytes {
    /// The message `Inputs`.
    pub inputs: Option<(String, Bytes)>,
    /// The message `Outputs`.
    pub outputs: Option<(String, Bytes)>,
}

impl DataService {
    /// Reads the inputs and outputs of an action. What is not there yet is no error.
    ///
    /// # Errors
    /// [`DataError`].
    pub async fn action_data(&self, caller: &Caller, action: &ActionName) -> Result<ActionBytes, DataError> {
        self.admit_to(caller, action).await?;
        let found = self.catalog.data(action).await?;
        let ActionData { inputs_uri, outputs_uri } =
            found.ok_or_else(|| DataError::NotFound(format!("action [{}] not found", place(action))))?;
        let (inputs, outputs) = tokio::join!(
            self.read(caller, action, "inputs", inputs_uri.unwrap_or_default()),
            self.read(caller, action, "outputs", outputs_uri.unwrap_or_default()),
        );
        Ok(ActionBytes { inputs: inputs?, outputs: outputs? })
    }

    /// Reads an object with its address; none where there is none.
    async fn read(
        &self,
        caller: &Caller,
        action: &ActionName,
        what: &str,
        uri: String,
    ) -> Result<Option<(String, Bytes)>, DataError> {
        if uri.is_empty() {
            return Ok(None);
        }
        let failed =
            |error: &dyn fmt::Display| DataError::Internal(format!("failed to read {what} from {uri}: {error}"));
        let (NamedStore { name, store }, key) =
            self.object_of(action, &uri).ok_or_else(|| failed(&"it is in no store and no project of yours"))?;
        let read = store.read(&key, self.settings.download.max_size).await.map_err(|error| failed(&error))?;
        let Some(bytes) = read else { return Ok(None) };
        audit::grant(
            caller,
            &Grant {
                event: "action-data",
                store: &name,
                key: &key,
                digest: None,
                size: u64::try_from(bytes.len()).ok(),
                expires_at_ms: None,
            },
        );
        Ok(Some((uri, bytes)))
    }
}

#[cfg(test)]
mod tests;
