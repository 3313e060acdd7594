//! Uploads in parts that nobody ended: their parts take room until somebody does.

use taskgate_core::time::UnixTime;

use crate::data::path::Segments;
use crate::data::service::DataService;
use crate::data::store::StoreError;
use crate::data::store::multipart::Multipart;

impl DataService {
    /// Gives up the uploads under the prefix of uploads that began longer than `upload.multipart_expires` before now,
    /// whoever began them; how many there were. Where there is no such prefix nothing says which uploads are ours, and
    /// none is touched. A store that fails keeps its own for the next time.
    pub async fn collect_orphans(&self, now: UnixTime) -> usize {
        let Some(prefix) = &self.settings.upload.storage_prefix else { return 0 };
        let (before, mut count) = (now.before(self.settings.upload.multipart_expires), 0);
        for (name, store) in self.placement.stores() {
            let Some(multipart) = store.multipart() else { continue };
            match end(multipart, prefix, before).await {
                Ok(0) => {}
                Ok(ended) => {
                    count += ended;
                    tracing::info!(data.store = name, ended, "uploads in parts that nobody ended were given up");
                }
                Err(error) => {
                    tracing::warn!(data.store = name, %error, "uploads in parts that nobody ended can't be given up");
                }
            }
        }
        count
    }
}

/// Gives up what is left from before then.
async fn end(multipart: &dyn Multipart, prefix: &Segments, before: UnixTime) -> Result<usize, StoreError> {
    let mut ended = 0;
    for (key, upload) in multipart.unfinished(prefix, before).await? {
        match multipart.abort(&key, &upload).await {
            Ok(()) => ended += 1,
            // Somebody was faster.
            Err(StoreError::NoUpload) => {}
            // The others can be ended all the same.
            Err(error) => tracing::warn!(data.key = key.as_str(), %error, "an upload in parts can't be given up"),
        }
    }
    Ok(ended)
}
