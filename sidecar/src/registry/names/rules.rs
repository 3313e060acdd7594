//! What holds for friendly names: how long they are kept, and which nobody gets.

use std::collections::BTreeSet;
use std::time::Duration;

use taskgate_core::config::GateConfig;

/// Words that people take for a site's own, and which machines look up by themselves: a workload under one of
/// them could pass for the site.
pub const WORDS: [&str; 33] = [
    "access",
    "account",
    "accounts",
    "admin",
    "api",
    "assets",
    "auth",
    "autoconfig",
    "autodiscover",
    "cdn",
    "console",
    "data",
    "internal",
    "isatap",
    "localhost",
    "login",
    "logout",
    "mail",
    "mta-sts",
    "oauth",
    "postmaster",
    "root",
    "secure",
    "security",
    "signin",
    "smtp",
    "sso",
    "static",
    "status",
    "support",
    "taskgate",
    "wpad",
    "www",
];
/// How long a name is kept where nothing is configured.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// What holds for friendly names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRules {
    /// How long a name is kept for its owner after the last workload that had it.
    pub kept: Duration,
    /// Names that nobody gets, beside the labels of the sidecar's own services.
    pub reserved: BTreeSet<String>,
}

impl NameRules {
    /// These words of an operator's are reserved too, and what hosts of the gate itself are called.
    #[must_use]
    pub fn new(kept: Duration, words: impl IntoIterator<Item = String>, gate: &GateConfig) -> Self {
        let mut reserved = Self::default().reserved;
        reserved.extend(words);
        reserved.extend(gate.gateway_labels.iter().map(|label| label.to_ascii_lowercase()));
        reserved.insert(gate.access_label.to_ascii_lowercase());
        // A base domain below another is a label there, and leads to no service.
        let bases: Vec<String> =
            gate.base_domains.iter().map(|base| base.trim_matches('.').to_ascii_lowercase()).collect();
        for inner in &bases {
            let below = |outer: &String| Some(inner.strip_suffix(outer.as_str())?.strip_suffix('.')?.to_owned());
            reserved.extend(bases.iter().filter_map(below));
        }
        Self { kept, reserved }
    }
}

impl Default for NameRules {
    fn default() -> Self {
        Self { kept: KEPT, reserved: WORDS.iter().map(|word| (*word).to_owned()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_gate_is_called_is_reserved() {
        let mut gate = GateConfig::for_domain("example.test");
        gate.base_domains.push("tasks.example.test.".into());
        gate.gateway_labels = vec!["Gate".into()];
        let rules = NameRules::new(Duration::from_secs(1), ["ops".to_owned()], &gate);
        for word in ["ops", "gate", "access", "data", "tasks", "www", "login"] {
            assert!(rules.reserved.contains(word), "{word}: {rules:?}");
        }
        assert!(!rules.reserved.contains("example") && !rules.reserved.contains(""), "{rules:?}");
    }
}
