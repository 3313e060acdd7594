//! The record of what happens to tasks: one line and one count a transition.
//!
//! It never says what was asked for, nor with which credential.

use taskgate_core::task::Status;

use crate::tasks::row::{Owner, TaskId};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::metrics::tasks::TransitionLabels;

/// The target of audit lines.
pub const TARGET: &str = "taskgate::audit";

/// That a task's state changed.
#[derive(Clone, Copy, Debug)]
pub struct Transition<'a> {
    /// The task.
    pub id: TaskId,
    /// Whose it is.
    pub owner: &'a Owner,
    /// Its operation.
    pub operation: &'a str,
    /// What happened: `accepted`, `claimed`, `complete` and the like.
    pub event: &'static str,
    /// Where it was; none before it was accepted.
    pub from: Option<Status>,
    /// Where it is.
    pub to: Status,
    /// Its epoch.
    pub epoch: u64,
}

/// Records a transition.
pub fn transition(metrics: &Metrics, transition: &Transition<'_>) {
    let Transition { id, owner, operation, event, from, to, epoch } = transition;
    metrics.tasks.transitions.get_or_create(&TransitionLabels { operation: (*operation).to_owned(), event }).inc();
    tracing::event!(
        target: TARGET,
        tracing::Level::INFO,
        task.id = %id, task.owner = %owner, task.operation = operation, task.event = event,
        task.from = from.map_or("none", Status::as_str), task.to = to.as_str(), task.epoch = epoch,
        "task"
    );
}
