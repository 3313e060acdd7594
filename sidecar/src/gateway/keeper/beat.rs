//! What is done again and again: saying which services are there, and looking for listeners that nobody holds.

use std::collections::HashMap;

use taskgate_core::label::Label;
use taskgate_core::service::Protocol;

use crate::gateway::keeper::Keeper;
use crate::gateway::keeper::establish::Trouble;
use crate::gateway::ledger::LeaseError;
use crate::gateway::port::{Holder, Lease, Slot};
use crate::gateway::standing::Standing;

/// What the ledger says.
#[derive(Debug)]
pub(super) struct Beat {
    /// Leases that were ours, and are not.
    pub(super) lost: Vec<Lease>,
    /// What is held, and what rests.
    pub(super) slots: Vec<Slot>,
}

/// What listens, and for whom.
#[derive(Debug)]
struct Observed {
    /// The ports, with what the service is called.
    listeners: Vec<(u16, Label)>,
    /// What services are called here.
    ours: HashMap<Holder, Label>,
}

impl Keeper {
    /// Says that the services of these leases are there.
    pub(super) async fn beat(self, leases: Vec<Lease>) -> Result<Beat, LeaseError> {
        let lost = self.ledger.renew(&leases).await?;
        let slots = self.ledger.list().await?;
        self.count(&slots);
        Ok(Beat { lost, slots })
    }

    /// Takes away what listens for no holder: what an earlier life left, which did not hear of the end of a service, or
    /// of which the ledger was lost. Whoever knows such a port must not reach somebody else there, so it rests; where it is
    /// a service's that has no other one, it stays that one's. Whether that is all: as long as a provider is waited
    /// for, what listens for nobody may be for a service of that one, and is left alone.
    pub(super) async fn sweep(self) -> Result<bool, Trouble> {
        let listeners = self.plane.observe().await?;
        // First, so that what the last provider sees is in the table.
        let is_complete = self.registry.waits_for().is_empty() || self.feed.is_settled();
        let observed = Observed { listeners, ours: self.ours() };
        self.remember(&observed, is_complete).await?;
        let mut is_all = true;
        // Later, so that what was reserved meanwhile is in it: now every port at which something listens is known.
        let slots: HashMap<u16, Slot> = self.ledger.list().await?.into_iter().map(|slot| (slot.port(), slot)).collect();
        for (port, service) in &observed.listeners {
            if slots.get(port).and_then(held).is_some_and(|lease| observed.is_of(lease, service)) {
                continue;
            }
            if !is_complete {
                tracing::debug!(service.id = %service, port, "something listens for a service that is not known yet");
                is_all = false;
                continue;
            }
            tracing::warn!(service.id = %service, port, "something listens for a service that does not hold the port");
            let nobodys = Lease { port: *port, holder: Holder::nobody(), service: service.clone(), generation: 0 };
            self.withdraw([nobodys]).await?;
        }
        Ok(is_all)
    }

    /// What the services that get ports are called here, whatever another sidecar calls them.
    fn ours(&self) -> HashMap<Holder, Label> {
        let services = self.registry.services_that_speak(Protocol::Tcp);
        let wanted = services.iter().filter(|service| matches!(self.board.gets_port(service), Some(Ok(()))));
        wanted.map(|service| (Holder::of(&service.entry.key), service.id.clone())).collect()
    }

    /// Notes the ports at which something listens and of which nothing is known. `is_complete`: who is not in the table
    /// is gone.
    async fn remember(&self, observed: &Observed, is_complete: bool) -> Result<(), LeaseError> {
        let slots: HashMap<u16, Slot> = self.ledger.list().await?.into_iter().map(|slot| (slot.port(), slot)).collect();
        let is_open = |port: u16| self.terms.range.has(port) && !slots.contains_key(&port);
        for (port, service) in observed.listeners.iter().filter(|(port, _)| is_open(*port)) {
            let holder = observed.holder(service);
            if holder.is_none() && !is_complete {
                continue;
            }
            let is_kept = self.ledger.remember(*port, service, holder, self.terms.rest).await?;
            tracing::warn!(service.id = %service, port, is_kept, "something listens at a port of which nothing was known");
        }
        Ok(())
    }

    fn count(&self, slots: &[Slot]) {
        let range = self.terms.range;
        let is_held = |slot: &&Slot| matches!(slot, Slot::Held(_));
        let held = slots.iter().filter(is_held).count();
        let used = slots.iter().filter(|slot| range.has(slot.port())).count();
        let metrics = &self.metrics.gateway;
        metrics.set_ports("held", held);
        metrics.set_ports("resting", slots.len().saturating_sub(held));
        metrics.set_ports("free", range.ports().count().saturating_sub(used));
        let standings = self.board.standings();
        for (state, is_in) in [
            ("announced", (|standing| matches!(standing, Standing::Announced(_))) as fn(&Standing) -> bool),
            ("failed", |standing| matches!(standing, Standing::Failed(_))),
            ("pending", |standing| matches!(standing, Standing::Pending(_))),
        ] {
            metrics.set_services(state, standings.iter().filter(|standing| is_in(standing)).count());
        }
    }
}

impl Observed {
    /// Whether a lease is that service's.
    fn is_of(&self, lease: &Lease, service: &Label) -> bool {
        lease.service == *service || self.ours.get(&lease.holder) == Some(service)
    }

    /// Who the service of that name is.
    fn holder(&self, service: &Label) -> Option<&Holder> {
        self.ours.iter().find(|(_, id)| *id == service).map(|(holder, _)| holder)
    }
}

/// Who holds it; none while it rests.
pub(super) fn held(slot: &Slot) -> Option<&Lease> {
    match slot {
        Slot::Held(lease) => Some(lease),
        Slot::Resting { .. } => None,
    }
}
