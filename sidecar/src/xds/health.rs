//! Tries whether jobs take connections, and says which addresses are left out because they do not.
//!
//! Why here and not in Envoy: its `override_host` policy goes to the address that the filter named even
//! where Envoy's own checks found it dead. An address that is not in the resource is passed over at once.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use crate::app::App;
use crate::xds::settings::HealthCheckSettings;

/// The most tries at one time.
const AT_ONCE: usize = 256;

/// What is known about addresses.
#[derive(Debug, Default)]
pub struct Health {
    records: Mutex<HashMap<SocketAddr, Record>>,
    expected: watch::Sender<Arc<BTreeSet<SocketAddr>>>,
    left_out: watch::Sender<Arc<HashSet<SocketAddr>>>,
}

/// How an address did last. It counts as well until it failed.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    /// Tries in a row that contradict what it counts as.
    against: u32,
    is_out: bool,
}

impl Record {
    fn note(&mut self, is_reached: bool, settings: &HealthCheckSettings) {
        if is_reached != self.is_out {
            self.against = 0;
            return;
        }
        self.against = self.against.saturating_add(1);
        let threshold = if self.is_out { settings.healthy_threshold } else { settings.unhealthy_threshold };
        if self.against >= threshold {
            *self = Self { against: 0, is_out: !self.is_out };
        }
    }
}

impl Health {
    /// The addresses that are left out.
    #[must_use]
    pub fn left_out(&self) -> watch::Receiver<Arc<HashSet<SocketAddr>>> {
        self.left_out.subscribe()
    }

    /// Says which addresses there are; the others are forgotten.
    pub fn expect(&self, addresses: BTreeSet<SocketAddr>) {
        self.expected.send_if_modified(|known| {
            if **known == addresses {
                return false;
            }
            self.records().retain(|address, _| addresses.contains(address));
            *known = Arc::new(addresses);
            true
        });
    }

    /// Tries addresses, round after round, for ever.
    pub async fn check(&self, settings: &HealthCheckSettings, app: &App) {
        let mut expected = self.expected.subscribe();
        let mut is_believed = true;
        loop {
            let addresses = Arc::clone(&expected.borrow_and_update());
            let Ok(count) = u32::try_from(addresses.len()) else { return };
            if count == 0 {
                if expected.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let started = Instant::now();
            self.round(&addresses, pace(count, settings), settings).await;
            let was_believed = is_believed;
            is_believed = self.decide(addresses.len(), settings, app);
            if was_believed && !is_believed {
                tracing::warn!(
                    addresses = addresses.len(),
                    panic_percent = settings.panic_percent,
                    "so many jobs take no connections from here that none is left out; see `xds.health_checks`"
                );
            }
            tokio::time::sleep_until(started + settings.interval).await;
        }
    }

    async fn round(&self, addresses: &BTreeSet<SocketAddr>, pace: Duration, settings: &HealthCheckSettings) {
        let mut ticks = tokio::time::interval(pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let ticks = futures_util::stream::unfold(ticks, |mut ticks| async {
            ticks.tick().await;
            Some(((), ticks))
        });
        let tries = futures_util::stream::iter(addresses.iter().copied()).zip(ticks).map(|(address, ())| async move {
            let connected = tokio::time::timeout(settings.timeout, TcpStream::connect(address)).await;
            (address, matches!(connected, Ok(Ok(_))))
        });
        let mut tries = std::pin::pin!(tries.buffer_unordered(AT_ONCE));
        while let Some((address, is_reached)) = tries.next().await {
            // One that went meanwhile is forgotten after the next change.
            self.records().entry(address).or_default().note(is_reached, settings);
        }
    }

    /// Leaves out what failed, unless that is so much that it must be the checks; whether they are believed.
    fn decide(&self, count: usize, settings: &HealthCheckSettings, app: &App) -> bool {
        let mut failed: HashSet<SocketAddr> =
            self.records().iter().filter(|(_, record)| record.is_out).map(|(address, _)| *address).collect();
        app.metrics.xds.unhealthy.set(i64::try_from(failed.len()).unwrap_or(i64::MAX));
        let is_believed = failed.len().saturating_mul(100) <= count.saturating_mul(settings.panic_percent);
        if !is_believed {
            failed.clear();
        }
        self.left_out.send_if_modified(|known| {
            if **known == failed {
                return false;
            }
            tracing::info!(
                left_out = failed.len(),
                addresses = count,
                "other jobs than before are left out, as they take no connections"
            );
            *known = Arc::new(failed);
            true
        });
        is_believed
    }

    fn records(&self) -> MutexGuard<'_, HashMap<SocketAddr, Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From one try to the next: the round is spread over the interval, or longer.
fn pace(count: u32, settings: &HealthCheckSettings) -> Duration {
    let least = Duration::from_secs(1) / settings.per_second.max(1);
    (settings.interval / count.max(1)).max(least).max(Duration::from_micros(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> HealthCheckSettings {
        HealthCheckSettings {
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(1),
            unhealthy_threshold: 3,
            healthy_threshold: 2,
            per_second: 1_000,
            panic_percent: 50,
        }
    }

    #[test]
    fn an_address_goes_and_comes_back_after_so_many_in_a_row() {
        let mut record = Record::default();
        let mut after = |tries: &[bool]| {
            tries.iter().for_each(|is_reached| record.note(*is_reached, &settings()));
            record.is_out
        };
        assert!(!after(&[false, false, true, false, false]), "never three in a row");
        assert!(after(&[false]));
        assert!(after(&[true, false, true]), "never two in a row");
        assert!(!after(&[true]));
    }

    #[test]
    fn tries_are_spread_and_never_more_than_allowed() {
        assert_eq!(pace(1, &settings()), Duration::from_secs(5));
        assert_eq!(pace(50, &settings()), Duration::from_millis(100));
        assert_eq!(pace(200_000, &settings()), Duration::from_millis(1));
    }
}
