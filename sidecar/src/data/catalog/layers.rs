//! Catalogs one behind the other: the first that knows something is believed.
//!
//! Where one can't say, nobody is asked after it: what it would have said counts before what they say.

use std::sync::Arc;

use async_trait::async_trait;

use crate::data::catalog::{
    ActionData, ActionName, Attempt, Catalog, CatalogError, Found, LogSource, Project, TaskName, TriggerName,
};
use crate::data::path::ProjectName;

/// Catalogs, first preferred.
#[derive(Debug)]
pub struct Layers(Vec<Arc<dyn Catalog>>);

impl Layers {
    /// These catalogs, first preferred.
    #[must_use]
    pub const fn new(catalogs: Vec<Arc<dyn Catalog>>) -> Self {
        Self(catalogs)
    }
}

#[async_trait]
impl Catalog for Layers {
    async fn project(&self, organization: &str, name: &ProjectName) -> Result<Option<Project>, CatalogError> {
        for layer in &self.0 {
            if let Some(found) = layer.project(organization, name).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    async fn ignored_inputs(&self, task: &TaskName) -> Result<Option<Vec<String>>, CatalogError> {
        for layer in &self.0 {
            if let Some(found) = layer.ignored_inputs(task).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    async fn trigger(&self, trigger: &TriggerName) -> Result<Option<TaskName>, CatalogError> {
        for layer in &self.0 {
            if let Some(found) = layer.trigger(trigger).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    async fn attempt(&self, action: &ActionName, number: u32) -> Result<Found<Attempt>, CatalogError> {
        let mut missing = Found::NoAction("no such action".into());
        for layer in &self.0 {
            match layer.attempt(action, number).await? {
                Found::Here(attempt) => return Ok(Found::Here(attempt)),
                // Who knows the action at all says more than who does not.
                Found::NoAttempt => missing = Found::NoAttempt,
                Found::NoAction(text) if missing != Found::NoAttempt => missing = Found::NoAction(text),
                Found::NoAction(_) => {}
            }
        }
        Ok(missing)
    }

    async fn data(&self, action: &ActionName) -> Result<Option<ActionData>, CatalogError> {
        for layer in &self.0 {
            if let Some(found) = layer.data(action).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    async fn log(&self, action: &ActionName, attempt: u32) -> Result<Option<LogSource>, CatalogError> {
        for layer in &self.0 {
            if let Some(found) = layer.log(action, attempt).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}
