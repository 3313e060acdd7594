//! Attributes.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::checkpoint::{Id, Stage};
use super::make::make_type;
use super::references::{Fate, Holder, rewrite_json};
use super::round::Round;
use crate::hsds::calls::attributes::{Attribute, AttributeValue};
use crate::hsds::id::ObjectId;
use crate::hsds::references;
use crate::hsds::vlen::MalformedValues;
use crate::tasks::operation::WorkError;

/// How many attributes are held in memory, of one object.
const PAGE: usize = 64;

/// Copies the attributes of a round's objects behind the one that is `done`.
pub(super) async fn copy(round: &Round<'_>, mut done: Option<ObjectId>) -> Result<(), WorkError> {
    let job = round.job;
    loop {
        let is_left = |id: &ObjectId| done.is_none_or(|done| *id > done) && round.known.traits(*id).may_have_attributes;
        let left = round.fresh.iter().copied().filter(is_left).take_while(|_| !job.is_due());
        // What is on its way ends before a checkpoint is kept: it would not go on meanwhile.
        let mut copied = stream::iter(left).map(|id| of_object(round, id)).buffered(job.settings.objects);
        let mut last = None;
        while let Some(id) = copied.try_next().await? {
            last = Some(id);
        }
        drop(copied);
        done = last.or(done);
        if !job.is_due() {
            return Ok(());
        }
        job.save(round.checkpoint(Stage::Attributes { done: done.map(Id) })).await?;
    }
}

async fn of_object(round: &Round<'_>, id: ObjectId) -> Result<ObjectId, WorkError> {
    let job = round.job;
    let home = job.home_of(id);
    let copied = job.copied(id);
    let order = match round.known.traits(id).order {
        Some(order) => order,
        // An earlier attempt looked at it.
        None => match job.session.object(&home.domain, id).await {
            Ok(object) => object.order(),
            Err(error) if error.is_absent() => return Ok(id),
            Err(error) => return Err(error.into()),
        },
    };
    let mut after: Option<String> = None;
    loop {
        let page = match job.session.attributes(&home.domain, id, order, after.as_deref(), PAGE).await {
            Ok(page) => page,
            // It was deleted, or the last attribute was.
            Err(error) if error.is_absent() => return Ok(id),
            Err(error) => return Err(error.into()),
        };
        let is_last = page.len() < PAGE;
        after = page.last().map(|attribute| attribute.name.clone());
        let mut attributes = Vec::with_capacity(page.len());
        for attribute in page {
            attributes.push(of_copy(round, id, attribute).await?);
        }
        for attributes in attributes.chunks(order.together(attributes.len())) {
            job.session.put_attributes(&job.place.home.domain, copied, attributes, true).await?;
        }
        if is_last {
            return Ok(id);
        }
    }
}

/// An attribute as the copy has it.
async fn of_copy(round: &Round<'_>, id: ObjectId, attribute: Attribute) -> Result<Attribute, WorkError> {
    let job = round.job;
    let Attribute { name, datatype, dataspace, value } = attribute;
    let fate = Fate::of(job.arguments, Holder::of_attribute(&datatype), job.is_at_home(id));
    let value = if datatype.has_references() && fate != Fate::Kept {
        let rank = dataspace.dims().len();
        match value {
            AttributeValue::Binary(bytes) => {
                let targets = references::targets(&datatype, &bytes).map_err(unreadable)?;
                let becomes = round.becomes(fate, targets).await?;
                let bytes = references::rewrite(&datatype, &bytes, &mut |id| becomes.get(&id).copied());
                AttributeValue::Binary(bytes.map_err(unreadable)?.into())
            }
            AttributeValue::Json(json) => {
                let mut targets = BTreeMap::new();
                rewrite_json(&datatype, rank, &json, &mut |id| targets.insert(id, ()).and(Some(id)));
                let becomes = round.becomes(fate, targets.into_keys().collect()).await?;
                AttributeValue::Json(rewrite_json(&datatype, rank, &json, &mut |id| becomes.get(&id).copied()))
            }
            AttributeValue::Unwritten => AttributeValue::Unwritten,
        }
    } else {
        value
    };
    let datatype = make_type(job, round.known, round.extras, datatype).await?;
    Ok(Attribute { name, datatype, dataspace, value })
}

fn unreadable(error: MalformedValues) -> WorkError {
    WorkError::permanent("malformed-values", format!("an attribute's value can't be read: {error}"))
}
