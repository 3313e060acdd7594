//! Where a permitted request goes: to a job, or to the sidecar below the job's name.
//!
//! What is for the sidecar carries what a job must never see, and is permitted to people whom the job's own level would
//! keep out. So an ingress that knows by itself where a service's requests go has to tell the two apart.

use taskgate_core::denial::Denial;
use taskgate_core::edit::RequestEdits;

/// Where a permitted request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The sidecar, for paths below `/.taskgate/`.
    OwnPath,
    /// The servers of the service itself.
    Service,
    /// The sidecar, where tunnels to the service end.
    Tunnel,
}

impl Destination {
    /// Where a request with these edits goes.
    #[must_use]
    pub fn of(edits: &RequestEdits) -> Self {
        if edits.is_tunnel {
            Self::Tunnel
        } else if edits.standing.epoch().is_none() {
            Self::OwnPath
        } else {
            Self::Service
        }
    }

    /// Why a request for here does not go where the ingress would take it.
    #[must_use]
    pub const fn instead_of(self, chosen: Self) -> Denial {
        match (self, chosen) {
            // No job speaks what a tunnel begins with.
            (Self::Tunnel, _) | (_, Self::Tunnel) => Denial::ProtocolMismatch,
            (Self::OwnPath | Self::Service, _) => Denial::ConflictingAddress,
        }
    }
}
