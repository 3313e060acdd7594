//! The gate's configuration. It comes from the sidecar, with the table.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::address::Domains;
use crate::credential::CredentialNames;
use crate::label::Label;
use crate::signed_url::{self, MAX_AUDIENCE};

/// What stands behind the name of the session's cookie in that of the cookie that says whose things a browser has.
const ORIGIN_SUFFIX: &str = "-origin";

/// What the gate can be told. Every key but `base_domains` has a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateConfig {
    /// Domains under which services are named: `tasks.example.test` for `<id>.tasks.example.test`.
    pub base_domains: Vec<String>,
    /// Labels under a base domain that name the gateway itself, for requests that name their service
    /// in a header.
    #[serde(default = "default::gateway_labels")]
    pub gateway_labels: Vec<String>,
    /// Hosts whose paths name services: `/proxy/<workload>:<port>/` on `determined.example.test`. What else is there is
    /// not the gate's.
    #[serde(default)]
    pub path_hosts: Vec<String>,
    /// Cookies that the platform sets of whose services paths name; they count for those services alone.
    #[serde(default = "default::path_cookies")]
    pub path_cookies: Vec<String>,
    /// Query parameters that carry a token of that platform for one workload, which counts before all else. It may come
    /// as `Authorization: token …` too.
    #[serde(default = "default::path_parameters")]
    pub path_parameters: Vec<String>,
    /// Where people sign in who come to such a host: what stands before the path that they come back to. Empty: nowhere.
    #[serde(default)]
    pub path_sign_in: String,
    /// Cookies that the platform sets; they never reach a job.
    #[serde(default = "default::platform_cookies")]
    pub platform_cookies: Vec<String>,
    /// Query parameters that carry the platform's token.
    #[serde(default = "default::query_parameters")]
    pub query_parameters: Vec<String>,
    /// The cookie of our sessions. With TLS in front, keep the `__Host-` prefix.
    #[serde(default = "default::session_cookie")]
    pub session_cookie: String,
    /// How long a session lasts at most, in seconds.
    #[serde(default = "default::session_lifetime_secs")]
    pub session_lifetime_secs: u64,
    /// How long a session lasts without being used, in seconds.
    #[serde(default = "default::session_idle_secs")]
    pub session_idle_secs: u64,
    /// How long a session is believed without asking whether its visitor may still use the service, in seconds.
    #[serde(default = "default::session_recheck_secs")]
    pub session_recheck_secs: u64,
    /// Whether browsers come over plain HTTP, for development: cookies are then neither `Secure` nor `__Host-`.
    #[serde(default)]
    pub plain_http: bool,
    /// Origins (`https://console.example.test`) whose pages may act at services with what a visitor's cookies give
    /// them; a service's own pages always may.
    #[serde(default)]
    pub trusted_origins: Vec<String>,
    /// Whether people without a credential are sent to sign in.
    #[serde(default)]
    pub sign_in: bool,
    /// The label of the sidecar's own service for access, which paths below `/.taskgate/` of every service lead to.
    #[serde(default = "default::access_label")]
    pub access_label: String,
    /// Who issues assertions (`iss`): where the keys that they are verified with are.
    #[serde(default)]
    pub issuer: String,
    /// How long an assertion holds, in seconds; 0: none are made.
    #[serde(default)]
    pub assertion_lifetime_secs: u64,
    /// How long the table is trusted without a word from the sidecar, in seconds.
    #[serde(default = "default::table_max_age_secs")]
    pub table_max_age_secs: u64,
    /// How many verdicts each worker keeps.
    #[serde(default = "default::verdict_cache_entries")]
    pub verdict_cache_entries: usize,
    /// How long beyond its lifetime a verdict counts while the sidecar can't be reached, in seconds.
    #[serde(default = "default::verdict_grace_secs")]
    pub verdict_grace_secs: u64,
    /// How long an address that failed comes last, in seconds.
    #[serde(default = "default::demotion_secs")]
    pub demotion_secs: u64,
    /// How long connections to a service that is gone may last, in seconds.
    #[serde(default = "default::tcp_close_after_secs")]
    pub tcp_close_after_secs: u64,
    /// For which installation URLs of objects are signed: 1 to 64 visible ASCII characters.
    #[serde(default = "default::url_audience")]
    pub url_audience: String,
}

