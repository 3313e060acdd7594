//! Answers of services, kept for a while.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::future::Cache;

use crate::data::catalog::CatalogError;

/// How long answers are kept, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// How long what is there is kept.
    pub ttl: Duration,
    /// How long it is kept that something is not there.
    pub negative_ttl: Duration,
    /// The most answers that are kept.
    pub entries: u64,
}

/// Answers by questions. Failures are not kept.
#[derive(Debug)]
pub(super) struct Kept(Cache<String, Option<Arc<str>>>);

impl Kept {
    pub(super) fn new(keeping: Keeping) -> Self {
        Self(Cache::builder().max_capacity(keeping.entries).expire_after(keeping).build())
    }

    /// The answer to a question, which is asked where nothing is kept. Equal questions at one time are asked once.
    pub(super) async fn answer(
        &self,
        question: String,
        ask: impl Future<Output = Result<Option<Arc<str>>, CatalogError>>,
    ) -> Result<Option<Arc<str>>, CatalogError> {
        self.0.try_get_with(question, ask).await.map_err(|error| CatalogError::clone(&error))
    }
}

impl Expiry<String, Option<Arc<str>>> for Keeping {
    fn expire_after_create(&self, _: &String, value: &Option<Arc<str>>, _: Instant) -> Option<Duration> {
        Some(if value.is_some() { self.ttl } else { self.negative_ttl })
    }
}
