//! What is done again and again: saying which services are there, and looking for listeners that nobody holds.

use std::collections::HashMap;

use taskgate_core::label::Label;

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
    /// a service's that has no other one, it stays that one's. `ours`: what services are called here, whatever another
    /// sidecar calls them; `earlier`: the last reservation that can't have been made for want of knowing what listens.
    pub(super) async fn sweep(self, ours: HashMap<Holder, Label>, earlier: u64) -> Result<(), Trouble> {
        let observed = Observed { listeners: self.plane.observe().await?, ours };
        self.remember(&observed, earlier).await?;
        // Later, so that what was reserved meanwhile is in it: now every port at which something listens is known.
        let slots: HashMap<u16, Slot> = self.ledger.list().await?.into_iter().map(|slot| (slot.port(), slot)).collect();
        for (port, service) in &observed.listeners {
            if slots.get(port).and_then(held).is_some_and(|lease| observed.is_of(lease, service)) {
                continue;
            }
            tracing::warn!(service.id = %service, port, "something listens for a service that does not hold the port");
            let nobodys = Lease { port: *port, holder: Holder::nobody(), service: service.clone(), generation: 0 };
            self.withdraw([nobodys]).await?;
        }
        Ok(())
    }

    /// Notes the ports at which something listens and of which nothing is known, or that were given away before anybody
    /// knew that they are somebody's.
    async fn remember(&self, observed: &Observed, earlier: u64) -> Result<(), LeaseError> {
        let slots: HashMap<u16, Slot> = self.ledger.list().await?.into_iter().map(|slot| (slot.port(), slot)).collect();
        let at_port = observed.by_port();
        // Since nobody starts to listen before it is known what does, nobody was told of it.
        let gives_way = |lease: &Lease| {
            let listens = |services: &Vec<&Label>| services.iter().any(|service| observed.is_of(lease, service));
            lease.generation > earlier && !at_port.get(&lease.port).is_some_and(listens)
        };
        let is_open = |port: u16| {
            self.terms.range.has(port) && slots.get(&port).is_none_or(|slot| held(slot).is_some_and(gives_way))
        };
        for (port, service) in observed.listeners.iter().filter(|(port, _)| is_open(*port)) {
            let holder = observed.holder(service);
            let is_kept = self.ledger.remember(*port, service, holder, &gives_way, self.terms.rest).await?;
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

    fn by_port(&self) -> HashMap<u16, Vec<&Label>> {
        let mut by_port: HashMap<u16, Vec<&Label>> = HashMap::new();
        for (port, service) in &self.listeners {
            by_port.entry(*port).or_default().push(service);
        }
        by_port
    }
}

/// Who holds it; none while it rests.
pub(super) fn held(slot: &Slot) -> Option<&Lease> {
    match slot {
        Slot::Held(lease) => Some(lease),
        Slot::Resting { .. } => None,
    }
}
