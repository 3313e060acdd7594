//! The settings of verdicts, from configuration to what sources are built from.

use std::time::Duration;

use taskgate_core::config::GateConfig;

use crate::auth::arvados::ArvadosSourceSettings;
use crate::auth::callout::CalloutSettings;
use crate::auth::determined::DeterminedSourceSettings;
use crate::auth::jwt::JwtSettings;
use crate::auth::peers::PeerRules;
use crate::auth::tokens::{StoredToken, resolve_tokens};
use crate::auth::ytsaurus::YtsaurusSourceSettings;
use crate::config::resolve::{Files, InvalidSetting};
use crate::config::sources::SourceConfig;
use crate::digest::Digest;
use crate::discovery::settings::ProviderSettings;

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

impl VerdictSettings {
    /// With one source more.
    #[must_use]
    pub fn with(mut self, source: SourceSettings) -> Self {
        self.sources.push(source);
        self.fingerprint = fingerprint(&self.sources);
        self
    }
}

/// The settings of one source.
#[derive(Clone, Debug)]
pub enum SourceSettings {
    /// An Arvados cluster.
    Arvados(ArvadosSourceSettings),
    /// An HTTP service.
    Callout(CalloutSettings),
    /// A Determined master.
    Determined(DeterminedSourceSettings),
    /// A token issuer.
    Jwt(JwtSettings),
    /// Client certificates and networks, for connections without headers.
    Peers(PeerRules),
    /// Tokens that are listed.
    Tokens(Vec<StoredToken>),
    /// A YTsaurus cluster.
    Ytsaurus(YtsaurusSourceSettings),
}

/// Checks the configuration of sources and reads what it points to.
///
/// # Errors
/// [`InvalidSetting`].
pub fn resolve_sources(
    configs: Vec<SourceConfig>,
    providers: &[ProviderSettings],
    gate: &GateConfig,
    deadline: Duration,
    files: &mut Files<'_>,
) -> Result<(Vec<SourceSettings>, Digest), InvalidSetting> {
    let mut sources = Vec::with_capacity(configs.len());
    for (index, config) in configs.into_iter().enumerate() {
        let key = format!("verdicts.sources[{index}]");
        sources.push(match config {
            SourceConfig::Arvados(config) => SourceSettings::Arvados(ArvadosSourceSettings::resolve(
                &format!("{key}.arvados"),
                config,
                providers,
                gate,
            )?),
            SourceConfig::Callout(config) => {
                SourceSettings::Callout(CalloutSettings::resolve(&format!("{key}.callout"), config, deadline, files)?)
            }
            SourceConfig::Determined(config) => SourceSettings::Determined(DeterminedSourceSettings::resolve(
                &format!("{key}.determined"),
                config,
                providers,
            )?),
            SourceConfig::Jwt(config) => {
                SourceSettings::Jwt(JwtSettings::resolve(&format!("{key}.jwt"), config, files)?)
            }
            SourceConfig::Tokens(config) => {
                SourceSettings::Tokens(resolve_tokens(&format!("{key}.tokens"), config, files)?)
            }
            SourceConfig::Ytsaurus(config) => SourceSettings::Ytsaurus(YtsaurusSourceSettings::resolve(
                &format!("{key}.ytsaurus"),
                config,
                providers,
                gate,
            )?),
        });
    }
    let fingerprint = fingerprint(&sources);
    Ok((sources, fingerprint))
}

fn fingerprint(sources: &[SourceSettings]) -> Digest {
    let text = format!("{sources:?}");
    // Secrets show as `****` in `Debug`, and of keys only their names.
    let hidden = sources.iter().map(|source| match source {
        SourceSettings::Arvados(settings) => Some(settings.cluster.fingerprint),
        SourceSettings::Callout(settings) => {
            settings.authorization().map(|secret| Digest::of(secret.expose().as_bytes()))
        }
        SourceSettings::Determined(settings) => Some(settings.master.fingerprint),
        SourceSettings::Jwt(settings) => settings.keys_digest(),
        SourceSettings::Peers(_) | SourceSettings::Tokens(_) => None,
        SourceSettings::Ytsaurus(settings) => Some(settings.cluster.fingerprint),
    });
    let hidden: Vec<Option<Digest>> = hidden.collect();
    Digest::of_parts(&[text.as_bytes(), format!("{hidden:?}").as_bytes()])
}
