//! Before a task is accepted: whether whoever asks may read its sources and write its destinations.
//!
//! The server says it, asked with their own credential, by requests that change nothing. The work asks
//! again: rights may go while a task waits. This is here so that most tasks that can't be done are never taken.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::Value;

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
/// The argument of operations that make the domain of their destination where there is none.
const CREATES_DOMAIN: &str = "create_domain";

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

/// What is known of domains.
type Domains = BTreeMap<DomainName, Result<(), HsdsError>>;

/// Asks whether everything that a request needs is permitted.
///
/// # Errors
/// The [`Rejection`] of the first location, in the order of the request, that can't be used.
pub async fn authorise(session: &Session, request: &Request, writes: Writes) -> Result<(), Rejection> {
    let questions = questions(request, writes);
    let names: BTreeSet<DomainName> = questions.iter().map(|question| question.location.into()).collect();
    // Reading the domain itself makes the server look at its rights anew, which the other requests do not.
    let looks: Vec<BoxFuture<'_, _>> = names.into_iter().map(|name| look(session, name).boxed()).collect();
    let domains: Domains = stream::iter(looks).buffered(CONCURRENT).collect().await;
    let may_make_domain = request.args.get(CREATES_DOMAIN) == Some(&Value::Bool(true));
    let answers: Vec<BoxFuture<'_, _>> =
        questions.iter().map(|question| question.answer(session, &domains, may_make_domain).boxed()).collect();
    stream::iter(answers).buffered(CONCURRENT).try_collect().await
}

async fn look(session: &Session, name: DomainName) -> (DomainName, Result<(), HsdsError>) {
    let known = session.domain(&name).await.map(|_| ());
    (name, known)
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
    async fn answer(&self, session: &Session, domains: &Domains, may_make_domain: bool) -> Result<(), Rejection> {
        self.ask(session, domains, may_make_domain).await.map_err(|error| self.rejection(error))
    }

    async fn ask(&self, session: &Session, domains: &Domains, may_make_domain: bool) -> Result<(), HsdsError> {
        let domain = DomainName::from(self.location);
        match domains.get(&domain) {
            // Who may make a domain is known when it is made: the operation's own check looks further.
            Some(Err(error)) if error.is_absent() && self.need == Need::Create && may_make_domain => return Ok(()),
            Some(Err(error)) => return Err(error.clone()),
            Some(Ok(())) | None => {}
        }
        // What is to be made is not there yet; only a group that is named by its id must be.
        if let (Need::Create, ObjectName::Path(_)) = (self.need, &self.location.object) {
            return permitted(session.may_create(&domain).await?);
        }
        let object = find(session, &domain, &self.location.object).await?;
        let domain = home(domain, &object);
        match self.need {
            Need::Read => Ok(()),
            Need::Update if object.id.collection() == Collection::Datasets => {
                permitted(session.may_update(&domain, object.id).await?)
            }
            // All that can be written to a group or a type is links and attributes, which are made.
            Need::Update | Need::Create => permitted(session.may_create(&domain).await?),
        }
    }

    fn rejection(&self, error: HsdsError) -> Rejection {
        let location: String = self.location.to_string().chars().take(MAX_SHOWN).collect();
        let at = format!("`{}` ({location})", self.name);
        match error {
            HsdsError::NotFound | HsdsError::Gone => Rejection::NotFound(format!("{at} is not there")),
            HsdsError::Forbidden => {
                let action = match self.need {
                    Need::Read => "read",
                    Need::Create => "create objects in",
                    Need::Update => "update",
                };
                Rejection::Forbidden(format!("you may not {action} {at}"))
            }
            HsdsError::Unauthorised => Rejection::Unauthorised,
            HsdsError::BadRequest { reason } => {
                Rejection::Malformed(format!("the server does not take {at}: {reason}"))
            }
            HsdsError::Conflict | HsdsError::TooLarge => Rejection::Malformed(format!("the server does not take {at}")),
            HsdsError::Exchange(_) | HsdsError::Unavailable { .. } | HsdsError::Malformed(_) => {
                tracing::warn!(%error, "the server of the data can't say whether a task is permitted");
                Rejection::Unavailable(format!("the server of the data can't say now whether you may use {at}"))
            }
        }
    }
}

const fn permitted(is_permitted: bool) -> Result<(), HsdsError> {
    if is_permitted { Ok(()) } else { Err(HsdsError::Forbidden) }
}

async fn find(session: &Session, domain: &DomainName, object: &ObjectName) -> Result<Object, HsdsError> {
    match object {
        ObjectName::Path(path) => session.resolve(domain, None, path, Follow { soft: true, external: true }).await,
        ObjectName::Id(id) => session.object(domain, ObjectId::parse(id).map_err(|_| HsdsError::NotFound)?).await,
    }
}

/// The domain that an object is in: an external link may have led to another one.
fn home(domain: DomainName, object: &Object) -> DomainName {
    let Some(named) = object.domain.as_deref() else { return domain };
    match named.split_once('/') {
        Some(("", _)) => DomainName::new(named).in_bucket(domain.bucket),
        Some((bucket, path)) => DomainName::new(format!("/{path}")).in_bucket(Some(bucket.to_owned())),
        None => domain,
    }
}
