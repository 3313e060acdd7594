//! Before a task is accepted, and while it is done: whether its owner may read its sources and write its destinations.
//!
//! The server says it, asked with their own credential, by requests that change nothing. The worker asks the same
//! again (`worker/access.rs`): rights may go while a task waits, and links may lead elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::hsds::calls::objects::{Follow, Object};
use crate::hsds::client::Session;
use crate::hsds::client::error::HsdsError;
use crate::hsds::domain::DomainName;
use crate::hsds::id::{Collection, ObjectId};
use crate::tasks::operation::{Rejection, Writes};
use crate::tasks::request::{Location, ObjectName, Request};

/// How many questions of one request are on their way at one time: fewer than the server takes of all.
const CONCURRENT: usize = 4;
/// The most characters of a location in a text.
const MAX_SHOWN: usize = 200;

/// What is to be done at a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    Read,
    Create,
    Update,
}

/// A location with what is to be done there.
struct Question<'a> {
    /// As in `src[0]`.
    name: String,
    location: &'a Location,
    need: Need,
}

/// Why a location can't be used.
#[derive(Debug)]
pub struct Objection {
    /// Which one, as in `` `src[0]` (/home/alice/a.h5 /x) ``.
    pub at: String,
    /// What is to be done there, as in "read".
    pub action: &'static str,
    /// What the server says.
    pub error: HsdsError,
}

/// The root groups of domains, by the names in the request; none of a folder.
type Roots = BTreeMap<DomainName, Result<Option<ObjectId>, HsdsError>>;

/// Asks whether everything that a request needs is permitted.
///
/// # Errors
/// The [`Rejection`] of the first location, in the order of the request, that can't be used.
pub async fn authorise(session: &Session, request: &Request, writes: Writes) -> Result<(), Rejection> {
    examine(session, request, writes, |_| false).await.map_err(Rejection::from)
}

/// Asks the same; what `is_no_matter` is no objection.
///
/// # Errors
/// The first [`Objection`], in the order of the request.
pub async fn examine(
    session: &Session,
    request: &Request,
    writes: Writes,
    is_no_matter: fn(&HsdsError) -> bool,
) -> Result<(), Objection> {
    let questions = questions(request, writes);
    let names: BTreeSet<DomainName> = questions.iter().map(|question| question.location.into()).collect();
    // Reading the domain itself makes the server look at its rights anew, which the other requests do not.
    let looks: Vec<BoxFuture<'_, _>> = names.into_iter().map(|name| look(session, name).boxed()).collect();
    let roots: Roots = stream::iter(looks).buffered(CONCURRENT).collect().await;
    let answers: Vec<BoxFuture<'_, _>> =
        questions.iter().map(|question| question.answer(session, &roots).boxed()).collect();
    let answers = stream::iter(answers).buffered(CONCURRENT).map(|answer| match answer {
        Err(objection) if is_no_matter(&objection.error) => Ok(()),
        answer => answer,
    });
    answers.try_collect().await
}

async fn look(session: &Session, name: DomainName) -> (DomainName, Result<Option<ObjectId>, HsdsError>) {
    let root = session.domain(&name).await.map(|domain| domain.root);
    (name, root)
}

/// What is to be asked, each once.
fn questions(request: &Request, writes: Writes) -> Vec<Question<'_>> {
    let written = match writes {
        Writes::Creates => Need::Create,
        Writes::Updates => Need::Update,
    };
    let named = |list: &'static str, locations: &'_ [Location]| -> Vec<String> {
        (0..locations.len()).map(|index| format!("{list}[{index}]")).collect()
    };
    let sources = named("src", &request.src).into_iter().zip(&request.src).map(|(name, at)| (name, at, Need::Read));
    let destinations = named("des", &request.des).into_iter().zip(&request.des).map(|(name, at)| (name, at, written));
    let mut seen = BTreeSet::new();
    sources
        .chain(destinations)
        .filter(|(_, location, need)| seen.insert((*location, *need)))
        .map(|(name, location, need)| Question { name, location, need })
        .collect()
}

