//! What listens at the ports: Envoy, or a gateway of Kubernetes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use taskgate_core::label::Label;
use thiserror::Error;

use crate::gateway::port::Lease;
use crate::registry::published::Published;

/// A port as the data plane should have it: the lease, and the service behind it.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Who holds the port.
    pub lease: Lease,
    /// The service: its jobs, who may use it.
    pub service: Arc<Published>,
}

/// Why nothing listens at a port, or not everything that should.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlaneError {
    /// Another program, or another tenant of the gateway, has the port. It is avoided from now on.
    #[error("port {0} is taken by somebody else")]
    PortTaken(u16),
    /// A part of the data plane does not listen as it should; at the rest people get in.
    #[error("a part of the gateway does not listen as it should, and the rest goes on: {0}")]
    InPart(String),
    /// The data plane takes no more listeners.
    #[error("the gateway takes no more than {0} listeners: end services, or raise its limit")]
    ListenerLimit(usize),
    /// Whoever programs the data plane did not say within the time that it listens.
    #[error("nothing listens at port {port} after {} s: {reason}", .after.as_secs())]
    NotProgrammed {
        /// The port.
        port: u16,
        /// How long was waited.
        after: Duration,
        /// What it said last.
        reason: String,
    },
    /// It was refused.
    #[error("the gateway refused the listener: {0}")]
    Refused(String),
    /// Can't be said now.
    #[error("the gateway can't be programmed now: {0}")]
    Unavailable(String),
}

/// What listens at the ports.
#[async_trait]
pub trait Plane: fmt::Debug + Send + Sync + 'static {
    /// Has the port listen for the service; a service that moved has it follow. Returns when everything that should
    /// really listens, or says why not. To be called again whenever the service changed; nothing is done where nothing did.
    async fn program(&self, wish: &Wish) -> Result<(), PlaneError>;

    /// Says which leases there were before this life: something may listen for them that does not say so yet. To be
    /// called once, before anything is programmed.
    fn inherit(&self, leases: &[Lease]) {
        let _ = leases;
    }

    /// Takes the listener away, where it is that lease's: the port and the service agree. That it is gone already is no
    /// error. Nothing else takes a listener away: what was there before the sidecar started stays until this is said of
    /// it, for [`Holder::nobody`](crate::gateway::port::Holder::nobody) where no service holds the port.
    async fn withdraw(&self, lease: &Lease) -> Result<(), PlaneError>;

    /// The same for a service that this sidecar does not see: where other sidecars have the same thing listen, it stays
    /// as long as one of them said within `unseen` that the service is there. Whether nothing listens now. What listens
    /// for this sidecar alone is taken away.
    async fn withdraw_unseen(&self, lease: &Lease, unseen: Duration) -> Result<bool, PlaneError> {
        let _ = unseen;
        self.withdraw(lease).await.map(|()| true)
    }

    /// Whether what listens is the same for all sidecars.
    fn is_shared(&self) -> bool {
        false
    }

    /// The ports at which something of ours listens, by the service that it is for: what an earlier life of the sidecar
    /// left.
    async fn observe(&self) -> Result<Vec<(u16, Label)>, PlaneError>;

    /// To be called when everything that should listen was programmed once: what else of ours listens, now or when a
    /// proxy comes back, goes.
    async fn settle(&self) {}
}
