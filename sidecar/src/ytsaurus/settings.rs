//! The settings of a YTsaurus provider.

use std::time::Duration;

use taskgate_core::config::GateConfig;

use crate::config::resolve::{Files, InvalidSetting, within};
use crate::config::ytsaurus::{
    ForwardCredential, OperationTypes, PortNames, ServicesTableConfig, SparkConfig, YtsaurusProviderConfig,
};
use crate::digest::Digest;
use crate::ytsaurus::client::settings::ClusterSettings;
use crate::ytsaurus::path;

/// The most commands of one batch that can be configured.
const MAX_BATCH: usize = 1_000;

/// The settings of a YTsaurus provider.
#[derive(Clone, Debug)]
pub struct YtsaurusSettings {
    /// The provider's name.
    pub name: String,
    /// The cluster.
    pub cluster: ClusterSettings,
    /// How long a round may take.
    pub round: Duration,
    /// How often operations are listed.
    pub operations_period: Duration,
    /// How often jobs are listed.
    pub jobs_period: Duration,
    /// The most commands in one batch.
    pub batch_commands: usize,
    /// Which operations are looked at.
    pub operation_types: OperationTypes,
    /// How services without a name are called first.
    pub port_names: PortNames,
    /// The network whose addresses are taken.
    pub network: Option<String>,
    /// Services of SPYT.
    pub spark: SparkConfig,
    /// Whether operations may ask for credentials.
    pub forward_credential: ForwardCredential,
    /// Where services are published.
    pub table: Option<TableSettings>,
    /// Differs between any two settings.
    pub fingerprint: Digest,
}

/// Where services are published in Cypress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSettings {
    /// The table with five columns.
    pub path: String,
    /// The table with everything.
    pub names_path: String,
    /// The base domain.
    pub base_domain: String,
}

impl YtsaurusSettings {
    /// Checks the configuration of a provider and reads what it points to.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(
        key: &str,
        config: YtsaurusProviderConfig,
        gate: &GateConfig,
        files: &mut Files<'_>,
    ) -> Result<Self, InvalidSetting> {
        let cluster = ClusterSettings::resolve(key, &config, files)?;
        let round = within(&format!("{key}.round_secs"), config.round_secs, 1, 3_600)?;
        let operations_period = within(&format!("{key}.operations_secs"), config.operations_secs, 1, 86_400)?;
        let jobs_period = within(&format!("{key}.jobs_secs"), config.jobs_secs, 1, 86_400)?;
        if !(1..=MAX_BATCH).contains(&config.batch_commands) {
            let reason = format!("is not between 1 and {MAX_BATCH}");
            return Err(InvalidSetting::new(format!("{key}.batch_commands"), reason));
        }
        if config.spark.lowest_port == 0 || config.spark.lowest_port > config.spark.highest_port {
            let reason = "`lowest_port` is at least 1 and at most `highest_port`";
            return Err(InvalidSetting::new(format!("{key}.spark"), reason));
        }
        let text = format!("{config:?}");
        let table =
            config.table.map(|table| TableSettings::resolve(&format!("{key}.table"), table, gate)).transpose()?;
        let fingerprint =
            Digest::of_parts(&[text.as_bytes(), cluster.fingerprint.as_bytes(), format!("{table:?}").as_bytes()]);
        Ok(Self {
            name: config.name,
            cluster,
            round,
            operations_period,
            jobs_period,
            batch_commands: config.batch_commands,
            operation_types: config.operation_types,
            port_names: config.port_names,
            network: config.network,
            spark: config.spark,
            forward_credential: config.forward_credential,
            table,
            fingerprint,
        })
    }
}

impl TableSettings {
    fn resolve(key: &str, config: ServicesTableConfig, gate: &GateConfig) -> Result<Self, InvalidSetting> {
        for (name, path) in [("path", &config.path), ("names_path", &config.names_path)] {
            if !path::is_plain(path) || path::split(path).is_none() {
                let reason = "is no path of a node, as in `//sys/task_proxies/services`";
                return Err(InvalidSetting::new(format!("{key}.{name}"), reason));
            }
        }
        if config.path == config.names_path {
            let reason = "is `path` too; programs that read that table take five columns alone";
            return Err(InvalidSetting::new(format!("{key}.names_path"), reason));
        }
        let base_domain = match config.base_domain {
            Some(domain) if gate.base_domains.contains(&domain) => domain,
            Some(_) => return Err(InvalidSetting::new(format!("{key}.base_domain"), "is none of `gate.base_domains`")),
            None => gate.base_domains.first().cloned().unwrap_or_default(),
        };
        let base_domain = base_domain.trim_matches('.').to_ascii_lowercase();
        Ok(Self { path: config.path, names_path: config.names_path, base_domain })
    }
}
