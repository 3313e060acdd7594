//! What is read of Flyte's messages, in their JSON form. A field that is not there has its default.

use serde::{Deserialize, Serialize};

use crate::data::catalog::{ActionName, PodSource, TaskName, TriggerName};

#[derive(Serialize)]
pub(super) struct ProjectRequest<'a> {
    pub(super) id: &'a str,
    pub(super) org: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TaskRequest<'a> {
    task_id: TaskKey<'a>,
}

#[derive(Serialize)]
struct TaskKey<'a> {
    org: &'a str,
    project: &'a str,
    domain: &'a str,
    name: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
pub(super) struct TriggerRequest<'a> {
    name: TriggerKey<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TriggerKey<'a> {
    org: &'a str,
    project: &'a str,
    domain: &'a str,
    name: &'a str,
    task_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ActionRequest<'a> {
    action_id: ActionKey<'a>,
}

#[derive(Serialize)]
pub(super) struct AttemptRequest<'a> {
    #[serde(flatten)]
    action: ActionRequest<'a>,
    attempt: u32,
}

#[derive(Serialize)]
struct ActionKey<'a> {
    run: RunKey<'a>,
    name: &'a str,
}

#[derive(Serialize)]
struct RunKey<'a> {
    org: &'a str,
    project: &'a str,
    domain: &'a str,
    name: &'a str,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorAnswer {
    pub(super) code: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct GetProject {
    pub(super) project: ProjectMessage,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ProjectMessage {
    pub(super) id: String,
    pub(super) domains: Vec<DomainMessage>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct DomainMessage {
    pub(super) id: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct GetTaskDetails {
    pub(super) details: TaskDetails,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TaskDetails {
    pub(super) spec: TaskSpec,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct TaskSpec {
    pub(super) task_template: TaskTemplate,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TaskTemplate {
    pub(super) metadata: TaskMetadata,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct TaskMetadata {
    pub(super) cache_ignore_input_vars: Vec<String>,
    pub(super) code_bundle_uri: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct GetTriggerDetails {
    pub(super) trigger: TriggerDetails,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TriggerDetails {
    pub(super) spec: TriggerSpec,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct TriggerSpec {
    pub(super) task_version: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct GetActionDetails {
    pub(super) details: ActionDetails,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ActionDetails {
    pub(super) task: TaskSpec,
    pub(super) attempts: Vec<ActionAttempt>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ActionAttempt {
    pub(super) attempt: u32,
    pub(super) outputs: OutputReferences,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct OutputReferences {
    pub(super) report_uri: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct GetActionDataUris {
    pub(super) inputs_uri: String,
    pub(super) outputs_uri: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct GetActionLogContext {
    pub(super) log_context: LogContext,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct LogContext {
    pub(super) pods: Vec<PodContext>,
    pub(super) primary_pod_name: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PodContext {
    pub(super) namespace: String,
    pub(super) pod_name: String,
    pub(super) containers: Vec<ContainerContext>,
    pub(super) primary_container_name: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ContainerContext {
    pub(super) container_name: String,
    pub(super) process: ProcessContext,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ProcessContext {
    pub(super) container_start_time: Option<String>,
}

impl LogContext {
    /// The primary container of the primary pod; none where there is none.
    pub(super) fn primary(self) -> Option<PodSource> {
        let Self { pods, primary_pod_name } = self;
        let named = |pod: &PodContext| !pod.pod_name.is_empty() && pod.pod_name == primary_pod_name;
        let PodContext { namespace, pod_name, containers, primary_container_name } = pods.into_iter().find(named)?;
        let named = |container: &ContainerContext| {
            !container.container_name.is_empty() && container.container_name == primary_container_name
        };
        let ContainerContext { container_name, process } = containers.into_iter().find(named)?;
        let started_at = process.container_start_time;
        Some(PodSource { namespace, pod: pod_name, container: Some(container_name), started_at })
    }
}

impl<'a> TaskRequest<'a> {
    pub(super) fn of(task: &'a TaskName) -> Self {
        let TaskName { organization: org, project, domain, name, version } = task;
        Self { task_id: TaskKey { org, project: project.as_str(), domain: domain.as_str(), name, version } }
    }
}

impl<'a> TriggerRequest<'a> {
    pub(super) fn of(trigger: &'a TriggerName) -> Self {
        let TriggerName { organization: org, project, domain, name, task_name } = trigger;
        Self { name: TriggerKey { org, project: project.as_str(), domain: domain.as_str(), name, task_name } }
    }
}

impl<'a> ActionRequest<'a> {
    pub(super) fn of(action: &'a ActionName) -> Self {
        let ActionName { organization: org, project, domain, run, name } = action;
        let run = RunKey { org, project: project.as_str(), domain: domain.as_str(), name: run };
        Self { action_id: ActionKey { run, name } }
    }
}

impl<'a> AttemptRequest<'a> {
    pub(super) fn of(action: &'a ActionName, attempt: u32) -> Self {
        Self { action: ActionRequest::of(action), attempt }
    }
}
