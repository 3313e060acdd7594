//! `gate`: what the filter decides by. It rides to every worker with the table.

use schemars::JsonSchema;
use serde::Deserialize;
use taskgate_core::config::GateConfig;

use crate::config::resolve::InvalidSetting;

/// What the filter decides by. It has one place, this one: it rides to every worker with the table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GateSection {
    /// Domains under which services are named: `tasks.example.test` for `<id>.tasks.example.test`.
    /// At least one.
    pub base_domains: Vec<String>,
    /// Labels under a base domain that name the gateway itself, for requests that name their service
    /// in a header.
    pub gateway_labels: Vec<String>,
    /// Hosts whose paths name services, as Determined does: `/proxy/<task>:<port>/` on `determined.example.test`. They
    /// are outside `base_domains`, or have one of `gateway_labels`.
    pub path_hosts: Vec<String>,
    /// Cookies of the platform whose services paths name. They count, and are taken out, at those services alone.
    pub path_cookies: Vec<String>,
    /// Query parameters that carry a token of that platform for one workload, which counts before all else; it may come
    /// as `Authorization: token …` too. At those services alone.
    pub path_parameters: Vec<String>,
    /// Where people sign in who come to such a host without a credential: what stands before the path that they come
    /// back to, as in `/det/login?redirect=`. Empty: nowhere.
    pub path_sign_in: String,
    /// Cookies that the platform sets; they never reach a job.
    pub platform_cookies: Vec<String>,
    /// Query parameters that carry the platform's token.
    pub query_parameters: Vec<String>,
    /// Origins whose pages may act at services with what a visitor's cookies give them, as in
    /// `https://console.example.test`. A service's own pages always may; all others need a token.
    pub trusted_origins: Vec<String>,
    /// The cookie of Taskgate's own sessions. With TLS in front, keep the `__Host-` prefix.
    pub session_cookie: String,
    /// How long the table is trusted without a word from the sidecar, in seconds.
    pub table_max_age_secs: u64,
    /// How many verdicts each worker keeps.
    pub verdict_cache_entries: usize,
    /// How long beyond its lifetime a verdict counts while the sidecar can't be reached, in seconds.
    pub verdict_grace_secs: u64,
    /// How long an address that failed comes last, in seconds.
    pub demotion_secs: u64,
    /// For which installation URLs of objects in local stores are signed. Installations that share keys
    /// should differ here.
    pub url_audience: String,
}

impl GateSection {
    /// The gate's configuration.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(self) -> Result<GateConfig, InvalidSetting> {
        if !(1..=1_000_000).contains(&self.verdict_cache_entries) {
            return Err(InvalidSetting::new("gate.verdict_cache_entries", "is not between 1 and 1000000"));
        }
        let config = GateConfig {
            base_domains: self.base_domains,
            gateway_labels: self.gateway_labels,
            path_hosts: self.path_hosts,
            path_cookies: self.path_cookies,
            path_parameters: self.path_parameters,
            path_sign_in: self.path_sign_in,
            platform_cookies: self.platform_cookies,
            query_parameters: self.query_parameters,
            trusted_origins: self.trusted_origins,
            session_cookie: self.session_cookie,
            table_max_age_secs: self.table_max_age_secs,
            verdict_cache_entries: self.verdict_cache_entries,
            verdict_grace_secs: self.verdict_grace_secs,
            demotion_secs: self.demotion_secs,
            url_audience: self.url_audience,
            // The rest stands in other sections: `access` and `sessions`.
            ..GateConfig::for_domain("")
        };
        config.domains().map_err(|error| InvalidSetting::new("gate", error.to_string()))?;
        Ok(config)
    }
}

impl Default for GateSection {
    /// The defaults are the gate's own.
    fn default() -> Self {
        let config = GateConfig::for_domain("");
        Self {
            base_domains: Vec::new(),
            gateway_labels: config.gateway_labels,
            path_hosts: config.path_hosts,
            path_cookies: config.path_cookies,
            path_parameters: config.path_parameters,
            path_sign_in: config.path_sign_in,
            platform_cookies: config.platform_cookies,
            query_parameters: config.query_parameters,
            trusted_origins: config.trusted_origins,
            session_cookie: config.session_cookie,
            table_max_age_secs: config.table_max_age_secs,
            verdict_cache_entries: config.verdict_cache_entries,
            verdict_grace_secs: config.verdict_grace_secs,
            demotion_secs: config.demotion_secs,
            url_audience: config.url_audience,
        }
    }
}
