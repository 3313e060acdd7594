//! `access`: sign-in, sessions of people, share links, and who may use what.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::defaults;
use crate::secret::SecretText;

/// Where people sign in and see what they may use: a service of the sidecar's own behind the gate, at
/// `https://access.<base domain>/`, and below `/.taskgate/` of every other service. It needs `public`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AccessConfig {
    /// Its label: `access` for `access.tasks.example.test`. No other service gets that name.
    pub label: String,
    /// Where proxies reach `public.listen`: `10.0.0.5:7012`, or a name that the sidecar looks up and follows (`dns`), as
    /// in `taskgate.example.test:7012`. None: there. Where that is on loopback or every address, while a listener that
    /// proxies ask is open to other machines, it has to be said.
    pub address: Option<String>,
    /// Where browsers reach it, as in `https://access.tasks.example.test:8443`. Its scheme and port are those of every
    /// service. By default `https://`, the label and the first of `gate.base_domains`. The sign-in provider must know
    /// `<external_url>/.taskgate/callback` as a redirect URI.
    pub external_url: Option<String>,
    /// Proofs to jobs of who their visitors are.
    pub assertions: AssertionsConfig,
    /// Where share links and revocations are kept: `sqlite:<path>`, or `postgres://…` where several sidecars serve the
    /// same people. By default a file in `state.directory`; without that, in memory.
    pub store: Option<SecretText>,
    /// A file with that address.
    pub store_file: Option<PathBuf>,
    /// Share links.
    pub shares: SharesConfig,
    /// The provider that people sign in with; none: nobody is sent to sign in.
    pub sign_in: Option<SignInConfig>,
}

/// Share links.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SharesConfig {
    /// The longest that one may live, in seconds.
    pub max_lifetime_secs: u64,
}

/// Proofs to jobs of who their visitors are: `x-taskgate-assertion`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AssertionsConfig {
    /// How long one holds, in seconds; 0: none are made.
    pub lifetime_secs: u64,
}

/// An `OpenID` Connect provider.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInConfig {
    /// Its issuer: `<issuer>/.well-known/openid-configuration` says the rest.
    pub issuer: String,
    /// As what it knows Taskgate.
    pub client_id: String,
    /// The secret that goes with it; with none, Taskgate is a public client.
    pub client_secret: Option<SecretText>,
    /// A file with it.
    pub client_secret_file: Option<PathBuf>,
    /// What it is asked for. `openid` has to be among them.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim with the login name. It must be one that people can't choose, and be the name by which platforms and
    /// other sources know them.
    #[serde(default = "actor_claim")]
    pub actor_claim: String,
    /// The claim with the mail address.
    #[serde(default = "email_claim")]
    pub email_claim: String,
    /// The claim with the groups; `a.b` goes into an object.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
    /// The `prompt` with which somebody signs in as somebody else.
    #[serde(default = "switch_prompt")]
    pub switch_prompt: String,
    /// How long the provider may take to answer, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
}

impl Default for AccessConfig {
    fn default() -> Self {
        Self {
            label: defaults::ACCESS_LABEL.into(),
            address: None,
            external_url: None,
            assertions: AssertionsConfig::default(),
            store: None,
            store_file: None,
            shares: SharesConfig::default(),
            sign_in: None,
        }
    }
}

impl Default for SharesConfig {
    fn default() -> Self {
        Self { max_lifetime_secs: defaults::SHARE_MAX_LIFETIME_SECS }
    }
}

impl Default for AssertionsConfig {
    fn default() -> Self {
        Self { lifetime_secs: defaults::ASSERTION_LIFETIME_SECS }
    }
}

fn scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(Into::into).into()
}

fn actor_claim() -> String {
    defaults::SIGN_IN_ACTOR_CLAIM.into()
}

fn email_claim() -> String {
    defaults::EMAIL_FIELD.into()
}

fn groups_claim() -> String {
    defaults::GROUPS_FIELD.into()
}

fn switch_prompt() -> String {
    defaults::SIGN_IN_SWITCH_PROMPT.into()
}

const fn timeout_ms() -> u64 {
    defaults::SIGN_IN_TIMEOUT_MS
}
