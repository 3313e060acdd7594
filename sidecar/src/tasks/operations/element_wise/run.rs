//! Piece by piece, some at one time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use taskgate_core::task::{Progress, Unit};
use tokio::time::Instant;

use super::Pace;
use super::plan::Plan;
use crate::array::slab::Slab;
use crate::hsds::client::Session;
use crate::hsds::slabs::Slabs;
use crate::tasks::operation::WorkError;
use crate::tasks::operations::durable::Durable;
use crate::tasks::operations::place::{Part, wide};
use crate::tasks::work::Work;

/// Where an attempt can go on from.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Checkpoint {
    /// What was cut, and in how many pieces: another cut has other pieces.
    pub(super) cut: String,
    /// All pieces before this one are written.
    pub(super) next: u64,
}

/// What pieces are made with.
pub(super) struct Line<'a> {
    pub(super) plan: &'a Plan,
    pub(super) work: &'a Work,
    pub(super) session: &'a Session,
    pub(super) slabs: Slabs,
    /// Sources of one element, which is read once.
    constants: Vec<Option<Slab>>,
    done: AtomicU64,
}

pub(super) async fn run(plan: &Plan, pace: Pace, work: &Work) -> Result<Value, WorkError> {
    let durable = Durable::begin(work).await?;
    let line = Line::new(plan, work, pace.slab_bytes).await?;
    let cut = line.cut();
    let kept = work.checkpoint::<Checkpoint>()?.filter(|checkpoint| checkpoint.cut == cut);
    let mut next = kept.map_or(0, |checkpoint| checkpoint.next);
    line.skip(next);
    let mut saved = Instant::now();
    while next < line.slabs.len() {
        let end = next.saturating_add(pace.segment.max(1)).min(line.slabs.len());
        // All of a segment comes to its end before its checkpoint is saved: a piece that waits while the
        // server flushes would keep others from asking it.
        let pieces = stream::iter(next..end).map(|number| line.piece(number));
        let pieces = pieces.buffer_unordered(pace.concurrent.max(1)).try_collect::<()>();
        work.unless_stopped(pieces).await??;
        next = end;
        if next < line.slabs.len() && saved.elapsed() >= pace.save_every {
            durable.save(&Checkpoint { cut: cut.clone(), next }).await?;
            saved = Instant::now();
        }
    }
    durable.confirm().await?;
    Ok(line.result())
}

impl<'a> Line<'a> {
    pub(super) async fn new(plan: &'a Plan, work: &'a Work, max_bytes: u64) -> Result<Self, WorkError> {
        let session = work.server()?;
        let nothing = || WorkError::permanent("malformed", "there is no destination");
        let slabs = plan.slabs(max_bytes).ok_or_else(nothing)?;
        let mut constants = Vec::with_capacity(plan.sources.len());
        for (place, numbers) in plan.sources.places() {
            let all = Part { origin: vec![0; place.shape().len()], shape: place.shape().to_vec() };
            let is_constant = place.count() == 1 && slabs.len() > 1;
            constants.push(if is_constant { Some(place.read(session, *numbers, &all).await?) } else { None });
        }
        let line = Self { plan, work, session, slabs, constants, done: AtomicU64::new(0) };
        line.report(0);
        Ok(line)
    }

    /// What is cut, and in how many pieces.
    pub(super) fn cut(&self) -> String {
        let selection = self.plan.destinations.first().map(|place| place.selection().to_string());
        format!("{}/{}", selection.unwrap_or_default(), self.slabs.len())
    }

    /// Counts the pieces before that one as done.
    pub(super) fn skip(&self, next: u64) {
        let before = (0..next).filter_map(|number| self.slabs.slab(number)?.selection.count()).sum::<u64>();
        self.report(before);
    }

    /// Makes a piece and writes it.
    async fn piece(&self, number: u64) -> Result<(), WorkError> {
        let Some(slab) = self.slabs.slab(number) else { return Ok(()) };
        let elements = slab.selection.count().and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
        let _room = self.work.room(self.plan.footprint(elements)).await?;
        let values = self.make(number).await?;
        self.write(number, values).await
    }

    /// Makes a piece of each destination.
    pub(super) async fn make(&self, number: u64) -> Result<Vec<Bytes>, WorkError> {
        let Some(part) = self.part(number) else { return Ok(Vec::new()) };
        let mut sources = Vec::with_capacity(self.constants.len());
        for ((place, numbers), constant) in self.plan.sources.places().zip(&self.constants) {
            sources.push(match constant {
                Some(constant) => constant.clone(),
                None => place.read(self.session, *numbers, &place.meeting(&part)).await?,
            });
        }
        let (kernel, stop) = (Arc::clone(&self.plan.kernel), self.work.stop().clone());
        let made = tokio::task::spawn_blocking(move || kernel.compute(&sources, &part.shape, &stop)).await;
        made.map_err(|_| WorkError::Transient("the computation ended early".to_owned()))?
    }

    /// Writes what [`Self::make`] made.
    pub(super) async fn write(&self, number: u64, values: Vec<Bytes>) -> Result<(), WorkError> {
        let Some(part) = self.part(number) else { return Ok(()) };
        for (place, values) in self.plan.destinations.iter().zip(values) {
            place.write_bytes(self.session, &place.select(&part), values).await?;
        }
        self.report(part.shape.iter().copied().map(wide).product());
        Ok(())
    }

    pub(super) fn result(&self) -> Value {
        json!({"elements": self.plan.destinations.first().map_or(0, |place| place.count())})
    }

    fn part(&self, number: u64) -> Option<Part> {
        Some(self.plan.destinations.first()?.part_of(&self.slabs.slab(number)?))
    }

    fn report(&self, elements: u64) {
        let done = self.done.fetch_add(elements, Ordering::Relaxed).saturating_add(elements);
        let all = self.plan.destinations.first().map_or(0, |place| wide(place.count()));
        let bytes = |elements: u64| elements.saturating_mul(self.plan.kernel.weight());
        self.work.report(Progress { done: bytes(done), total: Some(bytes(all)), unit: Unit::Bytes });
    }
}
