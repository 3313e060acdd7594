//! Data of datasets, piece by piece.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::Semaphore;

use super::checkpoint::{Id, Stage};
use super::paths::Home;
use super::references::{Fate, Holder};
use super::round::Round;
use crate::hsds::calls::objects::Dataset;
use crate::hsds::client::error::HsdsError;
use crate::hsds::id::{Collection, ObjectId};
use crate::hsds::references;
use crate::hsds::selection::{Range, Selection};
use crate::hsds::slabs::Slabs;
use crate::hsds::vlen::{self, MalformedValues};
use crate::tasks::operation::WorkError;

/// How many bytes an element of any size is taken to have. One that has far more makes the piece be cut again.
const VARIABLE_BYTES: u64 = 1 << 10;
/// All pieces of a dataset.
const ALL: u64 = u64::MAX;

/// A dataset that is being copied.
struct Source<'a> {
    round: &'a Round<'a>,
    id: ObjectId,
    home: Arc<Home>,
    dataset: &'a Dataset,
    fate: Fate,
    slots: &'a Semaphore,
}

/// Copies the data of a round's datasets behind the one that is `done`; of those in `begun` so many pieces are done.
pub(super) async fn copy(
    round: &Round<'_>,
    mut done: Option<ObjectId>,
    mut begun: BTreeMap<ObjectId, u64>,
) -> Result<(), WorkError> {
    let job = round.job;
    let slots = Semaphore::new(job.settings.slabs);
    loop {
        let from = done;
        let is_left = |id: &ObjectId| {
            from.is_none_or(|from| *id > from) && id.collection() == Collection::Datasets && begun.get(id) != Some(&ALL)
        };
        // What is on its way ends before a checkpoint is kept: it would not go on meanwhile.
        let left = round.fresh.iter().copied().filter(is_left).take_while(|_| !job.is_due());
        let copied = stream::iter(left).map(|id| {
            let first = begun.get(&id).copied().unwrap_or_default();
            of_dataset(round, &slots, id, first)
        });
        let mut copied = copied.buffered(job.settings.slabs);
        let mut ended = Vec::new();
        while let Some((id, pieces)) = copied.try_next().await? {
            // Those that are all done up to here need not be remembered one by one.
            if pieces == ALL && ended.is_empty() && begun.is_empty() {
                done = Some(id);
            } else {
                ended.push((id, pieces));
            }
        }
        drop(copied);
        begun.extend(ended);
        if !job.is_due() {
            return Ok(());
        }
        // The first ones that are done move the mark.
        while let Some((id, ALL)) = begun.first_key_value().map(|(id, pieces)| (*id, *pieces)) {
            done = Some(id);
            begun.remove(&id);
        }
        let kept = begun.iter().map(|(id, pieces)| (Id(*id), *pieces)).collect();
        job.save(round.checkpoint(Stage::Values { done: done.map(Id), begun: kept })).await?;
    }
}

/// Copies a dataset's data from a piece on. Gives how many pieces are done.
async fn of_dataset(
    round: &Round<'_>,
    slots: &Semaphore,
    id: ObjectId,
    first: u64,
) -> Result<(ObjectId, u64), WorkError> {
    let job = round.job;
    let home = job.home_of(id);
    let object = match job.session.object(&home.domain, id).await {
        Ok(object) => object,
        // It was deleted.
        Err(error) if error.is_absent() => return Ok((id, ALL)),
        Err(error) => return Err(error.into()),
    };
    let Some(dataset) = object.dataset().filter(|dataset| dataset.dataspace.count() != Some(0)) else {
        return Ok((id, ALL));
    };
    let chunks = dataset.chunk_dims();
    let item = dataset.datatype.item_size().unwrap_or(VARIABLE_BYTES);
    let whole = Selection::whole(dataset.dataspace.dims());
    let slabs = Slabs::new(whole, chunks.as_deref(), item, job.settings.slab_bytes);
    let fate = if dataset.datatype.has_references() {
        Fate::of(job.arguments, Holder::Data, job.is_at_home(id))
    } else {
        Fate::Kept
    };
    let source = Source { round, id, home, dataset, fate, slots };
    let source = &source;
    let left = slabs.resume(first).take_while(|_| !job.is_due());
    let mut pieces = stream::iter(left).map(|slab| source.copy(slab.selection)).buffered(job.settings.slabs);
    let mut done = first;
    while pieces.try_next().await?.is_some() {
        done = done.saturating_add(1);
    }
    Ok((id, if done >= slabs.len() { ALL } else { done }))
}

