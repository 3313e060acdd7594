//! What the service of a catalog is asked, and what it answers.

use serde::{Deserialize, Serialize};

use crate::data::catalog::{ActionName, TaskName, TriggerName};

/// What the service is asked.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "question", rename_all = "snake_case")]
pub(super) enum Question<'a> {
    Project {
        organization: &'a str,
        project: &'a str,
    },
    Task {
        organization: &'a str,
        project: &'a str,
        domain: &'a str,
        task: &'a str,
        version: &'a str,
    },
    Trigger {
        organization: &'a str,
        project: &'a str,
        domain: &'a str,
        task: &'a str,
        trigger: &'a str,
    },
    Attempt {
        #[serde(flatten)]
        action: ActionKey<'a>,
        attempt: u32,
    },
    Data {
        #[serde(flatten)]
        action: ActionKey<'a>,
    },
    Log {
        #[serde(flatten)]
        action: ActionKey<'a>,
        attempt: u32,
    },
}

/// An action.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct ActionKey<'a> {
    organization: &'a str,
    project: &'a str,
    domain: &'a str,
    run: &'a str,
    action: &'a str,
}

/// A version of a task. Fields that are not known are passed over, here and below.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct WireTask {
    #[serde(default)]
    pub(super) ignored_inputs: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct WireTrigger {
    pub(super) version: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct WireAttempt {
    #[serde(default)]
    pub(super) report_uri: Option<String>,
    #[serde(default)]
    pub(super) code_bundle_uri: Option<String>,
    /// That there is the action, but not this attempt.
    #[serde(default)]
    pub(super) missing: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct WireData {
    #[serde(default)]
    pub(super) inputs_uri: Option<String>,
    #[serde(default)]
    pub(super) outputs_uri: Option<String>,
}

impl<'a> Question<'a> {
    pub(super) fn task(task: &'a TaskName) -> Self {
        let TaskName { organization, project, domain, name, version } = task;
        Self::Task { organization, project: project.as_str(), domain: domain.as_str(), task: name, version }
    }

    pub(super) fn trigger(trigger: &'a TriggerName) -> Self {
        let TriggerName { organization, project, domain, name, task_name } = trigger;
        let (project, domain) = (project.as_str(), domain.as_str());
        Self::Trigger { organization, project, domain, task: task_name, trigger: name }
    }
}

impl<'a> ActionKey<'a> {
    pub(super) fn of(action: &'a ActionName) -> Self {
        let ActionName { organization, project, domain, run, name } = action;
        Self { organization, project: project.as_str(), domain: domain.as_str(), run, action: name }
    }
}
