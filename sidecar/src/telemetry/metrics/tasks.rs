//! Metrics of tasks. An operation's name is one that this sidecar has.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Unit;

use crate::telemetry::catalogue::Catalogue;

/// The upper bounds of the buckets of a task's waiting and working, in seconds.
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0];

/// Tasks of one operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OperationLabels {
    /// The operation.
    pub operation: String,
}

/// What happened to tasks of one operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TransitionLabels {
    /// The operation.
    pub operation: String,
    /// `accepted`, `claimed`, `complete`, `failed`, `retry`, `paused`, `postponed`, `released`, `lease-ended`,
    /// `given-up`, `resumed` or `deleted`.
    pub event: &'static str,
}

/// Metrics of tasks.
#[derive(Clone, Debug)]
pub struct TaskMetrics {
    /// Tasks that wait for a worker.
    pub queued: Family<OperationLabels, Gauge>,
    /// Tasks that are worked on.
    pub running: Family<OperationLabels, Gauge>,
    /// Tasks that wait for a credential.
    pub paused: Family<OperationLabels, Gauge>,
    /// How long they waited from when they were accepted until they were begun.
    pub wait_seconds: Family<OperationLabels, Histogram, fn() -> Histogram>,
    /// How long attempts took.
    pub run_seconds: Family<OperationLabels, Histogram, fn() -> Histogram>,
    /// Attempts after which another follows.
    pub retries: Family<OperationLabels, Counter>,
    /// Writes of workers that were refused.
    pub fenced_writes: Counter,
    /// What happened.
    pub transitions: Family<TransitionLabels, Counter>,
}

impl TaskMetrics {
    /// All of them, at zero.
    pub(super) fn new(catalogue: &mut Catalogue) -> Self {
        let histogram = || Family::new_with_constructor(seconds as fn() -> Histogram);
        Self {
            queued: catalogue.add(
                "tasks_queued",
                None,
                &["operation"],
                "Tasks that wait for a worker, as the store has them: all sidecars say the same.",
                Family::default(),
            ),
            running: catalogue.add(
                "tasks_running",
                None,
                &["operation"],
                "Tasks that a worker holds, as the store has them.",
                Family::default(),
            ),
            paused: catalogue.add(
                "tasks_paused",
                None,
                &["operation"],
                "Tasks that wait for their owner to hand in a credential, as the store has them.",
                Family::default(),
            ),
            wait_seconds: catalogue.add(
                "task_wait",
                Some(Unit::Seconds),
                &["operation"],
                "How long tasks waited from when they were accepted until they were begun.",
                histogram(),
            ),
            run_seconds: catalogue.add(
                "task_run",
                Some(Unit::Seconds),
                &["operation"],
                "How long attempts took, whatever came of them.",
                histogram(),
            ),
            retries: catalogue.add(
                "task_retries",
                None,
                &["operation"],
                "Attempts that did not go well and after which another follows.",
                Family::default(),
            ),
            fenced_writes: catalogue.add(
                "task_fenced_writes",
                None,
                &[],
                "Writes that were refused since they came from a worker that did not hold the task any more.",
                Counter::default(),
            ),
            transitions: catalogue.add(
                "task_transitions",
                None,
                &["operation", "event"],
                "What happened to tasks: accepted, claimed, complete, failed, retry, paused, postponed, released, \
                 lease-ended, given-up, resumed or deleted.",
                Family::default(),
            ),
        }
    }
}

impl OperationLabels {
    /// Those of an operation.
    #[must_use]
    pub fn of(operation: &str) -> Self {
        Self { operation: operation.to_owned() }
    }
}

fn seconds() -> Histogram {
    Histogram::new(BUCKETS)
}
