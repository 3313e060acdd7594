//! Callers by the sidecar's judge, which asks the sources of verdicts: tokens that are listed, signed tokens, services
//! that know credentials.

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use taskgate_core::label::{InvalidLabel, Label};
use taskgate_core::service::InvalidService;
use taskgate_core::verdict::WireVerdict;
use taskgate_core::visitor::OWN_PROVIDER;
use thiserror::Error;

use crate::app::App;
use crate::auth::judge::Judge;
use crate::data::caller::{Caller, Callers, credential};
use crate::data::error::DataError;
use crate::discovery::own::{OwnProvider, data_entry};
use crate::registry::published::Published;

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

/// Why nobody can be asked about the service of data. It does not happen.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotAskable {
    /// Its id is none.
    #[error(transparent)]
    Label(#[from] InvalidLabel),
    /// It can't be published.
    #[error(transparent)]
    Service(#[from] InvalidService),
}

impl<J: HasJudge> JudgeCallers<J> {
    /// Callers by this judge. It is asked about the service of data whether or not that is behind the gate.
    ///
    /// # Errors
    /// [`NotAskable`].
    pub fn new(judge: J) -> Result<Self, NotAskable> {
        let service =
            Published::new(Label::parse(b"data")?, Vec::new(), OWN_PROVIDER.into(), Arc::new(data_entry(&[])))?;
        Ok(Self { judge, service: Arc::new(service) })
    }
}

#[async_trait]
impl<J: HasJudge> Callers for JudgeCallers<J> {
    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, DataError> {
        let credential = credential::of(headers)?;
        match self.judge.judge().decide(&self.service, Some(Arc::new(OwnProvider::default())), &credential).await {
            WireVerdict::Allow { identity, .. } => {
                let request_id = credential::request_id(headers);
                Ok(Caller {
                    user: identity.actor,
                    groups: identity.groups,
                    email: identity.email,
                    arvados_user_uuid: identity.arvados_user_uuid,
                    request_id,
                })
            }
            WireVerdict::Deny { .. } => Err(DataError::Unauthenticated),
            WireVerdict::Unavailable => {
                Err(DataError::Unavailable("who you are can't be said now; try again in a while".into()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