/// Every default in one place.
mod default {
    pub(super) fn gateway_labels() -> Vec<String> {
        vec!["task-proxy".into(), "taskgate".into()]
    }
    pub(super) fn path_cookies() -> Vec<String> {
        vec!["det_jwt".into(), "auth".into()]
    }
    pub(super) fn path_parameters() -> Vec<String> {
        vec!["token".into()]
    }
    pub(super) fn platform_cookies() -> Vec<String> {
        vec!["YTCypressCookie".into()]
    }
    pub(super) fn query_parameters() -> Vec<String> {
        vec!["api_token".into(), "arvados_api_token".into()]
    }
    pub(super) fn session_cookie() -> String {
        "__Host-taskgate".into()
    }
    pub(super) const fn session_lifetime_secs() -> u64 {
        12 * 3600
    }
    pub(super) const fn session_idle_secs() -> u64 {
        2 * 3600
    }
    pub(super) const fn session_recheck_secs() -> u64 {
        60
    }
    pub(super) fn access_label() -> String {
        "access".into()
    }
    pub(super) const fn table_max_age_secs() -> u64 {
        3600
    }
    pub(super) const fn verdict_cache_entries() -> usize {
        8192
    }
    pub(super) const fn verdict_grace_secs() -> u64 {
        300
    }
    pub(super) const fn demotion_secs() -> u64 {
        10
    }
    pub(super) const fn tcp_close_after_secs() -> u64 {
        5
    }
    pub(super) fn url_audience() -> String {
        "taskgate".into()
    }
}

/// Why a configuration is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidConfig {
    /// `base_domains` is empty or has an entry that is no host name.
    #[error("`base_domains` must name at least one domain, such as `tasks.example.test`")]
    BaseDomains,
    /// `path_hosts` has an entry that is no host name, or one that can be a service's.
    #[error(
        "`path_hosts` must be whole host names that no service can have: outside `base_domains`, or with one of \
         `gateway_labels`"
    )]
    PathHosts,
    /// `path_sign_in` is no path.
    #[error("`path_sign_in` must be a path such as `/det/login?redirect=`")]
    PathSignIn,
    /// `session_cookie`, `platform_cookies` or `query_parameters` has an empty or unusable name.
    #[error("a cookie or query parameter name is empty or has a character that none can have")]
    CredentialName,
    /// `gateway_labels` has an entry that is no label.
    #[error("`gateway_labels` must be single labels, such as `taskgate`")]
    GatewayLabels,
    /// `url_audience` is none.
    #[error("`url_audience` must be 1 to {MAX_AUDIENCE} visible ASCII characters")]
    UrlAudience,
}

impl GateConfig {
    /// The defaults, under that base domain.
    #[must_use]
    pub fn for_domain(base_domain: &str) -> Self {
        Self {
            base_domains: vec![base_domain.into()],
            gateway_labels: default::gateway_labels(),
            path_hosts: Vec::new(),
            path_cookies: default::path_cookies(),
            path_parameters: default::path_parameters(),
            path_sign_in: String::new(),
            platform_cookies: default::platform_cookies(),
            query_parameters: default::query_parameters(),
            session_cookie: default::session_cookie(),
            session_lifetime_secs: default::session_lifetime_secs(),
            session_idle_secs: default::session_idle_secs(),
            session_recheck_secs: default::session_recheck_secs(),
            plain_http: false,
            trusted_origins: Vec::new(),
            sign_in: false,
            access_label: default::access_label(),
            issuer: String::new(),
            assertion_lifetime_secs: 0,
            table_max_age_secs: default::table_max_age_secs(),
            verdict_cache_entries: default::verdict_cache_entries(),
            verdict_grace_secs: default::verdict_grace_secs(),
            demotion_secs: default::demotion_secs(),
            tcp_close_after_secs: default::tcp_close_after_secs(),
            url_audience: default::url_audience(),
        }
    }

