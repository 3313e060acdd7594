//! `verdicts`: who is whom, and for how long a decision holds.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::defaults;
use crate::config::sources::SourceConfig;

/// Who is whom, and for how long a decision holds.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VerdictsConfig {
    /// How long a question of the filter may take, in milliseconds. Keep it below the filter's own
    /// deadline.
    pub deadline_ms: u64,
    /// How long a yes holds, in seconds; never longer than the credential itself.
    pub allow_lifetime_secs: u64,
    /// How long a no holds, in seconds.
    pub deny_lifetime_secs: u64,
    /// The most decisions that are kept.
    pub cache_entries: u64,
    /// What knows credentials, in the order in which it is asked.
    pub sources: Vec<SourceConfig>,
}

impl Default for VerdictsConfig {
    fn default() -> Self {
        Self {
            deadline_ms: defaults::VERDICT_DEADLINE_MS,
            allow_lifetime_secs: defaults::ALLOW_LIFETIME_SECS,
            deny_lifetime_secs: defaults::DENY_LIFETIME_SECS,
            cache_entries: defaults::VERDICT_CACHE_ENTRIES,
            sources: Vec::new(),
        }
    }
}
