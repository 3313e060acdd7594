//! From the section `access` as written to where people sign in.

use std::time::Duration;

use taskgate_core::config::GateConfig;
use url::{Host, Url};

use crate::auth::fields::Fields;
use crate::config::access::{AccessConfig, SignInConfig};
use crate::config::resolve::{Files, InvalidSetting, within};
use crate::data::settings::resolve::service::ServiceSettings;
use crate::digest::Digest;
use crate::http;
use crate::lifecycle::front::Front;
use crate::secret::SecretText;

/// The longest that an assertion may hold, in seconds.
const LONGEST_ASSERTION_SECS: u64 = 3_600;
/// The most scopes.
const MAX_SCOPES: usize = 32;

/// Where people sign in.
#[derive(Clone, Debug)]
pub struct EntranceSettings {
    /// The service that it is behind the gate.
    pub service: ServiceSettings,
    /// Who people sign in with; none: nobody is sent to sign in.
    pub sign_in: Option<SignInSettings>,
    /// Whether browsers come over plain HTTP.
    pub plain_http: bool,
    /// Whether browsers see to it that no other host sets the cookie of sessions.
    pub is_host_cookie: bool,
    /// Differs when any of these does, but for secrets in files.
    pub fingerprint: Digest,
}

/// Who people sign in with.
#[derive(Clone, Debug)]
pub struct SignInSettings {
    /// Its issuer.
    pub issuer: Url,
    /// The issuer as it is written: providers compare it letter by letter.
    pub issuer_text: String,
    /// As what it knows us.
    pub client_id: String,
    /// The secret that goes with it.
    pub client_secret: Option<SecretText>,
    /// What it is asked for.
    pub scopes: Vec<String>,
    /// Where the visitor is in its claims.
    pub fields: Fields,
    /// The `prompt` with which somebody signs in as somebody else.
    pub switch_prompt: String,
    /// How long it may take to answer.
    pub timeout: Duration,
}

impl EntranceSettings {
    /// Checks the section, and has the gate send people there.
    ///
    /// # Errors
    /// The first [`InvalidSetting`].
    pub fn resolve(
        config: &AccessConfig,
        gate: &mut GateConfig,
        front: Option<&Front>,
        files: &mut Files<'_>,
    ) -> Result<Self, InvalidSetting> {
        let front = front.ok_or_else(|| {
            InvalidSetting::new("public.listen", "`access` is served there; add `public: {listen: \"127.0.0.1:7012\"}`")
        })?;
        let fingerprint = Digest::of(format!("{config:?}").as_bytes());
        let service = ServiceSettings::resolve("access", &config.label, config.address.as_deref(), gate, front)?;
        let service = service.ok_or_else(|| {
            InvalidSetting::new("access.label", "is empty; people could not come back from signing in")
        })?;
        let lifetime = config.assertions.lifetime_secs;
        within("access.assertions.lifetime_secs", lifetime, 0, LONGEST_ASSERTION_SECS)?;
        gate.issuer = external_url(config.external_url.as_deref(), service.label().as_str(), gate)?;
        gate.access_label = service.label().as_str().into();
        gate.assertion_lifetime_secs = lifetime;
        gate.sign_in = config.sign_in.is_some();
        let sign_in = config.sign_in.clone().map(|config| SignInSettings::resolve(config, files)).transpose()?;
        let is_host_cookie = gate.session_cookie_name().starts_with("__Host-");
        Ok(Self { service, sign_in, plain_http: gate.plain_http, is_host_cookie, fingerprint })
    }
}

impl SignInSettings {
    fn resolve(config: SignInConfig, files: &mut Files<'_>) -> Result<Self, InvalidSetting> {
        let invalid = |field: &str, reason: &str| Err(InvalidSetting::new(format!("access.sign_in.{field}"), reason));
        let issuer = http::parse_url(&config.issuer)
            .map_err(|error| InvalidSetting::new("access.sign_in.issuer", error.to_string()))?;
        if config.client_id.is_empty() {
            return invalid("client_id", "is empty; the provider gives one");
        }
        if !config.scopes.iter().any(|scope| scope == "openid") || config.scopes.len() > MAX_SCOPES {
            return invalid("scopes", "must be a few, and `openid` among them: without it there is no ID token");
        }
        if config.actor_claim.is_empty() {
            return invalid("actor_claim", "is empty; name the claim with the login name, as in `preferred_username`");
        }
        let secret =
            files.secret("access.sign_in.client_secret", config.client_secret, config.client_secret_file.as_deref())?;
        if !(100..=60_000).contains(&config.timeout_ms) {
            return invalid("timeout_ms", "is not between 100 and 60000");
        }
        Ok(Self {
            issuer,
            issuer_text: config.issuer,
            client_id: config.client_id,
            client_secret: secret,
            scopes: config.scopes,
            fields: Fields {
                actor: config.actor_claim,
                email: config.email_claim,
                groups: config.groups_claim,
                is_address_verified: true,
            },
            switch_prompt: config.switch_prompt,
            timeout: Duration::from_millis(config.timeout_ms),
        })
    }
}

