//! Who is at the other end of a connection without headers: the names in client certificates, and networks.
//!
//! Envoy has verified a certificate; here its names become a user, by the operator's list. Whose certificate fits
//! nothing is nobody, and so is who comes by an address alone, but at services that are public, from the networks that
//! the operator named for those.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use ipnet::IpNet;
use taskgate_core::identity::WireIdentity;
use taskgate_core::peer::{Peer, PeerCertificate};
use taskgate_core::service::AccessLevel;
use taskgate_core::verdict::Scheme;

use crate::auth::actor::{Actor, InvalidActor, NETWORK_PREFIX};
use crate::auth::source::{Identification, Question, Source};
use crate::config::internal_task_gateway::peers::{CertificateUserConfig, ClientCertificatesConfig};
use crate::config::resolve::InvalidSetting;
use crate::digest::Digest;

/// What it is called in logs and metrics.
pub const SOURCE: &str = "peers";
/// The most users, and the most certificates that are not taken any more.
const MAX_ENTRIES: usize = 10_000;
const KEY: &str = "internal_task_gateway.client_certificates";

/// Who the other ends of connections are.
#[derive(Clone, Debug)]
pub struct PeerRules {
    users: Arc<[CertificateUser]>,
    san_prefix: Option<String>,
    revoked: Arc<[Digest]>,
    source_ranges: Arc<[IpNet]>,
}

/// A user, by the name in a certificate.
#[derive(Clone, Debug)]
struct CertificateUser {
    name: CertificateName,
    identity: WireIdentity,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum CertificateName {
    /// A URI or a DNS name among the alternative names.
    Alternative(String),
    Subject(String),
}

impl PeerRules {
    /// Checks a section.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(config: &ClientCertificatesConfig, source_ranges: Arc<[IpNet]>) -> Result<Self, InvalidSetting> {
        for (name, count) in [("users", config.users.len()), ("revoked_sha256", config.revoked_sha256.len())] {
            if count > MAX_ENTRIES {
                return Err(InvalidSetting::new(format!("{KEY}.{name}"), format!("more than {MAX_ENTRIES} entries")));
            }
        }
        let users = config.users.iter().enumerate();
        let users = users.map(|(index, user)| CertificateUser::resolve(&format!("{KEY}.users[{index}]"), user));
        let revoked = config.revoked_sha256.iter().enumerate();
        let revoked = revoked.map(|(index, text)| {
            // As `openssl x509 -fingerprint` writes it, too.
            Digest::parse(&text.replace(':', ""))
                .map_err(|error| InvalidSetting::new(format!("{KEY}.revoked_sha256[{index}]"), error.to_string()))
        });
        if config.san_prefix.as_ref().is_some_and(|prefix| prefix.trim().is_empty()) {
            let reason = "is empty: every name would be a user's";
            return Err(InvalidSetting::new(format!("{KEY}.san_prefix"), reason));
        }
        Ok(Self {
            users: users.collect::<Result<_, _>>()?,
            san_prefix: config.san_prefix.clone(),
            revoked: revoked.collect::<Result<_, _>>()?,
            source_ranges,
        })
    }

    fn of_certificate(&self, certificate: &PeerCertificate) -> Identification {
        let digest = certificate.sha256();
        if self.revoked.iter().any(|revoked| revoked.as_bytes() == digest) {
            return Identification::Rejected("certificate is revoked");
        }
        let names = || [certificate.uri(), certificate.dns()].into_iter().flatten();
        let fits = |user: &&CertificateUser| match &user.name {
            CertificateName::Alternative(name) => names().any(|shown| shown == name),
            CertificateName::Subject(name) => certificate.subject() == Some(name.as_str()),
        };
        let identity = self.users.iter().find(fits).map(|user| user.identity.clone()).or_else(|| {
            let prefix = self.san_prefix.as_deref()?;
            let rest = names().find_map(|name| name.strip_prefix(prefix))?;
            // One name, not a path: what is below a user is somebody else.
            (!rest.is_empty() && !rest.contains('/')).then(|| named(rest))
        });
        let Some(identity) = identity else { return Identification::Rejected("certificate is no user's") };
        match Actor::new(identity, Some(certificate.ends_at())) {
            Ok(actor) => Identification::Identified(actor),
            Err(_) => Identification::Rejected("name in the certificate can be no user's"),
        }
    }

    fn of_address(&self, address: IpAddr, access: AccessLevel) -> Identification {
        if access != AccessLevel::Public {
            return Identification::Rejected("an address is nobody");
        }
        let Some(network) = self.source_ranges.iter().find(|network| network.contains(&address)) else {
            return Identification::Refused("address is in none of `source_ranges`");
        };
        match Actor::named_here(named(&format!("{NETWORK_PREFIX}{network}")), None) {
            Ok(actor) => Identification::Identified(actor),
            Err(_) => Identification::Rejected("network can't be named"),
        }
    }
}

#[async_trait]
impl Source for PeerRules {
    fn name(&self) -> &'static str {
        SOURCE
    }

    async fn identify(&self, question: Question<'_>) -> Identification {
        if question.credential.scheme != Scheme::Peer {
            return Identification::NotRequested;
        }
        match Peer::of(question.credential) {
            Some(Peer::Certificate(certificate)) => self.of_certificate(&certificate),
            Some(Peer::Address(address)) => self.of_address(address, question.service.entry.policy.access),
            None => Identification::Rejected("question is about no peer"),
        }
    }
}

impl CertificateUser {
    fn resolve(key: &str, config: &CertificateUserConfig) -> Result<Self, InvalidSetting> {
        let name = match (&config.san, &config.subject) {
            (Some(name), None) if !name.is_empty() => CertificateName::Alternative(name.clone()),
            (None, Some(name)) if !name.is_empty() => CertificateName::Subject(name.clone()),
            _ => return Err(InvalidSetting::new(key, "set either `san` or `subject`")),
        };
        let identity = WireIdentity { groups: config.groups.clone(), ..named(&config.actor) };
        Actor::new(identity.clone(), None)
            .map_err(|error: InvalidActor| InvalidSetting::new(format!("{key}.actor"), error.to_string()))?;
        Ok(Self { name, identity })
    }
}

fn named(actor: &str) -> WireIdentity {
    WireIdentity { actor: actor.to_owned(), ..WireIdentity::default() }
}

#[cfg(test)]
mod tests;
