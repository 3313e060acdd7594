//! What the listeners share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use taskgate_core::verdict::{VerdictQuery, WireVerdict};
use tokio_util::sync::CancellationToken;

use crate::access::desk::AccessDesk;
use crate::access::host::Site;
use crate::activity::Activity;
use crate::auth::judge::Judge;
use crate::clock::SharedClock;
use crate::decide::settings::ForwardAuthRules;
use crate::discovery::provider::Provider;
use crate::feed::{ControlState, Feed};
use crate::gateway::board::Board;
use crate::registry::Registry;
use crate::secret::SecretText;
use crate::tasks::desk::Desk;
use crate::telemetry::metrics::Metrics;

/// The providers that run, by name.
pub type Providers = BTreeMap<String, Arc<dyn Provider>>;

/// What the listeners share. What a reload replaces is swapped whole.
#[derive(Debug)]
pub struct App {
    /// The clock.
    pub clock: SharedClock,
    /// The table as readers get it.
    pub feed: Arc<Feed>,
    /// Keys and epochs.
    pub control: Arc<ControlState>,
    /// Share links, and what is ended before its time.
    pub access: Arc<AccessDesk>,
    /// What is in use.
    pub activity: Arc<Activity>,
    /// What is told of TCP services, where they get ports of their own.
    pub gateway: Option<Arc<Board>>,
    /// The services.
    pub registry: Arc<Registry>,
    /// The providers that run.
    pub providers: RwLock<Providers>,
    /// What decides.
    pub judge: ArcSwap<Judge>,
    /// Tasks, where there are any.
    pub desk: Option<Arc<Desk>>,
    /// What a reload changes and requests look at.
    pub live: ArcSwap<Live>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Cancelled when the process is about to end.
    pub stop: CancellationToken,
}

impl App {
    /// May the holder of this credential use that service?
    pub async fn verdict(&self, query: &VerdictQuery) -> WireVerdict {
        let judge = self.judge.load_full();
        match self.registry.service(&query.service) {
            // Another label would do, but an id in the question is what the contract says.
            Some(service) if service.id.as_str() == query.service && service.epoch != query.epoch => {
                judge.another_epoch(&query.service)
            }
            Some(service) if service.id.as_str() == query.service => {
                let provider = {
                    let providers = self.providers.read().unwrap_or_else(PoisonError::into_inner);
                    providers.get(&*service.provider).map(Arc::clone)
                };
                let verdict = judge.decide(&service, provider, &query.credential).await;
                if matches!(verdict, WireVerdict::Allow { .. }) {
                    self.activity.used(&query.service);
                }
                verdict
            }
            // The provider of an unknown service may only not have published yet.
            _ => judge.unknown_service(&query.service, self.feed.is_settled()),
        }
    }
}

/// What a reload changes and requests look at.
#[derive(Clone, Debug)]
pub struct Live {
    /// How forward-auth answers, where it is served.
    pub forward_auth: Option<Arc<ForwardAuthRules>>,
    /// What every internal request must carry.
    pub internal_secret: Option<SecretText>,
    /// The longest a session may last.
    pub session_max: Duration,
    /// The site as browsers see it, where people sign in anywhere.
    pub site: Option<Arc<Site>>,
    /// The compiled filter.
    pub wasm_file: Option<PathBuf>,
}
