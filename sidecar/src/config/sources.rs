//! `verdicts.sources`: what knows credentials.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::arvados::ArvadosSourceConfig;
use crate::config::defaults;
use crate::config::determined::DeterminedSourceConfig;
use crate::secret::SecretText;

/// One source of verdicts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceConfig {
    /// Tokens of an Arvados cluster.
    Arvados(ArvadosSourceConfig),
    /// An HTTP service of yours that knows credentials.
    Callout(CalloutConfig),
    /// Sessions and tokens of a Determined cluster.
    Determined(DeterminedSourceConfig),
    /// Signed tokens of an identity provider.
    Jwt(JwtConfig),
    /// Tokens that are listed, as hashes.
    Tokens(TokensConfig),
    /// Tokens and cookies of a YTsaurus cluster.
    Ytsaurus(YtsaurusSourceConfig),
}

/// Tokens that are listed, as hashes; `taskgate token new` makes one.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokensConfig {
    /// The tokens.
    pub tokens: Vec<TokenConfig>,
    /// A YAML file with a list of more.
    pub tokens_file: Option<PathBuf>,
}

/// One token.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// The token's SHA-256, 64 hex digits.
    pub sha256: String,
    /// Whose it is.
    pub actor: String,
    /// The owner's mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// The owner's groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// When it ends, as in `2027-01-31T00:00:00Z`.
    #[serde(default)]
    pub expires_at: Option<String>,
}

/// Signed tokens of an identity provider.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JwtConfig {
    /// Who must have issued a token (`iss`). Tokens of others are left to other sources.
    pub issuer: String,
    /// For whom a token must be (`aud`): one of these.
    pub audiences: Vec<String>,
    /// The signatures that are accepted.
    #[serde(default = "algorithms")]
    pub algorithms: Vec<JwtAlgorithm>,
    /// Where the issuer's keys are (JWKS), https or http.
    #[serde(default)]
    pub jwks_url: Option<String>,
    /// A file with them instead.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
    /// How often keys are fetched, in seconds.
    #[serde(default = "refresh_secs")]
    pub refresh_secs: u64,
    /// By how much clocks may differ, in seconds.
    #[serde(default = "leeway_secs")]
    pub leeway_secs: u64,
    /// The claim with the login name. A dot goes into an object, as in `realm_access.roles`.
    #[serde(default = "actor_claim")]
    pub actor_claim: String,
    /// The claim with the mail address.
    #[serde(default = "email_field")]
    pub email_claim: String,
    /// The claim with the groups: a list, or text separated by spaces or commas.
    #[serde(default = "groups_field")]
    pub groups_claim: String,
}

/// A signature that needs no shared secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum JwtAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
}

/// An HTTP service of yours that knows credentials. 2xx with a login name identifies, 401 rejects
/// the credential, 403 refuses its holder; anything else is no answer, and nothing is decided.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalloutConfig {
    /// What is asked, https or http.
    pub url: String,
    /// How it is asked.
    pub mode: CalloutMode,
    /// How long an answer may take, in milliseconds. Keep it below `verdicts.deadline_ms`.
    #[serde(default = "callout_timeout_ms")]
    pub timeout_ms: u64,
    /// What the sidecar itself shows to your service, in `authorization` (`decide` alone).
    #[serde(default)]
    pub authorization: Option<SecretText>,
    /// A file with that.
    #[serde(default)]
    pub authorization_file: Option<PathBuf>,
    /// The field of the answer with the login name. A dot goes into an object.
    #[serde(default = "actor_field")]
    pub actor_field: String,
    /// The field with the mail address.
    #[serde(default = "email_field")]
    pub email_field: String,
    /// The field with the groups.
    #[serde(default = "groups_field")]
    pub groups_field: String,
}

/// Tokens and cookies of a YTsaurus cluster, for the services of one provider: the cluster says whose a
/// credential is, and the provider's robot asks it whether that user may read the operation.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct YtsaurusSourceConfig {
    /// The provider whose cluster is asked, and for whose services alone it is.
    pub provider: String,
    /// The cookies that the cluster takes. List them in `gate.platform_cookies` too.
    pub cookies: Vec<String>,
    /// How long the cluster may take to say whose a credential is, in milliseconds. It may be longer than
    /// `verdicts.deadline_ms`: a question goes on, and the next request finds the answer.
    pub timeout_ms: u64,
    /// Go on although the cluster asks nobody for a credential: then everybody is who the cluster says,
    /// as a rule `root`. For test clusters alone.
    pub allow_unauthenticated_cluster: bool,
}

impl Default for YtsaurusSourceConfig {
    fn default() -> Self {
        Self {
            provider: defaults::YTSAURUS_PROVIDER_NAME.into(),
            cookies: vec![defaults::YTSAURUS_COOKIE.into()],
            timeout_ms: defaults::YTSAURUS_WHOAMI_TIMEOUT_MS,
            allow_unauthenticated_cluster: false,
        }
    }
}

/// How a service is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CalloutMode {
    /// `POST` with service, operation, task, owner and credential as JSON: may the holder use it?
    Decide,
    /// `GET` with the credential as it came, in `authorization` or `cookie`: who is it?
    Whoami,
}

fn algorithms() -> Vec<JwtAlgorithm> {
    vec![JwtAlgorithm::RS256, JwtAlgorithm::ES256]
}

const fn refresh_secs() -> u64 {
    defaults::JWKS_REFRESH_SECS
}

const fn leeway_secs() -> u64 {
    defaults::JWT_LEEWAY_SECS
}

fn actor_claim() -> String {
    defaults::JWT_ACTOR_CLAIM.into()
}

fn email_field() -> String {
    defaults::EMAIL_FIELD.into()
}

fn groups_field() -> String {
    defaults::GROUPS_FIELD.into()
}

fn actor_field() -> String {
    defaults::CALLOUT_ACTOR_FIELD.into()
}

const fn callout_timeout_ms() -> u64 {
    defaults::CALLOUT_TIMEOUT_MS
}
