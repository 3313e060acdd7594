//! Where the copy goes.

use std::sync::Arc;

use thiserror::Error;

use super::paths::{Domains, Found, Home, parts};
use crate::hsds::calls::ListOrder;
use crate::hsds::calls::links::Target;
use crate::hsds::client::Session;
use crate::hsds::client::error::HsdsError;
use crate::hsds::domain::DomainName;
use crate::hsds::id::{Collection, ObjectId};
use crate::tasks::operation::{Rejection, WorkError};
use crate::tasks::request::{Location, ObjectName};

/// Where the copy goes.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The domain.
    pub(super) home: Arc<Home>,
    /// The name there.
    pub(super) spot: Spot,
}

/// What is made of the domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// The root group itself becomes the copy; it has no links yet.
    Root,
    /// A new name.
    Name {
        /// The last group on the way that is there.
        group: ObjectId,
        /// The groups that are to be made in it, one in the other.
        missing: Vec<String>,
        /// The name in the last of them.
        name: String,
        /// What has the name already.
        taken: Option<Target>,
    },
}

/// Why a copy can't go there.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum NoPlace {
    /// There is no such domain.
    #[error("there is no domain `{0}` at the destination")]
    NoDomain(DomainName),
    /// Something on the way is no group.
    #[error("`{0}` is on the way to the destination and is no group of its domain")]
    NoGroup(String),
    /// The root group has links already.
    #[error("the destination's root group is not empty: a whole domain is copied only into an empty one")]
    RootInUse,
    /// The root group becomes a copy of a group only.
    #[error("only a group can be copied to `/`")]
    RootIsGroup,
    /// The destination is a group, and there is no name in it.
    #[error("the destination is a group: `args.name` must say the copy's name in it")]
    Unnamed,
    /// The destination is a path, which has the name.
    #[error("`args.name` is for a destination that is a group's id")]
    Named,
    /// What the server says.
    #[error(transparent)]
    Server(#[from] HsdsError),
}

/// Finds where the copy of `source` goes.
pub(super) async fn locate(
    session: &Session,
    domains: &Domains,
    destination: &Location,
    name: Option<&str>,
    source: ObjectId,
) -> Result<Place, NoPlace> {
    let domain = DomainName::from(destination);
    let home = domains.open(&domain).await?.ok_or(NoPlace::NoDomain(domain))?;
    let path = match (&destination.object, name) {
        (ObjectName::Path(_), Some(_)) => return Err(NoPlace::Named),
        (ObjectName::Path(path), None) => path,
        (ObjectName::Id(_), None) => return Err(NoPlace::Unnamed),
        (ObjectName::Id(id), Some(name)) => {
            let group = ObjectId::parse(id).ok().filter(|id| id.collection() == Collection::Groups);
            let group = group.ok_or_else(|| NoPlace::NoGroup(id.clone()))?;
            session.object(&home.domain, group).await?;
            let taken = taken(session, &home, group, name).await?;
            let spot = Spot::Name { group, missing: Vec::new(), name: name.to_owned(), taken };
            return Ok(Place { home, spot });
        }
    };
    let mut groups: Vec<String> = parts(path).collect();
    let Some(name) = groups.pop() else {
        return if source.collection() == Collection::Groups {
            Ok(Place { home, spot: Spot::Root })
        } else {
            Err(NoPlace::RootIsGroup)
        };
    };
    let mut group = home.root;
    let mut way = groups.into_iter();
    while let Some(part) = way.next() {
        match taken(session, &home, group, &part).await? {
            None => {
                let missing = std::iter::once(part).chain(way).collect();
                return Ok(Place { home, spot: Spot::Name { group, missing, name, taken: None } });
            }
            Some(Target::Hard(id)) if id.collection() == Collection::Groups => group = id,
            Some(Target::Soft(_)) => {
                let found = domains.follow(&home, group, &part).await?;
                group = within(found, &home).ok_or(NoPlace::NoGroup(part))?;
            }
            Some(_) => return Err(NoPlace::NoGroup(part)),
        }
    }
    let taken = taken(session, &home, group, &name).await?;
    Ok(Place { home, spot: Spot::Name { group, missing: Vec::new(), name, taken } })
}

/// Whether a group has links.
pub(super) async fn is_empty(session: &Session, home: &Home, group: ObjectId) -> Result<bool, HsdsError> {
    Ok(session.links(&home.domain, group, ListOrder::Names, None, 1).await?.is_empty())
}

async fn taken(session: &Session, home: &Home, group: ObjectId, name: &str) -> Result<Option<Target>, HsdsError> {
    match session.link(&home.domain, group, name).await {
        Ok(link) => Ok(Some(link.target)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

/// A group of that domain.
fn within(found: Option<Found>, home: &Home) -> Option<ObjectId> {
    found.filter(|found| *found.home == *home && found.id.collection() == Collection::Groups).map(|found| found.id)
}

impl From<NoPlace> for Rejection {
    fn from(error: NoPlace) -> Self {
        let text = error.to_string();
        match error {
            NoPlace::NoDomain(_) | NoPlace::NoGroup(_) => Self::NotFound(text),
            NoPlace::RootInUse => Self::Exists(text),
            NoPlace::RootIsGroup | NoPlace::Unnamed | NoPlace::Named => Self::Malformed(text),
            NoPlace::Server(error) => error.into(),
        }
    }
}

impl From<NoPlace> for WorkError {
    fn from(error: NoPlace) -> Self {
        let text = error.to_string();
        match error {
            NoPlace::NoDomain(_) | NoPlace::NoGroup(_) => Self::permanent("not-found", text),
            NoPlace::RootInUse => Self::permanent("exists", text),
            NoPlace::RootIsGroup | NoPlace::Unnamed | NoPlace::Named => Self::permanent("malformed-arguments", text),
            NoPlace::Server(error) => error.into(),
        }
    }
}
