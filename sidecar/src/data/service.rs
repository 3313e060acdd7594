//! The service of data: what it decides, free of any wire.

use std::sync::Arc;

use http::HeaderMap;

use crate::data::caller::Callers;
use crate::data::error::DataError;

pub use crate::data::action::ActionBytes;
pub use crate::data::caller::Caller;
pub use crate::data::download::{Artifact, Download, DownloadAsk, DownloadSource};
pub use crate::data::inputs::{Inputs, InputsAsk, TaskOf};
pub use crate::data::logs::{LogLine, LogStream};
pub use crate::data::settings::SignedDuration;
pub use crate::data::upload::{Upload, UploadAsk};

/// The service of data.
#[derive(Debug)]
pub struct DataService {
    callers: Arc<dyn Callers>,
}

impl DataService {
    /// Who asks.
    ///
    /// # Errors
    /// [`DataError::Unauthenticated`], and [`DataError::Unavailable`] where that can't be said now.
    pub async fn caller(&self, headers: &HeaderMap) -> Result<Caller, DataError> {
        self.callers.caller(headers).await
    }
}
