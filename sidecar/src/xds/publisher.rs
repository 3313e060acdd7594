//! Makes resources of the table: what changes while one is made goes into the next.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::app::App;
use crate::xds::addresses::Addresses;
use crate::xds::assignment::Snapshot;
use crate::xds::health::Health;
use crate::xds::owners::Owners;

/// Makes resources of the table.
#[derive(Clone, Debug)]
pub struct Publisher {
    /// What it reads.
    pub app: Arc<App>,
    /// What is left out.
    pub health: Arc<Health>,
    /// The least time from one to the next.
    pub rest: Duration,
    /// Where they go.
    pub snapshots: Arc<watch::Sender<Snapshot>>,
}

impl Publisher {
    /// Follows the table until the end.
    pub async fn run(self) {
        let (mut table, mut feed) = (self.app.registry.changes(), self.app.feed.changes());
        let mut health = self.health.left_out();
        loop {
            table.mark_unchanged();
            // Keys and revocations ride with the table and are no news here, but that it is whole is.
            feed.mark_unchanged();
            let left_out = Arc::clone(&health.borrow_and_update());
            self.publish(&left_out).await;
            let (is_settled, is_nothing) = {
                let made = self.snapshots.borrow();
                (made.is_settled, made.assignments.iter().all(|assignment| assignment.addresses() == 0))
            };
            // Nothing at the start is sent to nobody, and what comes next should not wait for it.
            let rest = if is_settled || !is_nothing { self.rest } else { Duration::ZERO };
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = self.app.stop.cancelled() => return,
            }
            loop {
                let changed = tokio::select! {
                    changed = table.changed() => changed.is_ok(),
                    changed = health.changed() => changed.is_ok(),
                    changed = feed.changed() => match changed {
                        Ok(()) if is_settled => continue,
                        changed => changed.is_ok(),
                    },
                    () = self.app.stop.cancelled() => false,
                };
                if !changed {
                    return;
                }
                break;
            }
        }
    }

    async fn publish(&self, left_out: &Arc<HashSet<SocketAddr>>) {
        // Before the services are read: what is whole then is whole in what is read after it.
        let is_settled = self.app.feed.is_settled();
        let (registry, health, left_out) =
            (Arc::clone(&self.app.registry), Arc::clone(&self.health), Arc::clone(left_out));
        // Tens of thousands of rows take a while; the runtime's threads have other things to do.
        let made = tokio::task::spawn_blocking(move || {
            let services = registry.services();
            health.expect(Owners::of(&services));
            Snapshot::new(&Addresses::of(&services).without(&left_out), is_settled)
        });
        let Ok(snapshot) = made.await else {
            tracing::error!("making what proxies get failed; they keep what they have");
            return;
        };
        for assignment in &snapshot.assignments {
            let count = i64::try_from(assignment.addresses()).unwrap_or(i64::MAX);
            self.app.metrics.xds.endpoints(assignment.name()).set(count);
        }
        self.snapshots.send_if_modified(|known| {
            let is_new = *known != snapshot;
            *known = snapshot;
            is_new
        });
    }
}
