//! `copy`: a group, a dataset or a committed type with all that is in it, as HDF5's `H5Ocopy` does it.
//!
//! Nothing of a copy is visible before all of it is in the server's storage: its name is made last. What a copy
//! that was deleted or failed had made stays in the destination's domain without a name. A source that changes
//! meanwhile is copied in part as it was before and in part as it is after; what is deleted meanwhile may be
//! missing, or be an empty object.
//!
//! Ids of copies follow from the task's id and the originals' ids, so that what is done again makes nothing twice.
//! What was written and not flushed is lost where the server dies, and nothing that it answers says so: a
//! checkpoint counts only if the server was the same from the one before until it was flushed. Else the copy goes
//! on from the one before.

mod arguments;
mod attributes;
mod checkpoint;
mod finish;
mod job;
mod make;
mod paths;
mod place;
mod references;
mod round;
pub mod settings;
mod structure;
mod values;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::Instant;

use self::arguments::Arguments;
use self::checkpoint::{Checkpoint, Id, Saved, Stage};
use self::job::{Extras, Job, Known};
use self::paths::{Domains, Found};
use self::place::{NoPlace, Spot, locate};
use self::round::Round;
use self::settings::Settings;
use crate::hsds::calls::incarnation::Incarnation;
use crate::hsds::calls::links::Target;
use crate::hsds::client::Session;
use crate::hsds::client::error::HsdsError;
use crate::hsds::domain::DomainName;
use crate::hsds::id::ObjectId;
use crate::tasks::operation::{Description, Operation, Preview, Rejection, WorkError, Writes};
use crate::tasks::request::{Location, ObjectName};
use crate::tasks::work::Work;

/// How often the server may start again, or the source change, during one attempt.
const RESTARTS: usize = 20;

/// Copies objects with all that is in them.
#[derive(Debug)]
pub struct Copy {
    description: Description,
    settings: Settings,
}

impl Copy {
    /// The operation.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    /// The operation, working that hard.
    #[must_use]
    pub fn with(settings: Settings) -> Self {
        let description = Description {
            name: "copy".to_owned(),
            summary: "Copies a group, dataset or committed type with all that is in it, as H5Ocopy does. The \
                      destination is the path of the copy, whose groups on the way are made, or a group's id and \
                      `args.name`. A group copied to `/` of a domain with an empty root group becomes that root \
                      group."
                .to_owned(),
            arguments: arguments::schema(),
            sources: 1..=1,
            destinations: 1..=1,
            writes: Writes::Creates,
        };
        Self { description, settings }
    }
}

impl Default for Copy {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Operation for Copy {
    fn description(&self) -> &Description {
        &self.description
    }

    async fn check(&self, preview: &Preview<'_>) -> Result<(), Rejection> {
        let arguments = Arguments::read(preview.request).map_err(Rejection::Malformed)?;
        let ([source], [destination]) = (preview.request.src.as_slice(), preview.request.des.as_slice()) else {
            return Err(Rejection::Malformed("a copy has one source and one destination".to_owned()));
        };
        if source.select.is_some() || destination.select.is_some() {
            return Err(Rejection::Malformed("objects are copied whole: `select` is not for copies".to_owned()));
        }
        let session =
            preview.session.ok_or_else(|| Rejection::Unavailable("no HSDS server is configured".to_owned()))?;
        let domains = Domains::new(session.clone());
        let found = find(session, &domains, source).await?;
        let found = found.ok_or_else(|| Rejection::NotFound(format!("`{source}` is not there")))?;
        let place = locate(session, &domains, destination, arguments.name.as_deref(), found.id).await?;
        match place.spot {
            Spot::Name { taken: Some(_), .. } => Err(Rejection::Exists(format!("`{destination}` is there already"))),
            Spot::Root if !place::is_empty(session, &place.home, place.home.root).await? => {
                Err(NoPlace::RootInUse.into())
            }
            Spot::Name { .. } | Spot::Root => Ok(()),
        }
    }