/// Where browsers reach it, as an origin: without a slash at the end.
fn external_url(written: Option<&str>, label: &str, gate: &GateConfig) -> Result<String, InvalidSetting> {
    const KEY: &str = "access.external_url";
    let scheme = if gate.plain_http { "http" } else { "https" };
    let host = |base: &String| format!("{label}.{}", base.trim_matches('.').to_ascii_lowercase());
    let mut hosts = gate.base_domains.iter().map(host);
    let Some(written) = written else {
        let first = hosts.next().unwrap_or_default();
        return Ok(format!("{scheme}://{first}"));
    };
    let invalid = |reason: &str| InvalidSetting::new(KEY, reason.to_owned());
    let url = http::parse_url(written).map_err(|error| invalid(&error.to_string()))?;
    if url.scheme() != scheme {
        return Err(invalid(
            "must be https://; plain http:// needs `sessions.plain_http: true`, which is for development",
        ));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("has a path; write scheme, host and port alone"));
    }
    match url.host() {
        Some(Host::Domain(name)) if hosts.any(|host| host == name) => Ok(url.origin().ascii_serialization()),
        _ => Err(invalid("is not `access.label` under one of `gate.base_domains`")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::lifecycle::address::Listen;

    use super::*;

    fn resolve(access: &str, plain_http: bool) -> Result<GateConfig, String> {
        let mut gate = GateConfig { plain_http, ..GateConfig::for_domain("tasks.example.test") };
        let config: AccessConfig = crate::yaml::parse(access).map_err(|error| error.to_string())?;
        let front = Front::new(Listen::parse("127.0.0.1:7012", "0600").expect("a listener"), &[]);
        let resolved = EntranceSettings::resolve(&config, &mut gate, Some(&front), &mut Files::new(Path::new("/")));
        resolved.map(|_| gate).map_err(|error| error.to_string())
    }

    #[test]
    fn the_gate_sends_people_where_browsers_reach_it() {
        let issuer = |access: &str| resolve(access, false).map(|gate| gate.issuer);
        assert_eq!(issuer("{}"), Ok("https://access.tasks.example.test".into()));
        assert_eq!(issuer("{label: door}"), Ok("https://door.tasks.example.test".into()));
        let url = "{external_url: 'https://access.tasks.example.test:8443/'}";
        assert_eq!(issuer(url), Ok("https://access.tasks.example.test:8443".into()));
        assert_eq!(issuer("{external_url: 'https://access.tasks.example.test:443'}"), issuer("{}"));
        assert_eq!(resolve("{}", true).map(|gate| gate.issuer), Ok("http://access.tasks.example.test".into()));
        assert!(resolve("{}", false).is_ok_and(|gate| !gate.sign_in && gate.assertion_lifetime_secs == 300));
        let sign_in = "{sign_in: {issuer: 'https://idp.example.test', client_id: taskgate}}";
        assert!(resolve(sign_in, false).is_ok_and(|gate| gate.sign_in));
    }

    #[test]
    fn refuses_what_could_not_work() {
        for (access, key) in [
            ("{external_url: 'http://access.tasks.example.test'}", "access.external_url"),
            ("{external_url: 'https://access.tasks.example.test/x'}", "access.external_url"),
            ("{external_url: 'https://other.tasks.example.test'}", "access.external_url"),
            ("{external_url: 'https://10.0.0.1'}", "access.external_url"),
            ("{label: ''}", "access.label"),
            ("{label: taskgate}", "access.label"),
            ("{assertions: {lifetime_secs: 3601}}", "access.assertions.lifetime_secs"),
            ("{sign_in: {issuer: idp, client_id: a}}", "access.sign_in.issuer"),
            ("{sign_in: {issuer: 'https://idp', client_id: ''}}", "access.sign_in.client_id"),
            ("{sign_in: {issuer: 'https://idp', client_id: a, scopes: [email]}}", "access.sign_in.scopes"),
            ("{sign_in: {issuer: 'https://idp', client_id: a, actor_claim: ''}}", "access.sign_in.actor_claim"),
            ("{sign_in: {issuer: 'https://idp', client_id: a, timeout_ms: 1}}", "access.sign_in.timeout_ms"),
        ] {
            let error = resolve(access, false).expect_err(access);
            assert!(error.contains(key), "{access}: {error}");
        }
        assert!(resolve("{external_url: 'https://access.tasks.example.test'}", true).is_err());
    }
}