impl Question<'_> {
    async fn answer(&self, session: &Session, roots: &Roots) -> Result<(), Objection> {
        self.ask(session, roots).await.map_err(|error| self.objection(error))
    }

    async fn ask(&self, session: &Session, roots: &Roots) -> Result<(), HsdsError> {
        let domain = DomainName::from(self.location);
        let root = match roots.get(&domain) {
            Some(Ok(root)) => *root,
            Some(Err(error)) => return Err(error.clone()),
            None => None,
        };
        if let (Need::Create, ObjectName::Path(path)) = (self.need, &self.location.object) {
            is_within(session, &domain, path).await?;
            return may_make(session, &domain, root).await;
        }
        let object = find(session, &domain, &self.location.object).await?;
        let domain = home(session, domain, root, &object).await?;
        match self.need {
            Need::Read => Ok(()),
            Need::Update if object.id.collection() == Collection::Datasets => {
                permitted(session.may_update(&domain, object.id).await?)
            }
            Need::Update | Need::Create => may_make(session, &domain, Some(object.root)).await,
        }
    }

    fn objection(&self, error: HsdsError) -> Objection {
        let location: String = self.location.to_string().chars().take(MAX_SHOWN).collect();
        let action = match self.need {
            Need::Read => "read",
            Need::Create => "create objects in",
            Need::Update => "update",
        };
        Objection { at: format!("`{}` ({location})", self.name), action, error }
    }
}

impl From<Objection> for Rejection {
    fn from(Objection { at, action, error }: Objection) -> Self {
        match error {
            HsdsError::NotFound | HsdsError::Gone => Self::NotFound(format!("{at} is not there")),
            HsdsError::Forbidden => Self::Forbidden(format!("you may not {action} {at}")),
            HsdsError::Unauthorised => Self::Unauthorised,
            HsdsError::BadRequest { reason } => Self::Malformed(format!("the server does not take {at}: {reason}")),
            HsdsError::Conflict | HsdsError::TooLarge => Self::Malformed(format!("the server does not take {at}")),
            HsdsError::Exchange(_) | HsdsError::Unavailable { .. } | HsdsError::Malformed(_) => {
                tracing::warn!(%error, "the server of the data can't say whether a task is permitted");
                Self::Unavailable(format!("the server of the data can't say now whether you may use {at}"))
            }
        }
    }
}

const fn permitted(is_permitted: bool) -> Result<(), HsdsError> {
    if is_permitted { Ok(()) } else { Err(HsdsError::Forbidden) }
}

/// Whether objects may be made in a domain, with the values that are written into them and the flush at the end:
/// the server has a right of its own for each of the two.
async fn may_make(session: &Session, domain: &DomainName, root: Option<ObjectId>) -> Result<(), HsdsError> {
    permitted(session.may_create(domain).await?)?;
    // A folder has no objects.
    let root = root.ok_or(HsdsError::NotFound)?;
    permitted(session.may_change(domain, root).await?)
}

/// What is to be made is not there yet; but as far as the way to it is there, it must stay in its domain: only that
/// one was asked for.
async fn is_within(session: &Session, domain: &DomainName, path: &str) -> Result<(), HsdsError> {
    match session.resolve(domain, None, path, Follow { soft: true, external: false }).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_absent() => Ok(()),
        Err(error) => Err(error),
    }
}

async fn find(session: &Session, domain: &DomainName, object: &ObjectName) -> Result<Object, HsdsError> {
    match object {
        ObjectName::Path(path) => session.resolve(domain, None, path, Follow { soft: true, external: true }).await,
        ObjectName::Id(id) => session.object(domain, ObjectId::parse(id).map_err(|_| HsdsError::NotFound)?).await,
    }
}

/// The domain that an object is in: a link may have led to another one. The server follows links without a look at
/// the rights there, so that domain is asked for, which makes the server read them anew.
///
/// Which domain it is, its root group says: the name that the server gives is without the bucket.
async fn home(
    session: &Session,
    named: DomainName,
    root: Option<ObjectId>,
    object: &Object,
) -> Result<DomainName, HsdsError> {
    if root == Some(object.root) {
        return Ok(named);
    }
    let path = object.domain.as_deref().and_then(|domain| domain.split_once('/')).map(|(_, path)| path);
    let linked = DomainName::new(format!("/{}", path.ok_or(HsdsError::NotFound)?)).in_bucket(named.bucket);
    let found = session.domain(&linked).await?;
    if found.root == Some(object.root) { Ok(linked) } else { Err(HsdsError::NotFound) }
}
