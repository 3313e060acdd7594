//! Ports as `ListenerSet`s: one for each port, named by it.
//!
//! Kubernetes lets one object have a name, so whoever creates the set of a port has it, with no object that all share.
//! The set stays while its port rests: a lock that leads nowhere. Everything behind the port is owned by the set, so the
//! cluster collects it with the set, whoever deletes that.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use taskgate_core::label::Label;

use crate::gateway::kubernetes::error::ApiError;
use crate::gateway::kubernetes::hints::Hints;
use crate::gateway::kubernetes::marks;
use crate::gateway::kubernetes::objects::Anchor;
use crate::gateway::kubernetes::site::{GROUP, Site};
use crate::gateway::kubernetes::wire::{LISTENER, Listener, ParentRef, SetSpec};
use crate::gateway::ledger::{LeaseError, ReserveError};
use crate::gateway::plane::PlaneError;
use crate::gateway::port::{Holder, Lease, PortRange, Slot};
use crate::{random, retry};

/// How often a change is tried that others get in the way of: controllers write the same objects.
const ATTEMPTS: u32 = 10;
/// How many names are tried before it is looked anew which are there.
const TRIES: usize = 16;

/// Ports as sets of listeners.
#[derive(Debug)]
pub(super) struct Sets {
    site: Arc<Site>,
    hints: Hints,
}

impl Sets {
    pub(super) fn new(site: Arc<Site>) -> Self {
        Self { site, hints: Hints::default() }
    }

    pub(super) async fn slots(&self) -> Result<Vec<Slot>, ApiError> {
        let sets = self.site.cluster.list(&self.site.sets(), Some(&marks::all_of_ours())).await?;
        Ok(sets.iter().filter_map(|set| self.slot(set)).collect())
    }

    pub(super) async fn reserve(
        &self,
        range: PortRange,
        holder: &Holder,
        service: &Label,
        avoid: &[u16],
    ) -> Result<Lease, ReserveError> {
        for attempt in 1..=ATTEMPTS {
            if let Some(lease) = self.held(holder, service).await? {
                return Ok(lease);
            }
            if let Some(created) = self.create_one(range, holder, service, avoid).await? {
                // Another sidecar may have done the same for this service, at another port.
                return Ok(self.held(holder, service).await?.unwrap_or(created));
            }
            self.hints.forget();
            tokio::time::sleep(retry::wait(attempt)).await;
        }
        Err(ReserveError::Unavailable("others take every port that is tried".to_owned()))
    }

