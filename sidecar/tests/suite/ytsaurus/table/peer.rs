//! One sidecar of a fleet, as far as the tables are concerned.

use std::sync::Arc;
use std::time::Duration;

use taskgate::clock::ManualClock;
use taskgate::digest::Digest;
use taskgate::discovery::inventory::{Claims, Entry, Inventory, ServiceKey};
use taskgate::discovery::policy::Policy;
use taskgate::discovery::publisher::Report;
use taskgate::feed::{ControlState, Feed};
use taskgate::registry::Registry;
use taskgate::telemetry::metrics::{Metrics, ProviderLabels, TableWriteLabels};
use taskgate::ytsaurus::client::Client;
use taskgate::ytsaurus::settings::TableSettings;
use taskgate::ytsaurus::table::ServicesTable;
use taskgate::ytsaurus::table::pace::Pace;
use taskgate_core::config::GateConfig;
use taskgate_core::key::{KeyId, Secret};
use taskgate_core::service::{AccessLevel, Endpoint, Protocol};
use taskgate_emulators::yson::Yson;
use taskgate_emulators::ytsaurus::Ytsaurus;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::kit::START;
use crate::ytsaurus::support;

/// Where the tables are.
pub(super) const SERVICES: &str = "//sys/task_proxies/services";
pub(super) const NAMES: &str = "//sys/task_proxies/services_v2";
/// Who writes them.
pub(super) const ROBOT: &str = "robot-taskgate";
/// How long to wait for what should come about.
const PATIENCE: Duration = Duration::from_secs(20);

/// A pace at which tests end soon.
pub(super) fn pace() -> Pace {
    Pace {
        lease: Duration::from_secs(2),
        ping: Duration::from_millis(200),
        candidacy: Duration::from_millis(200),
        rest: Duration::from_millis(10),
        rewrite: Duration::from_secs(10),
        longest_backoff: Duration::from_millis(100),
        audit: Duration::from_secs(3_600),
    }
}

/// The settings of the tables, as they are by default.
pub(super) fn settings(cluster: &Ytsaurus) -> TableSettings {
    support::settings(&cluster.url(), ", table: {}").table.expect("tables")
}

/// A client that waits longer than any cluster is slow here.
pub(super) fn client(cluster: &Ytsaurus, metrics: &Arc<Metrics>) -> Client {
    let settings = support::settings(&cluster.url(), ", timeout_ms: 60000");
    Client::new(settings.cluster, Arc::clone(metrics)).expect("a client")
}

/// What a table says: `operation/task/service` of each row, in order.
pub(super) fn rows(cluster: &Ytsaurus, path: &str) -> Option<Vec<String>> {
    let field = |row: &Yson, name| row.field(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    let text = |row| format!("{}/{}/{}", field(row, "operation_id"), field(row, "task_name"), field(row, "service"));
    Some(cluster.rows(path)?.iter().map(text).collect())
}

/// Waits until something holds.
pub(super) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}: did not come about");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// One sidecar of a fleet.
pub(super) struct Peer {
    registry: Arc<Registry>,
    clock: Arc<ManualClock>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Peer {
    /// One that has just started and knows no services.
    pub(super) async fn start(cluster: &Ytsaurus, pace: Pace) -> Self {
        let metrics = Arc::new(Metrics::new());
        let keys = vec![(KeyId::parse("k1").expect("an id"), Secret::new([1; 32]))];
        let control = ControlState::new(GateConfig::for_domain("tasks.example.test"), keys, Digest::of(b""));
        let clock = Arc::new(ManualClock::new(START));
        let feed = Arc::new(Feed::new(7, control.control()));
        let shared = Arc::<ManualClock>::clone(&clock);
        let registry = Arc::new(Registry::new(feed, shared, Arc::clone(&metrics)));
        registry.expect_providers(&["file", "yt"]);
        let table = ServicesTable::new(client(cluster, &metrics), settings(cluster), "yt", pace, Arc::clone(&metrics));
        let stop = CancellationToken::new();
        let (followed, told) = (Arc::clone(&registry), stop.clone());
        let task = tokio::spawn(async move { table.follow(&followed, &told).await });
        // It has begun to follow before it sees anything.
        tokio::task::yield_now().await;
        Self { registry, clock, metrics, stop, task }
    }

    /// Its provider sees these services, `operation/task/service` each, and that nobody gave ids.
    pub(super) fn sees(&self, services: &[&str]) {
        self.sees_with(services, Claims::new(Vec::new(), true));
    }

    /// The same, with what it knows of ids that others gave.
    pub(super) fn sees_with(&self, services: &[&str], claims: Claims) {
        let services = services.iter().map(|text| entry(text).into()).collect();
        self.report("yt", Report::Sees(Inventory { services, claims, ..Inventory::default() }));
    }

    /// A provider says something.
    pub(super) fn report(&self, provider: &str, report: Report) {
        self.clock.advance(Duration::from_secs(1));
        self.registry.apply([(Arc::from(provider), report)].into());
    }

    /// Waits until it is the one that writes.
    pub(super) async fn leads(&self) {
        eventually("leads", || self.is_leader()).await;
    }

    pub(super) fn is_leader(&self) -> bool {
        let labels = ProviderLabels { provider: "yt".into() };
        self.metrics.ytsaurus_table_leader.get_or_create(&labels).get() == 1
    }

    /// How many attempts to write had this outcome.
    pub(super) fn outcomes(&self, outcome: &'static str) -> u64 {
        let labels = TableWriteLabels { provider: "yt".into(), outcome };
        self.metrics.ytsaurus_table_writes.get_or_create(&labels).get()
    }

    /// It is asked to end, and does.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("ends");
    }

    /// It is gone from one moment to the next.
    pub(super) fn die(self) {
        self.task.abort();
    }
}

/// A service, from `operation/task/service`.
pub(super) fn entry(text: &str) -> Entry {
    let names: Vec<&str> = text.split('/').collect();
    let key = ServiceKey { operation: names[0].into(), task: names[1].into(), service: names[2].into() };
    Entry {
        key: Arc::new(key),
        alternatives: Vec::new(),
        alias: None,
        protocol: Protocol::Http,
        endpoints: vec![Endpoint { address: ([10, 0, 0, 1], 80).into(), weight: 1 }],
        policy: Policy { access: AccessLevel::CanRead, owner: Some("alice".into()), grants: Vec::new(), revision: 0 },
        forward_credential: false,
        names: Vec::new(),
        vouched: false,
        path: None,
    }
}
