//! Tries whether jobs take connections, and says which addresses are left out because they do not.
//!
//! Why here and not in Envoy: its `override_host` policy goes to the address that the filter named even
//! where Envoy's own checks found it dead. An address that is not in the resource is passed over at once.
//!
//! Owners take turns: who has very many addresses, or ones that swallow what is sent to them, has their own tried less
//! often, and nobody else's.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior};

use crate::app::App;
use crate::xds::owners::{Owners, Turns};
use crate::xds::settings::HealthCheckSettings;

/// The most tries at one time.
const AT_ONCE: usize = 256;
/// The most of one owner's, where there are many owners.
const AT_ONCE_OF_ONE: usize = 32;

/// What is known about addresses.
#[derive(Debug, Default)]
pub struct Health {
    records: Mutex<HashMap<SocketAddr, Record>>,
    turns: Mutex<Turns>,
    expected: watch::Sender<Arc<Owners>>,
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
    pub fn expect(&self, owners: Owners) {
        self.expected.send_if_modified(|known| {
            if **known == owners {
                return false;
            }
            let addresses = owners.addresses();
            self.records().retain(|address, _| addresses.contains(address));
            self.turns().last.retain(|_, address| addresses.contains(address));
            *known = Arc::new(owners);
            true
        });
    }

