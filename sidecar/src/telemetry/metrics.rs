//! Metrics, as `/metrics` shows them. No label has a value that a visitor or a tenant chooses.

pub mod gateway;
pub mod task_proxy;
pub mod tasks;
pub mod tunnels;
pub mod xds;

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Unit;

use crate::telemetry::catalogue::{Catalogue, Described};
use crate::telemetry::metrics::gateway::GatewayMetrics;
use crate::telemetry::metrics::task_proxy::TaskProxyMetrics;
use crate::telemetry::metrics::tasks::TaskMetrics;
use crate::telemetry::metrics::tunnels::TunnelMetrics;
use crate::telemetry::metrics::xds::XdsMetrics;

/// The upper bounds of the buckets of a verdict's duration, in seconds.
const VERDICT_BUCKETS: [f64; 12] = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];

/// The upper bounds of the buckets of a request's duration, in seconds.
const REQUEST_BUCKETS: [f64; 9] = [0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0];

/// The upper bounds of the buckets of a round's duration, in seconds.
const ROUND_BUCKETS: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// A provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ProviderLabels {
    /// Its name.
    pub provider: String,
}

/// Services of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ServiceLabels {
    /// Who published them.
    pub provider: String,
    /// What their jobs speak.
    pub protocol: &'static str,
}

/// Decisions of forward-auth of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DecisionLabels {
    /// What asked.
    pub ingress: &'static str,
    /// `permit`, `redirect` or `refuse`.
    pub outcome: &'static str,
}

/// Verdicts of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct VerdictLabels {
    /// `allow`, `deny` or `unavailable`.
    pub outcome: &'static str,
    /// What knew the credential.
    pub source: &'static str,
}

/// Requests to a cluster, of one command and outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// The command.
    pub command: &'static str,
    /// `ok`, `error` or `unavailable`.
    pub outcome: &'static str,
}

/// Requests to a cluster, of one command.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CommandLabels {
    /// The command.
    pub command: &'static str,
}

/// A store of data.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StoreLabels {
    /// What the configuration calls it.
    pub store: String,
}

/// Attempts to write a table of services, of one outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TableWriteLabels {
    /// Whose services.
    pub provider: String,
    /// `ok`, `partial`, `unchanged` or `error`.
    pub outcome: &'static str,
}

/// Which build this is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

/// Every metric.
pub struct Metrics {
    catalogue: Catalogue,
    /// The same under the names of YTsaurus's Task proxy.
    pub task_proxy: TaskProxyMetrics,
    /// Services in the table.
    pub services: Family<ServiceLabels, Gauge>,
    /// Services or names that are left out.
    pub problems: Family<ProviderLabels, Gauge>,
    /// Services with a longer id.
    pub id_collisions: Family<ProviderLabels, Gauge>,
    /// When discovery last worked.
    pub discovery_success: Family<ProviderLabels, Gauge<f64, AtomicU64>>,
    /// The number of the table's last change.
    pub table_number: Gauge,
    /// Readers that wait for a page.
    pub feed_readers: Gauge,
    /// Pages sent.
    pub feed_pages: Counter,
    /// Bytes of pages sent.
    pub feed_bytes: Counter,
    /// Readers that started anew.
    pub feed_resets: Counter,
    /// Verdicts given.
    pub verdicts: Family<VerdictLabels, Counter>,
    /// Decisions of forward-auth.
    pub decisions: Family<DecisionLabels, Counter>,
    /// How long verdicts took.
    pub verdict_seconds: Histogram,
    /// Verdicts that were known already.
    pub verdict_cache_hits: Counter,
    /// Sessions that were made on request.
    pub sessions_sealed: Counter,
    /// Reloads of the configuration that took effect.
    pub reloads: Counter,
    /// Reloads that did not.
    pub reloads_failed: Counter,
    /// State files that could not be taken at the start.
    pub state_reads_failed: Counter,
    /// Attempts to write a state file that failed.
    pub state_writes_failed: Counter,
    /// Requests that broke the sidecar; each is a bug.
    pub panics: Counter,
    /// Requests to YTsaurus clusters.
    pub ytsaurus_requests: Family<RequestLabels, Counter>,
    /// How long they took.
    pub ytsaurus_request_seconds: Family<CommandLabels, Histogram, fn() -> Histogram>,
    /// How long rounds of discovery took that had a result.
    pub ytsaurus_round_seconds: Family<ProviderLabels, Histogram, fn() -> Histogram>,
    /// Whether this sidecar writes the table of services.
    pub ytsaurus_table_leader: Family<ProviderLabels, Gauge>,
    /// How many rows it has.
    pub ytsaurus_table_rows: Family<ProviderLabels, Gauge>,
    /// Attempts to write it.
    pub ytsaurus_table_writes: Family<TableWriteLabels, Counter>,
    /// Whether stores of data can do what is asked of them.
    pub data_stores_work: Family<StoreLabels, Gauge>,
    /// Those of the internal task gateway.
    pub gateway: GatewayMetrics,
    /// Those of tasks.
    pub tasks: TaskMetrics,
    /// Those of tunnels.
    pub tunnels: TunnelMetrics,
    /// Those of xDS.
    pub xds: XdsMetrics,
}

