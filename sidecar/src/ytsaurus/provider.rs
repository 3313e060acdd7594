//! The provider of services of running operations.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use taskgate_core::verdict::Credential;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::auth::actor::Actor;
use crate::discovery::inventory::{Entry, Inventory};
use crate::discovery::policy::Authorisation;
use crate::discovery::provider::Provider;
use crate::discovery::publisher::Publisher;
use crate::http::HttpError;
use crate::registry::Registry;
use crate::retry;
use crate::telemetry::metrics::{Metrics, ProviderLabels};
use crate::ytsaurus::access::{Access, Acls};
use crate::ytsaurus::client::Client;
use crate::ytsaurus::discovery::Discovery;
use crate::ytsaurus::settings::YtsaurusSettings;
use crate::ytsaurus::table::ServicesTable;
use crate::ytsaurus::table::pace::Pace;

/// The shortest rest between two rounds, whatever they take.
const LEAST_REST: Duration = Duration::from_millis(500);
/// The longest rest after rounds that failed.
const LONGEST_REST: Duration = Duration::from_secs(120);

/// The provider of services of running operations of one cluster.
#[derive(Debug)]
pub struct YtsaurusProvider {
    settings: Arc<YtsaurusSettings>,
    client: Client,
    acls: Arc<Acls>,
    access: Access,
    table: Option<ServicesTable>,
    metrics: Arc<Metrics>,
}

impl YtsaurusProvider {
    /// A provider with these settings.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(settings: Arc<YtsaurusSettings>, metrics: Arc<Metrics>) -> Result<Self, HttpError> {
        let client = Client::new(settings.cluster.clone(), Arc::clone(&metrics))?;
        let table = settings.table.clone();
        let table = table.map(|table| {
            ServicesTable::new(client.clone(), table, &settings.name, Pace::default(), Arc::clone(&metrics))
        });
        let acls = Arc::new(Acls::default());
        let access = Access::new(client.clone(), Arc::clone(&acls));
        Ok(Self { settings, client, acls, access, table, metrics })
    }

    fn discovery(&self) -> Discovery {
        Discovery::new(Arc::clone(&self.settings), self.client.clone())
    }

    fn count_round(&self, took: Duration) {
        let labels = ProviderLabels { provider: self.settings.name.clone() };
        self.metrics.ytsaurus_round_seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }
}

#[async_trait]
impl Provider for YtsaurusProvider {
    async fn run(&self, publisher: Publisher, _stop: CancellationToken) {
        let mut discovery = self.discovery();
        let mut failures = 0;
        loop {
            let started = Instant::now();
            match discovery.round().await {
                Ok(inventory) => {
                    failures = 0;
                    let acls = discovery.operations().filter_map(|one| Some((one.id.clone(), one.acl.clone()?)));
                    self.acls.replace(acls.collect());
                    publisher.publish(inventory);
                    self.count_round(started.elapsed());
                }
                Err(error) => {
                    failures += 1;
                    publisher.fail(error.to_string());
                }
            }
            tokio::time::sleep(rest(self.settings.jobs_period, started.elapsed(), failures)).await;
        }
    }

    async fn look(&self) -> Result<Inventory, String> {
        self.discovery().round().await.map_err(|error| error.to_string())
    }

    async fn follow(&self, registry: Arc<Registry>, stop: CancellationToken) {
        if let Some(table) = &self.table {
            table.follow(&registry, &stop).await;
        }
    }

    async fn authorise(&self, service: &Entry, actor: &Actor, _credential: Option<&Credential>) -> Authorisation {
        self.access.authorise(service, actor).await
    }
}

/// How long to rest after a round that took so long, so many having failed in a row. A cluster that is
/// slow or down is asked less, and no two sidecars ask in step.
fn rest(period: Duration, took: Duration, failures: u32) -> Duration {
    let rest = match failures {
        0 => period.saturating_sub(took).max(took / 2),
        _ => period.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST_REST.max(period)),
    };
    // Up to a fifth less.
    (rest * 4 / 5 + retry::fraction(rest / 5)).max(LEAST_REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_are_never_short_and_grow_with_failures() {
        let period = Duration::from_secs(5);
        let secs = Duration::from_secs;
        for _ in 0..20 {
            assert!((secs(4)..=secs(5)).contains(&rest(period, Duration::ZERO, 0)));
            assert!((secs(8)..=secs(10)).contains(&rest(period, secs(20), 0)));
            assert!((secs(8)..=secs(10)).contains(&rest(period, Duration::ZERO, 1)));
            assert!((secs(96)..=secs(120)).contains(&rest(period, Duration::ZERO, 30)));
            assert!(rest(Duration::from_millis(1), Duration::ZERO, 0) >= LEAST_REST);
        }
    }
}
