//! `providers[].ytsaurus`: services of running operations of a YTsaurus cluster.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::defaults;
use crate::secret::SecretText;

/// Services of the running operations of a YTsaurus cluster.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct YtsaurusProviderConfig {
    /// The provider's name.
    #[serde(default = "name")]
    pub name: String,
    /// The cluster's HTTP proxy, `https://…`, `http://…` or just `host:port`.
    pub proxy: String,
    /// The robot's token.
    #[serde(default)]
    pub token: Option<SecretText>,
    /// A file with it.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// A file with certificates of authorities that are trusted beside the machine's, PEM.
    #[serde(default)]
    pub authorities_file: Option<PathBuf>,
    /// How long one request to the cluster may take, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// How long a round of discovery may take, with all its attempts, in seconds.
    #[serde(default = "round_secs")]
    pub round_secs: u64,
    /// How often operations are listed, in seconds. A listing costs the cluster a look at every
    /// running operation.
    #[serde(default = "operations_secs")]
    pub operations_secs: u64,
    /// How often the jobs of operations with services are listed, in seconds: how soon a job that
    /// moved is found.
    #[serde(default = "jobs_secs")]
    pub jobs_secs: u64,
    /// The most commands in one batch.
    #[serde(default = "batch_commands")]
    pub batch_commands: usize,
    /// Which operations are looked at: the `vanilla` ones, or `all` types.
    #[serde(default)]
    pub operation_types: OperationTypes,
    /// How services without a name are called first; the other form works as well.
    #[serde(default)]
    pub port_names: PortNames,
    /// The network whose addresses of jobs are taken (a key of a job's `addresses`); none: the job's
    /// own `address`.
    #[serde(default)]
    pub network: Option<String>,
    /// Services of SPYT clusters and drivers.
    #[serde(default)]
    pub spark: SparkConfig,
    /// Whether operations may ask, by annotation, for the credential of their visitors.
    #[serde(default)]
    pub forward_credential: ForwardCredential,
    /// Where services are published in Cypress; none: nowhere.
    #[serde(default)]
    pub table: Option<ServicesTableConfig>,
}

/// Which operations are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationTypes {
    /// Of every type.
    All,
    /// Vanilla ones: those that run services.
    #[default]
    Vanilla,
}

/// How services without a name are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PortNames {
    /// `port_0`: as the documentation of Task proxy says, and its releases up to 0.2.3 do.
    #[default]
    #[serde(rename = "port_0")]
    Underscore,
    /// `port0`: as Task proxy does from 0.3.0 on.
    #[serde(rename = "port0")]
    Plain,
}

/// Whether operations may ask for the credential of their visitors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForwardCredential {
    /// Those do that say so in their annotation.
    #[default]
    Annotated,
    /// None do.
    Never,
}

/// Services of SPYT clusters and drivers. Their addresses are written by users, so they count only
/// where they are those of the operation's own running jobs.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SparkConfig {
    /// Whether they are looked for.
    pub enabled: bool,
    /// The lowest port that such an address may have.
    pub lowest_port: u16,
    /// The highest.
    pub highest_port: u16,
}

/// The tables that people and programs read names from.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServicesTableConfig {
    /// The table of Task proxy, one row a service. SPYT reads it at this very path.
    pub path: String,
    /// The table with everything that can be known of a service, one row a name.
    pub names_path: String,
    /// The base domain in them; none: the first of `gate.base_domains`.
    pub base_domain: Option<String>,
}

impl Default for SparkConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            lowest_port: defaults::YTSAURUS_SPARK_LOWEST_PORT,
            highest_port: defaults::YTSAURUS_SPARK_HIGHEST_PORT,
        }
    }
}

impl Default for ServicesTableConfig {
    fn default() -> Self {
        Self {
            path: defaults::YTSAURUS_TABLE_PATH.into(),
            names_path: defaults::YTSAURUS_NAMES_PATH.into(),
            base_domain: None,
        }
    }
}

fn name() -> String {
    defaults::YTSAURUS_PROVIDER_NAME.into()
}

const fn timeout_ms() -> u64 {
    defaults::YTSAURUS_TIMEOUT_MS
}

const fn round_secs() -> u64 {
    defaults::YTSAURUS_ROUND_SECS
}

const fn operations_secs() -> u64 {
    defaults::YTSAURUS_OPERATIONS_SECS
}

const fn jobs_secs() -> u64 {
    defaults::YTSAURUS_JOBS_SECS
}

const fn batch_commands() -> usize {
    defaults::YTSAURUS_BATCH_COMMANDS
}
