//! Who holds which port: one service at most, whoever asks, and whenever.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use proptest::prelude::*;
use taskgate::clock::ManualClock;
use taskgate::gateway::ledger::{LeaseError, Ledger, ReserveError};
use taskgate::gateway::port::{Lease, PortRange, Slot};
use taskgate::gateway::store::SqlLedger;
use taskgate::secret::SecretText;
use taskgate_core::label::Label;
use taskgate_core::time::UnixTime;
use taskgate_test_kit::Postgres;

use super::stage::{FIRST, file_in, held, holder, ledger};
use crate::kit::START;

const REST: Duration = Duration::from_secs(100);

fn range(ports: u16) -> PortRange {
    PortRange::new(FIRST, FIRST + ports - 1).expect("a range")
}

fn label(name: &str) -> Label {
    Label::parse(name.as_bytes()).expect("a label")
}

async fn reserve(ledger: &SqlLedger, ports: u16, name: &str, avoid: &[u16]) -> Result<Lease, ReserveError> {
    ledger.reserve(range(ports), &holder(name), &label(name), avoid).await
}

/// A ledger whose time is moved by hand.
async fn by_hand(address: &str) -> (SqlLedger, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(START));
    let address = SecretText::from(address.to_owned());
    let ledger = SqlLedger::open(&address, Arc::<ManualClock>::clone(&clock)).await.expect("opens");
    (ledger, clock)
}

#[tokio::test]
async fn a_port_is_given_back_by_who_holds_it_alone_and_rests() {
    let directory = tempfile::tempdir().expect("a directory");
    let (ledger, clock) = by_hand(&file_in(directory.path())).await;
    let a = reserve(&ledger, 2, "a", &[]).await.expect("a port");
    assert_eq!(reserve(&ledger, 2, "a", &[]).await, Ok(a.clone()), "the same one");
    let b = reserve(&ledger, 2, "b", &[]).await.expect("a port");
    assert_eq!([a.port, b.port], [FIRST, FIRST + 1]);
    let exhausted = reserve(&ledger, 2, "c", &[]).await;
    assert_eq!(exhausted, Err(ReserveError::RangeExhausted(range(2))));

    let of_other = Lease { holder: holder("b"), ..a.clone() };
    let of_other_time = Lease { generation: a.generation + 7, ..a.clone() };
    for wrong in [&of_other, &of_other_time] {
        assert_eq!(ledger.release(wrong, REST).await, Err(LeaseError::Lost));
        assert_eq!(ledger.renew(std::slice::from_ref(wrong)).await, Ok(vec![wrong.clone()]));
    }
    ledger.release(&a, REST).await.expect("is given back");
    assert_eq!(ledger.release(&a, REST).await, Err(LeaseError::Lost), "once");
    let slots = ledger.list().await.expect("a list");
    assert!(slots.contains(&Slot::Resting { port: FIRST, until: START.after(REST) }), "{slots:?}");
    assert!(reserve(&ledger, 2, "c", &[]).await.is_err(), "it rests");
    clock.advance(REST);
    let c = reserve(&ledger, 2, "c", &[]).await.expect("it has rested");
    assert_eq!(c.port, FIRST);
    assert!(c.generation > b.generation && b.generation > a.generation);
    // Who held it before changes nothing.
    assert_eq!(ledger.release(&a, REST).await, Err(LeaseError::Lost));
    assert_eq!(ledger.release_unseen(&a, Duration::ZERO, REST).await, Err(LeaseError::Lost));
}

#[tokio::test]
async fn a_clock_that_is_set_ahead_ends_no_rest_before_its_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let (ledger, clock) = by_hand(&file_in(directory.path())).await;
    let hour = Duration::from_secs(3_600);
    // That nobody asked for the time for long is no reason to believe a jump.
    clock.advance(hour);
    let a = reserve(&ledger, 1, "a", &[]).await.expect("a port");
    ledger.release(&a, hour).await.expect("is given back");
    let until = START.after(hour * 2);
    clock.set(until);
    assert_eq!(ledger.renew(&[]).await, Ok(Vec::new()));
    assert_eq!(ledger.list().await, Ok(vec![Slot::Resting { port: FIRST, until }]));
    assert!(reserve(&ledger, 1, "b", &[]).await.is_err(), "it rests");
    clock.advance(hour / 2 - Duration::from_secs(1));
    assert!(reserve(&ledger, 1, "b", &[]).await.is_err(), "it rests still");
    clock.advance(hour / 2 + Duration::from_secs(1));
    assert_eq!(ledger.list().await, Ok(Vec::new()));
    assert_eq!(reserve(&ledger, 1, "b", &[]).await.map(|lease| lease.port), Ok(FIRST));
}

