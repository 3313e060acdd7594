//! The settings of providers, from configuration to what they are built from.

use std::collections::BTreeSet;
use std::sync::Arc;

use taskgate_core::config::GateConfig;

use crate::config::file_provider::FileProviderConfig;
use crate::config::providers::ProviderConfig;
use crate::config::resolve::{Files, InvalidSetting, within};
use crate::ytsaurus::settings::YtsaurusSettings;

/// The settings of one provider.
#[derive(Clone, Debug)]
pub enum ProviderSettings {
    /// Services from a file.
    File(FileProviderConfig),
    /// Services of a YTsaurus cluster.
    Ytsaurus(Arc<YtsaurusSettings>),
}

impl ProviderSettings {
    /// The provider's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::File(config) => &config.name,
            Self::Ytsaurus(settings) => &settings.name,
        }
    }

    /// Whether a provider with these settings would do the same as one with those.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(left), Self::File(right)) => left == right,
            (Self::Ytsaurus(left), Self::Ytsaurus(right)) => left.fingerprint == right.fingerprint,
            (Self::File(_), Self::Ytsaurus(_)) | (Self::Ytsaurus(_), Self::File(_)) => false,
        }
    }
}

/// Checks the configuration of providers and reads what it points to.
///
/// # Errors
/// [`InvalidSetting`].
pub fn resolve_providers(
    configs: Vec<ProviderConfig>,
    gate: &GateConfig,
    files: &mut Files<'_>,
) -> Result<Vec<ProviderSettings>, InvalidSetting> {
    if configs.is_empty() {
        return Err(InvalidSetting::new("providers", "no provider: without one there is no service; add `- file: …`"));
    }
    let mut names = BTreeSet::new();
    let mut resolved = Vec::with_capacity(configs.len());
    for (index, config) in configs.into_iter().enumerate() {
        let name = config.name();
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        if name.is_empty() || name.len() > 32 || !name.bytes().all(plain) {
            let reason = "a provider's name is 1 to 32 characters of a-z, 0-9, `-` and `_`";
            return Err(InvalidSetting::new(format!("providers[{index}]"), reason));
        }
        if !names.insert(name.to_owned()) {
            let reason = format!("another provider is named `{name}` too; give each its own `name`");
            return Err(InvalidSetting::new(format!("providers[{index}]"), reason));
        }
        resolved.push(match config {
            ProviderConfig::File(mut file) => {
                within(&format!("providers[{index}].file.poll_secs"), file.poll_secs, 1, 86_400)?;
                file.path = files.path(&file.path);
                ProviderSettings::File(file)
            }
            ProviderConfig::Ytsaurus(config) => {
                let key = format!("providers[{index}].ytsaurus");
                ProviderSettings::Ytsaurus(Arc::new(YtsaurusSettings::resolve(&key, *config, gate, files)?))
            }
        });
    }
    Ok(resolved)
}
