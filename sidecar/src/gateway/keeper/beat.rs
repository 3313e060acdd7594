//! What is done again and again: saying which services are there, and looking for listeners that nobody holds.

use std::collections::{HashMap, HashSet};

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
        let observed = self.plane.observe().await?;
        self.remember(&observed, &ours).await?;
        // Later, so that what was reserved meanwhile is in it: now every port at which something listens is known.
        let slots: HashMap<u16, Slot> = self.ledger.list().await?.into_iter().map(|slot| (slot.port(), slot)).collect();
        let is_ours =
            |lease: &Lease, service: &Label| lease.service == *service || ours.get(&lease.holder) == Some(service);
        for (port, service) in &observed {
            let slot = slots.get(port);
            if slot.and_then(held).is_some_and(|lease| is_ours(lease, service)) {
                continue;
            }
            // It was given away before anybody knew that it is somebody's.
            if let Some(lease) = slot.and_then(held).filter(|lease| lease.generation > earlier) {
                let listens = |(at, whom): &(u16, Label)| at == port && is_ours(lease, whom);
                if !observed.iter().any(listens) {
                    match self.ledger.release(lease, self.terms.rest).await {
                        Ok(()) | Err(LeaseError::Lost) => {}
                        Err(error @ LeaseError::Unavailable(_)) => return Err(error.into()),
                    }
                }
            }
            tracing::warn!(service.id = %service, port, "something listens for a service that does not hold the port");
            let nobodys = Lease { port: *port, holder: Holder::nobody(), service: service.clone(), generation: 0 };
            self.withdraw([nobodys]).await?;
        }
        Ok(())
    }

    /// Notes the ports at which something listens and of which nothing is known.
    async fn remember(&self, observed: &[(u16, Label)], ours: &HashMap<Holder, Label>) -> Result<(), LeaseError> {
        let slots = self.ledger.list().await?;
        let known: HashSet<u16> = slots.iter().map(Slot::port).collect();
        let holders: HashSet<&Holder> = slots.iter().filter_map(held).map(|lease| &lease.holder).collect();
        let is_unknown = |port: u16| self.terms.range.has(port) && !known.contains(&port);
        for (port, service) in observed.iter().filter(|(port, _)| is_unknown(*port)) {
            let homeless = ours.iter().find(|(holder, id)| *id == service && !holders.contains(holder));
            let holder = homeless.map(|(holder, _)| holder);
            self.ledger.remember(*port, service, holder, self.terms.rest).await?;
            let is_kept = holder.is_some();
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

/// Who holds it; none while it rests.
pub(super) fn held(slot: &Slot) -> Option<&Lease> {
    match slot {
        Slot::Held(lease) => Some(lease),
        Slot::Resting { .. } => None,
    }
}
