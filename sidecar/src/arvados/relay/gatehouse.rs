//! What the relay has to know of the gate: which service a way is for, and whom the filter vouches for.

use std::fmt;
use std::sync::{Arc, Weak};

use hyper::HeaderMap;
use taskgate_core::identity::{Identity, WireIdentity};
use taskgate_core::naming::ServiceDigest;
use taskgate_core::time::UnixTime;
use taskgate_core::visitor::{VISITOR_HEADER, is_vouched};

use crate::app::App;
use crate::discovery::inventory::ServiceKey;
use crate::registry::published::Published;

/// What the relay has to know of the gate.
pub trait Gatehouse: fmt::Debug + Send + Sync + 'static {
    /// A service as it is published.
    fn service(&self, key: &ServiceKey) -> Option<Arc<Published>>;

    /// The service that a host's name means, where it means one.
    fn named(&self, host: &str) -> Option<Arc<Published>>;

    /// Whether the filter vouches for this visitor of that service.
    fn is_vouched(&self, text: &str, service: &str, visitor: &Identity) -> bool;

    /// What time it is; none where the gate is gone.
    fn now(&self) -> Option<UnixTime>;
}

/// The gate of a running sidecar.
#[derive(Debug)]
pub struct AppGate(Weak<App>);

impl AppGate {
    /// The gate of this sidecar.
    #[must_use]
    pub fn new(app: &Arc<App>) -> Self {
        Self(Arc::downgrade(app))
    }
}

impl Gatehouse for AppGate {
    fn service(&self, key: &ServiceKey) -> Option<Arc<Published>> {
        let app = self.0.upgrade()?;
        let digest = ServiceDigest::of(&key.operation, &key.task, &key.service);
        let mut published = digest.ids().filter_map(|id| app.registry.service(id.as_str()));
        published.find(|service| *service.entry.key == *key)
    }

    fn named(&self, host: &str) -> Option<Arc<Published>> {
        let label = host.split('.').next()?.to_ascii_lowercase();
        self.0.upgrade()?.registry.service(&label)
    }

    fn is_vouched(&self, text: &str, service: &str, visitor: &Identity) -> bool {
        self.0.upgrade().is_some_and(|app| {
            let ring = app.control.ring();
            is_vouched(&ring, text, service, visitor, app.clock.now())
        })
    }

    fn now(&self) -> Option<UnixTime> {
        self.0.upgrade().map(|app| app.clock.now())
    }
}

/// The visitor that the filter vouches for, of that service. Nothing but what was vouched for is believed.
#[must_use]
pub fn visitor(gate: &dyn Gatehouse, service: &str, headers: &HeaderMap) -> Option<Identity> {
    let text = one(headers, VISITOR_HEADER)?;
    let groups = one(headers, "x-forwarded-groups").into_iter().flat_map(|groups| groups.split(','));
    let said = WireIdentity {
        actor: one(headers, "x-forwarded-user")?.to_owned(),
        email: one(headers, "x-forwarded-email").map(Into::into),
        groups: groups.map(Into::into).collect(),
        arvados_user_uuid: one(headers, "x-arvados-user-uuid").map(Into::into),
    };
    let visitor = Identity::try_from(said).ok()?;
    gate.is_vouched(text, service, &visitor).then_some(visitor)
}

/// A header that comes once, as text.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => std::str::from_utf8(line.as_bytes()).ok(),
        _ => None,
    }
}
