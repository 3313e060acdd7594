//! The settings of providers, from configuration to what they are built from.

use std::collections::BTreeSet;
use std::sync::Arc;

use taskgate_core::config::GateConfig;
use taskgate_core::visitor::OWN_PROVIDER;

use crate::arvados::settings::ArvadosSettings;
use crate::config::file::FileProviderConfig;
use crate::config::providers::ProviderConfig;
use crate::config::resolve::{Files, InvalidSetting, within};
use crate::determined::settings::DeterminedSettings;
use crate::discovery::own::OwnService;
use crate::dns::settings::DnsSettings;
use crate::ytsaurus::settings::YtsaurusSettings;

/// The settings of one provider.
#[derive(Clone, Debug)]
pub enum ProviderSettings {
    /// Services of an Arvados cluster.
    Arvados(Arc<ArvadosSettings>),
    /// Services of a Determined cluster.
    Determined(Arc<DeterminedSettings>),
    /// Services from a file, and how names in it become addresses.
    File(FileProviderConfig, Arc<DnsSettings>),
    /// The sidecar's own services, and how names among their addresses are looked up. They are not configured as a
    /// provider.
    Own(Vec<OwnService>, Arc<DnsSettings>),
    /// Services of a YTsaurus cluster.
    Ytsaurus(Arc<YtsaurusSettings>),
}

impl ProviderSettings {
    /// The provider's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Arvados(settings) => &settings.name,
            Self::Determined(settings) => &settings.name,
            Self::File(config, _) => &config.name,
            Self::Own(..) => OWN_PROVIDER,
            Self::Ytsaurus(settings) => &settings.name,
        }
    }

    /// Whether a provider with these settings would do the same as one with those.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Arvados(left), Self::Arvados(right)) => left.fingerprint == right.fingerprint,
            (Self::Determined(left), Self::Determined(right)) => left.fingerprint == right.fingerprint,
            (Self::File(left, left_dns), Self::File(right, right_dns)) => left == right && left_dns == right_dns,
            (Self::Own(left, left_dns), Self::Own(right, right_dns)) => left == right && left_dns == right_dns,
            (Self::Ytsaurus(left), Self::Ytsaurus(right)) => left.fingerprint == right.fingerprint,
            (Self::Arvados(_) | Self::Determined(_) | Self::File(..) | Self::Own(..) | Self::Ytsaurus(_), _) => false,
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
    dns: &Arc<DnsSettings>,
    files: &mut Files<'_>,
) -> Result<Vec<ProviderSettings>, InvalidSetting> {
    let mut names = BTreeSet::from([OWN_PROVIDER.to_owned()]);
    let mut tables = BTreeSet::new();
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
            ProviderConfig::Arvados(config) => {
                let key = format!("providers[{index}].arvados");
                ProviderSettings::Arvados(Arc::new(ArvadosSettings::resolve(&key, *config, files)?))
            }
            ProviderConfig::Determined(config) => {
                let key = format!("providers[{index}].determined");
                ProviderSettings::Determined(Arc::new(DeterminedSettings::resolve(&key, *config, files)?))
            }
            ProviderConfig::File(mut file) => {
                within(&format!("providers[{index}].file.poll_secs"), file.poll_secs, 1, 86_400)?;
                file.path = files.path(&file.path);
                ProviderSettings::File(file, Arc::clone(dns))
            }
            ProviderConfig::Ytsaurus(config) => {
                let key = format!("providers[{index}].ytsaurus");
                let settings = YtsaurusSettings::resolve(&key, *config, gate, files)?;
                // Each would take the other's rows for wrong, and replace them.
                for path in settings.table.iter().flat_map(|table| [&table.path, &table.names_path]) {
                    if !tables.insert((settings.cluster.proxy.clone(), path.clone())) {
                        let reason = format!("another provider writes `{path}` too; give each its own tables");
                        return Err(InvalidSetting::new(format!("{key}.table"), reason));
                    }
                }
                ProviderSettings::Ytsaurus(Arc::new(settings))
            }
        });
    }
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::load;

    fn read(first: &str, second: &str) -> Result<usize, String> {
        let text = format!(
            "gate: {{base_domains: [tasks.example.test]}}\n\
             providers:\n- ytsaurus: {{name: one, proxy: {first}}}\n- ytsaurus: {{name: two, proxy: {second}}}\n"
        );
        load::read(&text, Path::new("/")).map(|settings| settings.providers.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn two_providers_never_write_one_table() {
        let one = "yt.example.test, table: {}";
        for other in [
            "yt.example.test, table: {}",
            "\"http://yt.example.test:80/\", table: {path: //a/b}",
            "yt.example.test, table: {names_path: //a/b}",
            "yt.example.test, table: {path: //sys/task_proxies/services_v2, names_path: //a/b}",
        ] {
            let refused = read(one, other).expect_err(other);
            assert!(refused.contains("providers[1].ytsaurus.table") && refused.contains("own tables"), "{refused}");
        }
        for other in [
            "other.example.test, table: {}",
            "yt.example.test",
            "yt.example.test, table: {path: //a/b, names_path: //a/c}",
        ] {
            assert_eq!(read(one, other), Ok(2), "{other}");
        }
    }
}
