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

impl Keeper {
    /// Says that the services of these leases are there.
    pub(super) async fn beat(self, leases: Vec<Lease>) -> Result<Beat, LeaseError> {
        let lost = self.ledger.renew(&leases).await?;
        let slots = self.ledger.list().await?;
        self.count(&slots);
        Ok(Beat { lost, slots })
    }

    /// Takes away what listens for no holder: what an earlier life left, which did not hear of the end of a service.
    /// `ours`: what services are called here, whatever another sidecar calls them.
    pub(super) async fn sweep(self, ours: HashMap<Holder, Label>) -> Result<(), Trouble> {
        let observed = self.plane.observe().await?;
        // Later, so that what was reserved meanwhile is in it.
        let slots = self.ledger.list().await?;
        let held: HashMap<u16, Lease> = slots.into_iter().filter_map(held).collect();
        let is_held = |port: u16, service: &Label| {
            held.get(&port).is_some_and(|lease| lease.service == *service || ours.get(&lease.holder) == Some(service))
        };
        for (port, service) in observed {
            if !is_held(port, &service) {
                tracing::warn!(service.id = %service, port, "something listens for a service that does not hold the port");
                self.withdraw([Lease { port, holder: Holder::nobody(), service, generation: 0 }]).await?;
            }
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

fn held(slot: Slot) -> Option<(u16, Lease)> {
    match slot {
        Slot::Held(lease) => Some((lease.port, lease)),
        Slot::Resting { .. } => None,
    }
}