#[tokio::test]
async fn a_port_that_has_rested_is_remembered_as_its_holders() {
    let directory = tempfile::tempdir().expect("a directory");
    let (ledger, clock) = by_hand(&file_in(directory.path())).await;
    let a = reserve(&ledger, 1, "a", &[]).await.expect("a port");
    ledger.release(&a, REST).await.expect("is given back");
    let (name, to) = (label("b"), holder("b"));
    assert_eq!(ledger.remember(FIRST, &name, Some(&to), REST).await, Ok(false), "it rests");
    clock.advance(REST);
    assert_eq!(ledger.remember(FIRST, &name, Some(&to), REST).await, Ok(true));
    let (held, resting) = held(&ledger).await;
    assert_eq!((held.len(), resting), (1, 0));
    assert_eq!((held[0].port, &held[0].holder), (FIRST, &to));
    // What listens for nobody rests anew.
    ledger.release(&held[0], REST).await.expect("is given back");
    clock.advance(REST);
    assert_eq!(ledger.remember(FIRST, &name, None, REST).await, Ok(false));
    assert_eq!(ledger.list().await.expect("a list").len(), 1);
}

#[tokio::test]
async fn a_port_that_another_sidecar_says_is_in_use_is_not_given_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let (ledger, clock) = by_hand(&file_in(directory.path())).await;
    let a = reserve(&ledger, 2, "a", &[]).await.expect("a port");
    let minute = Duration::from_secs(60);
    clock.advance(minute);
    assert_eq!(ledger.renew(std::slice::from_ref(&a)).await, Ok(Vec::new()));
    clock.advance(minute / 2);
    assert_eq!(ledger.release_unseen(&a, minute, REST).await, Ok(false));
    clock.advance(minute / 2);
    assert_eq!(ledger.release_unseen(&a, minute, REST).await, Ok(true));
}

#[tokio::test]
async fn what_a_clock_wrote_that_was_years_ahead_holds_no_port() {
    let directory = tempfile::tempdir().expect("a directory");
    let address = file_in(directory.path());
    let (ahead, clock) = by_hand(&address).await;
    clock.advance(Duration::from_secs(10 * 365 * 86_400));
    let [gone, rests] = ["gone", "rests"].map(|name| reserve(&ahead, 2, name, &[]));
    let (gone, rests) = (gone.await.expect("a port"), rests.await.expect("a port"));
    ahead.release(&rests, REST).await.expect("is given back");
    ahead.close().await;
    // The clock is right again.
    let (ledger, clock) = by_hand(&address).await;
    let ledger = ledger.resting(REST);
    assert_eq!(ledger.renew(&[]).await, Ok(Vec::new()));
    assert!(reserve(&ledger, 2, "new", &[]).await.is_err(), "one is held still, and the other one rests");
    assert_eq!(ledger.release_unseen(&gone, REST, REST).await, Ok(false));
    clock.advance(REST);
    assert_eq!(reserve(&ledger, 2, "new", &[]).await.map(|lease| lease.port), Ok(rests.port));
    assert_eq!(ledger.release_unseen(&gone, REST, REST).await, Ok(true));
}

#[tokio::test]
async fn only_on_a_server_can_others_give_ports_away() {
    let directory = tempfile::tempdir().expect("a directory");
    let (ledger, _) = by_hand(&file_in(directory.path())).await;
    assert!(!ledger.expires());
}

#[tokio::test]
async fn ports_of_somebody_else_are_passed_over_and_everything_outlives_the_process() {
    let directory = tempfile::tempdir().expect("a directory");
    let address = file_in(directory.path());
    let (first, _) = by_hand(&address).await;
    let avoid: Vec<u16> = (FIRST..FIRST + 300).filter(|port| *port != FIRST + 3).collect();
    let a = reserve(&first, 400, "a", &avoid).await.expect("a port");
    assert_eq!(a.port, FIRST + 3);
    let b = reserve(&first, 400, "b", &avoid).await.expect("a port");
    assert_eq!(b.port, FIRST + 300);
    assert!(reserve(&first, 300, "c", &avoid).await.is_err());
    // Another id of the same service is told by the same reservation.
    let renamed = first.reserve(range(400), &holder("a"), &label("other"), &[]).await.expect("the same");
    assert_eq!((renamed.port, renamed.generation, renamed.service.as_str()), (a.port, a.generation, "other"));
    first.close().await;
    let (second, _) = by_hand(&address).await;
    assert_eq!(second.list().await, Ok(vec![Slot::Held(renamed), Slot::Held(b)]));
}