impl Source<'_> {
    async fn copy(&self, selection: Selection) -> Result<(), WorkError> {
        // Elements of any size may have far more bytes than they are taken to have: one piece at a time.
        let weight = if self.dataset.datatype.is_variable() { self.round.job.settings.slabs } else { 1 };
        // It is never closed.
        let _slot = self.slots.acquire_many(u32::try_from(weight).unwrap_or(1)).await.ok();
        self.piece(selection).await
    }

    /// Copies a piece, in halves where it is too large.
    async fn piece(&self, selection: Selection) -> Result<(), WorkError> {
        let mut left = vec![selection];
        while let Some(selection) = left.pop() {
            match self.attempt(&selection).await {
                Ok(()) => {}
                Err(PieceError::Work(error)) => return Err(error),
                Err(PieceError::TooLarge) => {
                    let (one, other) = halves(&selection).ok_or(HsdsError::TooLarge)?;
                    left.extend([other, one]);
                }
            }
        }
        Ok(())
    }

    async fn attempt(&self, selection: &Selection) -> Result<(), PieceError> {
        let job = self.round.job;
        let datatype = &self.dataset.datatype;
        let count = selection.count().unwrap_or(u64::MAX);
        let expected = datatype.item_size().map(|size| size.saturating_mul(count));
        let bytes = expected.unwrap_or(job.settings.slab_bytes);
        // What is read, and what is written of it where that is not the same.
        let copies = if self.fate == Fate::Kept { 1 } else { 2 };
        let room = usize::try_from(bytes.saturating_mul(copies)).unwrap_or(usize::MAX);
        let _room = job.work.room(room).await?;
        // A single element has no selection.
        let selected = Some(selection).filter(|selection| !selection.ranges().is_empty());
        let values = match job.session.read_values(&self.home.domain, self.id, selected, expected).await {
            Ok(values) => values,
            // It was deleted.
            Err(error) if error.is_absent() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if datatype.is_variable() {
            vlen::check(datatype, &values, count).map_err(unreadable)?;
        }
        let length = u64::try_from(values.len()).unwrap_or(u64::MAX);
        if !self.is_unwritten(&values) {
            let values = self.rewritten(values).await?;
            job.session.write_values(&job.place.home.domain, job.copied(self.id), selected, values).await?;
        }
        job.count(length);
        Ok(())
    }

    /// Whether these are what a dataset has to which nothing was written.
    fn is_unwritten(&self, values: &Bytes) -> bool {
        !self.dataset.creation.contains_key("fillValue") && values.iter().all(|byte| *byte == 0)
    }

    async fn rewritten(&self, values: Bytes) -> Result<Bytes, WorkError> {
        if self.fate == Fate::Kept {
            return Ok(values);
        }
        let datatype = &self.dataset.datatype;
        let mut targets = references::targets(datatype, &values).map_err(unreadable)?;
        targets.sort_unstable();
        targets.dedup();
        let becomes = self.round.becomes(self.fate, targets).await?;
        let written = references::rewrite(datatype, &values, &mut |id| becomes.get(&id).copied());
        Ok(written.map_err(unreadable)?.into())
    }
}

/// Why a piece was not copied.
enum PieceError {
    /// It is too large for one request.
    TooLarge,
    /// Anything else.
    Work(WorkError),
}

impl From<HsdsError> for PieceError {
    fn from(error: HsdsError) -> Self {
        match error {
            HsdsError::TooLarge => Self::TooLarge,
            error => Self::Work(error.into()),
        }
    }
}

impl From<WorkError> for PieceError {
    fn from(error: WorkError) -> Self {
        Self::Work(error)
    }
}

/// A selection in two, along the dimension that has the most indices; none for one element.
fn halves(selection: &Selection) -> Option<(Selection, Selection)> {
    let ranges = selection.ranges();
    let (at, longest) = ranges.iter().enumerate().max_by_key(|(_, range)| range.count())?;
    let half = longest.count() / 2;
    let with = |part: Range| {
        let ranges = ranges.iter().enumerate().map(|(dimension, range)| if dimension == at { part } else { *range });
        Selection::new(ranges.collect())
    };
    (half > 0).then(|| (with(longest.part(0, half)), with(longest.part(half, longest.count() - half))))
}

fn unreadable(error: MalformedValues) -> WorkError {
    WorkError::permanent("malformed-values", format!("a dataset's data can't be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_halved_down_to_one_element() {
        let (one, other) = halves(&Selection::whole(&[2, 7])).expect("halves");
        assert_eq!((one.to_string().as_str(), other.to_string().as_str()), ("[0:2,0:3]", "[0:2,3:7]"));
        assert_eq!(halves(&Selection::whole(&[1, 1])), None);
        assert_eq!(halves(&Selection::whole(&[])), None);
    }
}