    pub(super) async fn release(&self, lease: &Lease, rest: Duration) -> Result<(), LeaseError> {
        let (path, name) = (self.site.sets(), marks::name(lease.port));
        for attempt in 1..=ATTEMPTS {
            let set = match self.site.cluster.get::<DynamicObject>(&path, &name).await {
                Ok(set) => set,
                Err(ApiError::NotFound) => return Err(LeaseError::Lost),
                Err(error) => return Err(error.into()),
            };
            if !self.is_held(&set, lease) {
                return Err(LeaseError::Lost);
            }
            match self.put_to_rest(&set, rest).await {
                Ok(()) => return Ok(()),
                Err(ApiError::NotFound) => return Err(LeaseError::Lost),
                Err(ApiError::Conflict) => tokio::time::sleep(retry::wait(attempt)).await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(LeaseError::Unavailable(format!("{name} changes all the time")))
    }

    /// What everything behind the port hangs on: the set, if it is that lease's.
    pub(super) async fn anchor(&self, lease: &Lease) -> Result<Anchor, PlaneError> {
        let name = marks::name(lease.port);
        let set = match self.site.cluster.get::<DynamicObject>(&self.site.sets(), &name).await {
            Ok(set) => set,
            Err(ApiError::NotFound) => return Err(PlaneError::PortTaken(lease.port)),
            Err(error) => return Err(error.into()),
        };
        if !self.is_held(&set, lease) {
            return Err(PlaneError::PortTaken(lease.port));
        }
        let owner = OwnerReference {
            api_version: format!("{GROUP}/v1"),
            kind: "ListenerSet".to_owned(),
            name: name.clone(),
            uid: set.metadata.uid.unwrap_or_default(),
            ..OwnerReference::default()
        };
        let gateway = self.site.gateway.clone();
        let parent = ParentRef::new("ListenerSet", &name, Some(LISTENER));
        Ok(Anchor { gateway, parent, owner: Some(owner), since: None })
    }

    /// Deletes sets whose ports have rested.
    pub(super) async fn reap(&self) -> Result<(), ApiError> {
        for set in self.site.cluster.list(&self.site.sets(), Some(&marks::all_of_ours())).await? {
            if self.slot(&set).is_some_and(|slot| self.has_rested(&slot)) {
                self.reap_one(&set).await?;
            }
        }
        Ok(())
    }

    async fn reap_one(&self, set: &DynamicObject) -> Result<bool, ApiError> {
        match self.site.cluster.delete(&self.site.sets(), set, true).await {
            Ok(()) => Ok(true),
            // A controller wrote into it, or another sidecar was here first.
            Err(ApiError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The lease that a service holds. Where it holds several, for two sidecars did not know of each other, all choose
    /// the same one, and the others rest.
    async fn held(&self, holder: &Holder, service: &Label) -> Result<Option<Lease>, ApiError> {
        let found = self.site.cluster.list(&self.site.sets(), Some(&marks::of_holder(holder))).await?;
        let is_held = |set: DynamicObject| {
            let slot = self.slot(&set)?;
            let is_theirs = matches!(&slot, Slot::Held(lease) if lease.holder == *holder);
            (is_theirs && set.metadata.deletion_timestamp.is_none()).then_some((slot, set))
        };
        let mut held: Vec<(Slot, DynamicObject)> = found.into_iter().filter_map(is_held).collect();
        held.sort_by_key(|(slot, set)| (set.metadata.creation_timestamp.as_ref().map(|time| time.0), slot.port()));
        let Some(((Slot::Held(first), set), others)) = held.split_first() else { return Ok(None) };
        for (slot, set) in others {
            tracing::warn!(
                gateway.port = slot.port(),
                gateway.kept = first.port,
                "a service held two ports, of which this one is given back"
            );
            match self.put_to_rest(set, self.site.rest).await {
                Ok(()) | Err(ApiError::Conflict | ApiError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        let lease = Lease { service: service.clone(), ..first.clone() };
        if lease == *first {
            return Ok(Some(lease));
        }
        // It is called otherwise now.
        let patch = json!({"metadata": {"annotations": marks::annotations(&lease, &self.site.gateway)}});
        self.change(set, patch).await.map(|()| Some(lease))
    }

    /// Takes a port that is free as far as is known; none where others took all that were tried.
    async fn create_one(
        &self,
        range: PortRange,
        holder: &Holder,
        service: &Label,
        avoid: &[u16],
    ) -> Result<Option<Lease>, ReserveError> {
        let now = self.site.rest_clock.now();
        let mut known = self.hints.read(&self.site).await?;
        let mut free = known.free(range, holder, avoid, now);
        if free.is_empty() {
            self.hints.forget();
            known = self.hints.read(&self.site).await?;
            free = known.free(range, holder, avoid, now);
        }
        if free.is_empty() {
            return Err(ReserveError::RangeExhausted(range));
        }
        for port in free.into_iter().take(TRIES) {
            if let Some(rested) = known.lock_of(port)
                && !self.reap_one(rested).await?
            {
                continue;
            }
            let generation = random::non_zero().map_err(|error| ReserveError::Unavailable(error.to_string()))?;
            let lease = Lease { port, holder: holder.clone(), service: service.clone(), generation };
            match self.site.cluster.create(&self.site.sets(), &self.set(&lease)).await {
                Ok(_) => {
                    self.hints.learn(port);
                    return Ok(Some(lease));
                }
                Err(ApiError::AlreadyExists) => {
                    self.hints.learn(port);
                    // Perhaps another sidecar took it for the same service.
                    let found = self.site.cluster.get::<DynamicObject>(&self.site.sets(), &marks::name(port)).await;
                    if let Ok(set) = found
                        && let Some(Slot::Held(lease)) = self.slot(&set)
                        && lease.holder == *holder
                    {
                        return Ok(Some(lease));
                    }
                }
                Err(ApiError::NotFound) => {
                    let text = format!("there is no namespace {}, or no ListenerSet any more", self.site.namespace);
                    return Err(ReserveError::Unavailable(text));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    async fn put_to_rest(&self, set: &DynamicObject, rest: Duration) -> Result<(), ApiError> {
        let path = self.site.sets();
        if rest.is_zero() {
            return self.site.cluster.delete(&path, set, true).await;
        }
        self.change(set, marks::resting(self.site.rest_clock.until(rest))).await
    }

    /// Changes a set, where nobody else did since it was read.
    async fn change(&self, set: &DynamicObject, mut patch: Value) -> Result<(), ApiError> {
        patch["metadata"]["resourceVersion"] = json!(set.metadata.resource_version);
        let name = set.metadata.name.as_deref().unwrap_or_default();
        self.site.cluster.merge(&self.site.sets(), name, &patch).await.map(|_| ())
    }

    fn has_rested(&self, slot: &Slot) -> bool {
        matches!(slot, Slot::Resting { until, .. } if *until <= self.site.rest_clock.now())
    }

    /// What a set says, where it is one of ours for this Gateway.
    fn slot(&self, set: &DynamicObject) -> Option<Slot> {
        marks::slot(&set.metadata, &self.site.gateway)
    }

    fn is_held(&self, set: &DynamicObject, lease: &Lease) -> bool {
        matches!(self.slot(set), Some(Slot::Held(held)) if marks::is_same(&held, lease))
    }

    fn set(&self, lease: &Lease) -> Value {
        let parent_ref = ParentRef::new("Gateway", &self.site.gateway, None);
        let spec = SetSpec { parent_ref, listeners: vec![Listener::tcp(LISTENER.to_owned(), lease.port)] };
        json!({
            "apiVersion": format!("{GROUP}/v1"),
            "kind": "ListenerSet",
            "metadata": {
                "name": marks::name(lease.port),
                "labels": marks::labels(lease),
                "annotations": marks::annotations(lease, &self.site.gateway),
            },
            "spec": spec,
        })
    }
}
