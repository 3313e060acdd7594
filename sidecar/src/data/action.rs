//! The inputs and outputs of an action.

use bytes::Bytes;

use crate::data::caller::Caller;
use crate::data::catalog::ActionName;
use crate::data::error::DataError;
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
    /// Reads the inputs and outputs of an action.
    ///
    /// # Errors
    /// [`DataError`].
    pub async fn action_data(&self, _caller: &Caller, _action: &ActionName) -> Result<ActionBytes, DataError> {
        Err(DataError::Unimplemented("the data of actions are not there yet".into()))
    }
}
