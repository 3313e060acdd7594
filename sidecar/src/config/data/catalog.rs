//! `data.catalog`: what knows projects and runs.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::defaults;
use crate::data::catalog::rows::LogRow;
use crate::secret::SecretText;

/// What knows projects and runs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatalogConfig {
    /// A service of yours that knows.
    Callout(CalloutCatalogConfig),
    /// A YAML file, which is read again whenever it changes.
    File(FileCatalogConfig),
    /// The services of a Flyte that runs somewhere.
    Flyte(FlyteCatalogConfig),
    /// Addresses that are made of names, so that nothing has to be registered.
    Templates(TemplateCatalogConfig),
}

/// A YAML file with lists of `projects`, `tasks`, `triggers` and `actions`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileCatalogConfig {
    /// The file.
    pub path: PathBuf,
    /// How often it is looked at where the system gives no notice of changes, in seconds.
    #[serde(default = "poll_secs")]
    pub poll_secs: u64,
}

/// Addresses that are made of names. Templates have `{organization}`, `{project}`, `{domain}`, `{run}`, `{action}` and
/// `{attempt}` in them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TemplateCatalogConfig {
    /// Who has what in any project; none: other catalogs know projects.
    pub projects: Option<ProjectTemplateConfig>,
    /// The inputs of an action, as in `s3://bucket/{project}/{domain}/{run}/{action}/inputs.pb`.
    pub inputs: Option<String>,
    /// Its outputs.
    pub outputs: Option<String>,
    /// The report of an attempt.
    pub report: Option<String>,
    /// The code of an attempt.
    pub code_bundle: Option<String>,
    /// The log of an attempt.
    pub log: Option<LogRow>,
}

/// Who has what in any project, by groups that have its name in theirs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectTemplateConfig {
    /// The domains; none: any.
    pub domains: Vec<String>,
    /// Whether everyone with an accepted credential writes to every project.
    pub everyone: bool,
    /// Groups that write and read, as in `{project}-writers`.
    pub writer_groups: Vec<String>,
    /// Groups that read.
    pub reader_groups: Vec<String>,
}

/// A service of yours that knows: it is asked with `POST`, in JSON.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalloutCatalogConfig {
    /// Where the service is, `http://…` or `https://…`.
    pub url: String,
    /// What is sent as `Authorization`.
    #[serde(default)]
    pub authorization: Option<SecretText>,
    /// A file with it.
    #[serde(default)]
    pub authorization_file: Option<PathBuf>,
    /// How long an answer may take, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// How long projects and tasks are kept, in seconds.
    #[serde(default = "ttl_secs")]
    pub ttl_secs: u64,
    /// How long it is kept that there is none, in seconds.
    #[serde(default = "negative_ttl_secs")]
    pub negative_ttl_secs: u64,
    /// The most answers that are kept.
    #[serde(default = "entries")]
    pub entries: u64,
}

/// The services of a Flyte that runs somewhere: they know projects, tasks and runs, but not who may do what.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlyteCatalogConfig {
    /// Where its services are, `http://…` or `https://…`.
    pub url: String,
    /// What is sent as `Authorization`.
    #[serde(default)]
    pub authorization: Option<SecretText>,
    /// A file with it.
    #[serde(default)]
    pub authorization_file: Option<PathBuf>,
    /// Whether everyone with an accepted credential writes to every project.
    #[serde(default)]
    pub everyone: bool,
    /// Groups that write and read, as in `{project}-writers`.
    #[serde(default)]
    pub writer_groups: Vec<String>,
    /// Groups that read.
    #[serde(default)]
    pub reader_groups: Vec<String>,
    /// Whether logs are read from the pods that it names, in the namespaces of `data.logs.namespaces`. It needs a
    /// sidecar that was built with Kubernetes.
    #[serde(default)]
    pub pod_logs: bool,
    /// How long an answer may take, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// How long projects and tasks are kept, in seconds.
    #[serde(default = "ttl_secs")]
    pub ttl_secs: u64,
    /// How long it is kept that there is none, in seconds.
    #[serde(default = "negative_ttl_secs")]
    pub negative_ttl_secs: u64,
    /// The most answers that are kept.
    #[serde(default = "entries")]
    pub entries: u64,
}

fn poll_secs() -> u64 {
    defaults::FILE_POLL_SECS
}

fn timeout_ms() -> u64 {
    defaults::CATALOG_TIMEOUT_MS
}

fn ttl_secs() -> u64 {
    defaults::CATALOG_TTL_SECS
}

fn negative_ttl_secs() -> u64 {
    defaults::CATALOG_NEGATIVE_TTL_SECS
}

fn entries() -> u64 {
    defaults::CATALOG_ENTRIES
}
