//! What a provider publishes.

use std::sync::Arc;

use taskgate_core::label::Label;
use taskgate_core::service::{Endpoint, Protocol};

use crate::digest::Digest;
use crate::discovery::policy::Policy;

/// The three names that a service's id is made of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey {
    /// The workload, in the provider's own form.
    pub operation: String,
    /// Task name.
    pub task: String,
    /// Service name.
    pub service: String,
}

/// One service as its provider knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is called.
    pub key: Arc<ServiceKey>,
    /// Other service names that mean the same.
    pub alternatives: Vec<String>,
    /// The workload's alias.
    pub alias: Option<String>,
    /// What its jobs speak.
    pub protocol: Protocol,
    /// Where its jobs listen.
    pub endpoints: Vec<Endpoint>,
    /// Who may use it.
    pub policy: Policy,
    /// Whether the visitor's credential is passed on to the job.
    pub forward_credential: bool,
    /// Friendly names that its owner wants for it: `ollama` for `ollama.<base domain>`.
    pub names: Vec<String>,
    /// Whether its upstream wants a proof of who asks: what the sidecar serves itself.
    pub vouched: bool,
    /// What the path of each request must begin with, up to a `/`, where its upstream serves other services as well.
    pub path: Option<String>,
}

/// An id that another sidecar of the fleet gave to a service, and published.
///
/// It need not be true: whoever takes it checks that it is an id of that very service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The service.
    pub key: ServiceKey,
    /// Its id.
    pub id: Label,
}

/// Ids that other sidecars gave. Clones are of the same ones: there are as many as services, and they come
/// with every inventory.
///
/// Invariant: they are in the order in which they count where they contradict each other, whatever the
/// order that they came in: shorter ids first, then the order of names.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    claims: Arc<[Claim]>,
    is_whole: bool,
}

/// Something that is wrong with one service, or with one name of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// What it is about, as in `services[3]` or a service's names.
    pub subject: String,
    /// What is wrong, and what to do.
    pub reason: String,
}

/// Everything that a provider sees, at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The services. What did not change may be the very one of the inventory before.
    pub services: Vec<Arc<Entry>>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// Which ids other sidecars gave, where they tell each other. An id that is claimed here wins over
    /// one that this sidecar gave by itself. Services that are not in `services` may be among them.
    pub claims: Claims,
    /// Why this is not the whole truth, where it is not: then services that are not in it stay as they
    /// were, and proxies and tables wait for the whole before they believe that a service is not there.
    pub partial: Option<String>,
}

impl Entry {
    /// Tells one owner of a name from the next: 32 bits of a digest of the owner, or of the workload where nobody
    /// owns it. Never 0.
    #[must_use]
    pub fn origin(&self) -> u32 {
        let owner = self.policy.owner.as_deref();
        let kind: &[u8] = if owner.is_some() { b"owner" } else { b"operation" };
        let parts = [kind, owner.unwrap_or(&self.key.operation).as_bytes()];
        u32::try_from(Digest::of_parts(&parts).prefix() >> 32).unwrap_or_default().max(1)
    }

    /// The epoch of the service: 32 bits of the digest of its names and its policy. So a restart does
    /// not change it, a change of the policy does, and what was decided about a service never counts
    /// for another that got its id. Never 0.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        let ServiceKey { operation, task, service } = &*self.key;
        let policy = self.policy.digest();
        let parts = [operation.as_bytes(), task.as_bytes(), service.as_bytes(), policy.as_bytes()];
        u32::try_from(Digest::of_parts(&parts).prefix() >> 32).unwrap_or_default().max(1)
    }
}

impl Claims {
    /// Claims, in any order. Whole they are where everything was read that others wrote, even if that is
    /// nothing.
    #[must_use]
    pub fn new(mut claims: Vec<Claim>, is_whole: bool) -> Self {
        let rank = |claim: &Claim| claim.id.as_str().len();
        claims.sort_by(|left, right| {
            rank(left).cmp(&rank(right)).then_with(|| left.id.cmp(&right.id)).then_with(|| left.key.cmp(&right.key))
        });
        Self { claims: claims.into(), is_whole }
    }

    /// The claims in the order in which they count.
    pub fn iter(&self) -> std::slice::Iter<'_, Claim> {
        self.claims.iter()
    }

    /// Whether everything was read that others wrote. Where it was not, ids that are given may be those of
    /// services that others know, so nothing of it should be told to others.
    #[must_use]
    pub const fn are_whole(&self) -> bool {
        self.is_whole
    }
}

impl PartialEq for Claims {
    fn eq(&self, other: &Self) -> bool {
        self.is_whole == other.is_whole && (Arc::ptr_eq(&self.claims, &other.claims) || self.claims == other.claims)
    }
}

impl Eq for Claims {}

#[cfg(test)]
pub(crate) mod tests {
    use taskgate_core::service::AccessLevel;

    use super::*;

    /// A service over HTTP that nobody owns and no job serves, for tests to start from.
    pub(crate) fn entry(operation: &str, task: &str, service: &str) -> Entry {
        let key = ServiceKey { operation: operation.into(), task: task.into(), service: service.into() };
        Entry {
            key: Arc::new(key),
            alternatives: Vec::new(),
            alias: None,
            protocol: Protocol::Http,
            endpoints: Vec::new(),
            policy: Policy { access: AccessLevel::CanRead, owner: None, grants: Vec::new(), revision: 0 },
            forward_credential: false,
            names: Vec::new(),
            vouched: false,
            path: None,
        }
    }

    #[test]
    fn the_epoch_is_of_one_service_and_one_policy() {
        let before = entry("op", "web", "ui");
        // What a sidecar that ran yesterday said about the same service.
        assert_eq!(before.epoch(), 2_359_079_645);
        let mut revised = before.clone();
        revised.policy.revision = 7;
        let mut closed = before.clone();
        closed.policy.access = AccessLevel::Nobody;
        let renamed = [entry("o", "pweb", "ui"), entry("op", "we", "bui"), entry("op", "web", "u")];
        for other in renamed.into_iter().chain([revised, closed]) {
            assert_ne!(before.epoch(), other.epoch(), "{other:?}");
        }
        // Where it runs and how it is reached is no matter of access.
        let mut moved = before.clone();
        moved.endpoints.push(Endpoint { address: ([10, 0, 0, 1], 80).into(), weight: 1 });
        assert_eq!(before.epoch(), moved.epoch());
    }
}
