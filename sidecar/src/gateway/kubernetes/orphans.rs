//! What stands behind ports in the cluster, and what of it belongs to no reservation any more.

use std::collections::BTreeMap;

use kube::api::DynamicObject;
use taskgate_core::label::Label;

use crate::gateway::kubernetes::error::ApiError;
use crate::gateway::kubernetes::marks;
use crate::gateway::kubernetes::site::Site;
use crate::gateway::kubernetes::versions::RouteVersion;
use crate::gateway::port::{Lease, Slot};

/// Everything of ours behind ports: routes first, then the rest, each with where it is.
pub(super) async fn found(site: &Site, version: RouteVersion) -> Result<[(String, Vec<DynamicObject>); 3], ApiError> {
    let labels = marks::all_of_ours();
    let mut kinds = [site.routes(version), site.slices(), site.services()].map(|path| (path, Vec::new()));
    for (path, objects) in &mut kinds {
        *objects = site.cluster.list(path, Some(&labels)).await?;
    }
    Ok(kinds)
}

/// The ports that lead somewhere, by services. What belongs to no reservation that is held is deleted: the process that
/// made it died, or the cluster has not collected it yet.
pub(super) async fn sort(
    site: &Site,
    version: RouteVersion,
    found: [(String, Vec<DynamicObject>); 3],
    slots: &[Slot],
) -> Result<Vec<(u16, Label)>, ApiError> {
    let held: BTreeMap<u16, &Lease> = slots.iter().filter_map(held).collect();
    let routes = site.routes(version);
    let mut ports = Vec::new();
    for (path, objects) in found {
        for object in objects {
            let Some(port) = marks::port(&object.metadata, &site.gateway) else { continue };
            let lease = held.get(&port).filter(|lease| marks::generation(&object.metadata) == Some(lease.generation));
            match lease {
                Some(lease) if path == routes => ports.push((port, lease.service.clone())),
                Some(_) => {}
                None => site.cluster.delete(&path, &object, false).await?,
            }
        }
    }
    Ok(ports)
}

fn held(slot: &Slot) -> Option<(u16, &Lease)> {
    match slot {
        Slot::Held(lease) => Some((lease.port, lease)),
        Slot::Resting { .. } => None,
    }
}
