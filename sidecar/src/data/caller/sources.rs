//! Callers by the sources of verdicts: tokens that are listed, signed tokens, services that know credentials.
//!
//! Sources are asked about a service; the service of data stands in as one. It is in no table, and the filter does
//! not know it.

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use taskgate_core::identity::WireIdentity;
use taskgate_core::label::{InvalidLabel, Label};
use taskgate_core::service::{AccessLevel, InvalidService, Protocol};
use taskgate_core::verdict::WireVerdict;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::auth::actor::Actor;
use crate::auth::judge::Judge;
use crate::auth::source::{Identification, Question, Source};
use crate::data::caller::{Caller, Callers, credential};
use crate::data::error::DataError;
use crate::discovery::inventory::{Entry, Inventory, ServiceKey};
use crate::discovery::policy::{Authorisation, Grantee, Level, Policy};
use crate::discovery::provider::Provider;
use crate::discovery::publisher::Publisher;
use crate::registry::published::Published;

/// The name of the provider that stands in.
const PROVIDER: &str = "data";

/// Callers by some sources, which are asked in order with every request. Who keeps the sources up to date is not
/// its business.
#[derive(Debug)]
pub struct SourceCallers {
    sources: Vec<Arc<dyn Source>>,
    service: Arc<Published>,
}

/// Callers by the sidecar's judge, which keeps what it decided for a while.
#[derive(Debug)]
pub struct JudgeCallers<J> {
    judge: J,
    service: Arc<Published>,
}

/// What has a judge. It may be another one after a reload.
pub trait HasJudge: std::fmt::Debug + Send + Sync + 'static {
    /// The judge.
    fn judge(&self) -> Arc<Judge>;
}

impl HasJudge for Arc<App> {
    fn judge(&self) -> Arc<Judge> {
        self.judge.load_full()
    }
}

/// Why nothing can stand in for the service of data. It does not happen.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoStandIn {
    /// Its id is none.
    #[error(transparent)]
    Label(#[from] InvalidLabel),
    /// It can't be published.
    #[error(transparent)]
    Service(#[from] InvalidService),
}

/// The provider that stands in: whoever is known may ask. What they may do is decided project by project.
#[derive(Debug)]
struct StandIn;

impl SourceCallers {
    /// Callers by these sources, first preferred.
    ///
    /// # Errors
    /// [`NoStandIn`].
    pub fn new(sources: Vec<Arc<dyn Source>>) -> Result<Self, NoStandIn> {
        Ok(Self { sources, service: stand_in()? })
    }
}

impl<J: HasJudge> JudgeCallers<J> {
    /// Callers by this judge.
    ///
    /// # Errors
    /// [`NoStandIn`].
    pub fn new(judge: J) -> Result<Self, NoStandIn> {
        Ok(Self { judge, service: stand_in()? })
    }
}

#[async_trait]
impl Callers for SourceCallers {
    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, DataError> {
        let credential = credential::of(headers)?;
        for source in &self.sources {
            match source.identify(Question { service: &self.service, credential: &credential }).await {
                Identification::Identified(actor) => return Ok(known(headers, actor.into_identity())),
                Identification::NotRequested => {}
                Identification::Refused(_) | Identification::Rejected(_) => return Err(DataError::Unauthenticated),
                Identification::Unavailable(reason) => {
                    tracing::warn!(source = source.name(), reason, "a caller can't be identified now");
                    return Err(unavailable());
                }
            }
        }
        Err(DataError::Unauthenticated)
    }
}

#[async_trait]
impl<J: HasJudge> Callers for JudgeCallers<J> {
    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, DataError> {
        let credential = credential::of(headers)?;
        match self.judge.judge().decide(&self.service, Some(Arc::new(StandIn)), &credential).await {
            WireVerdict::Allow { identity, .. } => Ok(known(headers, identity)),
            WireVerdict::Deny { .. } => Err(DataError::Unauthenticated),
            WireVerdict::Unavailable => Err(unavailable()),
        }
    }
}

#[async_trait]
impl Provider for StandIn {
    async fn run(&self, _publisher: Publisher, _stop: CancellationToken) {}

    async fn look(&self) -> Result<Inventory, String> {
        Ok(Inventory::default())
    }

    async fn authorise(&self, _service: &Entry, _actor: &Actor) -> Authorisation {
        Authorisation::Allow
    }
}

fn known(headers: &HeaderMap, identity: WireIdentity) -> Caller {
    Caller { user: identity.actor, groups: identity.groups, request_id: credential::request_id(headers) }
}

fn unavailable() -> DataError {
    DataError::Unavailable("who you are can't be said now; try again in a while".into())
}

/// The service of data, as sources are asked about it.
fn stand_in() -> Result<Arc<Published>, NoStandIn> {
    let names = ServiceKey { operation: "taskgate".into(), task: "data".into(), service: "data".into() };
    let entry = Entry {
        key: Arc::new(names),
        alternatives: Vec::new(),
        alias: None,
        protocol: Protocol::Http,
        endpoints: Vec::new(),
        policy: Policy {
            access: AccessLevel::CanRead,
            owner: None,
            grants: vec![(Grantee::Everybody, Level::CanRead)],
            revision: 0,
        },
        forward_credential: false,
    };
    Ok(Arc::new(Published::new(Label::parse(b"data")?, Vec::new(), PROVIDER.into(), Arc::new(entry))?))
}

#[cfg(test)]
mod tests;