    async fn run(&self, work: &mut Work) -> Result<Value, WorkError> {
        let work = &*work;
        work.unless_stopped(self.copy(work)).await?
    }
}

impl Copy {
    async fn copy(&self, work: &Work) -> Result<Value, WorkError> {
        let arguments =
            Arguments::read(work.request()).map_err(|detail| WorkError::permanent("malformed-arguments", detail))?;
        let session = work.server()?;
        let saved = work.checkpoint::<Saved>()?;
        let mut incarnation = session.incarnation().await?;
        // A copy that has its name is all there: nothing has a name before.
        let last = saved.as_ref().map(|saved| saved.newest.clone());
        let mut checkpoint = saved.map(|saved| saved.valid(&incarnation)).unwrap_or_default();
        for _ in 0..RESTARTS {
            let domains = Domains::new(session.clone());
            let job = self.job(work, session, &arguments, &domains, &incarnation, &checkpoint).await?;
            checkpoint = match is_visible(&job, last.as_ref()).await? {
                true => last.clone().unwrap_or_default(),
                false => checkpoint,
            };
            let error = match once(&job, checkpoint).await {
                Ok(result) => return Ok(result),
                Err(error @ (WorkError::Stopped | WorkError::CredentialEnded)) => return Err(error),
                Err(error) => error,
            };
            let now = session.incarnation().await?;
            if incarnation.goes_on_in(&now) {
                return Err(error);
            }
            tracing::info!(task = %work.task().id, %error, "the HSDS server started again: a copy goes on from its last checkpoint");
            incarnation = now;
            checkpoint = job.into_durable();
        }
        Err(WorkError::Transient("the HSDS server started again too often".to_owned()))
    }

    async fn job<'a>(
        &'a self,
        work: &'a Work,
        session: &'a Session,
        arguments: &'a Arguments,
        domains: &'a Domains,
        incarnation: &Incarnation,
        checkpoint: &Checkpoint,
    ) -> Result<Job<'a>, WorkError> {
        let ([source], [destination]) = (work.request().src.as_slice(), work.request().des.as_slice()) else {
            return Err(WorkError::permanent("malformed-arguments", "a copy has one source and one destination"));
        };
        let source = find(session, domains, source).await?;
        let source = source.ok_or_else(|| WorkError::permanent("not-found", "the source is not there"))?;
        let place = locate(session, domains, destination, arguments.name.as_deref(), source.id).await?;
        Ok(Job {
            work,
            session,
            arguments,
            settings: &self.settings,
            domains,
            source,
            place,
            task: work.task().id.to_string(),
            incarnation: incarnation.clone(),
            durable: Mutex::new(checkpoint.clone()),
            saved: Mutex::new(Instant::now()),
            bytes: AtomicU64::new(checkpoint.bytes),
            total: AtomicU64::new(checkpoint.total),
        })
    }
}

