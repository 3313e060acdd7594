//! A catalog that a service of the operator's keeps: one question, one answer, in JSON over HTTP.
//!
//! `POST` of `{"question": "project", …}` is answered with 200 and what is known, or with 404. Everything else is no
//! answer. Projects and tasks are kept for a while, and so is for a shorter one that there is none; what a run left
//! behind changes, and is asked for every time.

mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, StatusCode};
use serde::de::DeserializeOwned;
use url::Url;

use crate::data::catalog::callout::wire::{ActionKey, Question, WireAttempt, WireData, WireTask, WireTrigger};
use crate::data::catalog::kept::{Keeping, Kept};
use crate::data::catalog::rows::{LogRow, ProjectRow};
use crate::data::catalog::{
    ActionData, ActionName, Attempt, Catalog, CatalogError, Found, LogSource, Project, TaskName, TriggerName,
};
use crate::data::path::ProjectName;
use crate::http::{self, HttpError};
use crate::secret::SecretText;
use crate::yaml;

/// The settings of such a catalog.
#[derive(Clone, Debug)]
pub struct CalloutCatalogSettings {
    /// Where the service is.
    pub url: Url,
    /// What is sent as `Authorization`.
    pub authorization: Option<SecretText>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How long answers are kept.
    pub keeping: Keeping,
}

/// A catalog that a service keeps.
#[derive(Debug)]
pub struct CalloutCatalog {
    settings: CalloutCatalogSettings,
    client: Client,
    kept: Kept,
}

impl CalloutCatalog {
    /// A catalog by these settings.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(settings: CalloutCatalogSettings) -> Result<Self, HttpError> {
        let client = http::client(settings.timeout)?;
        let kept = Kept::new(settings.keeping);
        Ok(Self { settings, client, kept })
    }

    /// What is known, from what is kept where that still holds.
    async fn kept<T: DeserializeOwned>(&self, question: &Question<'_>) -> Result<Option<T>, CatalogError> {
        let body = body(question)?;
        read(self.kept.answer(body.clone(), self.exchange(body)).await?.as_deref())
    }

    /// What is known now.
    async fn ask<T: DeserializeOwned>(&self, question: &Question<'_>) -> Result<Option<T>, CatalogError> {
        read(self.exchange(body(question)?).await?.as_deref())
    }

    async fn exchange(&self, body: String) -> Result<Option<Arc<str>>, CatalogError> {
        let mut request = self
            .client
            .post(self.settings.url.clone())
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .body(body);
        if let Some(secret) = &self.settings.authorization {
            let mut value = HeaderValue::from_str(secret.expose())
                .map_err(|_| CatalogError::Unavailable("its `authorization` can't stand in a header".into()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let answer = http::exchange(request).await.map_err(|error| CatalogError::Unavailable(error.to_string()))?;
        match answer.status {
            StatusCode::OK => {
                let text =
                    String::from_utf8(answer.body).map_err(|_| CatalogError::Malformed("it is no text".into()))?;
                Ok(Some(text.into()))
            }
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(CatalogError::Unavailable(format!("the service answered {}", status.as_u16()))),
        }
    }
}

#[async_trait]
impl Catalog for CalloutCatalog {
    async fn project(&self, organization: &str, name: &ProjectName) -> Result<Option<Project>, CatalogError> {
        let question = Question::Project { organization, project: name.as_str() };
        let Some(row) = self.kept::<ProjectRow>(&question).await? else { return Ok(None) };
        row.project().map(Some).map_err(|error| CatalogError::Malformed(format!("domains: {error}")))
    }

    async fn ignored_inputs(&self, task: &TaskName) -> Result<Option<Vec<String>>, CatalogError> {
        let answer = self.kept::<WireTask>(&Question::task(task)).await?;
        Ok(answer.map(|task| task.ignored_inputs))
    }

    async fn trigger(&self, trigger: &TriggerName) -> Result<Option<TaskName>, CatalogError> {
        let answer = self.kept::<WireTrigger>(&Question::trigger(trigger)).await?;
        let TriggerName { organization, project, domain, task_name, .. } = trigger.clone();
        Ok(answer.map(|found| TaskName { organization, project, domain, name: task_name, version: found.version }))
    }

    async fn attempt(&self, action: &ActionName, number: u32) -> Result<Found<Attempt>, CatalogError> {
        let question = Question::Attempt { action: ActionKey::of(action), attempt: number };
        Ok(match self.ask::<WireAttempt>(&question).await? {
            None => Found::NoAction("no such action".into()),
            Some(WireAttempt { missing: true, .. }) => Found::NoAttempt,
            Some(WireAttempt { report_uri, code_bundle_uri, missing: false }) => {
                Found::Here(Attempt { report_uri, code_bundle_uri })
            }
        })
    }

    async fn data(&self, action: &ActionName) -> Result<Option<ActionData>, CatalogError> {
        let answer = self.ask::<WireData>(&Question::Data { action: ActionKey::of(action) }).await?;
        Ok(answer.map(|WireData { inputs_uri, outputs_uri }| ActionData { inputs_uri, outputs_uri }))
    }

    async fn log(&self, action: &ActionName, attempt: u32) -> Result<Option<LogSource>, CatalogError> {
        let answer = self.ask::<LogRow>(&Question::Log { action: ActionKey::of(action), attempt }).await?;
        Ok(answer.map(|log| log.source()))
    }
}

fn body(question: &Question<'_>) -> Result<String, CatalogError> {
    serde_json::to_string(question).map_err(|error| CatalogError::Malformed(error.to_string()))
}

fn read<T: DeserializeOwned>(text: Option<&str>) -> Result<Option<T>, CatalogError> {
    text.map(yaml::parse_json).transpose().map_err(|error| CatalogError::Malformed(error.to_string()))
}

#[cfg(test)]
mod tests;
