//! Making objects that may be there already.

use std::sync::atomic::Ordering;

use serde_json::{Map, Value};

use super::job::{Extras, Job, Known};
use crate::hsds::calls::ListOrder;
use crate::hsds::calls::create::{NewKind, NewObject};
use crate::hsds::calls::links::Link;
use crate::hsds::calls::objects::Dataset;
use crate::hsds::client::error::HsdsError;
use crate::hsds::datatype::Datatype;
use crate::hsds::id::{Collection, ObjectId};
use crate::tasks::operation::WorkError;

/// How many objects are made in one request.
const BATCH: usize = 100;
/// Layouts of data that is in files of others: the copy's data is its own.
const ELSEWHERE: &str = "H5D_CHUNKED_REF";

/// An object with that id.
pub(super) fn new(id: ObjectId, kind: NewKind) -> NewObject {
    NewObject { id: Some(id), ..NewObject::new(kind) }
}

/// How a dataset's copy is made, from how the dataset was.
pub(super) fn creation(mut creation: Map<String, Value>) -> Map<String, Value> {
    let class = creation.get("layout").and_then(|layout| layout.get("class")?.as_str());
    if class.is_some_and(|class| class.starts_with(ELSEWHERE)) {
        creation.remove("layout");
    }
    creation
}

/// Counts the data that is to be copied.
pub(super) fn expect(job: &Job<'_>, dataset: &Dataset) {
    let bytes = dataset.dataspace.count().zip(dataset.datatype.item_size());
    let bytes = bytes.map_or(0, |(count, size)| count.saturating_mul(size));
    job.total.fetch_add(bytes, Ordering::Relaxed);
}

/// Makes objects of one collection. Those that are there already, from an earlier attempt, are left alone.
pub(super) async fn make(job: &Job<'_>, collection: Collection, wanted: &[NewObject]) -> Result<(), WorkError> {
    make_all(job, collection, wanted).await.map_err(WorkError::from)
}

/// The same, with what the server says.
pub(super) async fn make_all(job: &Job<'_>, collection: Collection, wanted: &[NewObject]) -> Result<(), HsdsError> {
    // A committed type is an id in a request, which the server takes of one object at a time.
    let is_alone = |object: &&NewObject| matches!(&object.kind, NewKind::Dataset { datatype, .. } if datatype.committed().is_some());
    for object in wanted.iter().filter(is_alone) {
        make_one(job, object).await?;
    }
    let together: Vec<NewObject> = wanted.iter().filter(|object| !is_alone(object)).cloned().collect();
    for batch in together.chunks(BATCH) {
        match job.session.create_many(&job.place.home.domain, collection, batch).await {
            Ok(_) => {}
            // Some of them are there, or one can't be made: one by one tells.
            Err(HsdsError::BadRequest { .. } | HsdsError::Conflict) => {
                for object in batch {
                    make_one(job, object).await?;
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Puts links into a group, in that order.
pub(super) async fn put_links(
    job: &Job<'_>,
    group: ObjectId,
    order: ListOrder,
    links: &[Link],
) -> Result<(), HsdsError> {
    for links in links.chunks(order.together(links.len())) {
        job.session.put_links(&job.place.home.domain, group, links).await?;
    }
    Ok(())
}

/// The type that a copy has: a committed type's copy is made, unless it is there or will be.
pub(super) async fn make_type(
    job: &Job<'_>,
    known: &Known,
    extras: &Extras,
    datatype: Datatype,
) -> Result<Datatype, WorkError> {
    let Some(id) = datatype.committed() else { return Ok(datatype) };
    let copied = job.copied(id);
    if !known.has(id) && !extras.has(id) {
        make_one(job, &new(copied, NewKind::Datatype(datatype.clone()))).await?;
        extras.add(id, false)?;
    }
    Ok(datatype.with_committed(Some(copied)))
}

async fn make_one(job: &Job<'_>, object: &NewObject) -> Result<(), HsdsError> {
    let domain = &job.place.home.domain;
    let error = match job.session.create(domain, object).await {
        Ok(_) => return Ok(()),
        Err(error @ (HsdsError::BadRequest { .. } | HsdsError::Conflict)) => error,
        Err(error) => return Err(error),
    };
    match object.id {
        Some(id) => match job.session.object(domain, id).await {
            Ok(_) => Ok(()),
            Err(absent) if absent.is_absent() => Err(error),
            Err(other) => Err(other),
        },
        None => Err(error),
    }
}
