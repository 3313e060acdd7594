//! Links to what was uploaded, by its address.

use crate::data::caller::Caller;
use crate::data::download::{Download, get};
use crate::data::error::DataError;
use crate::data::inputs::INPUTS_FOLDER;
use crate::data::service::{DataService, Right};
use crate::data::settings::SignedDuration;
use crate::data::upload::expiry;

/// An object that a client wants to get.
#[derive(Clone, Debug, Default)]
pub struct ObjectAsk {
    /// The organization, or empty.
    pub organization: String,
    /// The raw address, as an upload's answer has it.
    pub uri: String,
    /// How long the URL shall work.
    pub expires_in: Option<SignedDuration>,
}

impl DataService {
    /// Signs a request that gets what somebody uploaded. The address says which project it is of, and the caller must
    /// be one of the project's readers. What is not there, not an upload or not the caller's to read has one answer.
    ///
    /// # Errors
    /// [`DataError`].
    pub async fn object_link(&self, caller: &Caller, ask: ObjectAsk) -> Result<Download, DataError> {
        let expires_in = expiry(ask.expires_in, self.settings.download.max_expires_in)?;
        let missing = || DataError::NotFound("there is no such object, or none that you may read".into());
        let prefix = self.settings.upload.storage_prefix.as_ref();
        let upload = self.placement.upload(&ask.uri, prefix).ok_or_else(missing)?;
        // The inputs of runs may be of a project of another organization, whose name stands in front, or may lie under
        // another prefix than uploads do. So the folder's name is nowhere in what is signed.
        if upload.key.as_str().split('/').any(|part| part == INPUTS_FOLDER) {
            return Err(missing());
        }
        let admitted = self.admit(caller, &ask.organization, &upload.project, &upload.domain, Right::Read).await;
        admitted.map_err(|error| match error {
            DataError::NotFound(_) | DataError::Denied(_) => missing(),
            error => error,
        })?;
        get(caller, &upload.store, &upload.key, expires_in).await?.ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests;
