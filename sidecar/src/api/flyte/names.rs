//! Names in messages, read into what the service goes by.
//!
//! The organization may be empty, which the description of the messages forbids: the SDK sends none where the
//! service's address does not name one.

use taskgate_idl::proto::flyteidl2::common;
use taskgate_idl::proto::flyteidl2::task::TaskIdentifier;

use crate::data::catalog::{ActionName, TaskName, TriggerName};
use crate::data::error::DataError;
use crate::data::path::{DomainName, MAX_NAME, ProjectName};

/// The longest name of a run or an action, in letters.
const MAX_RUN: usize = 30;
/// The longest name of a task or a trigger, and the longest version, in letters.
const MAX_TASK: usize = 255;

/// The action that a request is about.
pub(super) fn required_action(action: Option<common::ActionIdentifier>) -> Result<ActionName, DataError> {
    let action = action.ok_or_else(|| DataError::Invalid("action_id is required".to_owned()))?;
    let run = action.run.ok_or_else(|| DataError::Invalid("action_id.run is required".to_owned()))?;
    Ok(ActionName {
        organization: text("org", run.org, 0, MAX_NAME)?,
        project: project(&run.project)?,
        domain: domain(&run.domain)?,
        run: text("run name", run.name, 1, MAX_RUN)?,
        name: text("action name", action.name, 1, MAX_RUN)?,
    })
}

/// The number of an attempt.
pub(super) fn attempt(number: u32) -> Result<u32, DataError> {
    if number == 0 {
        return Err(DataError::Invalid("attempt must be greater than 0".to_owned()));
    }
    Ok(number)
}

/// A task.
pub(super) fn task(task: TaskIdentifier) -> Result<TaskName, DataError> {
    Ok(TaskName {
        organization: text("org", task.org, 0, MAX_NAME)?,
        project: project(&task.project)?,
        domain: domain(&task.domain)?,
        name: text("task name", task.name, 1, MAX_TASK)?,
        version: text("task version", task.version, 1, MAX_TASK)?,
    })
}

/// A trigger.
pub(super) fn trigger(trigger: common::TriggerName) -> Result<TriggerName, DataError> {
    Ok(TriggerName {
        organization: text("org", trigger.org, 0, MAX_NAME)?,
        project: project(&trigger.project)?,
        domain: domain(&trigger.domain)?,
        name: text("trigger name", trigger.name, 1, MAX_TASK)?,
        task_name: text("trigger task name", trigger.task_name, 1, MAX_TASK)?,
    })
}

fn project(name: &str) -> Result<ProjectName, DataError> {
    ProjectName::parse(name).map_err(|why| DataError::Invalid(format!("project: {why}")))
}

fn domain(name: &str) -> Result<DomainName, DataError> {
    DomainName::parse(name).map_err(|why| DataError::Invalid(format!("domain: {why}")))
}

fn text(what: &str, text: String, least: usize, most: usize) -> Result<String, DataError> {
    let length = text.chars().count();
    if !(least..=most).contains(&length) {
        return Err(DataError::Invalid(format!("{what} must have {least} to {most} characters")));
    }
    Ok(text)
}