    /// Tries addresses, round after round, for ever.
    pub async fn check(&self, settings: &HealthCheckSettings, app: &App) {
        let mut expected = self.expected.subscribe();
        let mut is_believed = true;
        loop {
            let owners = Arc::clone(&expected.borrow_and_update());
            if owners.is_empty() {
                if expected.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let started = Instant::now();
            let timeout = settings.timeout;
            self.round(&owners, settings, |address| async move {
                let connected = tokio::time::timeout(timeout, TcpStream::connect(address)).await;
                matches!(connected, Ok(Ok(_)))
            })
            .await;
            let was_believed = is_believed;
            is_believed = self.decide(&owners, settings, app);
            if was_believed && !is_believed {
                tracing::warn!(
                    owners = owners.len(),
                    panic_percent = settings.panic_percent,
                    "jobs of most owners take no connections from here, and none of these is left out; see \
                     `xds.health_checks`"
                );
            }
            tokio::time::sleep_until(started + settings.interval).await;
        }
    }

    /// Tries each address once, by `reaches`, or as many of each owner's as there is time for: the next round goes on
    /// with the rest of them.
    async fn round<F: Future<Output = bool>>(
        &self,
        owners: &Owners,
        settings: &HealthCheckSettings,
        reaches: impl Fn(SocketAddr) -> F,
    ) {
        let mut ticks = tokio::time::interval(pace(owners.count(), settings));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        // Whoever waits for either is served in the order of coming.
        let (ticks, places) = (tokio::sync::Mutex::new(ticks), Semaphore::new(AT_ONCE));
        let (ticks, places, reaches) = (&ticks, &places, &reaches);
        let at_once = (AT_ONCE / owners.len().max(1)).max(AT_ONCE_OF_ONE);
        let ends_at = Instant::now() + settings.interval;
        let has_time = move || Instant::now() < ends_at;
        let turns = owners.in_turn(&self.turns());
        // An owner without addresses has no turn: it would never be served.
        let order: Vec<u32> =
            turns.iter().filter(|(_, addresses)| !addresses.is_empty()).map(|(owner, _)| *owner).collect();
        let served = Mutex::new(HashSet::new());
        let served = &served;
        let rounds = turns.into_iter().map(|(owner, addresses)| async move {
            let tries = addresses.into_iter().take_while(|_| has_time()).map(|address| async move {
                let Ok(_place) = places.acquire().await else { return };
                let mut turn = ticks.lock().await;
                if !has_time() {
                    return;
                }
                turn.tick().await;
                drop(turn);
                self.turns().last.insert(owner, address);
                lock(served).insert(owner);
                let is_reached = reaches(address).await;
                // One that went meanwhile is forgotten after the next change.
                self.records().entry(address).or_default().note(is_reached, settings);
            });
            futures_util::stream::iter(tries).buffer_unordered(at_once).for_each(|()| std::future::ready(())).await;
        });
        join_all(rounds).await;
        // Whoever was not served is first the next time; else everybody is once.
        let next = order.iter().find(|owner| !lock(served).contains(owner)).or(order.get(1));
        self.turns().first = next.copied().unwrap_or_default();
    }

    /// Leaves out what failed, but for owners of whom so much did that it must be the checks; whether these are
    /// believed about most owners.
    fn decide(&self, owners: &Owners, settings: &HealthCheckSettings, app: &App) -> bool {
        let failed: HashSet<SocketAddr> =
            self.records().iter().filter(|(_, record)| record.is_out).map(|(address, _)| *address).collect();
        app.metrics.xds.unhealthy.set(i64::try_from(failed.len()).unwrap_or(i64::MAX));
        let left_out = owners.left_out(&failed, settings.panic_percent);
        self.left_out.send_if_modified(|known| {
            if **known == left_out.addresses {
                return false;
            }
            tracing::info!(
                left_out = left_out.addresses.len(),
                addresses = owners.count(),
                "other jobs than before are left out, as they take no connections"
            );
            *known = Arc::new(left_out.addresses);
            true
        });
        left_out.doubted.saturating_mul(2) <= owners.len()
    }

    fn records(&self) -> MutexGuard<'_, HashMap<SocketAddr, Record>> {
        lock(&self.records)
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        lock(&self.turns)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From one try to the next: they are spread over the interval, or are as many as are allowed.
fn pace(count: usize, settings: &HealthCheckSettings) -> Duration {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let least = Duration::from_secs(1) / settings.per_second.max(1);
    (settings.interval / count.max(1)).max(least).max(Duration::from_micros(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xds::owners::tests::jobs;

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

    #[tokio::test(start_paused = true)]
    async fn one_owner_who_has_very_many_dead_jobs_holds_up_nobody_else() {
        const ROUNDS: u32 = 3;
        let owners: Owners = [jobs(1, 1..20_001), jobs(2, 1..11), jobs(3, 1..2)].into_iter().collect();
        let (health, tried) = (Health::default(), Mutex::new(HashMap::<SocketAddr, u32>::new()));
        let dead = jobs(1, 1..20_001).1;
        let reaches = |address| {
            *tried.lock().expect("works").entry(address).or_default() += 1;
            let takes = if dead.contains(&address) { settings().timeout } else { Duration::ZERO };
            async move {
                tokio::time::sleep(takes).await;
                takes.is_zero()
            }
        };
        let started = Instant::now();
        for _ in 0..ROUNDS {
            health.round(&owners, &settings(), &reaches).await;
        }
        let most = (settings().interval + settings().timeout * 2) * ROUNDS;
        assert!(started.elapsed() <= most, "{:?}", started.elapsed());
        let tried = tried.into_inner().expect("works");
        for address in jobs(2, 1..11).1.iter().chain(&jobs(3, 1..2).1) {
            assert_eq!(tried.get(address), Some(&ROUNDS), "{address}");
        }
        // And of its own it is always the next ones' turn.
        let of_dead: Vec<u32> = dead.iter().filter_map(|address| tried.get(address)).copied().collect();
        assert!(of_dead.len() > 1_000 && of_dead.iter().all(|times| *times == 1), "{}", of_dead.len());
    }

    #[tokio::test(start_paused = true)]
    async fn where_there_is_no_time_for_all_owners_everybody_has_a_turn() {
        let all = (1..201).map(|owner| jobs(owner, 1..if owner == 100 { 1 } else { 41 }));
        let owners: Owners = all.collect();
        let (health, tried) = (Health::default(), Mutex::new(HashSet::new()));
        let reaches = |address| {
            tried.lock().expect("works").insert(address);
            std::future::ready(true)
        };
        health.round(&owners, &settings(), &reaches).await;
        assert!(lock(&tried).len() <= 5_100, "more than there is time for");
        for _ in 0..3 {
            health.round(&owners, &settings(), &reaches).await;
        }
        assert_eq!(lock(&tried).len(), 199 * 40);
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_addresses_are_each_tried_once_a_round() {
        let owners: Owners = [jobs(1, 1..4), jobs(2, 1..3)].into_iter().collect();
        let (health, tried) = (Health::default(), Mutex::new(Vec::new()));
        let reaches = |address| {
            tried.lock().expect("works").push(address);
            std::future::ready(true)
        };
        health.round(&owners, &settings(), &reaches).await;
        let mut tried = tried.into_inner().expect("works");
        tried.sort();
        assert_eq!(tried, jobs(1, 1..4).1.into_iter().chain(jobs(2, 1..3).1).collect::<Vec<_>>());
    }

    #[test]
    fn tries_are_spread_and_never_more_than_allowed() {
        assert_eq!(pace(1, &settings()), Duration::from_secs(5));
        assert_eq!(pace(50, &settings()), Duration::from_millis(100));
        assert_eq!(pace(200_000, &settings()), Duration::from_millis(1));
    }
}
