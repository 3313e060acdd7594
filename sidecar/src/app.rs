//! What the listeners share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use crate::access::desk::AccessDesk;
use crate::access::host::Site;
use crate::auth::judge::Judge;
use crate::clock::SharedClock;
use crate::discovery::provider::Provider;
use crate::feed::{ControlState, Feed};
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

/// What a reload changes and requests look at.
#[derive(Clone, Debug)]
pub struct Live {
    /// What every internal request must carry.
    pub internal_secret: Option<SecretText>,
    /// The longest a session may last.
    pub session_max: Duration,
    /// The site as browsers see it, where people sign in anywhere.
    pub site: Option<Arc<Site>>,
    /// The compiled filter.
    pub wasm_file: Option<PathBuf>,
}
