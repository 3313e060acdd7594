//! The filter's own configuration: how the sidecar is reached. All else comes from the sidecar.
//!
//! Lines (or parts between `;`) of `key = value`; `#` starts a comment line. Istio and Envoy Gateway can
//! hand over JSON alone: then it is one object of texts and numbers. It stands in the proxy's configuration,
//! so it is small enough to be right.

use thiserror::Error;

/// Everything the filter is told by the proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct FilterConfig {
    /// Where the sidecar is.
    pub sidecar: Sidecar,
    /// The shared secret of a sidecar that does not listen on loopback.
    pub secret: Option<String>,
    /// How long a request waits for a verdict, in milliseconds.
    pub verdict_timeout_ms: u32,
    /// How long the sidecar may hold a table poll open, in milliseconds.
    pub poll_wait_ms: u32,
    /// How many requests of one worker may wait for a verdict at a time.
    pub max_waiting: usize,
}

/// Where the sidecar is. It also tells which proxy this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sidecar {
    /// On NGINX with `WasmX`: `ip:port` or `unix:/path`.
    Address(String),
    /// On Envoy: the name of a cluster.
    Cluster(String),
}

/// Which kind of host runs the filter. They differ in what they do with headers and callouts: see
/// `host`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Envoy.
    Envoy,
    /// NGINX with `WasmX`.
    Nginx,
}

/// Why a configuration is not usable.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidConfig {
    /// A part without `=`.
    #[error("`{0}` is no `key = value`")]
    NoValue(String),
    /// Begins like JSON and is no flat object.
    #[error("not a JSON object of texts without `\\` and numbers")]
    Json,
    /// A value that should be a number and is none.
    #[error("`{0}` must be a whole number from 1 to 3600000")]
    Number(String),
    /// Neither `cluster` nor `address`, or both.
    #[error("either `cluster = <name>` (Envoy) or `address = <ip:port>` (NGINX) must be set")]
    Sidecar,
    /// Not UTF-8.
    #[error("configuration is not text")]
    Text,
    /// A key there is not.
    #[error("unknown key `{0}`; keys are cluster, address, secret, verdict_timeout_ms, poll_wait_ms, max_waiting")]
    UnknownKey(String),
}

impl FilterConfig {
    /// Reads the configuration.
    ///
    /// # Errors
    /// What is wrong with it, for the proxy's log.
    pub fn read(text: &[u8]) -> Result<Self, InvalidConfig> {
        let text = core::str::from_utf8(text).map_err(|_| InvalidConfig::Text)?;
        let (mut cluster, mut address, mut secret) = (None, None, None);
        let (mut verdict_timeout_ms, mut poll_wait_ms, mut max_waiting) = (1_000, 30_000, 4_096_usize);
        let settings = if text.trim_ascii().starts_with('{') { members(text)? } else { lines(text)? };
        for (key, value) in settings {
            match key {
                "cluster" => cluster = Some(value.to_owned()),
                "address" => address = Some(value.to_owned()),
                "secret" => secret = Some(value.to_owned()),
                "verdict_timeout_ms" => verdict_timeout_ms = number(key, value)?,
                "poll_wait_ms" => poll_wait_ms = number(key, value)?,
                "max_waiting" => max_waiting = number(key, value)? as usize,
                _ => return Err(InvalidConfig::UnknownKey(key.to_owned())),
            }
        }
        let sidecar = match (cluster, address) {
            (Some(cluster), None) if !cluster.is_empty() => Sidecar::Cluster(cluster),
            (None, Some(address)) if !address.is_empty() => Sidecar::Address(address),
            _ => return Err(InvalidConfig::Sidecar),
        };
        Ok(Self { sidecar, secret, verdict_timeout_ms, poll_wait_ms, max_waiting })
    }

    /// Which kind of host it is.
    #[must_use]
    pub const fn flavour(&self) -> Flavour {
        match self.sidecar {
            Sidecar::Address(_) => Flavour::Nginx,
            Sidecar::Cluster(_) => Flavour::Envoy,
        }
    }

    /// Where callouts go, as the host wants it.
    #[must_use]
    pub fn upstream(&self) -> &str {
        match &self.sidecar {
            Sidecar::Address(name) | Sidecar::Cluster(name) => name,
        }
    }
}

fn lines(text: &str) -> Result<Vec<(&str, &str)>, InvalidConfig> {
    let parts = text.split(['\n', ';']).map(str::trim_ascii);
    let parts = parts.filter(|part| !part.is_empty() && !part.starts_with('#'));
    let settings = parts.map(|part| {
        let (key, value) = part.split_once('=').ok_or_else(|| InvalidConfig::NoValue(part.to_owned()))?;
        Ok((key.trim_ascii(), value.trim_ascii()))
    });
    settings.collect()
}

/// What is in a JSON object. No escapes: none of our values needs one.
fn members(text: &str) -> Result<Vec<(&str, &str)>, InvalidConfig> {
    let inner = text.trim_ascii().strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let mut rest = inner.filter(|text| !text.contains('\\')).ok_or(InvalidConfig::Json)?.trim_ascii();
    let mut settings = Vec::new();
    while !rest.is_empty() {
        let (key, value, after) = member(rest).ok_or(InvalidConfig::Json)?;
        settings.push((key, value));
        rest = after.trim_ascii();
    }
    Ok(settings)
}

