//! The names under which YTsaurus's own Task proxy counts, so that its dashboards and alerts go on.
//!
//! What these numbers say is said by ours too. Where Task proxy tells apart what the gate does not, or the other way
//! round, the nearest of its values is used; `grpc_code` is always empty, since clusters are asked over HTTP.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use taskgate_core::verdict::Refusal;

/// The upper bounds of the buckets of a request's duration, in seconds: Task proxy's.
const REQUEST_BUCKETS: [f64; 9] = [0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0];
/// Where the gate can't say something about a visitor.
const AUTH_STAGE: &str = "verdict";
/// Where discovery can't look.
const DISCOVERY_STAGE: &str = "round";
/// What both are then, in Task proxy's words.
const INFRA: &str = "infra_unavailable";

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// Where it failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Stage {
    stage: &'static str,
}

/// Where and how it failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Infra {
    stage: &'static str,
    kind: &'static str,
    grpc_code: &'static str,
}

/// A request to a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    request: &'static str,
}

/// A request to a cluster that failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailedRequest {
    request: &'static str,
    kind: &'static str,
    grpc_code: &'static str,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthOutcome {
    /// The visitor may.
    Allowed,
    /// The visitor may not; whether anybody's credential was looked at.
    Denied(Refusal, bool),
    /// Could not be said.
    Unavailable,
}

/// Task proxy's metrics.
pub struct TaskProxyMetrics {
    registry: Registry,
    auth_success: Family<Reason, Counter>,
    auth_failed: Family<Reason, Counter>,
    auth_errors: Family<Stage, Counter>,
    auth_infra_errors: Family<Infra, Counter>,
    cache_entries: Gauge,
    cache_hits: Counter,
    cache_misses: Counter,
    cache_inflight: Gauge,
    cache_waiting: Gauge,
    discovery_success: Family<Reason, Counter>,
    discovery_failed: Family<Reason, Counter>,
    discovery_errors: Family<Stage, Counter>,
    discovery_infra_errors: Family<Infra, Counter>,
    request_errors: Family<FailedRequest, Counter>,
    request_seconds: Family<Request, Histogram, fn() -> Histogram>,
}

impl TaskProxyMetrics {
    /// Every metric at its start.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("yt_task_proxy");
        let seconds = Family::new_with_constructor((|| Histogram::new(REQUEST_BUCKETS)) as fn() -> Histogram);
        let metrics = Self {
            auth_success: add(&mut registry, "auth_success", "Questions about a visitor that ended with yes"),
            auth_failed: add(&mut registry, "auth_failed", "Questions about a visitor that ended with no"),
            auth_errors: add(&mut registry, "auth_errors", "Questions about a visitor that had no answer"),
            auth_infra_errors: add(&mut registry, "auth_infra_errors", "The same, with what was wrong"),
            cache_entries: add(&mut registry, "auth_cache_entries", "Answers that are remembered"),
            cache_hits: add(&mut registry, "auth_cache_hits", "Questions whose answer was remembered"),
            cache_misses: add(&mut registry, "auth_cache_misses", "Questions whose answer was not"),
            cache_inflight: add(&mut registry, "auth_cache_inflight_backend_requests", "Questions under way"),
            cache_waiting: add(&mut registry, "auth_cache_waiting_requests", "Requests that wait for an answer"),
            discovery_success: add(&mut registry, "discovery_success", "Looks of providers that worked"),
            discovery_failed: add(&mut registry, "discovery_failed", "Looks of providers that failed"),
            discovery_errors: add(&mut registry, "discovery_errors", "The same, by where they failed"),
            discovery_infra_errors: add(&mut registry, "discovery_infra_errors", "The same, with what was wrong"),
            request_errors: add(&mut registry, "ytsaurus_request_errors", "Requests to clusters that failed"),
            request_seconds: seconds.clone(),
            registry,
        };
        metrics.begin(seconds)
    }

    /// What is there before anything has happened.
    fn begin(mut self, seconds: Family<Request, Histogram, fn() -> Histogram>) -> Self {
        let help = "How long requests to clusters took";
        self.registry.register("ytsaurus_request_duration_seconds", help, seconds);
        let _ = self.auth_success.get_or_create(&Reason { reason: "authorized" });
        for reason in ["permission_denied", "task_lookup", "user_not_identified", INFRA] {
            let _ = self.auth_failed.get_or_create(&Reason { reason });
        }
        let _ = self.discovery_success.get_or_create(&Reason { reason: "ok" });
        let _ = self.discovery_failed.get_or_create(&Reason { reason: INFRA });
        self
    }

    /// A question was answered, or was not.
    pub fn answered(&self, outcome: AuthOutcome, was_known: bool) {
        let reason = match outcome {
            AuthOutcome::Allowed => {
                self.auth_success.get_or_create(&Reason { reason: "authorized" }).inc();
                None
            }
            AuthOutcome::Denied(Refusal::CredentialRejected, _) => Some("user_not_identified"),
            AuthOutcome::Denied(Refusal::UnknownService, false) => Some("task_lookup"),
            AuthOutcome::Denied(Refusal::AccessDenied | Refusal::UnknownService, _) => Some("permission_denied"),
            AuthOutcome::Unavailable => {
                self.auth_errors.get_or_create(&Stage { stage: AUTH_STAGE }).inc();
                self.auth_infra_errors.get_or_create(&infra(AUTH_STAGE)).inc();
                Some(INFRA)
            }
        };
        if let Some(reason) = reason {
            self.auth_failed.get_or_create(&Reason { reason }).inc();
        }
        if was_known { &self.cache_hits } else { &self.cache_misses }.inc();
    }

    /// What the judge has at this moment: answers, questions under way, and who waits for them.
    pub fn remember(&self, entries: u64, under_way: usize, waiting: usize) {
        self.cache_entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
        self.cache_inflight.set(i64::try_from(under_way).unwrap_or(i64::MAX));
        self.cache_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// A provider looked.
    pub fn looked(&self, worked: bool) {
        if worked {
            self.discovery_success.get_or_create(&Reason { reason: "ok" }).inc();
        } else {
            self.discovery_failed.get_or_create(&Reason { reason: INFRA }).inc();
            self.discovery_errors.get_or_create(&Stage { stage: DISCOVERY_STAGE }).inc();
            self.discovery_infra_errors.get_or_create(&infra(DISCOVERY_STAGE)).inc();
        }
    }

    /// A cluster was asked; how it failed, if it did.
    pub fn asked(&self, request: &'static str, failure: Option<&'static str>, seconds: f64) {
        if let Some(kind) = failure {
            self.request_errors.get_or_create(&FailedRequest { request, kind, grpc_code: "" }).inc();
        }
        self.request_seconds.get_or_create(&Request { request }).observe(seconds);
    }

    /// The text form, without an end.
    ///
    /// # Errors
    /// [`fmt::Error`].
    pub(super) fn encode(&self, into: &mut String) -> fmt::Result {
        text::encode_registry(into, &self.registry)
    }
}

