//! How people and services write what a catalog knows.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::catalog::{LogSource, Members, PodSource, Project};
use crate::data::path::{DomainName, InvalidPath};

/// People and groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MembersRow {
    /// Everyone with an accepted credential.
    pub everyone: bool,
    /// Login names.
    pub users: BTreeSet<String>,
    /// Groups.
    pub groups: BTreeSet<String>,
}

/// A project, without its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectRow {
    /// Its domains; none: any.
    pub domains: BTreeSet<String>,
    /// Who may write to it and read from it.
    pub writers: MembersRow,
    /// Who may read from it besides.
    pub readers: MembersRow,
}

/// Where a log is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogRow {
    /// A file that grows.
    File(String),
    /// A file that is complete.
    FinishedFile(String),
    /// The address of an object, as in `s3://bucket/key`.
    Object(String),
    /// What a service sends, `http://…` or `https://…`.
    Http(String),
    /// What a container of a pod writes, where the sidecar was built with Kubernetes.
    Kubernetes(PodRow),
}

/// A container of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PodRow {
    /// The namespace, one of `data.logs.namespaces`.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The container's name; none: the one that `kubectl logs` takes.
    #[serde(default)]
    pub container: Option<String>,
    /// When it was started, as in `2026-11-21T20:27:00Z`: its log is read from there. None: its last 1000 lines.
    #[serde(default)]
    pub started_at: Option<String>,
}

impl ProjectRow {
    /// The project.
    ///
    /// # Errors
    /// [`InvalidPath`]: a domain is none.
    pub fn project(&self) -> Result<Project, InvalidPath> {
        let domains = self.domains.iter().map(|name| DomainName::parse(name)).collect::<Result<_, _>>()?;
        Ok(Project { domains, writers: self.writers.members(), readers: self.readers.members() })
    }
}

impl MembersRow {
    /// The people.
    #[must_use]
    pub fn members(&self) -> Members {
        Members { everyone: self.everyone, users: self.users.clone(), groups: self.groups.clone() }
    }
}

impl LogRow {
    /// The source.
    #[must_use]
    pub fn source(&self) -> LogSource {
        match self {
            Self::File(path) => LogSource::File { path: path.clone(), follow: true },
            Self::FinishedFile(path) => LogSource::File { path: path.clone(), follow: false },
            Self::Object(uri) => LogSource::Object { uri: uri.clone() },
            Self::Http(url) => LogSource::Http { url: url.clone() },
            Self::Kubernetes(row) => LogSource::Kubernetes(row.source()),
        }
    }
}

impl PodRow {
    fn source(&self) -> PodSource {
        let Self { namespace, pod, container, started_at } = self.clone();
        PodSource { namespace, pod, container, started_at }
    }
}
