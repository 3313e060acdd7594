//! Waits until the controller says that something listens.

use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _, stream};
use kube::api::DynamicObject;

use crate::gateway::kubernetes::cluster::Changes;
use crate::gateway::kubernetes::error::ApiError;
use crate::gateway::kubernetes::objects::Anchor;
use crate::gateway::kubernetes::site::Site;
use crate::gateway::kubernetes::status::{self, Progress};
use crate::gateway::kubernetes::versions::RouteVersion;
use crate::gateway::kubernetes::{hints, listeners, marks};
use crate::gateway::plane::PlaneError;
use crate::gateway::port::Lease;
use crate::retry;

/// How long until it is looked again where the cluster can't be followed.
const UNFOLLOWED: Duration = Duration::from_millis(500);
/// How long nothing is read after news, for a Gateway with many listeners changes all the time, and many wait for it.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest such time.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Waits until something listens and leads to the jobs, as long as whoever calls waits. `reason`: what is missing.
pub(super) async fn until_ready(
    site: &Site,
    anchor: &Anchor,
    version: RouteVersion,
    lease: &Lease,
    reason: &mut String,
) -> Result<(), PlaneError> {
    let route_name = marks::name(lease.port);
    let (parents, parent_name) = match &anchor.owner {
        Some(owner) => (site.sets(), owner.name.clone()),
        None => (site.gateways(), site.gateway.clone()),
    };
    let routes = site.routes(version);
    let mut changes: Option<Changes> = None;
    let mut pause = FIRST_PAUSE;
    loop {
        let parent = match site.cluster.get::<DynamicObject>(&parents, &parent_name).await {
            Ok(parent) => parent,
            Err(ApiError::NotFound) if anchor.owner.is_some() => return Err(PlaneError::PortTaken(lease.port)),
            Err(error) => return Err(error.into()),
        };
        let route = match site.cluster.get::<DynamicObject>(&routes, &route_name).await {
            Ok(route) => Some(route),
            Err(ApiError::NotFound) => None,
            Err(error) => return Err(error.into()),
        };
        let listens = match &anchor.owner {
            Some(_) => status::of_set(&parent),
            None => {
                let listener = anchor.parent.section_name.as_deref().unwrap_or_default();
                status::of_listener(&parent, listener, anchor.since)
            }
        };
        let leads = route.as_ref().map(|route| status::of_route(route, &anchor.parent));
        let leads = leads.unwrap_or_else(|| Progress::Waiting("somebody deleted the TCPRoute".to_owned()));
        match (listens, leads) {
            (Progress::Ready, Progress::Ready) => return Ok(()),
            (Progress::Conflicted, _) | (_, Progress::Conflicted) => return Err(PlaneError::PortTaken(lease.port)),
            (Progress::Full, _) | (_, Progress::Full) => return Err(PlaneError::ListenerLimit(taken(site).await?)),
            (Progress::Refused(text), _) | (_, Progress::Refused(text)) => return Err(PlaneError::Refused(text)),
            (Progress::Waiting(text), _) | (_, Progress::Waiting(text)) => *reason = text,
        }
        if changes.is_none() {
            changes = follow(site, (&parents, &parent), route.as_ref().map(|route| (routes.as_str(), route))).await;
        }
        let has_news = match &mut changes {
            Some(changes) => changes.next().await.is_some(),
            None => false,
        };
        if !has_news {
            changes = None;
        }
        tokio::time::sleep(if has_news { pause } else { retry::fraction(UNFOLLOWED) }).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        // All that happened meanwhile is looked at once.
        let next = |changes: &mut Changes| changes.next().now_or_never();
        while let Some(Some(())) = changes.as_mut().and_then(next) {}
    }
}

/// How many listeners the Gateway took: its own, and those of sets.
async fn taken(site: &Site) -> Result<usize, ApiError> {
    let own = listeners::ports_of(site).await?.len();
    let sets = site.cluster.list(&site.sets(), None).await?;
    let is_taken = |set: &&DynamicObject| status::is_accepted(set);
    let counts = sets.iter().filter(is_taken).map(|set| hints::ports_of(set, site).len());
    Ok(own.saturating_add(counts.sum()))
}

/// Follows both. None where that can't be done: then it is looked now and then.
async fn follow(site: &Site, parent: (&str, &DynamicObject), route: Option<(&str, &DynamicObject)>) -> Option<Changes> {
    let (routes, route) = route?;
    let parent_changes = one(site, parent.0, parent.1).await?;
    let route_changes = one(site, routes, route).await?;
    // The end of either is the end.
    let either = stream::select(parent_changes.map(Some).chain(end()), route_changes.map(Some).chain(end()));
    Some(either.take_while(|change| std::future::ready(change.is_some())).map(|_| ()).boxed())
}

async fn one(site: &Site, path: &str, object: &DynamicObject) -> Option<Changes> {
    let (name, version) = (object.metadata.name.as_deref()?, object.metadata.resource_version.as_deref()?);
    match site.cluster.watch(path, name, version).await {
        Ok(changes) => Some(changes),
        Err(error) => {
            tracing::debug!(%error, "an object of Kubernetes can't be followed, so it is looked at now and then");
            None
        }
    }
}

fn end() -> stream::Iter<std::array::IntoIter<Option<()>, 1>> {
    stream::iter([None])
}
