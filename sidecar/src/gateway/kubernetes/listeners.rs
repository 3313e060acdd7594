//! Ports as listeners of the Gateway itself, for clusters and controllers without `ListenerSet`s.
//!
//! All writers share one object, so each reads it, changes it and puts it back where nobody did in between. Who did
//! waits for a random time, longer each time, and does it all again with what is there then: a hundred milliseconds
//! without, as client libraries do, and half of 32 writers give up.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use taskgate_core::label::Label;
use thiserror::Error;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::Instant;

use crate::gateway::kubernetes::document::{self, Document, listener_name};
use crate::gateway::kubernetes::error::ApiError;
use crate::gateway::kubernetes::marks;
use crate::gateway::kubernetes::objects::Anchor;
use crate::gateway::kubernetes::site::{GROUP, Site};
use crate::gateway::kubernetes::wire::ParentRef;
use crate::gateway::ledger::{LeaseError, ReserveError};
use crate::gateway::plane::PlaneError;
use crate::gateway::port::{Holder, Lease, PortRange, Slot};
use crate::{random, retry};

/// How long a change may be tried.
const DEADLINE: Duration = Duration::from_secs(60);
/// The longest first wait.
const FIRST_WAIT: Duration = Duration::from_millis(20);
/// The longest wait of all.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// Where the definition of Gateways is.
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// Ports as listeners of the Gateway.
#[derive(Debug)]
pub(super) struct Listeners {
    site: Arc<Site>,
    /// Callers of this process don't get in each other's way.
    turn: Mutex<()>,
    limit: OnceCell<Option<usize>>,
}

/// What a change comes to.
enum Change<T> {
    /// It is so already.
    Keep(T),
    /// The document is to be put back.
    Put(T),
}

/// Why a Gateway was not changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
enum ChangeError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("no port is free in {0}")]
    Exhausted(PortRange),
    #[error("the Gateway takes no more than {0} listeners")]
    Limit(usize),
    #[error("the port is somebody else's")]
    Lost,
}

/// Whether the Gateway takes sets of listeners of its namespace.
pub(super) async fn takes_sets(site: &Site) -> Result<bool, ApiError> {
    Ok(read(site).await?.takes_sets())
}

/// Whether the Gateway itself has ports of services, or some that rest.
pub(super) async fn has_ports(site: &Site) -> Result<bool, ApiError> {
    Ok(read(site).await?.is_used(site.rest_clock.now()))
}

/// The ports of the listeners that the Gateway itself has.
pub(super) async fn ports_of(site: &Site) -> Result<Vec<u16>, ApiError> {
    Ok(read(site).await?.ports())
}

async fn read(site: &Site) -> Result<Document, ApiError> {
    let found = site.cluster.get::<Value>(&site.gateways(), &site.gateway).await;
    found.map(Document::new).map_err(|error| match error {
        ApiError::NotFound => {
            let (namespace, gateway) = (&site.namespace, &site.gateway);
            ApiError::Unavailable(format!("there is no Gateway {gateway} in namespace {namespace}"))
        }
        error => error,
    })
}

impl Listeners {
    pub(super) fn new(site: Arc<Site>) -> Self {
        Self { site, turn: Mutex::default(), limit: OnceCell::new() }
    }

    pub(super) async fn slots(&self) -> Result<Vec<Slot>, ApiError> {
        Ok(read(&self.site).await?.slots())
    }

    pub(super) async fn reserve(
        &self,
        range: PortRange,
        holder: &Holder,
        service: &Label,
        avoid: &[u16],
    ) -> Result<Lease, ReserveError> {
        let generation = random::non_zero().map_err(|error| ReserveError::Unavailable(error.to_string()))?;
        let limit = *self.limit.get_or_init(|| self.ask_limit()).await;
        let reserved = self.change(|document| {
            let slots = document.slots();
            let held = slots.iter().find_map(|slot| match slot {
                Slot::Held(lease) if lease.holder == *holder => Some(lease),
                _ => None,
            });
            if let Some(held) = held {
                let lease = Lease { service: service.clone(), ..held.clone() };
                if lease == *held {
                    return Ok(Change::Keep(lease));
                }
                // It is called otherwise now.
                document.hold(&lease);
                return Ok(Change::Put(lease));
            }
            // Those of others too, and those that rest.
            let mut taken = document.ports();
            taken.extend(slots.iter().map(Slot::port));
            let free = |port: &u16| !taken.contains(port) && !avoid.contains(port);
            let port = document::ports(range, holder).find(free).ok_or(ChangeError::Exhausted(range))?;
            if let Some(limit) = limit.filter(|limit| document.ports().len() >= *limit) {
                return Err(ChangeError::Limit(limit));
            }
            let lease = Lease { port, holder: holder.clone(), service: service.clone(), generation };
            document.hold(&lease);
            Ok(Change::Put(lease))
        });
        reserved.await.map_err(|error| match error {
            ChangeError::Exhausted(range) => ReserveError::RangeExhausted(range),
            ChangeError::Limit(limit) => ReserveError::ListenerLimit(limit),
            other => ReserveError::Unavailable(other.to_string()),
        })
    }

