//! The settings of verdicts, from configuration to what sources are built from.

use std::time::Duration;

use crate::auth::tokens::{StoredToken, resolve_tokens};
use crate::config::resolve::{Files, InvalidSetting};
use crate::config::sources::SourceConfig;
use crate::digest::Digest;

/// The settings of verdicts.
#[derive(Clone, Debug)]
pub struct VerdictSettings {
    /// How long a question may take.
    pub deadline: Duration,
    /// How long a yes holds.
    pub allow_lifetime: Duration,
    /// How long a no holds.
    pub deny_lifetime: Duration,
    /// The most decisions that are kept.
    pub cache_entries: u64,
    /// What knows credentials, in order.
    pub sources: Vec<SourceSettings>,
    /// Differs between any two sets of sources that may decide differently.
    pub fingerprint: Digest,
}

/// The settings of one source.
#[derive(Clone, Debug)]
pub enum SourceSettings {
    /// Tokens that are listed.
    Tokens(Vec<StoredToken>),
}

/// Checks the configuration of sources and reads what it points to.
///
/// # Errors
/// [`InvalidSetting`].
pub fn resolve_sources(
    configs: Vec<SourceConfig>,
    _deadline: Duration,
    files: &mut Files<'_>,
) -> Result<(Vec<SourceSettings>, Digest), InvalidSetting> {
    let mut sources = Vec::with_capacity(configs.len());
    for (index, config) in configs.into_iter().enumerate() {
        let key = format!("verdicts.sources[{index}]");
        sources.push(match config {
            SourceConfig::Tokens(config) => {
                SourceSettings::Tokens(resolve_tokens(&format!("{key}.tokens"), config, files)?)
            }
            SourceConfig::Callout(_) | SourceConfig::Jwt(_) => return Err(InvalidSetting::new(key, "not built yet")),
        });
    }
    // Secrets show as `****` in `Debug`; none of them changes what a source decides.
    let fingerprint = Digest::of(format!("{sources:?}").as_bytes());
    Ok((sources, fingerprint))
}
