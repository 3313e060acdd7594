//! What was written is in the server's storage, and it is known.
//!
//! A server that dies loses what it was not asked to flush; once it is up again a flush succeeds as if nothing had
//! been. So an attempt remembers in which run of the server it began, and only what was flushed in the same run
//! counts as written.

use serde::Serialize;

use crate::hsds::calls::incarnation::Incarnation;
use crate::hsds::client::Session;
use crate::tasks::operation::WorkError;
use crate::tasks::work::Work;

/// What an attempt writes to the server.
#[derive(Debug)]
pub struct Durable<'a> {
    work: &'a Work,
    session: &'a Session,
    incarnation: Incarnation,
}

impl<'a> Durable<'a> {
    /// Begins, before anything is written.
    ///
    /// # Errors
    /// [`WorkError`]: what the server says.
    pub async fn begin(work: &'a Work) -> Result<Self, WorkError> {
        let session = work.server()?;
        let incarnation = work.unless_stopped(session.incarnation()).await??;
        Ok(Self { work, session, incarnation })
    }

    /// Keeps a checkpoint, once all before it is in the server's storage.
    ///
    /// # Errors
    /// [`WorkError::Transient`] where the server started again since this began; others of [`Work::save`].
    pub async fn save<T: Serialize + Sync>(&self, checkpoint: &T) -> Result<(), WorkError> {
        self.confirm().await?;
        self.work.save(checkpoint).await
    }

    /// Waits until all that was written is in the server's storage.
    ///
    /// # Errors
    /// [`WorkError::Transient`] where the server started again since this began; others of [`Work::flush`].
    pub async fn confirm(&self) -> Result<(), WorkError> {
        self.work.flush().await?;
        let now = self.work.unless_stopped(self.session.incarnation()).await??;
        if self.incarnation.goes_on_in(&now) {
            return Ok(());
        }
        Err(WorkError::Transient("the server started again while it was written to".to_owned()))
    }
}
