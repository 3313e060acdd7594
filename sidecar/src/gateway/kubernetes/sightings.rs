//! Which sidecars see which services: one `Lease` for each sidecar, with the ports of the services that it sees.
//!
//! What listens is the same for all sidecars here, so whoever does not see a service may take nothing away while another
//! one sees it. A sidecar that died says nothing any more: its `Lease` counts as long as it changes, by the clock of
//! whoever reads it. It writes that it sees a service before it has anything listen for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::api::DynamicObject;
use serde_json::{Value, json};
use tokio::sync::Mutex as TurnMutex;
use tokio::time::Instant;

use crate::gateway::kubernetes::error::ApiError;
use crate::gateway::kubernetes::marks;
use crate::gateway::kubernetes::site::Site;
use crate::gateway::port::Lease;
use crate::random;

/// How old a `Lease` is that is deleted. One that is in use is made anew.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// Which sidecars see which services.
#[derive(Debug)]
pub(super) struct Sightings {
    site: Arc<Site>,
    /// How long a port is said to be in use that was not yet renewed.
    fresh: Duration,
    own: Mutex<BTreeMap<u16, Instant>>,
    written: TurnMutex<Written>,
    /// Others' leases: what they said last, and since when it is known.
    others: Mutex<HashMap<String, (String, Instant)>>,
}

/// What the cluster has of this sidecar.
#[derive(Debug, Default)]
struct Written {
    name: Option<String>,
    ports: Option<BTreeSet<u16>>,
    /// Tells this write from the last one.
    number: u64,
}

impl Sightings {
    /// `fresh`: how long it may take until a service that was seen is renewed.
    pub(super) fn new(site: Arc<Site>, fresh: Duration) -> Self {
        Self { site, fresh, own: Mutex::default(), written: TurnMutex::default(), others: Mutex::default() }
    }

    /// Says that the services of these leases are seen, and that this sidecar lives.
    pub(super) async fn renew(&self, leases: &[Lease]) -> Result<(), ApiError> {
        {
            let (mut own, now) = (self.own(), Instant::now());
            // One for which something is about to listen has no lease yet, as far as whoever renews knows.
            own.retain(|_, since| now.saturating_duration_since(*since) < self.fresh);
            own.extend(leases.iter().map(|lease| (lease.port, now)));
        }
        self.write(true).await
    }

    /// Says that the service at a port is seen.
    pub(super) async fn add(&self, port: u16) -> Result<(), ApiError> {
        self.own().insert(port, Instant::now());
        self.write(false).await
    }

    /// Says no more that the service at a port is seen.
    pub(super) async fn remove(&self, port: u16) -> Result<(), ApiError> {
        if self.own().remove(&port).is_some() { self.write(false).await } else { Ok(()) }
    }

    /// Whether another sidecar sees the service at a port, and said anything within `unseen`.
    pub(super) async fn has_others(&self, port: u16, unseen: Duration) -> Result<bool, ApiError> {
        let found = self.site.cluster.list(&self.site.leases(), Some(&marks::all_of_ours())).await?;
        let own = self.written.lock().await.name.clone();
        let now = Instant::now();
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = HashMap::new();
        let mut is_seen = false;
        for lease in found.iter().filter(|lease| marks::is_ours(&lease.metadata, &self.site.gateway)) {
            let Some((name, (ports, said))) = lease.metadata.name.clone().zip(marks::sighting(&lease.metadata)) else {
                continue;
            };
            if Some(&name) == own.as_ref() {
                continue;
            }
            let since = match others.remove(&name) {
                Some((before, since)) if before == said => since,
                _ => now,
            };
            let lives = now.saturating_duration_since(since) < unseen;
            is_seen |= lives && has(ports, port);
            known.insert(name, (said.to_owned(), since));
        }
        *others = known;
        Ok(is_seen)
    }

