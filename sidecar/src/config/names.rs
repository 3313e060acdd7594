//! `names`: friendly names of services.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use taskgate_core::config::GateConfig;

use crate::config::defaults;
use crate::config::resolve::{InvalidSetting, within};
use crate::registry::names::friendly::name::FriendlyName;
use crate::registry::names::rules::NameRules;

/// The most words that are reserved.
const MAX_RESERVED: usize = 10_000;
const SECS_PER_DAY: u64 = 86_400;

/// Friendly names of services.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NamesConfig {
    /// For how many days a name is kept for its owner after the last workload that had it.
    pub kept_days: u64,
    /// Names that nobody gets, beside those that nobody gets anyway: the sidecar's and the gate's own labels, and words
    /// such as `www` and `login`.
    pub reserved: Vec<String>,
}

impl NamesConfig {
    /// What holds for friendly names.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(self, gate: &GateConfig) -> Result<NameRules, InvalidSetting> {
        let days = within("names.kept_days", self.kept_days, 0, 3_650)?.as_secs();
        if self.reserved.len() > MAX_RESERVED {
            return Err(InvalidSetting::new("names.reserved", format!("more than {MAX_RESERVED} names")));
        }
        for (index, name) in self.reserved.iter().enumerate() {
            FriendlyName::parse(name).map_err(|invalid| {
                InvalidSetting::new(format!("names.reserved[{index}]"), format!("{invalid}, so nobody gets it anyway"))
            })?;
        }
        Ok(NameRules::new(Duration::from_secs(days.saturating_mul(SECS_PER_DAY)), self.reserved, gate))
    }
}

impl Default for NamesConfig {
    fn default() -> Self {
        Self { kept_days: defaults::NAMES_KEPT_DAYS, reserved: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_a_name() {
        let gate = GateConfig::for_domain("tasks.example.test");
        let rules = |reserved: &[&str], kept_days| {
            let reserved = reserved.iter().map(|name| (*name).to_owned()).collect();
            NamesConfig { kept_days, reserved }.resolve(&gate).map_err(|error| error.to_string())
        };
        let resolved = rules(&["grafana"], 7).expect("holds");
        assert_eq!(resolved.kept, Duration::from_secs(604_800));
        assert!(resolved.reserved.contains("grafana") && resolved.reserved.contains("www"), "{resolved:?}");
        let refused = rules(&["ok", "Grafana"], 7).expect_err("upper case");
        assert!(refused.contains("names.reserved[1]") && refused.contains("upper case"), "{refused}");
        assert!(rules(&[], 4_000).is_err_and(|refused| refused.contains("names.kept_days")));
    }
}
