//! The elements of datasets, as they lie in memory.

use bytes::Bytes;
use reqwest::Method;
use serde_json::json;

use crate::hsds::client::Session;
use crate::hsds::client::error::HsdsError;
use crate::hsds::domain::DomainName;
use crate::hsds::id::ObjectId;
use crate::hsds::selection::Selection;

impl Session {
    /// Elements of a dataset, row by row, in the dataset's own order of bytes. Elements of any size
    /// have their number of bytes before them, see [`vlen`](crate::hsds::vlen). `expected` is how many
    /// bytes they are, where they have one size; another number is an error.
    ///
    /// # Errors
    /// [`HsdsError`].
    pub async fn read_values(
        &self,
        domain: &DomainName,
        dataset: ObjectId,
        selection: Option<&Selection>,
        expected: Option<u64>,
    ) -> Result<Bytes, HsdsError> {
        let limit = self.settings().max_values;
        if expected.is_some_and(|expected| usize::try_from(expected).map_or(true, |expected| expected > limit)) {
            return Err(HsdsError::TooLarge);
        }
        let mut call = self.call(Method::GET, &["datasets", &dataset.to_string(), "value"], domain).binary(limit);
        if let Some(selection) = selection {
            call = call.query("select", selection);
        }
        let bytes = self.ask(call).await?.bytes;
        match expected {
            Some(expected) if u64::try_from(bytes.len()) != Ok(expected) => {
                Err(HsdsError::malformed(format_args!("{} bytes of values where {expected} are selected", bytes.len())))
            }
            _ => Ok(bytes),
        }
    }

    /// Writes elements of a dataset, in the form in which [`Self::read_values`] gives them. Their number
    /// is the caller's to check: the server leaves out what is too much.
    ///
    /// # Errors
    /// [`HsdsError::BadRequest`] also if there are too few; others.
    pub async fn write_values(
        &self,
        domain: &DomainName,
        dataset: ObjectId,
        selection: Option<&Selection>,
        values: Bytes,
    ) -> Result<(), HsdsError> {
        let mut call = self.call(Method::PUT, &["datasets", &dataset.to_string(), "value"], domain);
        if let Some(selection) = selection {
            call = call.query("select", selection);
        }
        self.ask(call.binary_body(values)).await.map(|_| ())
    }

    /// Changes a dataset's extent.
    ///
    /// # Errors
    /// [`HsdsError::BadRequest`] also if it can't be changed to that; others.
    pub async fn resize(&self, domain: &DomainName, dataset: ObjectId, dims: &[u64]) -> Result<(), HsdsError> {
        let call = self.call(Method::PUT, &["datasets", &dataset.to_string(), "shape"], domain);
        self.ask(call.body(&json!({"shape": dims}))).await.map(|_| ())
    }
}
