//! What makes a copy visible: its name, last of all.

use super::checkpoint::Extra;
use super::job::Job;
use super::make;
use super::place::{Spot, locate};
use crate::hsds::calls::create::NewKind;
use crate::hsds::calls::links::{Link, Target};
use crate::hsds::client::error::HsdsError;
use crate::hsds::id::{Collection, ObjectId};
use crate::tasks::operation::WorkError;

/// How often a place is looked for again where someone else is faster.
const ATTEMPTS: usize = 8;
/// How many links are put in one request.
const LINKS: usize = 1_000;

/// Gives names to what only references lead to, and then to the copy.
pub(super) async fn finish(job: &Job<'_>, extras: &[Extra]) -> Result<(), WorkError> {
    let home = &job.place.home;
    let named: Vec<Link> = extras.iter().filter(|extra| extra.is_named).map(|extra| extra_link(job, extra)).collect();
    for links in named.chunks(LINKS) {
        job.session.put_links(&home.domain, home.root, links).await?;
    }
    if job.place.spot == Spot::Root { fill_root(job).await } else { put_name(job).await }
}

fn extra_link(job: &Job<'_>, extra: &Extra) -> Link {
    let copied = job.copied(extra.id.0);
    Link { name: format!("~obj_pointed_by_{copied}"), target: Target::Hard(copied) }
}

/// Puts the links that were got together into the root group.
async fn fill_root(job: &Job<'_>) -> Result<(), WorkError> {
    let (domain, root) = (&job.place.home.domain, job.place.home.root);
    let group = job.links_of(job.source.id);
    let order = job.session.object(domain, group).await?.order();
    let mut after: Option<String> = None;
    loop {
        let links = job.session.links(domain, group, order, after.as_deref(), LINKS).await?;
        make::put_links(job, root, order, &links).await?;
        match links.last().filter(|_| links.len() >= LINKS) {
            Some(last) => after = Some(last.name.clone()),
            None => return Ok(()),
        }
    }
}

/// Makes the groups on the way, and links the copy. The first link that is new comes last.
async fn put_name(job: &Job<'_>) -> Result<(), WorkError> {
    let copied = job.copied(job.source.id);
    let destination = job.destination()?;
    for _ in 0..ATTEMPTS {
        let name = job.arguments.name.as_deref();
        let place = locate(job.session, job.domains, destination, name, job.source.id).await?;
        let Spot::Name { group, missing, name, taken } = place.spot else { break };
        match taken {
            None => {}
            Some(Target::Hard(id)) if id == copied => return Ok(()),
            Some(_) => return Err(exists()),
        }
        match link(job, group, missing, name).await {
            // Someone else made a group on the way, or took the name.
            Err(HsdsError::Conflict) => {}
            other => return other.map_err(WorkError::from),
        }
    }
    Err(exists())
}

async fn link(job: &Job<'_>, group: ObjectId, missing: Vec<String>, name: String) -> Result<(), HsdsError> {
    let domain = &job.place.home.domain;
    let mut path = group.to_string();
    let mut way = Vec::new();
    for part in missing {
        path = format!("{path}/{part}");
        way.push((part, job.made(&path)));
    }
    let groups: Vec<_> = way.iter().map(|(_, id)| make::new(*id, NewKind::group(Vec::new()))).collect();
    make::make_all(job, Collection::Groups, &groups).await?;
    let mut named = Link { name, target: Target::Hard(job.copied(job.source.id)) };
    for (part, id) in way.into_iter().rev() {
        job.session.put_links(domain, id, &[named]).await?;
        named = Link { name: part, target: Target::Hard(id) };
    }
    job.session.put_links(domain, group, &[named]).await
}

/// The destination's name is taken.
pub(super) fn exists() -> WorkError {
    WorkError::permanent("exists", "the destination's name is taken")
}
