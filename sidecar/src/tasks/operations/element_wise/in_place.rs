//! Where a destination is a source too.
//!
//! Doing a piece again would take its result for its source. So a piece is made, put into the checkpoint with all
//! that was written before it flushed, and written only then. Whoever goes on from that checkpoint writes the
//! piece that is in it, and never reads there again. That costs a flush for every piece, which is a second or
//! two: another dataset as the destination is faster by far.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Pace;
use super::plan::Plan;
use super::run::Line;
use crate::tasks::operation::WorkError;
use crate::tasks::operations::durable::Durable;
use crate::tasks::work::Work;

/// The most bytes of a piece, of which a checkpoint has room for each destination's.
const MAX_PIECE: u64 = 4 << 20;

/// Where an attempt goes on from.
#[derive(Debug, Deserialize, Serialize)]
struct Checkpoint {
    /// What was cut, and in how many pieces.
    cut: String,
    /// All pieces before this one are written; this one may be, in part or as a whole.
    number: u64,
    /// The piece, of each destination.
    values: Vec<String>,
}

pub(super) async fn run(plan: &Plan, pace: Pace, work: &Work) -> Result<Value, WorkError> {
    let durable = Durable::begin(work).await?;
    let line = Line::new(plan, work, pace.slab_bytes.min(MAX_PIECE)).await?;
    let cut = line.cut();
    let mut next = 0;
    if let Some(kept) = work.checkpoint::<Checkpoint>()? {
        if kept.cut != cut {
            let detail = "the dataset has another extent than when it was begun with, and is changed in part";
            return Err(WorkError::permanent("changed", detail));
        }
        line.skip(kept.number);
        let values = kept.values.iter().map(|text| STANDARD_NO_PAD.decode(text).map(Bytes::from));
        let values = values.collect::<Result<Vec<Bytes>, _>>();
        let values = values.map_err(|error| WorkError::permanent("checkpoint-unreadable", error.to_string()))?;
        work.unless_stopped(line.write(kept.number, values)).await??;
        next = kept.number.saturating_add(1);
    }
    while let Some(slab) = line.slabs.slab(next) {
        let elements = slab.selection.count().and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
        let _room = work.room(plan.footprint(elements)).await?;
        let values = work.unless_stopped(line.make(next)).await??;
        let texts = values.iter().map(|values| STANDARD_NO_PAD.encode(values)).collect();
        durable.save(&Checkpoint { cut: cut.clone(), number: next, values: texts }).await?;
        work.unless_stopped(line.write(next, values)).await??;
        next = next.saturating_add(1);
    }
    durable.confirm().await?;
    Ok(line.result())
}