    pub(super) async fn release(&self, lease: &Lease, rest: Duration) -> Result<(), LeaseError> {
        let until = self.site.rest_clock.until(rest);
        let released = self.change(|document| {
            is_held(document, lease)?;
            document.rest(lease.port, until);
            document.unlisten(lease.port);
            Ok(Change::Put(()))
        });
        released.await.map_err(|error| match error {
            ChangeError::Lost => LeaseError::Lost,
            other => LeaseError::Unavailable(other.to_string()),
        })
    }

    /// What everything behind the port hangs on: its listener, if it is that lease's. One that somebody took out comes
    /// back.
    pub(super) async fn anchor(&self, lease: &Lease) -> Result<Anchor, PlaneError> {
        let found = self.change(|document| {
            is_held(document, lease)?;
            if document.has_listener(lease.port) {
                return Ok(Change::Keep(document.generation()));
            }
            if document.ports().contains(&lease.port) {
                return Err(ChangeError::Lost);
            }
            document.listen(lease.port);
            Ok(Change::Put(document.generation().map(|generation| generation.saturating_add(1))))
        });
        let since = found.await.map_err(|error| match error {
            ChangeError::Lost => PlaneError::PortTaken(lease.port),
            ChangeError::Limit(limit) => PlaneError::ListenerLimit(limit),
            ChangeError::Api(error) => error.into(),
            other => PlaneError::Unavailable(other.to_string()),
        })?;
        let parent = ParentRef::new("Gateway", &self.site.gateway, Some(&listener_name(lease.port)));
        Ok(Anchor { gateway: self.site.gateway.clone(), parent, owner: None, since })
    }

    /// Takes the listener of a lease away.
    pub(super) async fn withdraw(&self, lease: &Lease) -> Result<(), ApiError> {
        let withdrawn = self.change(|document| {
            is_held(document, lease)?;
            let before = document.ports().len();
            document.unlisten(lease.port);
            Ok(if document.ports().len() < before { Change::Put(()) } else { Change::Keep(()) })
        });
        match withdrawn.await {
            Ok(()) | Err(ChangeError::Lost) => Ok(()),
            Err(ChangeError::Api(error)) => Err(error),
            Err(other) => Err(ApiError::Unavailable(other.to_string())),
        }
    }

    /// How many listeners the cluster lets a Gateway have. None where the sidecar's account may not read that; then a
    /// refusal says it.
    async fn ask_limit(&self) -> Option<usize> {
        let name = format!("gateways.{GROUP}");
        match self.site.cluster.get::<Value>(DEFINITIONS, &name).await {
            Ok(definition) => document::limit_of(&definition),
            Err(error) => {
                tracing::debug!(%error, "the definition of Gateways can't be read");
                None
            }
        }
    }

    /// Reads, changes and puts back, until nobody was faster. `step` is called each time with what is there.
    async fn change<T>(
        &self,
        mut step: impl FnMut(&mut Document) -> Result<Change<T>, ChangeError>,
    ) -> Result<T, ChangeError> {
        let deadline = Instant::now() + DEADLINE;
        let _turn = self.turn.lock().await;
        let mut longest = FIRST_WAIT;
        loop {
            let mut document = read(&self.site).await?;
            // What is over is no obstacle, and goes with whatever is put next.
            document.tidy(self.site.rest_clock.now());
            let value = match step(&mut document)? {
                Change::Keep(value) => return Ok(value),
                Change::Put(value) => value,
            };
            let put = self.site.cluster.replace(&self.site.gateways(), &self.site.gateway, document.as_value()).await;
            match put {
                Ok(_) => return Ok(value),
                Err(ApiError::Conflict) if Instant::now() < deadline => {
                    tokio::time::sleep(retry::fraction(longest)).await;
                    longest = longest.saturating_mul(2).min(LONGEST_WAIT);
                }
                Err(ApiError::Conflict) => {
                    let text = "others change the Gateway all the time".to_owned();
                    return Err(ApiError::Unavailable(text).into());
                }
                Err(ApiError::Invalid(text)) => {
                    let limit = document::limit_of_refusal(&text).map(ChangeError::Limit);
                    return Err(limit.unwrap_or(ChangeError::Api(ApiError::Invalid(text))));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Whether a lease is what the Gateway's note says.
fn is_held(document: &Document, lease: &Lease) -> Result<(), ChangeError> {
    match document.slot(lease.port) {
        Some(Slot::Held(held)) if marks::is_same(&held, lease) => Ok(()),
        _ => Err(ChangeError::Lost),
    }
}
