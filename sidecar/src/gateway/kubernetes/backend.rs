//! Makes what stands behind a port be as it should be, and takes it away.

use std::collections::BTreeMap;

use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::gateway::kubernetes::error::ApiError;
use crate::gateway::kubernetes::marks;
use crate::gateway::kubernetes::objects::{self, Anchor, Wanted};
use crate::gateway::kubernetes::site::Site;
use crate::gateway::kubernetes::versions::RouteVersion;
use crate::gateway::plane::{PlaneError, Wish};
use crate::gateway::port::Lease;
use crate::retry;

/// How often an object is tried that changes at the same time, or whose predecessor is still there.
const ATTEMPTS: u32 = 8;

/// Makes everything behind a port be as it should be; what is so already is not written. The route comes last, so that
/// it leads somewhere at once.
pub(super) async fn apply(site: &Site, anchor: &Anchor, version: RouteVersion, wish: &Wish) -> Result<(), PlaneError> {
    let lease = &wish.lease;
    one(site, &site.services(), lease, &objects::service(anchor, lease)?).await?;
    let slices = objects::slices(anchor, lease, &wish.service.entry.endpoints)?;
    let path = site.slices();
    let name = |object: DynamicObject| Some((object.metadata.name.clone()?, object));
    let found = site.cluster.list(&path, Some(&marks::of_port(lease.port))).await?;
    let mut found: BTreeMap<String, DynamicObject> = found.into_iter().filter_map(name).collect();
    for wanted in slices {
        settle(site, &path, lease, found.remove(&wanted.name), &wanted).await?;
    }
    for gone in found.into_values().filter(|object| marks::is_ours(&object.metadata, &site.gateway)) {
        site.cluster.delete(&path, &gone, false).await?;
    }
    one(site, &site.routes(version), lease, &objects::route(anchor, lease, version)?).await
}

/// Takes away what a reservation made behind a port. The route goes first.
pub(super) async fn remove(site: &Site, version: RouteVersion, lease: &Lease) -> Result<(), ApiError> {
    let is_theirs = |object: &DynamicObject| {
        marks::port(&object.metadata, &site.gateway) == Some(lease.port)
            && marks::generation(&object.metadata) == Some(lease.generation)
    };
    let (routes, slices, services) = (site.routes(version), site.slices(), site.services());
    if let Some(route) = get(site, &routes, &marks::name(lease.port)).await?.filter(is_theirs) {
        site.cluster.delete(&routes, &route, false).await?;
    }
    for object in site.cluster.list(&slices, Some(&marks::of_port(lease.port))).await?.into_iter().filter(is_theirs) {
        site.cluster.delete(&slices, &object, false).await?;
    }
    if let Some(service) = get(site, &services, &marks::name(lease.port)).await?.filter(is_theirs) {
        site.cluster.delete(&services, &service, false).await?;
    }
    Ok(())
}

/// Makes the one object of its name be as it should be.
async fn one(site: &Site, path: &str, lease: &Lease, wanted: &Wanted) -> Result<(), PlaneError> {
    let found = get(site, path, &wanted.name).await?;
    settle(site, path, lease, found, wanted).await
}

async fn get(site: &Site, path: &str, name: &str) -> Result<Option<DynamicObject>, ApiError> {
    match site.cluster.get(path, name).await {
        Ok(object) => Ok(Some(object)),
        Err(ApiError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes one object be as it should be.
async fn settle(
    site: &Site,
    path: &str,
    lease: &Lease,
    found: Option<DynamicObject>,
    wanted: &Wanted,
) -> Result<(), PlaneError> {
    let (port, generation) = (lease.port, lease.generation);
    let mut found = found;
    for attempt in 1..=ATTEMPTS {
        let done = match &found {
            None => site.cluster.create(path, &wanted.body).await.map(|_| ()),
            Some(object) if marks::port(&object.metadata, &site.gateway) != Some(port) => {
                return Err(PlaneError::PortTaken(port));
            }
            // It was made for an earlier reservation, whose end the cluster's collector has not seen yet.
            Some(object) if marks::generation(&object.metadata) != Some(generation) || is_ending(object) => {
                site.cluster.delete(path, object, false).await?;
                Err(ApiError::Conflict)
            }
            Some(object) if objects::covers(object, wanted) => Ok(()),
            Some(object) => site.cluster.merge(path, &wanted.name, &patch(object, &wanted.body)).await.map(|_| ()),
        };
        match done {
            Ok(()) => return Ok(()),
            Err(ApiError::AlreadyExists | ApiError::Conflict | ApiError::NotFound) if attempt < ATTEMPTS => {
                if attempt > 1 {
                    tokio::time::sleep(retry::wait(attempt)).await;
                }
                found = get(site, path, &wanted.name).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(PlaneError::Unavailable(format!("{} changes all the time", wanted.name)))
}

fn is_ending(object: &DynamicObject) -> bool {
    object.metadata.deletion_timestamp.is_some()
}

/// What is wanted, for the very state that was read.
fn patch(found: &DynamicObject, wanted: &Value) -> Value {
    let mut patch = wanted.clone();
    if let (Some(metadata), Some(version)) = (patch.get_mut("metadata"), &found.metadata.resource_version)
        && let Some(metadata) = metadata.as_object_mut()
    {
        metadata.insert("resourceVersion".to_owned(), json!(version));
    }
    patch
}
