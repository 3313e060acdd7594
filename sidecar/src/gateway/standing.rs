//! How a TCP service stands: whether it has an address of its own, and if not, why.

use serde::{Deserialize, Serialize};

use crate::gateway::ledger::{LeaseError, ReserveError};
use crate::gateway::plane::PlaneError;

/// How a service stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Something listens at the port, and it is told to people.
    Announced(u16),
    /// There is no port for it: it was tried, and is tried again.
    Failed(Reason),
    /// It is being worked on; why it takes longer, where that is known.
    Pending(Option<Reason>),
}

/// Why a service has no address of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The gateway takes no more listeners.
    ListenerLimit,
    /// Services of its level need client certificates, and none are configured.
    NoClientCertificates,
    /// There is no internal task gateway.
    NoGateway,
    /// The service is open to all, and it is not said from where it may be reached.
    NoSourceRanges,
    /// What listens can't check who connects, so only open services get ports there, where an operator says so.
    NotOpen,
    /// Nothing listened in time.
    NotProgrammed,
    /// The services of its owner have as many ports as those of one owner may.
    OwnerLimit,
    /// Each port that was tried is somebody else's.
    PortTaken,
    /// No port is free.
    RangeExhausted,
    /// The gateway refused the listener.
    Refused,
    /// Who has which port, or what listens, can't be said or changed now.
    Unavailable,
}

/// How a TCP service stands, as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpPlace {
    /// `host:port` to connect to; only while something listens there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// How it stands.
    pub state: TcpState,
    /// Why it has no address, or not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// How a TCP service stands, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TcpState {
    /// It has an address.
    Announced,
    /// It could get none yet; it is tried again.
    Failed,
    /// It will have one in a moment.
    Pending,
    /// It gets none; there is the tunnel.
    TunnelOnly,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::ListenerLimit,
        Self::NoClientCertificates,
        Self::NoGateway,
        Self::NoSourceRanges,
        Self::NotOpen,
        Self::NotProgrammed,
        Self::OwnerLimit,
        Self::PortTaken,
        Self::RangeExhausted,
        Self::Refused,
        Self::Unavailable,
    ];

    /// Its code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ListenerLimit => "listener-limit",
            Self::NoClientCertificates => "no-client-certificates",
            Self::NoGateway => "no-gateway",
            Self::NoSourceRanges => "no-source-ranges",
            Self::NotOpen => "not-open",
            Self::NotProgrammed => "not-programmed",
            Self::OwnerLimit => "owner-limit",
            Self::PortTaken => "port-taken",
            Self::RangeExhausted => "range-exhausted",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
        }
    }
}

impl TcpPlace {
    /// A service that gets no address.
    #[must_use]
    pub const fn tunnel_only(reason: Reason) -> Self {
        Self { address: None, state: TcpState::TunnelOnly, reason: Some(reason) }
    }

    /// The address, or how it stands, in one word or two.
    #[must_use]
    pub fn summary(&self) -> String {
        let state = match self.state {
            TcpState::Announced => "announced",
            TcpState::Failed => "failed",
            TcpState::Pending => "pending",
            TcpState::TunnelOnly => "tunnel-only",
        };
        match (&self.address, self.reason) {
            (Some(address), _) => address.clone(),
            (None, Some(reason)) => format!("{state}:{}", reason.code()),
            (None, None) => state.to_owned(),
        }
    }
}

impl From<&ReserveError> for Reason {
    fn from(error: &ReserveError) -> Self {
        match error {
            ReserveError::RangeExhausted(_) => Self::RangeExhausted,
            ReserveError::ListenerLimit(_) => Self::ListenerLimit,
            ReserveError::Unavailable(_) => Self::Unavailable,
        }
    }
}

impl From<&LeaseError> for Reason {
    fn from(_: &LeaseError) -> Self {
        Self::Unavailable
    }
}

impl From<&PlaneError> for Reason {
    fn from(error: &PlaneError) -> Self {
        match error {
            PlaneError::PortTaken(_) => Self::PortTaken,
            PlaneError::ListenerLimit(_) => Self::ListenerLimit,
            PlaneError::NotProgrammed { .. } => Self::NotProgrammed,
            PlaneError::Refused(_) => Self::Refused,
            PlaneError::InPart(_) | PlaneError::Unavailable(_) => Self::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_the_code() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).expect("a text"), reason.code());
        }
        let place = TcpPlace::tunnel_only(Reason::NoGateway);
        assert_eq!(serde_json::to_string(&place).expect("a text"), r#"{"state":"tunnel-only","reason":"no-gateway"}"#);
        assert_eq!(place.summary(), "tunnel-only:no-gateway");
    }
}
