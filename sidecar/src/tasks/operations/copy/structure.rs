//! Objects and links.
//!
//! Groups are read in the order in which they are met, many at a time and page by page, and their copies are made
//! with ids that follow from the originals': doing it again makes nothing twice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use taskgate_core::task::{Progress, Unit};

use super::job::{Extras, Job, Known, Traits};
use super::make::{self, make_type};
use crate::hsds::calls::ListOrder;
use crate::hsds::calls::create::{NewKind, NewObject};
use crate::hsds::calls::links::{Link, Target};
use crate::hsds::calls::objects::{Kind, Object};
use crate::hsds::client::error::HsdsError;
use crate::hsds::id::{Collection, ObjectId};
use crate::tasks::operation::WorkError;

/// How many groups are read at one time.
const GROUPS: usize = 16;
/// How many objects are held in memory to be made.
const OBJECTS: usize = 512;

/// A walk through a part of the source.
struct Walk<'a> {
    job: &'a Job<'a>,
    known: &'a mut Known,
    extras: &'a Extras,
    /// Whether it makes copies; else they are there already.
    makes: bool,
    fresh: Vec<ObjectId>,
    frontier: VecDeque<Visit>,
}

/// Links of a group that are to be read.
struct Visit {
    group: ObjectId,
    order: ListOrder,
    after: Option<String>,
}

/// A link, and the object that takes its place.
struct Step {
    link: Link,
    object: Option<ObjectId>,
}

/// Walks to all that links lead to from some objects and that is not known yet. Copies of it are made where
/// `makes` is set. Gives the originals in the order of their ids.
pub(super) async fn walk(
    job: &Job<'_>,
    known: &mut Known,
    extras: &Extras,
    starts: &[ObjectId],
    makes: bool,
) -> Result<Vec<ObjectId>, WorkError> {
    let mut walk = Walk { job, known, extras, makes, fresh: Vec::new(), frontier: VecDeque::new() };
    walk.admit(starts.iter().copied()).await?;
    while !walk.frontier.is_empty() {
        walk.advance().await?;
    }
    walk.fresh.sort_unstable();
    Ok(walk.fresh)
}

impl Walk<'_> {
    /// Reads a page of each of some groups.
    async fn advance(&mut self) -> Result<(), WorkError> {
        let visits: Vec<Visit> = self.frontier.drain(..self.frontier.len().min(GROUPS)).collect();
        let job = self.job;
        let pages = stream::iter(visits).map(|visit| page(job, visit)).buffered(job.settings.objects);
        let pages: Vec<(Visit, Vec<Step>)> = pages.try_collect().await?;
        let targets: BTreeSet<ObjectId> =
            pages.iter().flat_map(|(_, steps)| steps).filter_map(|step| step.object).collect();
        self.admit(targets).await?;
        if self.makes {
            let known = &*self.known;
            let put = pages.iter().map(|(visit, steps)| put(job, known, visit, steps));
            stream::iter(put).map(Ok).try_for_each_concurrent(job.settings.objects, |put| put).await?;
        }
        for (visit, steps) in pages {
            if let Some(last) = steps.last().filter(|_| steps.len() >= job.settings.page) {
                self.frontier.push_back(Visit { after: Some(last.link.name.clone()), ..visit });
            }
        }
        Ok(())
    }

    /// Takes up objects that are not known yet.
    async fn admit(&mut self, ids: impl IntoIterator<Item = ObjectId>) -> Result<(), WorkError> {
        let ids = ids.into_iter().filter(|id| !self.known.has(*id) && !self.known.absent.contains(id));
        let ids: Vec<ObjectId> = ids.collect::<BTreeSet<ObjectId>>().into_iter().collect();
        for ids in ids.chunks(OBJECTS) {
            if self.makes {
                self.make(ids).await?;
            } else {
                ids.iter().try_for_each(|id| self.take(*id, Traits::default()))?;
            }
            let done = u64::try_from(self.known.len()).unwrap_or(u64::MAX);
            self.job.work.report(Progress { done, total: None, unit: Unit::Objects });
        }
        Ok(())
    }

    fn take(&mut self, id: ObjectId, traits: Traits) -> Result<(), WorkError> {
        self.known.add(id, traits)?;
        self.fresh.push(id);
        let is_entered = !self.job.arguments.shallow || id == self.job.source.id;
        if id.collection() == Collection::Groups && is_entered {
            self.frontier.push_back(Visit { group: id, order: traits.order.unwrap_or(ListOrder::Names), after: None });
        }
        Ok(())
    }

    async fn make(&mut self, ids: &[ObjectId]) -> Result<(), WorkError> {
        let job = self.job;
        let objects = stream::iter(ids.to_vec()).map(|id| object(job, id)).buffered(job.settings.objects);
        let objects: Vec<Option<Object>> = objects.try_collect().await?;
        let mut wanted: BTreeMap<Collection, Vec<NewObject>> = BTreeMap::new();
        for (id, object) in ids.iter().zip(&objects) {
            let Some(object) = object else {
                self.known.absent.insert(*id);
                continue;
            };
            self.take(*id, Traits::of(object))?;
            let copy = match &object.kind {
                Kind::Datatype(datatype) => make::new(job.copied(*id), NewKind::Datatype(datatype.clone())),
                Kind::Group { creation, .. } => {
                    let kind = NewKind::Group { links: Vec::new(), creation: creation.clone() };
                    make::new(job.links_of(*id), kind)
                }
                Kind::Dataset(_) => continue,
            };
            wanted.entry(id.collection()).or_default().push(copy);
        }
        for (collection, wanted) in wanted {
            make::make(job, collection, &wanted).await?;
        }
        // Their types must be there.
        let mut datasets = Vec::new();
        for (id, object) in ids.iter().zip(objects) {
            let Some(Object { kind: Kind::Dataset(dataset), .. }) = object else { continue };
            make::expect(job, &dataset);
            let datatype = make_type(job, self.known, self.extras, dataset.datatype).await?;
            let creation = make::creation(dataset.creation);
            let kind = NewKind::Dataset { datatype, dataspace: dataset.dataspace, creation };
            datasets.push(make::new(job.copied(*id), kind));
        }
        make::make(job, Collection::Datasets, &datasets).await
    }
}

