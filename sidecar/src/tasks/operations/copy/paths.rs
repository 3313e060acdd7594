//! Where paths lead, through whatever links.
//!
//! The server could follow them itself, but not through links in a circle, and it does not ask whether the user
//! may read the domains that they lead into: here each domain is asked for with the user's own credential.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::hsds::calls::links::Target;
use crate::hsds::client::Session;
use crate::hsds::client::error::HsdsError;
use crate::hsds::domain::DomainName;
use crate::hsds::id::{Collection, ObjectId};

/// The most links that a path leads through, as many as HDF5 has.
const MAX_HOPS: usize = 16;

/// A domain and its root group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Home {
    /// The domain.
    pub(super) domain: DomainName,
    /// Its root group.
    pub(super) root: ObjectId,
}

/// An object, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The domain that it is in.
    pub(super) home: Arc<Home>,
    /// The object.
    pub(super) id: ObjectId,
}

/// The domains that are met.
#[derive(Debug)]
pub(super) struct Domains {
    session: Session,
    known: Mutex<Vec<Arc<Home>>>,
}

impl Domains {
    pub(super) fn new(session: Session) -> Self {
        Self { session, known: Mutex::new(Vec::new()) }
    }

    /// The domain of that name; none where there is no such one, or it is a folder.
    pub(super) async fn open(&self, domain: &DomainName) -> Result<Option<Arc<Home>>, HsdsError> {
        if let Some(home) = self.find_known(|home| home.domain == *domain) {
            return Ok(Some(home));
        }
        let root = match self.session.domain(domain).await {
            Ok(found) => found.root,
            Err(error) if error.is_absent() => None,
            // What is written in a link need not be a name of a domain at all.
            Err(HsdsError::BadRequest { .. }) => None,
            Err(error) => return Err(error),
        };
        let Some(root) = root else { return Ok(None) };
        let home = Arc::new(Home { domain: domain.clone(), root });
        self.known.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&home));
        Ok(Some(home))
    }

    /// The domain that an object is in, of those that were met.
    pub(super) fn of(&self, id: ObjectId) -> Option<Arc<Home>> {
        self.find_known(|home| home.root.is_beside(id))
    }

    /// What a link in a group leads to; none where it leads nowhere.
    pub(super) async fn lead(
        &self,
        home: &Arc<Home>,
        group: ObjectId,
        target: &Target,
    ) -> Result<Option<Found>, HsdsError> {
        match target {
            Target::Hard(id) => Ok(Some(Found { home: Arc::clone(home), id: *id })),
            Target::Soft(path) => self.follow(home, group, path).await,
            Target::External { domain, path } => match self.open(&beside(&home.domain, domain)).await? {
                Some(other) => self.follow(&other, other.root, path).await,
                None => Ok(None),
            },
        }
    }

    /// What a path leads to from a group; none where it leads nowhere.
    pub(super) async fn follow(
        &self,
        home: &Arc<Home>,
        group: ObjectId,
        path: &str,
    ) -> Result<Option<Found>, HsdsError> {
        let mut home = Arc::clone(home);
        let mut at = if path.starts_with('/') { home.root } else { group };
        let mut rest: VecDeque<String> = parts(path).collect();
        let mut hops = 0;
        while let Some(name) = rest.pop_front() {
            if at.collection() != Collection::Groups {
                return Ok(None);
            }
            let target = match self.session.link(&home.domain, at, &name).await {
                Ok(link) => link.target,
                Err(error) if error.is_absent() => return Ok(None),
                Err(error) => return Err(error),
            };
            hops += usize::from(!matches!(target, Target::Hard(_)));
            if hops > MAX_HOPS {
                return Ok(None);
            }
            let path = match target {
                Target::Hard(id) => {
                    at = id;
                    continue;
                }
                Target::Soft(path) => {
                    if path.starts_with('/') {
                        at = home.root;
                    }
                    path
                }
                Target::External { domain, path } => {
                    let Some(other) = self.open(&beside(&home.domain, &domain)).await? else { return Ok(None) };
                    home = other;
                    at = home.root;
                    path
                }
            };
            for part in parts(&path).collect::<Vec<String>>().into_iter().rev() {
                rest.push_front(part);
            }
        }
        Ok(Some(Found { home, id: at }))
    }

    fn find_known(&self, is_it: impl Fn(&Home) -> bool) -> Option<Arc<Home>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|home| is_it(home)).cloned()
    }
}

/// The names in a path.
pub(super) fn parts(path: &str) -> impl Iterator<Item = String> {
    path.split('/').filter(|part| !matches!(*part, "" | ".")).map(ToOwned::to_owned)
}

/// The domain that a link means: by its whole path, or beside the domain that the link is in.
fn beside(domain: &DomainName, written: &str) -> DomainName {
    let path = written.strip_prefix("hdf5:/").unwrap_or(written);
    let path = match (path.starts_with('/') || path.len() < written.len(), domain.parent()) {
        (false, Some(folder)) => format!("{}/{path}", folder.path),
        _ => format!("/{}", path.trim_start_matches('/')),
    };
    DomainName::new(path).in_bucket(domain.bucket.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_name_domains_by_their_path_or_beside_their_own() {
        let domain = DomainName::new("/home/a/x.h5").in_bucket(Some("b".to_owned()));
        for (written, path) in [
            ("/home/c/y.h5", "/home/c/y.h5"),
            ("hdf5://home/c/y.h5", "/home/c/y.h5"),
            ("hdf5:/home/c/y.h5", "/home/c/y.h5"),
            ("y.h5", "/home/a/y.h5"),
            ("sub/y.h5", "/home/a/sub/y.h5"),
        ] {
            let name = beside(&domain, written);
            assert_eq!((name.path.as_str(), name.bucket.as_deref()), (path, Some("b")), "{written}");
        }
    }
}