    /// The host names that are ours.
    ///
    /// # Errors
    /// What is wrong with the configuration, in any part of it.
    pub fn domains(&self) -> Result<Domains, InvalidConfig> {
        let labels = self.gateway_labels.iter().map(|label| Label::parse(label.as_bytes()));
        let labels: Vec<Label> = labels.collect::<Result<_, _>>().map_err(|_| InvalidConfig::GatewayLabels)?;
        if self.base_domains.is_empty() {
            return Err(InvalidConfig::BaseDomains);
        }
        self.check_names()?;
        if !signed_url::is_audience(&self.url_audience) {
            return Err(InvalidConfig::UrlAudience);
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/?=-._~%".contains(&byte);
        let sign_in = self.path_sign_in.as_bytes();
        let leads_here = matches!(sign_in, [] | [b'/'] | [b'/', b'!'..=b'.' | b'0'..=b'~', ..]);
        if !leads_here || !sign_in.iter().copied().all(is_plain) {
            return Err(InvalidConfig::PathSignIn);
        }
        let domains = Domains::new(&self.base_domains, &labels).ok_or(InvalidConfig::BaseDomains)?;
        domains.with_path_hosts(&self.path_hosts).ok_or(InvalidConfig::PathHosts)
    }

    /// The cookie of sessions as browsers have it: with no TLS in front they take no `__Host-`.
    #[must_use]
    pub fn session_cookie_name(&self) -> &str {
        let plain = self.session_cookie.strip_prefix("__Host-").filter(|name| self.plain_http && !name.is_empty());
        plain.unwrap_or(&self.session_cookie)
    }

    pub(crate) fn credential_names(&self) -> CredentialNames {
        CredentialNames {
            session_cookie: self.session_cookie_name().into(),
            origin_cookie: format!("{}{ORIGIN_SUFFIX}", self.session_cookie_name()),
            platform_cookies: self.platform_cookies.clone(),
            query_parameters: self.query_parameters.clone(),
            first_parameters: Vec::new(),
        }
    }

    /// The names at services that paths name: those of their platform come before all others.
    pub(crate) fn path_credential_names(&self) -> CredentialNames {
        let names = self.credential_names();
        CredentialNames {
            platform_cookies: self.path_cookies.iter().chain(&names.platform_cookies).cloned().collect(),
            query_parameters: self.path_parameters.iter().chain(&names.query_parameters).cloned().collect(),
            first_parameters: self.path_parameters.clone(),
            ..names
        }
    }

    fn check_names(&self) -> Result<(), InvalidConfig> {
        let unusable = |byte: u8| byte <= b' ' || byte >= 0x7f || b"=;,&\"".contains(&byte);
        let names = core::iter::once(&self.session_cookie).chain(&self.platform_cookies).chain(&self.query_parameters);
        let names = names.chain(&self.path_cookies).chain(&self.path_parameters);
        let bad = |name: &String| name.is_empty() || name.bytes().any(unusable);
        if names.into_iter().any(bad) { Err(InvalidConfig::CredentialName) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_base_domains_and_knows_its_keys() {
        let read = |text: &str| serde_json::from_str::<GateConfig>(text).map_err(|error| error.to_string());
        assert_eq!(
            read(r#"{"base_domains":["tasks.example.test"]}"#),
            Ok(GateConfig::for_domain("tasks.example.test"))
        );
        assert!(read("{}").is_err_and(|error| error.contains("base_domains")));
        assert!(read(r#"{"base_domains":["a.b"],"base_domian":1}"#).is_err_and(|error| error.contains("base_domian")));
    }

    #[test]
    fn refuses_what_could_not_work() {
        let check = |change: fn(&mut GateConfig)| {
            let mut config = GateConfig::for_domain("tasks.example.test");
            change(&mut config);
            config.domains().map(|_| ())
        };
        assert_eq!(check(|_| ()), Ok(()));
        assert_eq!(check(|config| config.base_domains.clear()), Err(InvalidConfig::BaseDomains));
        assert_eq!(check(|config| config.base_domains = vec!["10.0.0.1".into()]), Err(InvalidConfig::BaseDomains));
        assert_eq!(check(|config| config.base_domains = vec!["a b".into()]), Err(InvalidConfig::BaseDomains));
        assert_eq!(check(|config| config.gateway_labels = vec!["a.b".into()]), Err(InvalidConfig::GatewayLabels));
        assert_eq!(check(|config| config.session_cookie = "a=b".into()), Err(InvalidConfig::CredentialName));
        assert_eq!(check(|config| config.platform_cookies = vec![String::new()]), Err(InvalidConfig::CredentialName));
        let path_hosts = |host: &str| {
            let path_hosts = vec![host.to_owned()];
            GateConfig { path_hosts, ..GateConfig::for_domain("tasks.example.test") }.domains().map(|_| ())
        };
        for host in ["determined.example.test", "tasks.example.test", "taskgate.tasks.example.test"] {
            assert_eq!(path_hosts(host), Ok(()), "{host}");
        }
        for host in ["a.tasks.example.test", "a.b.tasks.example.test", "10.0.0.1", "", "*.example.test", "a b"] {
            assert_eq!(path_hosts(host), Err(InvalidConfig::PathHosts), "{host}");
        }
        for sign_in in ["x", "//evil.test/", "/\\evil.test", "/a b", "/\"", "https://a.test/"] {
            let config = GateConfig { path_sign_in: sign_in.into(), ..GateConfig::for_domain("tasks.example.test") };
            assert_eq!(config.domains().map(|_| ()), Err(InvalidConfig::PathSignIn), "{sign_in}");
        }
        assert_eq!(check(|config| config.path_sign_in = "/det/login?redirect=".into()), Ok(()));
        assert_eq!(check(|config| config.path_cookies = vec!["a=b".into()]), Err(InvalidConfig::CredentialName));
        assert_eq!(check(|config| config.url_audience = "a b".into()), Err(InvalidConfig::UrlAudience));
    }
}
