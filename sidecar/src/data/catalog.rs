//! The catalog: which projects there are, who may use them, and what runs left behind.
//!
//! What a catalog answers is believed about names and addresses, but an address leads only into stores that are
//! configured: [`crate::data::store::Store::key`] says so.

pub mod callout;
pub mod file;
pub mod flyte;
pub mod kept;
pub mod layers;
pub mod rows;
pub mod templates;

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;
use thiserror::Error;

use crate::data::path::{DomainName, ProjectName};

/// What knows projects and runs.
#[async_trait]
pub trait Catalog: fmt::Debug + Send + Sync + 'static {
    /// A project; none where there is none.
    async fn project(&self, organization: &str, name: &ProjectName) -> Result<Option<Project>, CatalogError>;

    /// The names of the inputs that do not count for a task's cache key.
    async fn ignored_inputs(&self, task: &TaskName) -> Result<Option<Vec<String>>, CatalogError>;

    /// The task that a trigger starts.
    async fn trigger(&self, trigger: &TriggerName) -> Result<Option<TaskName>, CatalogError>;

    /// Where an attempt's report and code are.
    async fn attempt(&self, action: &ActionName, number: u32) -> Result<Found<Attempt>, CatalogError>;

    /// Where an action's inputs and outputs are.
    async fn data(&self, action: &ActionName) -> Result<Option<ActionData>, CatalogError>;

    /// Where an attempt's log is.
    async fn log(&self, action: &ActionName, attempt: u32) -> Result<Option<LogSource>, CatalogError>;
}

/// A project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Project {
    /// Its domains; empty: any.
    pub domains: BTreeSet<DomainName>,
    /// Who may write to it and read from it.
    pub writers: Members,
    /// Who may read from it besides.
    pub readers: Members,
}

/// People and groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Everyone who is known.
    pub everyone: bool,
    /// Login names.
    pub users: BTreeSet<String>,
    /// Groups.
    pub groups: BTreeSet<String>,
}

/// An action of a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ActionName {
    /// The organization, or empty.
    pub organization: String,
    /// The project.
    pub project: ProjectName,
    /// The domain.
    pub domain: DomainName,
    /// The run's name.
    pub run: String,
    /// The action's name.
    pub name: String,
}

/// A version of a task.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TaskName {
    /// The organization, or empty.
    pub organization: String,
    /// The project.
    pub project: ProjectName,
    /// The domain.
    pub domain: DomainName,
    /// The task's name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A trigger.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TriggerName {
    /// The organization, or empty.
    pub organization: String,
    /// The project.
    pub project: ProjectName,
    /// The domain.
    pub domain: DomainName,
    /// The trigger's name.
    pub name: String,
    /// The name of the task that it starts.
    pub task_name: String,
}

/// Something of a run, or what is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// It.
    Here(T),
    /// There is no such run or action; the text says what.
    NoAction(String),
    /// There is no such attempt.
    NoAttempt,
}

/// Where what an attempt left behind is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// Its report.
    pub report_uri: Option<String>,
    /// The code it ran.
    pub code_bundle_uri: Option<String>,
}

/// Where an action's data are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionData {
    /// Its inputs.
    pub inputs_uri: Option<String>,
    /// Its outputs, once it is over.
    pub outputs_uri: Option<String>,
}

/// Where a log is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogSource {
    /// A file that may still grow.
    File {
        /// Its path, under one of the folders that the configuration allows.
        path: String,
        /// Whether more may come.
        follow: bool,
    },
    /// An object that is all there.
    Object {
        /// Its address.
        uri: String,
    },
    /// What a service sends, line by line.
    Http {
        /// Its address, under one of the prefixes that the configuration allows.
        url: String,
    },
    /// What a container of a pod writes, as Kubernetes tells it.
    Kubernetes(PodSource),
}

/// A container of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSource {
    /// The namespace, one of those that the configuration allows.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The container's name; none: the one that `kubectl logs` takes.
    pub container: Option<String>,
    /// When it was started, a date of RFC 3339. Where that is known the log is read from there, else the end of it.
    pub started_at: Option<String>,
}

/// Why a catalog did not answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CatalogError {
    /// It can't be asked now.
    #[error("the catalog is unavailable: {0}")]
    Unavailable(String),
    /// It answered, but not in form.
    #[error("the catalog's answer makes no sense: {0}")]
    Malformed(String),
}
