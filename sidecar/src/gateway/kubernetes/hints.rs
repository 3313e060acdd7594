//! Which ports are taken, as far as is known: it says where to try. Whether a port is free, the cluster says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kube::api::DynamicObject;
use taskgate_core::time::UnixTime;

use crate::gateway::kubernetes::error::ApiError;
use crate::gateway::kubernetes::site::Site;
use crate::gateway::kubernetes::wire::SetSpec;
use crate::gateway::kubernetes::{document, listeners, marks};
use crate::gateway::port::{Holder, PortRange, Slot};

/// How long it is believed: when a sidecar starts, all its services want ports at once.
const BELIEVED: Duration = Duration::from_secs(5);

/// What was seen last.
#[derive(Debug, Default)]
pub(super) struct Hints(Mutex<Option<Known>>);

/// Which ports are taken.
#[derive(Clone, Debug)]
pub(super) struct Known {
    seen: Instant,
    /// Ports that are held, or somebody else's, as are names.
    taken: BTreeSet<u16>,
    /// Ports that rest, until when, and their locks.
    resting: BTreeMap<u16, (UnixTime, Arc<DynamicObject>)>,
}

impl Hints {
    /// What was seen, not long ago.
    pub(super) async fn read(&self, site: &Site) -> Result<Known, ApiError> {
        if let Some(known) = self.lock().as_ref().filter(|known| known.seen.elapsed() < BELIEVED) {
            return Ok(known.clone());
        }
        let seen = Instant::now();
        let mut taken: BTreeSet<u16> = listeners::ports_of(site).await?.into_iter().collect();
        let mut resting = BTreeMap::new();
        for set in site.cluster.list(&site.sets(), None).await? {
            match marks::slot(&set.metadata, &site.gateway) {
                Some(Slot::Held(lease)) => taken.extend([lease.port]),
                Some(Slot::Resting { port, until }) => resting.extend([(port, (until, Arc::new(set)))]),
                None => taken.extend(taken_by(&set, site)),
            }
        }
        let known = Known { seen, taken, resting };
        *self.lock() = Some(known.clone());
        Ok(known)
    }

    /// Somebody took a port.
    pub(super) fn learn(&self, port: u16) {
        if let Some(known) = self.lock().as_mut() {
            known.resting.remove(&port);
            known.taken.insert(port);
        }
    }

    /// It is looked anew next time.
    pub(super) fn forget(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Known>> {
        // Who panicked left a whole value.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Ports that a service may try, its own first; those that have rested are among them.
    pub(super) fn free(&self, range: PortRange, holder: &Holder, avoid: &[u16], now: UnixTime) -> Vec<u16> {
        let is_free = |port: &u16| {
            let rests = self.resting.get(port).is_some_and(|(until, _)| *until > now);
            !rests && !self.taken.contains(port) && !avoid.contains(port)
        };
        document::ports(range, holder).filter(is_free).collect()
    }

    /// The lock of a port that rested.
    pub(super) fn lock_of(&self, port: u16) -> Option<&DynamicObject> {
        self.resting.get(&port).map(|(_, set)| &**set)
    }
}

/// What somebody else's set takes. Those of other namespaces are not seen; the controller says that they conflict.
fn taken_by(set: &DynamicObject, site: &Site) -> Vec<u16> {
    let name = set.metadata.name.as_deref().unwrap_or_default();
    let mut taken: Vec<u16> = marks::port_of_name(name).into_iter().collect();
    taken.extend(ports_of(set, site));
    taken
}

/// The ports of a set for the Gateway.
pub(super) fn ports_of(set: &DynamicObject, site: &Site) -> Vec<u16> {
    let spec = set.data.get("spec").cloned().unwrap_or_default();
    let spec: SetSpec = serde_json::from_value(spec).unwrap_or_default();
    let Site { gateway, namespace, .. } = site;
    if !spec.parent_ref.is_gateway(gateway, namespace, Some(namespace)) {
        return Vec::new();
    }
    spec.listeners.iter().filter_map(|listener| u16::try_from(listener.port).ok()).collect()
}
