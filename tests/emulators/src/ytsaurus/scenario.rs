//! Clusters described in a file, for people that want to see one run.

use thiserror::Error;

use super::handle::Ytsaurus;
use super::jobs::Job;
use super::operations::Operation;
use super::time;
use super::{ClusterError, Guid, MalformedGuid};
use crate::yson::{JsonError, Yson, YsonError};

/// What can be wrong with a scenario.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// It is neither.
    #[error("neither YSON ({yson}) nor JSON ({json})")]
    Syntax {
        /// Why it is no YSON.
        yson: YsonError,
        /// Why it is no JSON.
        json: JsonError,
    },
    /// A field is missing or of another type.
    #[error("{0} is missing or of another type")]
    Field(&'static str),
    /// A field that means nothing.
    #[error("unknown field \"{0}\"")]
    Unknown(String),
    /// An id is none.
    #[error("a bad id: {0}")]
    Guid(#[from] MalformedGuid),
    /// A node can't be set.
    #[error("{}", .0.message)]
    Node(ClusterError),
}

/// Adds what a scenario says to a cluster.
pub(super) fn play(cluster: &Ytsaurus, scenario: &[u8]) -> Result<(), ScenarioError> {
    let scenario = match Yson::parse(scenario) {
        Ok(scenario) => scenario,
        Err(yson) => Yson::parse_json(scenario, false).map_err(|json| ScenarioError::Syntax { yson, json })?,
    };
    let parts = scenario.as_map().ok_or(ScenarioError::Field("the scenario"))?;
    for (name, part) in parts {
        match name.as_slice() {
            b"users" => items(part, "users")?.iter().try_for_each(|user| add_user(cluster, user))?,
            b"groups" => {
                for (group, members) in part.as_map().ok_or(ScenarioError::Field("groups"))? {
                    let members = texts(members, "members of a group")?;
                    cluster.add_group(&String::from_utf8_lossy(group), &members);
                }
            }
            b"operations" => {
                items(part, "operations")?.iter().try_for_each(|operation| add_operation(cluster, operation))?;
            }
            b"nodes" => {
                for (path, value) in part.as_map().ok_or(ScenarioError::Field("nodes"))? {
                    let path = String::from_utf8_lossy(path);
                    cluster.set(&path, value.clone()).map_err(ScenarioError::Node)?;
                }
            }
            b"require_authentication" => {
                let is_required = part.as_bool().ok_or(ScenarioError::Field("require_authentication"))?;
                cluster.require_authentication(is_required);
            }
            other => return Err(unknown(other)),
        }
    }
    Ok(())
}

fn add_user(cluster: &Ytsaurus, user: &Yson) -> Result<(), ScenarioError> {
    let login = text(user, "login")?.ok_or(ScenarioError::Field("login"))?;
    for (name, value) in user.as_map().into_iter().flatten() {
        let value_text = || value.as_str().ok_or(ScenarioError::Field("a credential"));
        match name.as_slice() {
            b"login" => {}
            b"token" => cluster.add_user(login, value_text()?),
            b"cookie" => cluster.add_cookie(login, value_text()?),
            b"superuser" => cluster.set_superuser(login, value.as_bool().ok_or(ScenarioError::Field("superuser"))?),
            other => return Err(unknown(other)),
        }
    }
    Ok(())
}

fn add_operation(cluster: &Ytsaurus, described: &Yson) -> Result<(), ScenarioError> {
    let user = text(described, "user")?.ok_or(ScenarioError::Field("user"))?;
    let mut operation = Operation::new(user);
    let mut jobs: &[Yson] = &[];
    for (name, value) in described.as_map().into_iter().flatten() {
        let value_text = || value.as_str().ok_or(ScenarioError::Field("a text of an operation"));
        operation = match name.as_slice() {
            b"user" => operation,
            b"id" => operation.id(value_text()?.parse::<Guid>()?),
            b"title" => operation.title(value_text()?),
            b"alias" => operation.alias(value_text()?),
            b"type" => operation.kind(value_text()?),
            b"state" => operation.state(value_text()?),
            b"pool" => operation.pool(value_text()?),
            b"annotations" => operation.annotations(value.clone()),
            b"acl" => operation.acl(value.clone()),
            b"start_time" => {
                let micros = time::micros(value_text()?);
                operation.started_micros(micros.ok_or(ScenarioError::Field("start_time"))?)
            }
            b"jobs" => {
                jobs = items(value, "jobs")?;
                operation
            }
            other => return Err(unknown(other)),
        };
    }
    let id = cluster.add_operation(operation);
    jobs.iter().try_for_each(|job| add_job(cluster, id, job))
}

fn add_job(cluster: &Ytsaurus, operation: Guid, described: &Yson) -> Result<(), ScenarioError> {
    let mut job = Job::new(text(described, "task")?.ok_or(ScenarioError::Field("task"))?);
    for (name, value) in described.as_map().into_iter().flatten() {
        let value_text = || value.as_str().ok_or(ScenarioError::Field("a text of a job"));
        job = match name.as_slice() {
            b"task" => job,
            b"id" => job.id(value_text()?.parse::<Guid>()?),
            b"address" => job.address(value_text()?),
            b"state" => job.state(value_text()?),
            b"ports" => job.ports_as(value.clone()),
            b"cookie" => job.cookie(value.as_i64().ok_or(ScenarioError::Field("cookie"))?),
            other => return Err(unknown(other)),
        };
    }
    cluster.add_job(operation, job);
    Ok(())
}

fn items<'a>(value: &'a Yson, name: &'static str) -> Result<&'a [Yson], ScenarioError> {
    value.as_list().ok_or(ScenarioError::Field(name))
}

fn texts<'a>(value: &'a Yson, name: &'static str) -> Result<Vec<&'a str>, ScenarioError> {
    items(value, name)?.iter().map(|item| item.as_str().ok_or(ScenarioError::Field(name))).collect()
}

fn text<'a>(value: &'a Yson, name: &'static str) -> Result<Option<&'a str>, ScenarioError> {
    value.field(name).map(|text| text.as_str().ok_or(ScenarioError::Field(name))).transpose()
}

fn unknown(name: &[u8]) -> ScenarioError {
    ScenarioError::Unknown(String::from_utf8_lossy(name).into_owned())
}
