//! What the sources that ask a provider's platform have in common: the checks of their settings.

use std::time::Duration;

use taskgate_core::config::GateConfig;

use crate::config::resolve::InvalidSetting;
use crate::discovery::settings::ProviderSettings;

/// The longest that a platform may take to say whose a credential is.
const MAX_TIMEOUT_MS: u64 = 10_000;

/// The provider with that name, where it is `of_kind`.
pub(super) fn named<'a, T>(
    key: &str,
    kind: &str,
    name: &str,
    providers: &'a [ProviderSettings],
    of_kind: impl FnMut(&'a ProviderSettings) -> Option<T>,
) -> Result<T, InvalidSetting> {
    let found = providers.iter().filter(|provider| provider.name() == name).find_map(of_kind);
    found.ok_or_else(|| InvalidSetting::new(format!("{key}.provider"), format!("no {kind} provider is named `{name}`")))
}

/// How long a platform may take.
pub(super) fn timeout(key: &str, timeout_ms: u64) -> Result<Duration, InvalidSetting> {
    if (1..=MAX_TIMEOUT_MS).contains(&timeout_ms) {
        Ok(Duration::from_millis(timeout_ms))
    } else {
        let reason = format!("is not between 1 and {MAX_TIMEOUT_MS}");
        Err(InvalidSetting::new(format!("{key}.timeout_ms"), reason))
    }
}

/// Whether the gate takes these cookies out of requests.
pub(super) fn are_taken_out(key: &str, cookies: &[String], gate: &GateConfig) -> Result<(), InvalidSetting> {
    match cookies.iter().find(|cookie| !gate.platform_cookies.contains(cookie)) {
        None => Ok(()),
        Some(cookie) => {
            let reason = format!("`{cookie}` is not among `gate.platform_cookies`, so jobs would get it");
            Err(InvalidSetting::new(format!("{key}.cookies"), reason))
        }
    }
}
