//! The catalog that a Flyte keeps, asked over Connect in JSON.
//!
//! Flyte knows projects, tasks, triggers and runs, but not who may do what: that is said by groups. It knows logs as
//! pods of Kubernetes, and is asked for them where that is configured; else another catalog behind it may know where
//! they are kept.

mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::data::catalog::flyte::wire::{
    ActionRequest, AttemptRequest, ErrorAnswer, GetActionDataUris, GetActionDetails, GetActionLogContext, GetProject,
    GetTaskDetails, GetTriggerDetails, ProjectRequest, TaskRequest, TriggerRequest,
};
use crate::data::catalog::kept::{Keeping, Kept};
use crate::data::catalog::templates::ProjectTemplate;
use crate::data::catalog::{
    ActionData, ActionName, Attempt, Catalog, CatalogError, Found, LogSource, Project, TaskName, TriggerName,
};
use crate::data::path::{DomainName, ProjectName};
use crate::http::{self, HttpError};
use crate::secret::SecretText;

/// The most bytes of an answer: the details of an action have its whole task in them.
const MAX_ANSWER: usize = 16 << 20;

/// The settings of such a catalog.
#[derive(Clone, Debug)]
pub struct FlyteCatalogSettings {
    /// Where Flyte's services are.
    pub url: Url,
    /// What is sent as `Authorization`.
    pub authorization: Option<SecretText>,
    /// Who has what in a project.
    pub members: ProjectTemplate,
    /// Whether it is asked which pods write logs.
    pub pod_logs: bool,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How long answers about projects and tasks are kept.
    pub keeping: Keeping,
}

/// The catalog of a Flyte.
#[derive(Debug)]
pub struct FlyteCatalog {
    settings: FlyteCatalogSettings,
    client: Client,
    kept: Kept,
}

