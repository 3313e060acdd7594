//! `providers[].arvados`: services of running containers of an Arvados cluster.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::defaults;
use crate::secret::SecretText;

/// Services of the running containers of an Arvados cluster.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArvadosProviderConfig {
    /// The provider's name.
    #[serde(default = "name")]
    pub name: String,
    /// The cluster's API, `https://…` or `http://…`.
    pub api: String,
    /// The token of an administrator: all containers are looked at with it.
    #[serde(default)]
    pub token: Option<SecretText>,
    /// A file with it.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// A file with the token of the anonymous user. With it, a port that everybody may use who can read the
    /// container is open to all where the container is shared with the anonymous user.
    #[serde(default)]
    pub anonymous_token_file: Option<PathBuf>,
    /// A file with certificates of authorities that are trusted beside the machine's, PEM.
    #[serde(default)]
    pub authorities_file: Option<PathBuf>,
    /// How long one request to the cluster may take, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// How long a round of discovery may take, with all its attempts, in seconds.
    #[serde(default = "round_secs")]
    pub round_secs: u64,
    /// How often containers are looked at, in seconds.
    #[serde(default = "poll_secs")]
    pub poll_secs: u64,
    /// Whether containers that have not started yet have their names already, with a page that says so. They are
    /// listed for it, and a cluster may have many.
    #[serde(default = "yes")]
    pub starting: bool,
    /// Who may use a port that is published as `private`. `owner` is what Arvados itself does.
    #[serde(default)]
    pub private: PrivateLevel,
    /// Whether a port can be open to all: published as `public`, by property, or as a part of what is shared with
    /// the anonymous user. Where it can't, whoever can read the container may use it.
    #[serde(default = "yes")]
    pub public: bool,
    /// Whether administrators of the cluster may use every service, as in Arvados itself.
    #[serde(default = "yes")]
    pub admins: bool,
    /// By what people are the cluster's users who came another way, as by signing in with a provider of identities.
    #[serde(default)]
    pub people: PeopleBy,
    /// Whether ports that are not published are services of their owner alone, where the workload registered an
    /// address for them.
    #[serde(default)]
    pub unpublished: bool,
    /// The networks whose addresses workloads may register; none: no address is taken.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// The way through the cluster's controller, for ports without a registered address; none: there is no way
    /// to those.
    #[serde(default)]
    pub controller: Option<ArvadosControllerConfig>,
}

/// The level that a port published as `private` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrivateLevel {
    /// Who can manage the container request.
    CanManage,
    /// Who can read it.
    CanRead,
    /// Who can change it.
    CanWrite,
    /// The container's owner alone.
    #[default]
    Owner,
}

/// By what people are the cluster's users who came another way. Whoever can have that there is that user here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PeopleBy {
    /// By their mail address.
    Email,
    /// They are nobody to the cluster.
    #[default]
    Nothing,
    /// By their login name.
    Username,
}

/// The way to containers through the cluster's controller: no WebSocket, replies that come only when they are
/// whole, five minutes at most.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ArvadosControllerConfig {
    /// Whose token the controller is shown.
    pub token: ControllerToken,
    /// `ExternalURL` of the cluster's `ContainerWebServices`, as in `https://*.containers.example.test/`; none: as
    /// the cluster says.
    pub external_url: Option<String>,
    /// Where the controller is reached, `host:port`; none: where the names of `external_url` lead.
    pub connect: Option<String>,
    /// The address at which the proxy reaches the sidecar for this, without a port: each service gets one of its
    /// own.
    pub listen: String,
    /// How long a request may take, in seconds. The controller's own limit is five minutes as a rule.
    pub max_secs: u64,
    /// How many requests the controller may be busy with at once, in all. It has few places, and its own API shares
    /// them.
    pub max_requests: usize,
}

/// Whose token the controller is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ControllerToken {
    /// The provider's own: an administrator's, for every visitor whom the gate lets in. The controller's own check
    /// then says nothing.
    Service,
    /// The one that the visitor was let in with, which the sidecar keeps in memory. Arvados lets the submitter and
    /// administrators in.
    #[default]
    Visitor,
}

impl Default for ArvadosControllerConfig {
    fn default() -> Self {
        Self {
            token: ControllerToken::default(),
            external_url: None,
            connect: None,
            listen: defaults::ARVADOS_RELAY_LISTEN.into(),
            max_secs: defaults::ARVADOS_RELAY_MAX_SECS,
            max_requests: defaults::ARVADOS_RELAY_MAX_REQUESTS,
        }
    }
}

/// Tokens of an Arvados cluster, for the services of one provider: the cluster says whose a token is, and what its
/// holder may do.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ArvadosSourceConfig {
    /// The provider whose cluster is asked, and for whose services alone it is.
    pub provider: String,
    /// The cookies that have tokens. List them in `gate.platform_cookies` too.
    pub cookies: Vec<String>,
    /// How long the cluster may take to say whose a token is, in milliseconds.
    pub timeout_ms: u64,
}

impl Default for ArvadosSourceConfig {
    fn default() -> Self {
        Self {
            provider: defaults::ARVADOS_PROVIDER_NAME.into(),
            cookies: Vec::new(),
            timeout_ms: defaults::ARVADOS_WHOAMI_TIMEOUT_MS,
        }
    }
}

fn name() -> String {
    defaults::ARVADOS_PROVIDER_NAME.into()
}

const fn timeout_ms() -> u64 {
    defaults::ARVADOS_TIMEOUT_MS
}

const fn round_secs() -> u64 {
    defaults::ARVADOS_ROUND_SECS
}

const fn poll_secs() -> u64 {
    defaults::ARVADOS_POLL_SECS
}

const fn yes() -> bool {
    true
}
