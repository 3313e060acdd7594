//! Where the jobs of the table are, by what they speak.

use std::collections::{BTreeSet, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use taskgate_core::service::Protocol;

use crate::registry::published::Published;

/// Where jobs are. An address may be in both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Those that speak HTTP/1.1.
    pub http1: BTreeSet<SocketAddr>,
    /// Those that speak HTTP/2.
    pub http2: BTreeSet<SocketAddr>,
}

impl Addresses {
    /// Those of these services.
    #[must_use]
    pub fn of(services: &[Arc<Published>]) -> Self {
        let mut addresses = Self::default();
        for service in services {
            let set = match service.entry.protocol {
                Protocol::Grpc => &mut addresses.http2,
                Protocol::Http | Protocol::WebSocket => &mut addresses.http1,
                // Never routed.
                Protocol::Tcp => continue,
            };
            set.extend(service.entry.endpoints.iter().map(|endpoint| endpoint.address));
        }
        addresses
    }

    /// The same without these.
    #[must_use]
    pub fn without(mut self, left_out: &HashSet<SocketAddr>) -> Self {
        if !left_out.is_empty() {
            self.http1.retain(|address| !left_out.contains(address));
            self.http2.retain(|address| !left_out.contains(address));
        }
        self
    }
}