/// An object; none where it is not there any more.
async fn object(job: &Job<'_>, id: ObjectId) -> Result<Option<Object>, WorkError> {
    let home = job.home_of(id);
    match job.session.object(&home.domain, id).await {
        Ok(object) => Ok(Some(object)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Links of a group, with the objects in place of those that are expanded.
async fn page(job: &Job<'_>, visit: Visit) -> Result<(Visit, Vec<Step>), WorkError> {
    let home = job.home_of(visit.group);
    let Visit { group, order, after } = &visit;
    let links = match job.session.links(&home.domain, *group, *order, after.as_deref(), job.settings.page).await {
        Ok(links) => links,
        // It was deleted, or the last link was, and the others can't be found from there.
        Err(error) if error.is_absent() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let home = &home;
    let steps = stream::iter(links).map(|link| async move {
        let is_followed = match &link.target {
            Target::Hard(_) => true,
            Target::Soft(_) => job.arguments.expand_soft,
            Target::External { .. } => job.arguments.expand_external,
        };
        let found = if is_followed { job.domains.lead(home, visit.group, &link.target).await? } else { None };
        Ok::<Step, HsdsError>(Step { link, object: found.map(|found| found.id) })
    });
    let steps = steps.buffered(job.settings.objects).try_collect::<Vec<Step>>().await?;
    Ok((visit, steps))
}

/// Puts links into a group's copy.
async fn put(job: &Job<'_>, known: &Known, visit: &Visit, steps: &[Step]) -> Result<(), WorkError> {
    let links: Vec<Link> = steps.iter().filter_map(|step| copied(job, known, step)).collect();
    let group = job.links_of(visit.group);
    let domain = &job.place.home.domain;
    match make::put_links(job, group, visit.order, &links).await {
        Ok(()) => return Ok(()),
        // The source changed since an earlier attempt.
        Err(HsdsError::Conflict) => {}
        Err(error) => return Err(error.into()),
    }
    for link in &links {
        let one = std::slice::from_ref(link);
        match job.session.put_links(domain, group, one).await {
            Err(HsdsError::Conflict) => {
                job.session.delete_link(domain, group, &link.name).await?;
                job.session.put_links(domain, group, one).await?;
            }
            other => other?,
        }
    }
    Ok(())
}

/// A link's copy; none of a link to an object that is not there.
fn copied(job: &Job<'_>, known: &Known, step: &Step) -> Option<Link> {
    let name = step.link.name.clone();
    match (step.object.filter(|id| known.has(*id)), &step.link.target) {
        (Some(id), _) => Some(Link { name, target: Target::Hard(job.copied(id)) }),
        (None, Target::Hard(_)) => None,
        (None, target) => Some(Link { name, target: target.clone() }),
    }
}