/// The object at a location; none where there is none.
async fn find(session: &Session, domains: &Domains, location: &Location) -> Result<Option<Found>, HsdsError> {
    let Some(home) = domains.open(&DomainName::from(location)).await? else { return Ok(None) };
    let found = match &location.object {
        ObjectName::Path(path) => domains.follow(&home, home.root, path).await?,
        ObjectName::Id(id) => ObjectId::parse(id).ok().map(|id| Found { home, id }),
    };
    let Some(found) = found else { return Ok(None) };
    match session.object(&found.home.domain, found.id).await {
        Ok(_) => Ok(Some(found)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the copy has its name, from an earlier attempt. A name that is taken otherwise is an error.
async fn is_visible(job: &Job<'_>, last: Option<&Checkpoint>) -> Result<bool, WorkError> {
    let was_at_the_end = last.is_some_and(|last| matches!(last.stage, Stage::Finish { .. }));
    match &job.place.spot {
        Spot::Name { taken: None, .. } => Ok(false),
        Spot::Name { taken: Some(Target::Hard(id)), .. } if *id == job.copied(job.source.id) => Ok(was_at_the_end),
        Spot::Name { .. } => Err(finish::exists()),
        Spot::Root => {
            let is_empty = place::is_empty(job.session, &job.place.home, job.place.home.root).await?;
            if is_empty || was_at_the_end { Ok(!is_empty) } else { Err(NoPlace::RootInUse.into()) }
        }
    }
}

/// Copies from a checkpoint to the end.
async fn once(job: &Job<'_>, mut checkpoint: Checkpoint) -> Result<Value, WorkError> {
    for _ in 0..RESTARTS {
        if let Stage::Finish { objects } = checkpoint.stage {
            finish::finish(job, &checkpoint.extras).await?;
            job.work.flush().await?;
            job.confirm().await?;
            let bytes = checkpoint.bytes;
            return Ok(json!({"id": job.copied(job.source.id).to_string(), "objects": objects, "bytes": bytes}));
        }
        checkpoint = match rounds(job, checkpoint).await? {
            Some(end) => end,
            // Another source than the one that the checkpoint is of: all is looked at anew.
            None => {
                job.bytes.store(0, Ordering::Relaxed);
                job.total.store(0, Ordering::Relaxed);
                Checkpoint::default()
            }
        };
    }
    Err(WorkError::Transient("the source changes too often".to_owned()))
}

/// Copies all but the name. None where the source is not the one that the checkpoint is of.
async fn rounds(job: &Job<'_>, checkpoint: Checkpoint) -> Result<Option<Checkpoint>, WorkError> {
    let Checkpoint { round: first, stage, digest, extras: earlier, absent, .. } = checkpoint;
    let mut known = Known::new(absent.into_iter().map(|id| id.0).collect());
    let mut stage = Some(stage);
    let mut extras = earlier;
    let mut starts = vec![job.source.id];
    for number in 0.. {
        let kept = Extras::new(extras, number);
        // What an earlier attempt made is only looked at again.
        let resumed = if number < first { None } else { stage.take() };
        let makes = number >= first && matches!(resumed, None | Some(Stage::Structure));
        let fresh = structure::walk(job, &mut known, &kept, &starts, makes).await?;
        if number >= first {
            let round = Round { job, known: &known, extras: &kept, fresh: &fresh, number, digest: known.digest() };
            if !makes && round.digest != digest {
                return Ok(None);
            }
            fill(&round, resumed.unwrap_or_default()).await?;
        }
        starts = kept.of_round(number).into_iter().filter(|id| !known.has(*id)).collect();
        extras = kept.all();
        if starts.is_empty() && number >= first {
            let round = Round { job, known: &known, extras: &kept, fresh: &[], number, digest: known.digest() };
            let objects = u64::try_from(known.len()).unwrap_or(u64::MAX);
            let end = round.checkpoint(Stage::Finish { objects });
            job.save(end.clone()).await?;
            return Ok(Some(end));
        }
    }
    Ok(None)
}

/// Copies a round's attributes and data, from where an earlier attempt came to.
async fn fill(round: &Round<'_>, stage: Stage) -> Result<(), WorkError> {
    let job = round.job;
    let (attributes, values) = match stage {
        Stage::Structure | Stage::Finish { .. } => (Some(None), (None, Vec::new())),
        Stage::Attributes { done } => (Some(done), (None, Vec::new())),
        Stage::Values { done, begun } => (None, (done, begun)),
    };
    if let Some(done) = attributes.filter(|_| !job.arguments.without_attrs) {
        attributes::copy(round, done.map(|Id(id)| id)).await?;
    }
    let (done, begun) = values;
    let begun = begun.into_iter().map(|(Id(id), pieces)| (id, pieces)).collect();
    values::copy(round, done.map(|Id(id)| id), begun).await
}
