//! What arrived with the table, ready for use.

use core::time::Duration;

use crate::address::Domains;
use crate::cache::Keyer;
use crate::config::InvalidConfig;
use crate::credential::CredentialNames;
use crate::feed::Control;
use crate::key::{KeyRing, Secret};
use crate::permit::SessionRules;
use crate::revocation::Revocations;
use crate::set_cookie::CookieStyle;
use crate::time::UnixTime;

#[derive(Debug)]
pub(super) struct Rules {
    pub(super) control: Control,
    pub(super) domains: Domains,
    pub(super) names: CredentialNames,
    /// The same at services that paths name.
    pub(super) path_names: CredentialNames,
    pub(super) style: CookieStyle,
    pub(super) table_max_age: Duration,
    pub(super) keys: KeyRing,
    pub(super) keyer: Keyer,
    revocations: Revocations,
}

impl Rules {
    pub(super) fn new(control: Control) -> Result<Self, InvalidConfig> {
        let gate = &control.gate;
        Ok(Self {
            domains: gate.domains()?,
            names: gate.credential_names(),
            path_names: gate.path_credential_names(),
            style: CookieStyle { plain_http: gate.plain_http },
            table_max_age: Duration::from_secs(gate.table_max_age_secs),
            keys: KeyRing::new(control.keys.iter().map(|(id, key)| (id.clone(), Secret::new(*key)))),
            keyer: Keyer::new(&control.cache_key, control.verdict_epoch),
            revocations: Revocations::new(&control.revocations),
            control,
        })
    }

    pub(super) fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    pub(super) fn sessions(&self) -> SessionRules<'_> {
        let gate = &self.control.gate;
        SessionRules {
            revocations: &self.revocations,
            idle: Duration::from_secs(gate.session_idle_secs),
            recheck: Duration::from_secs(gate.session_recheck_secs),
        }
    }

    /// When a session that begins now ends.
    pub(super) fn session_end(&self, now: UnixTime, credential_ends_at: Option<UnixTime>) -> UnixTime {
        let end = now.after(Duration::from_secs(self.control.gate.session_lifetime_secs));
        credential_ends_at.map_or(end, |other| other.min(end))
    }

    /// Whether a cookie is one of ours or the platform's, which no job sets.
    pub(super) fn is_our_cookie(&self, name: &[u8], has_path: bool) -> bool {
        let names = if has_path { &self.path_names } else { &self.names };
        let platform = names.platform_cookies.iter().any(|cookie| cookie.as_bytes() == name);
        platform || self.names.is_own_cookie(name)
    }
}
