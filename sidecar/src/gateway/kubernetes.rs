//! A Gateway of Kubernetes as what listens, and the cluster as what keeps who holds which port.
//!
//! Nothing of ours stands between a client and a job here, so only services that everybody may use get a port, and only
//! where an operator said so. All that this writes carries labels of ours and a reservation's number; nothing else is
//! ever changed. There are two ways to have a Gateway listen: `sets` adds a `ListenerSet` for each port, whose name
//! is the lock; `listeners` changes the Gateway itself, for controllers that know nothing else.

mod backend;
mod cluster;
mod document;
mod error;
mod hints;
mod listeners;
mod marks;
mod objects;
mod orphans;
mod sets;
mod sightings;
mod site;
mod status;
mod versions;
mod wait;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use taskgate_core::label::Label;
use taskgate_core::service::AccessLevel;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};

use crate::clock::SharedClock;
use crate::config::internal_task_gateway::kubernetes::KubernetesGatewayMode;
use crate::gateway::kubernetes::cluster::Cluster;
use crate::gateway::kubernetes::error::ApiError;
use crate::gateway::kubernetes::listeners::Listeners;
use crate::gateway::kubernetes::objects::Anchor;
use crate::gateway::kubernetes::sets::Sets;
use crate::gateway::kubernetes::sightings::Sightings;
use crate::gateway::kubernetes::site::Site;
use crate::gateway::kubernetes::versions::Versions;
use crate::gateway::ledger::{LeaseError, Ledger, ReserveError};
use crate::gateway::plane::{Plane, PlaneError, Wish};
use crate::gateway::port::{Holder, Lease, PortRange, Slot};
use crate::gateway::rest_clock::RestClock;
use crate::gateway::settings::KubernetesGatewaySettings;

/// A Gateway of Kubernetes: both who holds which port, and what listens.
pub struct KubernetesGateway {
    settings: KubernetesGatewaySettings,
    program_timeout: Duration,
    site: Arc<Site>,
    versions: Versions,
    book: OnceCell<Book>,
    sightings: Sightings,
}

/// How listeners are added; chosen once, for ports that one way knows the other does not.
#[derive(Debug)]
enum Book {
    Sets(Sets),
    Listeners(Listeners),
}

impl KubernetesGateway {
    /// The Gateway of the cluster that the sidecar runs in, or of the one that `KUBECONFIG` names. It is asked when it
    /// is needed first. `program_timeout`: how long a listener may take; `rest`: how long a port rests of which a
    /// service was found to hold one too many.
    #[must_use]
    pub fn new(
        settings: KubernetesGatewaySettings,
        program_timeout: Duration,
        rest: Duration,
        clock: SharedClock,
    ) -> Self {
        Self::at(Cluster::inferred(), settings, program_timeout, rest, clock)
    }

    /// The Gateway of a cluster that is known: for tests.
    #[must_use]
    pub fn with_cluster(
        cluster: kube::Config,
        settings: KubernetesGatewaySettings,
        program_timeout: Duration,
        rest: Duration,
        clock: SharedClock,
    ) -> Self {
        Self::at(Cluster::of(cluster), settings, program_timeout, rest, clock)
    }

    fn at(
        cluster: Cluster,
        settings: KubernetesGatewaySettings,
        program_timeout: Duration,
        rest: Duration,
        clock: SharedClock,
    ) -> Self {
        let (gateway, namespace) = (settings.name.clone(), settings.namespace.clone());
        let rest_clock = RestClock::new(Arc::clone(&clock));
        let site = Arc::new(Site { cluster, gateway, namespace, rest, clock, rest_clock });
        let sightings = Sightings::new(Arc::clone(&site), program_timeout.saturating_mul(2));
        Self { settings, program_timeout, versions: Versions::default(), book: OnceCell::new(), site, sightings }
    }

    async fn book(&self) -> Result<&Book, ApiError> {
        self.book.get_or_try_init(|| self.choose()).await
    }

    async fn choose(&self) -> Result<Book, ApiError> {
        let uses_sets = match self.settings.mode {
            KubernetesGatewayMode::Gateway => false,
            KubernetesGatewayMode::ListenerSets if versions::serves_sets(&self.site).await? => true,
            KubernetesGatewayMode::ListenerSets => {
                let text = "the cluster serves no `ListenerSet` of gateway.networking.k8s.io/v1: install Gateway API \
                            1.5 or later, or choose `mode: gateway`";
                return Err(ApiError::Unavailable(text.into()));
            }
            KubernetesGatewayMode::Auto => {
                let could = versions::serves_sets(&self.site).await? && listeners::takes_sets(&self.site).await?;
                // Services keep their addresses, and the Gateway no listeners that nobody knows any more.
                let stays = could && listeners::has_ports(&self.site).await?;
                if stays {
                    tracing::warn!(
                        "the Gateway has listeners of services, so more are added to it, though it takes ListenerSets: \
                         set `mode: listener_sets` when none of the services needs its port any more"
                    );
                }
                could && !stays
            }
        };
        tracing::info!(
            gateway.name = self.settings.name,
            gateway.namespace = self.settings.namespace,
            gateway.mode = if uses_sets { "listener_sets" } else { "gateway" },
            "how listeners are added to the Gateway is settled"
        );
        let site = Arc::clone(&self.site);
        Ok(if uses_sets { Book::Sets(Sets::new(site)) } else { Book::Listeners(Listeners::new(site)) })
    }

