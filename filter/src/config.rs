//! The filter's configuration: JSON in the proxy's own configuration.

use serde::Deserialize;
use taskgate_core::config::GateConfig;

/// Everything the filter is told.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct FilterConfig {
    /// What the gate decides by.
    pub gate: GateConfig,
    /// How the sidecar is reached.
    pub sidecar: SidecarConfig,
    /// How many requests of one worker may wait for a verdict at a time.
    #[serde(default = "default_max_waiting")]
    pub max_waiting: usize,
}

/// How the sidecar is reached. The address also tells which proxy this is: Envoy knows upstreams by
/// cluster name, NGINX with `WasmX` by address.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct SidecarConfig {
    /// On Envoy: the name of the sidecar's cluster.
    #[serde(default)]
    pub cluster: Option<String>,
    /// On NGINX: `ip:port` or `unix:/path`.
    #[serde(default)]
    pub address: Option<String>,
    /// The shared secret of a sidecar that does not listen on loopback.
    #[serde(default)]
    pub secret: Option<String>,
    /// How long a request waits for a verdict, in milliseconds.
    #[serde(default = "default_verdict_timeout_ms")]
    pub verdict_timeout_ms: u32,
    /// How long the sidecar may hold a table poll open, in milliseconds.
    #[serde(default = "default_poll_wait_ms")]
    pub poll_wait_ms: u32,
}

impl core::fmt::Debug for SidecarConfig {
    /// The secret is not shown.
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("SidecarConfig")
            .field("cluster", &self.cluster)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

const fn default_max_waiting() -> usize {
    4096
}

const fn default_verdict_timeout_ms() -> u32 {
    1000
}

const fn default_poll_wait_ms() -> u32 {
    30_000
}

/// Which kind of host runs the filter. They differ in what they do with headers and callouts: see
/// [`crate::host`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Envoy.
    Envoy,
    /// NGINX with `WasmX`.
    Nginx,
}

impl FilterConfig {
    /// Reads the configuration.
    ///
    /// # Errors
    /// What is wrong with it, for the proxy's log.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let config: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        match (&config.sidecar.cluster, &config.sidecar.address) {
            (Some(_), None) | (None, Some(_)) => Ok(config),
            _ => Err("`sidecar` needs either `cluster` (Envoy) or `address` (NGINX)".to_owned()),
        }
    }

    /// Which kind of host it is.
    #[must_use]
    pub fn flavour(&self) -> Flavour {
        if self.sidecar.cluster.is_some() { Flavour::Envoy } else { Flavour::Nginx }
    }

    /// Where callouts go: the cluster, or the address.
    #[must_use]
    pub fn sidecar(&self) -> &str {
        self.sidecar.cluster.as_deref().or(self.sidecar.address.as_deref()).unwrap_or_default()
    }
}

/// Whether an unreadable configuration was meant for NGINX, where the filter must load all the same: a
/// worker that fails to load it is not started again, and requests hang.
#[must_use]
pub fn is_for_nginx(text: &[u8]) -> bool {
    text.windows(9).any(|part| part == b"\"address\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_least_and_says_what_is_wrong() {
        let read = |text: &str| FilterConfig::read(text.as_bytes());
        let config = read(r#"{"gate":{"base_domains":["t.example"]},"sidecar":{"cluster":"s"}}"#).expect("valid");
        assert_eq!(
            (config.flavour(), config.sidecar(), config.sidecar.verdict_timeout_ms),
            (Flavour::Envoy, "s", 1000)
        );
        let config =
            read(r#"{"gate":{"base_domains":["t.example"]},"sidecar":{"address":"127.0.0.1:1"}}"#).expect("valid");
        assert_eq!((config.flavour(), config.sidecar()), (Flavour::Nginx, "127.0.0.1:1"));
        assert!(
            read(r#"{"gate":{"base_domains":["t.example"]},"sidecar":{}}"#)
                .is_err_and(|error| error.contains("cluster"))
        );
        assert!(read(r#"{"gate":{},"sidecar":{"cluster":"s"}}"#).is_err_and(|error| error.contains("base_domains")));
        assert!(read("").is_err());
    }

    #[test]
    fn tells_whom_a_broken_configuration_was_meant_for() {
        assert!(is_for_nginx(br#"{"sidecar":{"address":"127.0.0.1:1"}"#));
        assert!(!is_for_nginx(br#"{"sidecar":{"cluster":"s"}"#));
    }

    #[test]
    fn debug_shows_no_secret() {
        let text = r#"{"gate":{"base_domains":["t.example"]},"sidecar":{"cluster":"s","secret":"hush"}}"#;
        assert!(!format!("{:?}", FilterConfig::read(text.as_bytes())).contains("hush"));
    }
}
