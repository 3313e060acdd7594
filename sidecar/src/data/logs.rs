//! Logs of actions, as they are written.

use futures_util::stream::BoxStream;

use crate::data::caller::Caller;
use crate::data::catalog::ActionName;
use crate::data::error::DataError;
use crate::data::service::DataService;

/// A line of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written, where the line says so: seconds since 1970, and nanoseconds.
    pub time: Option<(i64, i32)>,
    /// What it says, without the end of the line.
    pub message: String,
}

/// Lines as they come. It ends when the log does; dropping it ends the reading.
pub type LogStream = BoxStream<'static, Result<Vec<LogLine>, DataError>>;

impl DataService {
    /// The log of an attempt, from its beginning and as it grows.
    ///
    /// # Errors
    /// [`DataError`].
    pub async fn tail_logs(
        &self,
        _caller: &Caller,
        _action: &ActionName,
        _attempt: u32,
    ) -> Result<LogStream, DataError> {
        Err(DataError::Unimplemented("logs are not there yet".into()))
    }
}