    /// Whether a service may stand at a port with nothing in between.
    fn admits(&self, wish: &Wish) -> bool {
        self.settings.open && wish.service.entry.policy.access == AccessLevel::Public
    }

    async fn anchor(&self, lease: &Lease) -> Result<Anchor, PlaneError> {
        match self.book().await? {
            Book::Sets(sets) => sets.anchor(lease).await,
            Book::Listeners(listeners) => listeners.anchor(lease).await,
        }
    }

    async fn slots(&self) -> Result<Vec<Slot>, ApiError> {
        match self.book().await? {
            Book::Sets(sets) => sets.slots().await,
            Book::Listeners(listeners) => listeners.slots().await,
        }
    }

    /// Everything behind the port, and then the wait until it listens. `reason`: what it waits for.
    async fn raise(&self, wish: &Wish, reason: &mut String) -> Result<(), PlaneError> {
        let version = self.versions.route(&self.site).await?;
        self.sightings.add(wish.lease.port).await?;
        let anchor = self.anchor(&wish.lease).await?;
        backend::apply(&self.site, &anchor, version, wish).await?;
        wait::until_ready(&self.site, &anchor, version, &wish.lease, reason).await
    }

    async fn take_down(&self, lease: &Lease) -> Result<(), ApiError> {
        let version = self.versions.route(&self.site).await?;
        backend::remove(&self.site, version, lease).await
    }
}

#[async_trait]
impl Ledger for KubernetesGateway {
    async fn list(&self) -> Result<Vec<Slot>, LeaseError> {
        Ok(self.slots().await?)
    }

    async fn reserve(
        &self,
        range: PortRange,
        holder: &Holder,
        service: &Label,
        avoid: &[u16],
    ) -> Result<Lease, ReserveError> {
        match self.book().await? {
            Book::Sets(sets) => sets.reserve(range, holder, service, avoid).await,
            Book::Listeners(listeners) => listeners.reserve(range, holder, service, avoid).await,
        }
    }

    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Lease>, LeaseError> {
        self.sightings.renew(leases).await?;
        let slots = self.slots().await?;
        let is_held =
            |lease: &&Lease| slots.iter().any(|slot| matches!(slot, Slot::Held(held) if marks::is_same(held, lease)));
        Ok(leases.iter().filter(|lease| !is_held(lease)).cloned().collect())
    }

    async fn release(&self, lease: &Lease, rest: Duration) -> Result<(), LeaseError> {
        // A port that rests leads to nobody.
        self.take_down(lease).await?;
        match self.book().await? {
            Book::Sets(sets) => sets.release(lease, rest).await,
            Book::Listeners(listeners) => listeners.release(lease, rest).await,
        }
    }

    async fn release_unseen(&self, lease: &Lease, unseen: Duration, rest: Duration) -> Result<bool, LeaseError> {
        self.sightings.remove(lease.port).await?;
        if self.sightings.has_others(lease.port, unseen).await? {
            return Ok(false);
        }
        self.release(lease, rest).await.map(|()| true)
    }
}

#[async_trait]
impl Plane for KubernetesGateway {
    async fn program(&self, wish: &Wish) -> Result<(), PlaneError> {
        if !self.admits(wish) {
            // It may have been public until now.
            self.withdraw(&wish.lease).await?;
            let text = "a Gateway of Kubernetes checks nobody: it serves services with the level `public` alone, where \
                        `internal_task_gateway.kubernetes.open` is set";
            return Err(PlaneError::Refused(text.into()));
        }
        let mut reason = "the cluster did not answer".to_owned();
        let deadline = Instant::now() + self.program_timeout;
        let raised = timeout_at(deadline, self.raise(wish, &mut reason)).await;
        match raised {
            Ok(outcome) => outcome,
            Err(_) => Err(PlaneError::NotProgrammed { port: wish.lease.port, after: self.program_timeout, reason }),
        }
    }

    async fn withdraw(&self, lease: &Lease) -> Result<(), PlaneError> {
        self.take_down(lease).await?;
        match self.book().await? {
            // Its listener stays as long as the port is held or rests, and leads nowhere.
            Book::Sets(_) => Ok(()),
            Book::Listeners(listeners) => Ok(listeners.withdraw(lease).await?),
        }
    }

    async fn withdraw_unseen(&self, lease: &Lease, unseen: Duration) -> Result<bool, PlaneError> {
        self.sightings.remove(lease.port).await?;
        if self.sightings.has_others(lease.port, unseen).await? {
            return Ok(false);
        }
        self.withdraw(lease).await.map(|()| true)
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn observe(&self) -> Result<Vec<(u16, Label)>, PlaneError> {
        let version = self.versions.route(&self.site).await?;
        // Objects first: whoever makes one had its lease before.
        let found = orphans::found(&self.site, version).await?;
        let slots = self.slots().await?;
        if let Book::Sets(sets) = self.book().await? {
            sets.reap().await?;
        }
        self.sightings.reap().await?;
        Ok(orphans::sort(&self.site, version, found, &slots).await?)
    }
}

impl fmt::Debug for KubernetesGateway {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gateway = format!("{}/{}", self.settings.namespace, self.settings.name);
        formatter.debug_struct("KubernetesGateway").field("gateway", &gateway).finish_non_exhaustive()
    }
}
