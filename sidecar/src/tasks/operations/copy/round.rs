//! One round of a copy: attributes and data of objects that are made.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::checkpoint::{Checkpoint, Id, Stage};
use super::job::{Extras, Job, Known};
use super::references::Fate;
use crate::hsds::id::ObjectId;
use crate::tasks::operation::WorkError;

/// One round of a copy.
pub(super) struct Round<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) known: &'a Known,
    pub(super) extras: &'a Extras,
    /// Its originals, in the order of their ids.
    pub(super) fresh: &'a [ObjectId],
    /// Which it is.
    pub(super) number: u32,
    /// What tells its objects and those before from others.
    pub(super) digest: String,
}

impl Round<'_> {
    /// Where the copy came to.
    pub(super) fn checkpoint(&self, stage: Stage) -> Checkpoint {
        Checkpoint {
            round: self.number,
            stage,
            digest: self.digest.clone(),
            extras: self.extras.all(),
            absent: self.known.absent.iter().copied().map(Id).collect(),
            bytes: self.job.bytes.load(Ordering::Relaxed),
            total: self.job.total.load(Ordering::Relaxed),
        }
    }

    /// What references to some objects become; those that are left out lead nowhere. What is to be copied for that
    /// is noted for the next round.
    pub(super) async fn becomes(
        &self,
        fate: Fate,
        targets: Vec<ObjectId>,
    ) -> Result<BTreeMap<ObjectId, ObjectId>, WorkError> {
        let job = self.job;
        let copies = stream::iter(targets).map(|id| async move {
            let is_copied = match fate {
                Fate::Kept => return Ok(Some((id, id))),
                Fate::Nowhere => false,
                Fate::Inside => self.known.has(id),
                Fate::Expanded => self.known.has(id) || self.expand(id).await?,
            };
            Ok::<_, WorkError>(is_copied.then(|| (id, job.copied(id))))
        });
        let copies: Vec<Option<(ObjectId, ObjectId)>> = copies.buffered(job.settings.objects).try_collect().await?;
        Ok(copies.into_iter().flatten().collect())
    }

    /// Notes an object that only a reference leads to; false if there is no such object.
    async fn expand(&self, id: ObjectId) -> Result<bool, WorkError> {
        if !self.extras.has(id) {
            match self.job.session.object(&self.job.home_of(id).domain, id).await {
                Ok(_) => {}
                Err(error) if error.is_absent() => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        self.extras.add(id, true)?;
        Ok(true)
    }
}
