//! The site as browsers see it: which service a host names, and the origins of services.
//!
//! Scheme and port of every origin are configured, never taken from a request: where a browser is sent with a code of
//! the sign-in provider is not for a request to say.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use taskgate_core::address::Domains;
use taskgate_core::config::GateConfig;
use taskgate_core::set_cookie::CookieStyle;
use url::Url;

use crate::app::App;
use crate::discovery::provider::Provider;
use crate::registry::published::Published;

/// What is left out of a session's cookie so that browsers keep it: 4,096 bytes for name and value.
const MAX_COOKIE: usize = 3_900;

/// The site as browsers see it.
#[derive(Debug)]
pub struct Site {
    domains: Domains,
    /// Where people sign in: an origin.
    external: String,
    scheme: String,
    port: Option<u16>,
    /// The host of `external`.
    access_host: String,
    /// What the gate decides by, of which cookies and lifetimes count here.
    gate: GateConfig,
}

/// A service, and the host by which a browser came to it.
#[derive(Clone, Debug)]
pub struct Place {
    /// The host's name in lower case, without a port.
    pub host: String,
    /// The service.
    pub service: Arc<Published>,
}

impl Site {
    /// The site that the gate keeps; none where people sign in nowhere.
    #[must_use]
    pub fn new(gate: &GateConfig) -> Option<Self> {
        let external = Url::parse(&gate.issuer).ok()?;
        Some(Self {
            domains: gate.domains().ok()?,
            external: gate.issuer.clone(),
            scheme: external.scheme().to_owned(),
            port: external.port(),
            access_host: external.host_str()?.to_owned(),
            gate: gate.clone(),
        })
    }

    /// The one redirect URI that the sign-in provider knows.
    #[must_use]
    pub fn callback(&self) -> String {
        format!("{}/.taskgate/callback", self.external)
    }

    /// The origin of a host, as browsers write it.
    #[must_use]
    pub fn origin(&self, host: &str) -> String {
        match self.port {
            Some(port) => format!("{}://{host}:{port}", self.scheme),
            None => format!("{}://{host}", self.scheme),
        }
    }

    /// Whether a host is that of the sidecar's own service, where the provider sends people.
    #[must_use]
    pub fn is_access(&self, host: &str) -> bool {
        host == self.access_host
    }

    /// The host of that service.
    #[must_use]
    pub fn access_host(&self) -> &str {
        &self.access_host
    }

    /// The service that an authority (`host` or `host:port`) names.
    #[must_use]
    pub fn place(&self, app: &App, authority: &str) -> Option<Place> {
        let (label, host) = self.domains.find(authority.as_bytes())?;
        let service = app.registry.service(label.as_str())?;
        Some(Place { host, service })
    }

    /// What our cookies look like.
    #[must_use]
    pub const fn cookies(&self) -> CookieStyle {
        CookieStyle { plain_http: self.gate.plain_http }
    }

    /// The name of the cookie of sessions.
    #[must_use]
    pub fn session_cookie(&self) -> &str {
        self.gate.session_cookie_name()
    }

    /// The name of another cookie of ours: one that begins like that of sessions, so that the gate knows it for ours.
    #[must_use]
    pub fn cookie(&self, name: &str) -> String {
        format!("{}-{name}", self.session_cookie())
    }

    /// The most bytes of a session's token that a browser keeps under its name.
    #[must_use]
    pub fn longest_session(&self) -> usize {
        MAX_COOKIE.saturating_sub(self.session_cookie().len())
    }

    /// How long a session of somebody who signed in lasts.
    #[must_use]
    pub const fn session_lifetime(&self) -> Duration {
        Duration::from_secs(self.gate.session_lifetime_secs)
    }

    /// How long a session lasts without being used.
    #[must_use]
    pub const fn session_idle(&self) -> Duration {
        Duration::from_secs(self.gate.session_idle_secs)
    }
}

impl Place {
    /// The provider of the service, where it is still configured.
    #[must_use]
    pub fn provider(&self, app: &App) -> Option<Arc<dyn Provider>> {
        let providers = app.providers.read().unwrap_or_else(PoisonError::into_inner);
        providers.get(&*self.service.provider).map(Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(issuer: &str) -> Option<Site> {
        let gate = GateConfig { issuer: issuer.into(), ..GateConfig::for_domain("tasks.example.test") };
        Site::new(&gate)
    }

    #[test]
    fn origins_have_the_configured_scheme_and_port() {
        let plain = site("https://access.tasks.example.test").expect("a site");
        assert_eq!(plain.origin("x.tasks.example.test"), "https://x.tasks.example.test");
        let other = site("http://access.tasks.example.test:8443").expect("a site");
        assert_eq!(other.origin("x.tasks.example.test"), "http://x.tasks.example.test:8443");
        assert_eq!(other.callback(), "http://access.tasks.example.test:8443/.taskgate/callback");
        assert!(other.is_access("access.tasks.example.test") && !other.is_access("x.tasks.example.test"));
        assert!(site("").is_none());
    }

    #[test]
    fn cookies_begin_like_that_of_sessions() {
        let site = site("https://access.tasks.example.test").expect("a site");
        assert_eq!(site.cookie("tries"), "__Host-taskgate-tries");
    }
}