impl Metrics {
    /// All metrics, at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut catalogue = Catalogue::new();
        let build = BuildLabels { version: env!("CARGO_PKG_VERSION") };
        let info = Family::<BuildLabels, Gauge>::default();
        info.get_or_create(&build).set(1);
        catalogue.add("build", None, &["version"], "Always 1; which build this is.", info);
        Self {
            services: catalogue.add("services", None, &["provider", "protocol"], "Services in the table.", Family::default()),
            problems: catalogue.add(
                "service_problems",
                None,
                &["provider"],
                "Services, or names of services, that are left out because something is wrong with them; see `/internal/problems`.",
                Family::default(),
            ),
            id_collisions: catalogue.add(
                "service_id_collisions",
                None,
                &["provider"],
                "Services whose short id is another's, so that they are reached under a longer one.",
                Family::default(),
            ),
            discovery_success: catalogue.add(
                "discovery_last_success_timestamp",
                Some(Unit::Seconds),
                &["provider"],
                "When the provider last looked with success, since 1970; 0 before that.",
                Family::default(),
            ),
            table_number: catalogue.add("table_number", None, &[], "The number of the table's last change.", Gauge::default()),
            feed_readers: catalogue.add("feed_readers", None, &[], "Readers of the table that wait for news.", Gauge::default()),
            feed_pages: catalogue.add("feed_pages", None, &[], "Pages of the table that were sent.", Counter::default()),
            feed_bytes: catalogue.add("feed", Some(Unit::Bytes), &[], "Bytes of pages that were sent.", Counter::default()),
            feed_resets: catalogue.add("feed_resets", None, &[], "Pages with which a reader started anew.", Counter::default()),
            decisions: catalogue.add(
                "decisions",
                None,
                &["ingress", "outcome"],
                "Requests that forward-auth decided about.",
                Family::default(),
            ),
            verdicts: catalogue.add(
                "verdicts",
                None,
                &["outcome", "source"],
                "Verdicts given: allow, deny or unavailable, and what knew the credential.",
                Family::default(),
            ),
            verdict_seconds: catalogue.add(
                "verdict_duration",
                Some(Unit::Seconds),
                &[],
                "How long verdicts took, known ones included.",
                Histogram::new(VERDICT_BUCKETS),
            ),
            verdict_cache_hits: catalogue.add("verdict_cache_hits", None, &[], "Verdicts that were known already.", Counter::default()),
            sessions_sealed: catalogue.add("sessions_sealed", None, &[], "Sessions that were made on request of an operator.", Counter::default()),
            reloads: catalogue.add("config_reload", None, &[], "Reloads of the configuration that took effect.", Counter::default()),
            reloads_failed: catalogue.add(
                "config_reload_failed",
                None,
                &[],
                "Reloads of the configuration that failed; what ran before goes on.",
                Counter::default(),
            ),
            ytsaurus_requests: catalogue.add(
                "ytsaurus_requests",
                None,
                &["command", "outcome"],
                "Requests to YTsaurus clusters, attempts counted singly: ok, error (it would be the same again) or unavailable.",
                Family::default(),
            ),
            ytsaurus_request_seconds: catalogue.add(
                "ytsaurus_request_duration",
                Some(Unit::Seconds),
                &["command"],
                "How long they took.",
                Family::new_with_constructor(request_seconds as fn() -> Histogram),
            ),
            ytsaurus_round_seconds: catalogue.add(
                "ytsaurus_round_duration",
                Some(Unit::Seconds),
                &["provider"],
                "How long rounds of discovery in a YTsaurus cluster took; those that failed are left out.",
                Family::new_with_constructor(round_seconds as fn() -> Histogram),
            ),
            ytsaurus_table_leader: catalogue.add(
                "ytsaurus_table_leader",
                None,
                &["provider"],
                "1 where this sidecar is the one that writes the services table in Cypress, else 0.",
                Family::default(),
            ),
            ytsaurus_table_rows: catalogue.add(
                "ytsaurus_table_rows",
                None,
                &["provider"],
                "Rows of the services table, as this sidecar last saw or wrote it.",
                Family::default(),
            ),
            ytsaurus_table_writes: catalogue.add(
                "ytsaurus_table_writes",
                None,
                &["provider", "outcome"],
                "Attempts to bring the services table up to date: ok, partial (but for the table of names, with which something is wrong), unchanged (nothing to write) or error.",
                Family::default(),
            ),
            state_reads_failed: catalogue.add(
                "state_read_failed",
                None,
                &[],
                "State files that could not be taken at the start; they were set aside.",
                Counter::default(),
            ),
            state_writes_failed: catalogue.add(
                "state_write_failed",
                None,
                &[],
                "Attempts to write a state file that failed; it is tried again.",
                Counter::default(),
            ),
            panics: catalogue.add("panics", None, &[], "Requests that broke the sidecar; each is a bug worth reporting.", Counter::default()),
            data_stores_work: catalogue.add(
                "data_store_works",
                None,
                &["store"],
                "Whether a store of data could do at the start what will be asked of it: 1, or 0.",
                Family::default(),
            ),
            gateway: GatewayMetrics::new(&mut catalogue),
            tasks: TaskMetrics::new(&mut catalogue),
            task_proxy: TaskProxyMetrics::new(),
            tunnels: TunnelMetrics::new(&mut catalogue),
            xds: XdsMetrics::new(&mut catalogue),
            catalogue,
        }
    }

    /// Every metric, for the reference.
    #[must_use]
    pub fn described(&self) -> &[Described] {
        self.catalogue.described()
    }

    /// The reference of every metric, in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = String::from(
            "# Metrics\n\n\
             Every metric at `/metrics` of the operations listener (OpenMetrics). `/metrics/prometheus` has \
             them too, and [those of Task proxy](../guides/observability.md#metrics-of-task-proxy). Made by `taskgate metrics`; do not \
             edit. No label has a value that a visitor or a tenant chooses.\n\n\
             | name | type | labels | meaning |\n|---|---|---|---|\n",
        );
        for metric in self.described() {
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            text.push_str(&format!(
                "| `{}` | {} | {} | {} |\n",
                metric.name,
                metric.kind,
                labels.join(", "),
                metric.help
            ));
        }
        text
    }

    /// The text form (OpenMetrics).
    ///
    /// # Errors
    /// [`fmt::Error`]; with the memory to hold it, that does not happen.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, self.catalogue.registry())?;
        Ok(text)
    }

    /// The same with those of Task proxy.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn text_with_task_proxy(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode_registry(&mut text, self.catalogue.registry())?;
        self.task_proxy.encode(&mut text)?;
        text::encode_eof(&mut text)?;
        Ok(text)
    }
}

fn request_seconds() -> Histogram {
    Histogram::new(REQUEST_BUCKETS)
}

fn round_seconds() -> Histogram {
    Histogram::new(ROUND_BUCKETS)
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Metrics")
    }
}
