//! A log that is an object, and all there.

use async_trait::async_trait;
use bytes::Bytes;

use crate::data::error::DataError;
use crate::data::logs::{PIECE, Piece, Source};
use crate::data::path::Key;
use crate::data::store::{Store, StoreError};

/// An object's bytes.
#[derive(Debug)]
pub(super) struct ObjectLog(Bytes);

impl ObjectLog {
    /// Reads an object; none where there is none.
    pub(super) async fn read(store: &dyn Store, key: &Key, most: u64) -> Result<Option<Self>, DataError> {
        match store.read(key, most).await {
            Ok(bytes) => Ok(bytes.map(Self)),
            Err(StoreError::TooLarge { size, most }) => {
                let text = format!("the log has {size} bytes, and {most} can be read this way; get it from its store");
                Err(DataError::Invalid(text))
            }
            Err(error) => Err(DataError::from(error)),
        }
    }

    pub(super) fn size(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }
}

#[async_trait]
impl Source for ObjectLog {
    async fn next(&mut self) -> Result<Option<Piece>, DataError> {
        let piece = self.0.split_to(PIECE.min(self.0.len()));
        Ok((!piece.is_empty()).then_some(Piece::Bytes(piece)))
    }
}