/// The first `"key": value`, and what comes after its comma.
fn member(text: &str) -> Option<(&str, &str, &str)> {
    let (key, rest) = text.strip_prefix('"')?.split_once('"')?;
    let rest = rest.trim_ascii_start().strip_prefix(':')?.trim_ascii_start();
    let Some(quoted) = rest.strip_prefix('"') else {
        let (value, after) = rest.split_once(',').unwrap_or((rest, ""));
        return Some((key, value.trim_ascii(), after));
    };
    let (value, after) = quoted.split_once('"')?;
    let after = after.trim_ascii_start();
    Some((key, value, if after.is_empty() { after } else { after.strip_prefix(',')? }))
}

fn number(key: &str, value: &str) -> Result<u32, InvalidConfig> {
    let number = value.parse().ok().filter(|number| (1..=3_600_000).contains(number));
    number.ok_or_else(|| InvalidConfig::Number(key.to_owned()))
}

/// Whether an unreadable configuration may have been meant for NGINX, where the filter must load all the
/// same: a worker that fails to load it is not started again, and requests hang.
#[must_use]
pub fn may_be_for_nginx(text: &[u8]) -> bool {
    cfg!(feature = "wasmx") || !text.windows(7).any(|part| part == b"cluster")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_least_and_everything() {
        let config = FilterConfig::read(b"cluster = taskgate-sidecar").expect("valid");
        assert_eq!((config.flavour(), config.upstream()), (Flavour::Envoy, "taskgate-sidecar"));
        assert_eq!((config.verdict_timeout_ms, config.poll_wait_ms, config.max_waiting), (1_000, 30_000, 4_096));
        let text =
            b"address=127.0.0.1:19200; secret = a=b\n# comment\n verdict_timeout_ms=5;poll_wait_ms=6;max_waiting=7";
        let config = FilterConfig::read(text).expect("valid");
        assert_eq!(
            (config.flavour(), config.upstream(), config.secret.as_deref()),
            (Flavour::Nginx, "127.0.0.1:19200", Some("a=b"))
        );
        assert_eq!((config.verdict_timeout_ms, config.poll_wait_ms, config.max_waiting), (5, 6, 7));
    }

    #[test]
    fn reads_json_too() {
        let text = br#" {"cluster": "outbound|7010||taskgate.tasks.svc", "secret" :"a,b:c}",
            "max_waiting":7 , "poll_wait_ms" : 6} "#;
        let config = FilterConfig::read(text).expect("valid");
        assert_eq!(
            (config.flavour(), config.upstream(), config.secret.as_deref()),
            (Flavour::Envoy, "outbound|7010||taskgate.tasks.svc", Some("a,b:c}"))
        );
        assert_eq!((config.max_waiting, config.poll_wait_ms, config.verdict_timeout_ms), (7, 6, 1_000));
    }

    #[test]
    fn json_that_is_none_or_says_too_much_is_refused() {
        let error = |text: &str| FilterConfig::read(text.as_bytes()).err();
        for text in [
            "{",
            r#"{"cluster"}"#,
            r#"{"cluster": "a"#,
            r#"{"cluster": "a" "secret": "b"}"#,
            r#"{"cluster": "a\"b"}"#,
            r#"{cluster: "a"}"#,
        ] {
            assert_eq!(error(text), Some(InvalidConfig::Json), "{text}");
        }
        assert_eq!(error("{}"), Some(InvalidConfig::Sidecar));
        assert_eq!(error(r#"{"clutser": "a"}"#), Some(InvalidConfig::UnknownKey("clutser".into())));
        assert_eq!(
            error(r#"{"cluster": "a", "max_waiting": {"b": 1}}"#),
            Some(InvalidConfig::Number("max_waiting".into()))
        );
    }

    #[test]
    fn says_what_is_wrong() {
        let error = |text: &[u8]| FilterConfig::read(text).err();
        assert_eq!(error(b""), Some(InvalidConfig::Sidecar));
        assert_eq!(error(b"cluster=a;address=b"), Some(InvalidConfig::Sidecar));
        assert_eq!(error(b"cluster="), Some(InvalidConfig::Sidecar));
        assert_eq!(error(b"cluster"), Some(InvalidConfig::NoValue("cluster".into())));
        assert_eq!(error(b"cluster=a;max_waiting=0"), Some(InvalidConfig::Number("max_waiting".into())));
        assert_eq!(error(b"clutser=a"), Some(InvalidConfig::UnknownKey("clutser".into())));
        assert_eq!(error(b"\xff"), Some(InvalidConfig::Text));
    }

    #[test]
    fn tells_whom_a_broken_configuration_was_meant_for() {
        assert!(may_be_for_nginx(b"adress = 127.0.0.1:1"));
        assert!(!may_be_for_nginx(b"cluster = s; nonsense"));
    }
}
