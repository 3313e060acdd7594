//! Where checkpoints go.

use std::fmt;

use async_trait::async_trait;
use taskgate_core::task::Progress;

use crate::tasks::queue::QueueError;
use crate::tasks::store::Renewed;

/// Where an attempt's checkpoints go.
#[async_trait]
pub trait Keep: fmt::Debug + Send + Sync + 'static {
    /// Keeps one in place of the last, while the task is held.
    async fn keep(&self, checkpoint: Vec<u8>, progress: Progress) -> Result<Renewed, QueueError>;
}
