//! Block by block of the result, piece by piece of what comes to it.

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use taskgate_core::task::{Progress, Unit};
use tokio::time::Instant;

use super::Plan;
use crate::array::reduce::{Over, Reduction};
use crate::array::slab::Slab;
use crate::hsds::client::Session;
use crate::tasks::operation::WorkError;
use crate::tasks::operations::durable::Durable;
use crate::tasks::operations::element_wise::Pace;
use crate::tasks::operations::numbers::single;
use crate::tasks::operations::place::{Part, Place, wide};
use crate::tasks::work::{Room, Work};

/// How many bytes are taken to be kept of an element of the result while it is made: blocks are cut by it.
const CELL: usize = 64;
/// How many pieces' worth of cells a block has at the most.
const BLOCK: u64 = 4;

/// Where an attempt can go on from.
#[derive(Debug, Deserialize, Serialize)]
struct Checkpoint {
    /// In how many blocks the result is cut.
    cut: String,
    /// All blocks before this one are written.
    next: u64,
}

pub(super) async fn run(plan: &Plan, pace: Pace, work: &Work) -> Result<Value, WorkError> {
    let session = work.server()?;
    let rank = plan.shape().len();
    let Some((place, numbers)) = &plan.destination else {
        let all = Part { origin: vec![0; rank], shape: plan.shape() };
        let result = block(plan, &all, &mut 0, pace, work).await?;
        return Ok(json!({"value": single(&result)}));
    };
    let durable = Durable::begin(work).await?;
    let blocks = place.slabs(wide(CELL), pace.slab_bytes.saturating_mul(BLOCK));
    let cut = format!("{}/{}", place.selection(), blocks.len());
    let kept = work.checkpoint::<Checkpoint>()?.filter(|checkpoint| checkpoint.cut == cut);
    let mut next = kept.map_or(0, |checkpoint| checkpoint.next);
    let before = (0..next).filter_map(|number| blocks.slab(number));
    let mut done: usize = before.map(|slab| plan.comes_to(&place.part_of(&slab)).shape.iter().product::<usize>()).sum();
    let mut value = None;
    let mut saved = Instant::now();
    while let Some(slab) = blocks.slab(next) {
        let part = place.part_of(&slab);
        // One number may be in another shape here.
        let is_single = place.shape() != plan.shape();
        let own = if is_single { Part { origin: vec![0; rank], shape: plan.shape() } } else { part.clone() };
        let result = block(plan, &own, &mut done, pace, work).await?.astype(numbers.dtype);
        value = single(&result).filter(|_| blocks.len() == 1);
        let bytes = Bytes::from(result.to_bytes(numbers.order));
        work.unless_stopped(place.write_bytes(session, &place.select(&part), bytes)).await??;
        next = next.saturating_add(1);
        if next < blocks.len() && saved.elapsed() >= pace.save_every {
            durable.save(&Checkpoint { cut: cut.clone(), next }).await?;
            saved = Instant::now();
        }
    }
    durable.confirm().await?;
    Ok(match value {
        Some(value) => json!({"elements": place.count(), "value": value}),
        None => json!({"elements": place.count()}),
    })
}

/// Makes a part of the result, and counts what was read for it.
async fn block(plan: &Plan, part: &Part, done: &mut usize, pace: Pace, work: &Work) -> Result<Slab, WorkError> {
    let session = work.server()?;
    let (source, numbers) = &plan.source;
    let source = source.narrowed(&plan.comes_to(part));
    let failed = |error: crate::array::reduce::ReduceError| WorkError::permanent("not-computable", error.to_string());
    let over = Over { axes: Some(&plan.axes), keep_dims: plan.keep_dims, ddof: plan.ddof };
    let slabs = source.slabs(wide(numbers.item_size()), pace.slab_bytes);
    let concurrent = pace.concurrent.max(1);
    let cells = Reduction::memory(plan.statistic, numbers.dtype, source.shape(), &over).map_err(failed)?;
    let _cells = work.room_kept(cells).await?;
    let mut reduction = Reduction::new(plan.statistic, numbers.dtype, source.shape(), &over).map_err(failed)?;
    // Room is drawn piece by piece, in their order: the next one that is waited for always has its own.
    let drawn = stream::iter(0..slabs.len()).then(|number| {
        let part = slabs.slab(number).map(|slab| source.part_of(&slab));
        draw(work, plan, part)
    });
    let mut pieces = drawn.map(|drawn| piece(session, &source, plan, drawn)).buffered(concurrent).boxed();
    while let Some(piece) = work.unless_stopped(pieces.next()).await? {
        let Some((origin, slab, _room)) = piece? else { continue };
        reduction.push(&origin, &slab).map_err(failed)?;
        *done = done.saturating_add(slab.values().len());
        plan.report(work, *done);
    }
    reduction.finish().map_err(failed)
}

/// Room for a piece: for its bytes, and for the numbers that they are.
async fn draw(work: &Work, plan: &Plan, part: Option<Part>) -> Result<Option<(Part, Room)>, WorkError> {
    let Some(part) = part else { return Ok(None) };
    let elements = part.shape.iter().copied().fold(1, usize::saturating_mul);
    let room = work.room(elements.saturating_mul(plan.source.1.item_size()).saturating_mul(2)).await?;
    Ok(Some((part, room)))
}

/// Reads a piece. It has its room for as long as it is there.
async fn piece(
    session: &Session,
    source: &Place,
    plan: &Plan,
    drawn: Result<Option<(Part, Room)>, WorkError>,
) -> Result<Option<(Vec<usize>, Slab, Room)>, WorkError> {
    let Some((part, room)) = drawn? else { return Ok(None) };
    let slab = source.read(session, plan.source.1, &part).await?;
    Ok(Some((part.origin, slab, room)))
}

impl Plan {
    /// The part of the source that comes to a part of the result.
    fn comes_to(&self, part: &Part) -> Part {
        let mut own = part.origin.iter().copied().zip(part.shape.iter().copied());
        let axes = self.source.0.shape().iter().zip(&self.is_reduced).map(|(extent, is_reduced)| {
            let kept = if *is_reduced && !self.keep_dims { None } else { own.next() };
            if *is_reduced { (0, *extent) } else { kept.unwrap_or((0, *extent)) }
        });
        let (origin, shape) = axes.unzip();
        Part { origin, shape }
    }

    fn report(&self, work: &Work, elements: usize) {
        let (source, numbers) = &self.source;
        let bytes = |elements: usize| wide(elements.saturating_mul(numbers.item_size()));
        work.report(Progress { done: bytes(elements), total: Some(bytes(source.count())), unit: Unit::Bytes });
    }
}