impl Default for TaskProxyMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TaskProxyMetrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TaskProxyMetrics")
    }
}

fn add<M>(registry: &mut Registry, name: &str, help: &str) -> M
where
    M: prometheus_client::registry::Metric + Clone + Default,
{
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

const fn infra(stage: &'static str) -> Infra {
    Infra { stage, kind: "unavailable", grpc_code: "" }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// Task proxy's own list: each name with its labels.
    const THEIRS: [(&str, &[&str]); 15] = [
        ("auth_success_total", &["reason"]),
        ("auth_failed_total", &["reason"]),
        ("auth_errors_total", &["stage"]),
        ("auth_infra_errors_total", &["grpc_code", "kind", "stage"]),
        ("auth_cache_entries", &[]),
        ("auth_cache_hits_total", &[]),
        ("auth_cache_misses_total", &[]),
        ("auth_cache_inflight_backend_requests", &[]),
        ("auth_cache_waiting_requests", &[]),
        ("discovery_success_total", &["reason"]),
        ("discovery_failed_total", &["reason"]),
        ("discovery_errors_total", &["stage"]),
        ("discovery_infra_errors_total", &["grpc_code", "kind", "stage"]),
        ("ytsaurus_request_errors_total", &["grpc_code", "kind", "request"]),
        ("ytsaurus_request_duration_seconds_bucket", &["le", "request"]),
    ];

    /// What is scraped: each name with its labels, and the whole text.
    fn scraped(metrics: &TaskProxyMetrics) -> (BTreeMap<String, BTreeSet<String>>, String) {
        let mut text = String::new();
        metrics.encode(&mut text).expect("text");
        let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, _) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let labels = labels.trim_end_matches('}').split(',').filter_map(|label| label.split_once('='));
            names.entry(name.to_owned()).or_default().extend(labels.map(|(label, _)| label.to_owned()));
        }
        (names, text)
    }

    fn everything() -> TaskProxyMetrics {
        let metrics = TaskProxyMetrics::new();
        metrics.answered(AuthOutcome::Allowed, true);
        metrics.answered(AuthOutcome::Unavailable, false);
        metrics.answered(AuthOutcome::Denied(Refusal::UnknownService, false), false);
        metrics.answered(AuthOutcome::Denied(Refusal::UnknownService, true), false);
        metrics.remember(3, 2, 1);
        metrics.looked(true);
        metrics.looked(false);
        metrics.asked("list_operations", Some("unavailable"), 0.02);
        metrics
    }

    #[test]
    fn every_name_of_task_proxy_is_there_with_its_labels() {
        let (names, _) = scraped(&everything());
        for (name, labels) in THEIRS {
            let labels: BTreeSet<String> = labels.iter().map(ToString::to_string).collect();
            assert_eq!(names.get(&format!("yt_task_proxy_{name}")), Some(&labels), "{name}");
        }
    }

    #[test]
    fn buckets_and_reasons_are_those_of_task_proxy() {
        let (_, text) = scraped(&everything());
        let bounds: Vec<&str> = text.lines().filter_map(|line| line.split_once("le=\"")?.1.split('"').next()).collect();
        assert_eq!(bounds, ["0.01", "0.05", "0.1", "0.2", "0.3", "0.5", "1.0", "2.0", "5.0", "+Inf"]);
        for line in [
            "auth_success_total{reason=\"authorized\"} 1",
            "auth_failed_total{reason=\"infra_unavailable\"} 1",
            "auth_failed_total{reason=\"task_lookup\"} 1",
            "auth_failed_total{reason=\"permission_denied\"} 1",
            "auth_failed_total{reason=\"user_not_identified\"} 0",
            "auth_cache_hits_total 1",
            "auth_cache_misses_total 3",
            "auth_cache_inflight_backend_requests 2",
        ] {
            assert!(text.contains(&format!("yt_task_proxy_{line}\n")), "{line} is not in\n{text}");
        }
    }
}