impl FlyteCatalog {
    /// A catalog by these settings.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(settings: FlyteCatalogSettings) -> Result<Self, HttpError> {
        let client = http::client(settings.timeout)?;
        let kept = Kept::new(settings.keeping);
        Ok(Self { settings, client, kept })
    }

    /// What a procedure answers now; none where it says that there is none.
    async fn ask<T: DeserializeOwned>(
        &self,
        procedure: &str,
        request: &impl Serialize,
    ) -> Result<Option<T>, CatalogError> {
        read(self.exchange(procedure, body(request)?).await?.as_deref())
    }

    /// What it answers, from what is kept where that still holds.
    async fn kept<T: DeserializeOwned>(
        &self,
        procedure: &str,
        request: &impl Serialize,
    ) -> Result<Option<T>, CatalogError> {
        let body = body(request)?;
        let question = format!("{procedure} {body}");
        read(self.kept.answer(question, self.exchange(procedure, body)).await?.as_deref())
    }

    async fn exchange(&self, procedure: &str, body: String) -> Result<Option<Arc<str>>, CatalogError> {
        let mut url = self.settings.url.clone();
        let path = format!("{}/{procedure}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let mut request = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .header("connect-protocol-version", "1")
            .body(body);
        if let Some(secret) = &self.settings.authorization {
            let mut value = HeaderValue::from_str(secret.expose())
                .map_err(|_| CatalogError::Unavailable("its `authorization` can't stand in a header".into()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let answer = http::exchange_within(request, MAX_ANSWER)
            .await
            .map_err(|error| CatalogError::Unavailable(error.to_string()))?;
        let text = String::from_utf8(answer.body).map_err(|_| CatalogError::Malformed("it is no text".into()))?;
        if answer.status == StatusCode::OK {
            return Ok(Some(text.into()));
        }
        // A 404 without this is of something on the way, not of Flyte.
        let code = serde_json::from_str::<ErrorAnswer>(&text).map(|error| error.code).unwrap_or_default();
        if code == "not_found" {
            return Ok(None);
        }
        Err(CatalogError::Unavailable(format!("Flyte answered {} {code:?}", answer.status.as_u16())))
    }

    async fn details(&self, action: &ActionName) -> Result<Option<GetActionDetails>, CatalogError> {
        self.ask("flyteidl2.workflow.RunService/GetActionDetails", &ActionRequest::of(action)).await
    }
}

#[async_trait]
impl Catalog for FlyteCatalog {
    async fn project(&self, organization: &str, name: &ProjectName) -> Result<Option<Project>, CatalogError> {
        let request = ProjectRequest { id: name.as_str(), org: organization };
        let answer = self.kept::<GetProject>("flyteidl2.project.ProjectService/GetProject", &request).await?;
        let Some(found) = answer.map(|answer| answer.project) else { return Ok(None) };
        // An answer about another project would let its domains pass for this one's.
        if found.id != name.as_str() {
            return Err(CatalogError::Malformed("it is about another project".into()));
        }
        let domains = found.domains.iter().map(|domain| DomainName::parse(&domain.id)).collect::<Result<_, _>>();
        let domains = domains.map_err(|error| CatalogError::Malformed(format!("domains: {error}")))?;
        Ok(Some(Project { domains, ..self.settings.members.project(organization, name) }))
    }

    async fn ignored_inputs(&self, task: &TaskName) -> Result<Option<Vec<String>>, CatalogError> {
        let procedure = "flyteidl2.task.TaskService/GetTaskDetails";
        let answer = self.kept::<GetTaskDetails>(procedure, &TaskRequest::of(task)).await?;
        Ok(answer.map(|answer| answer.details.spec.task_template.metadata.cache_ignore_input_vars))
    }

    async fn trigger(&self, trigger: &TriggerName) -> Result<Option<TaskName>, CatalogError> {
        // A trigger can be moved to another version of its task, so this is not kept.
        let procedure = "flyteidl2.trigger.TriggerService/GetTriggerDetails";
        let answer = self.ask::<GetTriggerDetails>(procedure, &TriggerRequest::of(trigger)).await?;
        let TriggerName { organization, project, domain, task_name, .. } = trigger.clone();
        let name = |answer: GetTriggerDetails| {
            let version = answer.trigger.spec.task_version;
            TaskName { organization, project, domain, name: task_name, version }
        };
        Ok(answer.map(name))
    }

    async fn attempt(&self, action: &ActionName, number: u32) -> Result<Found<Attempt>, CatalogError> {
        let Some(answer) = self.details(action).await? else { return Ok(Found::NoAction("no such action".into())) };
        let details = answer.details;
        let Some(attempt) = details.attempts.into_iter().find(|attempt| attempt.attempt == number) else {
            return Ok(Found::NoAttempt);
        };
        let said = |text: String| Some(text).filter(|text| !text.is_empty());
        Ok(Found::Here(Attempt {
            report_uri: said(attempt.outputs.report_uri),
            code_bundle_uri: said(details.task.task_template.metadata.code_bundle_uri),
        }))
    }

    async fn data(&self, action: &ActionName) -> Result<Option<ActionData>, CatalogError> {
        let procedure = "flyteidl2.workflow.RunService/GetActionDataURIs";
        let answer = self.ask::<GetActionDataUris>(procedure, &ActionRequest::of(action)).await?;
        let said = |text: String| Some(text).filter(|text| !text.is_empty());
        Ok(answer.map(|GetActionDataUris { inputs_uri, outputs_uri }| ActionData {
            inputs_uri: said(inputs_uri),
            outputs_uri: said(outputs_uri),
        }))
    }

    async fn log(&self, action: &ActionName, attempt: u32) -> Result<Option<LogSource>, CatalogError> {
        if !self.settings.pod_logs {
            return Ok(None);
        }
        let procedure = "flyteidl2.workflow.RunService/GetActionLogContext";
        let answer = self.ask::<GetActionLogContext>(procedure, &AttemptRequest::of(action, attempt)).await?;
        Ok(answer.and_then(|answer| answer.log_context.primary()).map(LogSource::Kubernetes))
    }
}

fn body(request: &impl Serialize) -> Result<String, CatalogError> {
    serde_json::to_string(request).map_err(|error| CatalogError::Malformed(error.to_string()))
}

fn read<T: DeserializeOwned>(text: Option<&str>) -> Result<Option<T>, CatalogError> {
    text.map(crate::yaml::parse_json).transpose().map_err(|error| CatalogError::Malformed(error.to_string()))
}

#[cfg(test)]
mod tests;
