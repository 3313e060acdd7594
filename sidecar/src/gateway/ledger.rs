//! Who holds which port: kept where every sidecar sees the same.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;

use crate::gateway::port::{Holder, Lease, PortRange, Slot};
use taskgate_core::label::Label;

/// Why no port could be reserved.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReserveError {
    /// Every port of the range is held, rests, or is somebody else's.
    #[error("no port is free in {0}: end services, widen the range, or let ports rest for less time")]
    RangeExhausted(PortRange),
    /// The data plane takes no more listeners.
    #[error("the gateway takes no more than {0} listeners: end services, or raise its limit")]
    ListenerLimit(usize),
    /// Can't be said now.
    #[error("ports can't be reserved now: {0}")]
    Unavailable(String),
}

/// Why a lease could not be changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LeaseError {
    /// Somebody else holds the port now, or nobody does.
    #[error("the port is not held by this service any more")]
    Lost,
    /// Can't be said now.
    #[error("the port can't be changed now: {0}")]
    Unavailable(String),
}

/// Keeps who holds which port. Each call is whole or did nothing, whoever else calls at the same time and wherever the
/// process dies; a port is held by one service at most.
#[async_trait]
pub trait Ledger: fmt::Debug + Send + Sync + 'static {
    /// Everything that is held or rests.
    async fn list(&self) -> Result<Vec<Slot>, LeaseError>;

    /// The port that a service holds; a free one of the range is reserved where it holds none. `avoid`: ports that the
    /// data plane could not listen at, which are somebody else's.
    async fn reserve(
        &self,
        range: PortRange,
        holder: &Holder,
        service: &Label,
        avoid: &[u16],
    ) -> Result<Lease, ReserveError>;

    /// Gives a port back; nobody gets it for that long.
    async fn release(&self, lease: &Lease, rest: Duration) -> Result<(), LeaseError>;

    /// The same, but only where no sidecar said for so long that the service is there ([`Ledger::renew`]): one that does
    /// not see a service does not take the port from another one that does. Whether it was given back. A ledger that
    /// knows nothing of sightings gives it back.
    async fn release_unseen(&self, lease: &Lease, unseen: Duration, rest: Duration) -> Result<bool, LeaseError> {
        let _ = unseen;
        self.release(lease, rest).await.map(|()| true)
    }

    /// Notes what listens at a port of which nothing is known, as after a ledger was lost: that it is the holder's, or,
    /// where there is none, that it rests. A port, or a holder, of which something is known stays as it is. Whether the
    /// holder got it. A ledger that is kept where it listens does nothing.
    async fn remember(
        &self,
        port: u16,
        service: &Label,
        holder: Option<&Holder>,
        rest: Duration,
    ) -> Result<bool, LeaseError> {
        let _ = (port, service, holder, rest);
        Ok(false)
    }

    /// Whether a port can be somebody else's after a while in which nobody said that the service is there.
    fn expires(&self) -> bool {
        false
    }

    /// Says that the services of these leases are there still. Those of the leases that are lost come back. A ledger
    /// that knows nothing of sightings does nothing.
    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Lease>, LeaseError> {
        let _ = leases;
        Ok(Vec::new())
    }
}
