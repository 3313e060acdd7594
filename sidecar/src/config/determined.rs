//! `providers[].determined`: services of running tasks of a Determined cluster.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::defaults;
use crate::secret::SecretText;

/// Services of the running tasks of a Determined cluster: notebooks, shells, TensorBoards, and ports of experiments
/// and commands.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeterminedProviderConfig {
    /// The provider's name.
    #[serde(default = "name")]
    pub name: String,
    /// The master, `https://…` or `http://…`.
    pub master: String,
    /// Who looks at tasks: somebody who may see all of them.
    #[serde(default)]
    pub username: Option<String>,
    /// That user's password. The sidecar signs in with it, and again when the session has ended.
    #[serde(default)]
    pub password: Option<SecretText>,
    /// A file with it.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// A token that does not end, in place of name and password.
    #[serde(default)]
    pub token: Option<SecretText>,
    /// A file with it.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// A file with certificates of authorities that are trusted beside the machine's, PEM.
    #[serde(default)]
    pub authorities_file: Option<PathBuf>,
    /// How long one request to the master may take, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// How often tasks are looked at, in seconds.
    #[serde(default = "poll_secs")]
    pub poll_secs: u64,
    /// Where proxies reach the master, without TLS, for services that it leads to: `host:port`; none: at `master`, where
    /// that is `http://…`.
    #[serde(default)]
    pub proxy: Option<String>,
    /// The networks in which TCP services are reached without the master, where it says their addresses; none: all of
    /// them are reached through it.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Whether ports are open to everybody that Determined lets everybody reach (`unauthenticated: true`; so are those
    /// of shells). Without it they are for those who can see the task.
    #[serde(default)]
    pub unauthenticated: bool,
    /// By what people are the cluster's users who came another way, as with a client certificate.
    #[serde(default)]
    pub people: DeterminedPeople,
}

/// By what people are the cluster's users who came another way. Whoever can have that there is that user here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeterminedPeople {
    /// They are nobody to the cluster.
    #[default]
    Nothing,
    /// By their login name; they may use what is their own.
    Username,
}

/// Sessions and tokens of a Determined cluster, for the services of one provider: the master says whose one is, and what
/// its holder may see.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeterminedSourceConfig {
    /// The provider whose master is asked, and for whose services alone it is.
    pub provider: String,
    /// How long the master may take to say whose one is, in milliseconds.
    pub timeout_ms: u64,
}

impl Default for DeterminedSourceConfig {
    fn default() -> Self {
        Self { provider: defaults::DETERMINED_PROVIDER_NAME.into(), timeout_ms: defaults::DETERMINED_WHOAMI_TIMEOUT_MS }
    }
}

fn name() -> String {
    defaults::DETERMINED_PROVIDER_NAME.into()
}

const fn timeout_ms() -> u64 {
    defaults::DETERMINED_TIMEOUT_MS
}

const fn poll_secs() -> u64 {
    defaults::DETERMINED_POLL_SECS
}
