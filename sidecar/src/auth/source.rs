//! What knows credentials.

use std::fmt;

use async_trait::async_trait;
use taskgate_core::verdict::Credential;
use tokio_util::sync::CancellationToken;

use crate::auth::actor::Actor;
use crate::registry::published::Published;

/// What a source is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The service that the visitor wants.
    pub service: &'a Published,
    /// What the visitor shows.
    pub credential: &'a Credential,
}

/// What a source says about a credential. Reasons are for the log alone; they never quote the
/// credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identification {
    /// It is this person's.
    Identified(Actor),
    /// Not for this source: the next one is asked.
    NotRequested,
    /// For this source, and its holder may not use the service.
    Refused(&'static str),
    /// For this source, and no good.
    Rejected(&'static str),
    /// Can't be said now. Never a no.
    Unavailable(String),
}

/// A source of identities.
#[async_trait]
pub trait Source: fmt::Debug + Send + Sync + 'static {
    /// The source's name in logs and metrics.
    fn name(&self) -> &'static str;

    /// Whose credential it is.
    async fn identify(&self, question: Question<'_>) -> Identification;

    /// Keeps itself up to date until `stop`, where there is anything to keep.
    async fn run(&self, _stop: CancellationToken) {}
}
