//! What is told of TCP services: their addresses, or why they have none.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use taskgate_core::service::{AccessLevel, Protocol};
use taskgate_core::visitor::OWN_PROVIDER;
use tokio::sync::watch;

use crate::gateway::port::Holder;
use crate::gateway::settings::{BackEnd, GatewayHost, GatewaySettings};
use crate::gateway::standing::{Reason, Standing, TcpPlace, TcpState};
use crate::registry::published::Published;
use crate::secret::SecretText;

/// What is told of TCP services.
pub struct Board {
    host: GatewayHost,
    rules: watch::Sender<Rules>,
    secrets: watch::Sender<Option<SecretText>>,
    standings: RwLock<HashMap<Holder, Standing>>,
}

/// Which services get a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Where services that are open to all get none: why.
    pub open: Option<Reason>,
    /// Where all others get none: why.
    pub guarded: Option<Reason>,
}

impl Board {
    /// Nothing is announced yet.
    #[must_use]
    pub fn new(settings: &GatewaySettings) -> Arc<Self> {
        Arc::new(Self {
            host: settings.host.clone(),
            rules: watch::Sender::new(Rules::of(settings)),
            secrets: watch::Sender::new(secret_of(settings)),
            standings: RwLock::default(),
        })
    }

    /// Takes what a reload changes.
    pub fn renew(&self, settings: &GatewaySettings) {
        // What listens stays what it was at the start, and so does what it can check.
        let started = *self.rules.borrow();
        let open = match (started.open, Rules::of(settings).open) {
            (Some(Reason::NotOpen), _) | (_, Some(Reason::NotOpen)) => started.open,
            (_, open) => open,
        };
        self.rules.send_if_modified(|rules| std::mem::replace(&mut rules.open, open) != open);
        self.secrets.send_replace(secret_of(settings));
    }

    /// What the filter of TCP services is to show the sidecar, at any time.
    #[must_use]
    pub fn secrets(&self) -> watch::Receiver<Option<SecretText>> {
        self.secrets.subscribe()
    }

    /// News when other services get ports.
    #[must_use]
    pub fn rules(&self) -> watch::Receiver<Rules> {
        self.rules.subscribe()
    }

    /// The host that is told to people.
    #[must_use]
    pub const fn host(&self) -> &GatewayHost {
        &self.host
    }

    /// Whether a service gets a port. None: it is no TCP service that anybody may use; else why not, if not.
    #[must_use]
    pub fn gets_port(&self, service: &Published) -> Option<Result<(), Reason>> {
        self.rules.borrow().of_service(service)
    }

    /// What is told of a service; nothing where it does not speak TCP, or is closed.
    #[must_use]
    pub fn place(&self, service: &Published) -> Option<TcpPlace> {
        if let Err(reason) = self.gets_port(service)? {
            return Some(TcpPlace::tunnel_only(reason));
        }
        let standing = {
            let standings = self.standings.read().unwrap_or_else(PoisonError::into_inner);
            standings.get(&Holder::of(&service.entry.key)).copied()
        };
        let (state, address, reason) = match standing {
            Some(Standing::Announced(port)) => (TcpState::Announced, Some(self.host.at(port)), None),
            Some(Standing::Failed(reason)) => (TcpState::Failed, None, Some(reason)),
            Some(Standing::Pending(reason)) => (TcpState::Pending, None, reason),
            None => (TcpState::Pending, None, None),
        };
        Some(TcpPlace { address, state, reason })
    }

    /// How many services are announced.
    #[must_use]
    pub fn count(&self) -> usize {
        let standings = self.standings.read().unwrap_or_else(PoisonError::into_inner);
        standings.values().filter(|standing| matches!(standing, Standing::Announced(_))).count()
    }

    /// Says how a service stands; whether that is new.
    pub(super) fn say(&self, holder: &Holder, standing: Standing) -> bool {
        let mut standings = self.standings.write().unwrap_or_else(PoisonError::into_inner);
        standings.insert(holder.clone(), standing) != Some(standing)
    }

    /// Says nothing of a service any more.
    pub(super) fn forget(&self, holder: &Holder) {
        self.standings.write().unwrap_or_else(PoisonError::into_inner).remove(holder);
    }

    /// How services stand.
    pub(super) fn standings(&self) -> Vec<Standing> {
        self.standings.read().unwrap_or_else(PoisonError::into_inner).values().copied().collect()
    }
}

/// What is told of a service, whether or not there is an internal task gateway.
#[must_use]
pub fn place(board: Option<&Board>, service: &Published) -> Option<TcpPlace> {
    match board {
        Some(board) => board.place(service),
        None => is_for_somebody(service).then(|| TcpPlace::tunnel_only(Reason::NoGateway)),
    }
}

impl Rules {
    /// Those of that configuration.
    fn of(settings: &GatewaySettings) -> Self {
        match &settings.back_end {
            BackEnd::Envoy(envoy) => Self {
                open: settings.source_ranges.is_empty().then_some(Reason::NoSourceRanges),
                guarded: envoy.tls.is_none().then_some(Reason::NoClientCertificates),
            },
            // Nothing of ours is between a client and the job there.
            BackEnd::Kubernetes(gateway) => {
                Self { open: (!gateway.open).then_some(Reason::NotOpen), guarded: Some(Reason::NotOpen) }
            }
        }
    }

    fn of_service(self, service: &Published) -> Option<Result<(), Reason>> {
        if !is_for_somebody(service) {
            return None;
        }
        let reason = if service.entry.policy.access == AccessLevel::Public { self.open } else { self.guarded };
        Some(reason.map_or(Ok(()), Err))
    }
}

fn is_for_somebody(service: &Published) -> bool {
    service.entry.protocol == Protocol::Tcp
        && service.entry.policy.access != AccessLevel::Nobody
        && *service.provider != *OWN_PROVIDER
}

impl fmt::Debug for Board {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Board").field("host", &self.host).finish_non_exhaustive()
    }
}

fn secret_of(settings: &GatewaySettings) -> Option<SecretText> {
    match &settings.back_end {
        BackEnd::Envoy(envoy) => envoy.secret.clone(),
        BackEnd::Kubernetes(_) => None,
    }
}
