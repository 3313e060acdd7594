//! What works element by element: sources that broadcast to the destinations, piece by piece.
//!
//! A [`Recipe`] says what comes of one piece; all else is here. The destinations are cut along the chunks of the
//! first; for each piece the elements of the sources that meet it are read, and the result is written. Some
//! pieces are under way at one time, within what the worker has room for. A step that is done again writes the
//! same again, so that an attempt goes on from the last checkpoint, or from somewhere before it.
//!
//! That is not so if a destination is a source too: then each piece is put into the checkpoint before it is
//! written (`in_place`). This is allowed only for the same elements in the same order; where source and
//! destination overlap otherwise the request is refused.

mod in_place;
mod kernel;
mod plan;
mod run;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

pub use kernel::{Kernel, NumericKernel};
pub use plan::Sources;

use crate::hsds::client::Session;
use crate::tasks::operation::{Description, Operation, Preview, Rejection, WorkError};
use crate::tasks::operations::fault::Fault;
use crate::tasks::operations::place::Place;
use crate::tasks::request::Request;
use crate::tasks::work::Work;
use plan::Plan;

/// How large pieces are, and how often a checkpoint is saved.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The most bytes of a piece of one dataset.
    pub slab_bytes: u64,
    /// How many pieces there may be between two checkpoints at the least.
    pub segment: u64,
    /// How many pieces are under way at one time.
    pub concurrent: usize,
    /// A checkpoint is saved no sooner than this after the last: the server needs a second or two for it.
    pub save_every: Duration,
}

/// What works element by element.
pub trait Recipe: fmt::Debug + Send + Sync + 'static {
    /// What it is, and what it takes.
    fn description(&self) -> &Description;

    /// What makes results of the sources' elements.
    ///
    /// # Errors
    /// It is not for such sources, arguments or destinations.
    fn kernel(&self, request: &Request, sources: &Sources, des: &[Place]) -> Result<Arc<dyn Kernel>, Fault>;
}

/// An operation that works element by element.
#[derive(Debug)]
pub struct ElementWise<R> {
    recipe: R,
    pace: Pace,
}

impl Default for Pace {
    fn default() -> Self {
        Self { slab_bytes: 4 << 20, segment: 16, concurrent: 3, save_every: Duration::from_secs(20) }
    }
}

impl<R: Recipe> ElementWise<R> {
    /// The operation.
    #[must_use]
    pub const fn new(recipe: R, pace: Pace) -> Self {
        Self { recipe, pace }
    }

    /// What has to be done, with everything checked that can be without the elements.
    ///
    /// # Errors
    /// [`Fault`].
    async fn plan(&self, session: &Session, request: &Request) -> Result<Plan, Fault> {
        Plan::make(&self.recipe, session, request).await
    }
}

#[async_trait]
impl<R: Recipe> Operation for ElementWise<R> {
    fn description(&self) -> &Description {
        self.recipe.description()
    }

    async fn check(&self, preview: &Preview<'_>) -> Result<(), Rejection> {
        let session = preview.session.ok_or(Fault::NoServer)?;
        self.plan(session, preview.request).await?;
        Ok(())
    }

    async fn run(&self, work: &mut Work) -> Result<Value, WorkError> {
        let work = &*work;
        let plan = work.unless_stopped(self.plan(work.server()?, work.request())).await??;
        if plan.is_in_place {
            in_place::run(&plan, self.pace, work).await
        } else {
            run::run(&plan, self.pace, work).await
        }
    }
}