    /// Deletes what sidecars left that are gone for long.
    pub(super) async fn reap(&self) -> Result<(), ApiError> {
        let own = self.written.lock().await.name.clone();
        for lease in self.site.cluster.list(&self.site.leases(), Some(&marks::all_of_ours())).await? {
            let is_old = |lease: &DynamicObject| {
                let (_, said) = marks::sighting(&lease.metadata)?;
                let (at, _) = said.split_once('-')?;
                let at = taskgate_core::time::UnixTime::from_millis(at.parse().ok()?);
                Some(self.site.now().since(at) >= FORGOTTEN)
            };
            let is_own = lease.metadata.name == own;
            if !is_own && marks::is_ours(&lease.metadata, &self.site.gateway) && is_old(&lease) == Some(true) {
                match self.site.cluster.delete(&self.site.leases(), &lease, true).await {
                    // It lives.
                    Ok(()) | Err(ApiError::Conflict) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Writes what is seen now. Callers take turns, and the first writes for all that wait: the next find it written.
    async fn write(&self, is_heartbeat: bool) -> Result<(), ApiError> {
        let mut written = self.written.lock().await;
        let ports: BTreeSet<u16> = self.own().keys().copied().collect();
        if !is_heartbeat && written.ports.as_ref() == Some(&ports) {
            return Ok(());
        }
        let name = match &written.name {
            Some(name) => name.clone(),
            None => {
                let number = random::non_zero().map_err(|error| ApiError::Unavailable(error.to_string()))?;
                written.name.insert(format!("taskgate-{number:016x}")).clone()
            }
        };
        written.number = written.number.wrapping_add(1);
        let said = format!("{}-{}", self.site.now().as_millis(), written.number);
        let annotations = marks::sighting_annotations(&list(&ports), &said, &self.site.gateway);
        let patch = json!({"metadata": {"annotations": annotations}});
        let outcome = match self.site.cluster.merge(&self.site.leases(), &name, &patch).await {
            Err(ApiError::NotFound) => {
                let made = self.site.cluster.create(&self.site.leases(), &lease(&name, &annotations)).await;
                made.map_err(|error| match error {
                    ApiError::NotFound => {
                        ApiError::Unavailable(format!("there is no namespace {}", self.site.namespace))
                    }
                    error => error,
                })
            }
            outcome => outcome,
        };
        // What came of a write without an answer is not known.
        written.ports = outcome.is_ok().then_some(ports);
        outcome.map(|_| ())
    }

    fn own(&self) -> MutexGuard<'_, BTreeMap<u16, Instant>> {
        // Who panicked left a whole value.
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lease(name: &str, annotations: &BTreeMap<String, String>) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "labels": marks::own_label(), "annotations": annotations},
        "spec": {"holderIdentity": name},
    })
}

/// Ports as text, runs of them by their ends: an object has a bound.
fn list(ports: &BTreeSet<u16>) -> String {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for port in ports {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*port) => *last = *port,
            _ => runs.push((*port, *port)),
        }
    }
    let texts =
        runs.into_iter().map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") });
    texts.collect::<Vec<_>>().join(" ")
}

/// Whether a port is in such a text.
fn has(ports: &str, port: u16) -> bool {
    ports.split(' ').any(|run| {
        let (first, last) = run.split_once('-').unwrap_or((run, run));
        matches!((first.parse::<u16>(), last.parse::<u16>()), (Ok(first), Ok(last)) if (first..=last).contains(&port))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_read_back_from_a_short_text() {
        let ports: BTreeSet<u16> = [20_000, 20_001, 20_002, 20_004, 65_534, 65_535].into();
        let text = list(&ports);
        assert_eq!(text, "20000-20002 20004 65534-65535");
        assert!((1..=u16::MAX).all(|port| has(&text, port) == ports.contains(&port)));
        assert_eq!(list(&BTreeSet::new()), "");
        assert!(!has("", 1) && !has("x-y 1-", 1));
    }
}