/// Two ledgers of two processes, at once.
async fn never_twice(address: &str) {
    let (one, other) = (ledger(address).await, ledger(address).await);
    let names: Vec<String> = (0..30).map(|number| format!("service-{number}")).collect();
    let both = names.iter().flat_map(|name| [(name, &one), (name, &other)]);
    let leases = join_all(both.map(|(name, ledger)| reserve(ledger, 30, name, &[]))).await;
    let mut ports = BTreeMap::<String, BTreeSet<u16>>::new();
    for lease in leases {
        let lease = lease.expect("a port");
        ports.entry(lease.service.to_string()).or_default().insert(lease.port);
    }
    let all: BTreeSet<u16> = ports.values().flatten().copied().collect();
    assert_eq!((ports.len(), all.len()), (30, 30), "one service, one port: {ports:?}");
    assert!(ports.values().all(|ports| ports.len() == 1), "{ports:?}");
    let full = reserve(&one, 30, "one-more", &[]).await;
    assert_eq!(full, Err(ReserveError::RangeExhausted(range(30))));
    // What both give back is given back once.
    let (leases, _) = held(&*one).await;
    let ledgers = [&one, &other];
    let both = leases.iter().flat_map(|lease| ledgers.map(|ledger| ledger.release(lease, Duration::ZERO)));
    let released = join_all(both).await;
    assert_eq!(released.iter().filter(|outcome| outcome.is_ok()).count(), 30);
    one.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sidecars_that_share_a_file_never_get_one_port_twice() {
    let directory = tempfile::tempdir().expect("a directory");
    never_twice(&file_in(directory.path())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sidecars_that_share_a_server_never_get_one_port_twice() {
    let server = Postgres::start().expect("PostgreSQL starts");
    never_twice(&server.url()).await;
}

#[derive(Clone, Debug)]
enum Step {
    Reserve(u8),
    Release(u8),
    ReleaseOld(u8),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..8).prop_map(Step::Reserve),
        3 => (0_u8..8).prop_map(Step::Release),
        1 => (0_u8..8).prop_map(Step::ReleaseOld),
        2 => (1_u64..80).prop_map(Step::Wait),
    ]
}

/// The same in memory: who holds what, and until when ports rest.
#[derive(Default)]
struct Model {
    held: BTreeMap<u8, Lease>,
    resting: BTreeMap<u16, UnixTime>,
    old: BTreeMap<u8, Lease>,
}

impl Model {
    fn lowest_free(&mut self, now: UnixTime, ports: u16) -> Option<u16> {
        self.resting.retain(|_, until| *until > now);
        let is_held = |port: u16| self.held.values().any(|lease| lease.port == port);
        range(ports).ports().find(|port| !is_held(*port) && !self.resting.contains_key(port))
    }
}

async fn run(steps: Vec<Step>) {
    const PORTS: u16 = 5;
    let directory = tempfile::tempdir().expect("a directory");
    let (ledger, clock) = by_hand(&file_in(directory.path())).await;
    let (mut model, mut now, mut newest) = (Model::default(), START, 0);
    for step in steps {
        match step {
            Step::Wait(secs) => {
                clock.advance(Duration::from_secs(secs));
                now = now.after(Duration::from_secs(secs));
            }
            Step::Reserve(who) => {
                let reserved = reserve(&ledger, PORTS, &format!("s{who}"), &[]).await;
                match (model.held.get(&who).cloned(), model.lowest_free(now, PORTS)) {
                    (Some(lease), _) => assert_eq!(reserved, Ok(lease)),
                    (None, None) => assert_eq!(reserved, Err(ReserveError::RangeExhausted(range(PORTS)))),
                    (None, Some(port)) => {
                        let lease = reserved.expect("a port");
                        assert_eq!(lease.port, port);
                        assert!(lease.generation > newest, "{lease:?}");
                        newest = lease.generation;
                        model.held.insert(who, lease);
                    }
                }
            }
            Step::Release(who) => {
                if let Some(lease) = model.held.remove(&who) {
                    assert_eq!(ledger.release(&lease, REST).await, Ok(()));
                    model.resting.insert(lease.port, now.after(REST));
                    model.old.insert(who, lease);
                }
            }
            Step::ReleaseOld(who) => {
                if let Some(lease) = model.old.get(&who) {
                    assert_eq!(ledger.release(lease, REST).await, Err(LeaseError::Lost));
                }
            }
        }
    }
    let (leases, resting) = held(&ledger).await;
    let ours: BTreeSet<u16> = model.held.values().map(|lease| lease.port).collect();
    assert_eq!(leases.iter().map(|lease| lease.port).collect::<BTreeSet<_>>(), ours);
    model.resting.retain(|_, until| *until > now);
    assert_eq!(resting, model.resting.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn it_is_what_a_list_in_memory_would_be(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(run(steps));
    }
}
