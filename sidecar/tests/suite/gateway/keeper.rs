//! What happens to services and their ports while the sidecar runs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use taskgate::gateway::keeper::Terms;
use taskgate::gateway::ledger::{LeaseError, Ledger, ReserveError};
use taskgate::gateway::port::{Holder, Lease, PortRange, Slot};
use taskgate::gateway::standing::{Reason, TcpPlace, TcpState};
use taskgate::gateway::store::SqlLedger;
use taskgate_core::label::Label;
use taskgate_core::service::{AccessLevel, Protocol};
use tempfile::TempDir;
use tokio::time::Instant;

use super::mortal::{Fate, Mortal};
use super::stage::{FIRST, Life, Pretend, file_in, held, ledger, settings, terms, until};

/// A keeper, its ledger and its plane.
struct Stage {
    life: Life,
    ledger: Arc<SqlLedger>,
    pretend: Arc<Pretend>,
    _directory: TempDir,
}

async fn stage(terms: Terms) -> Stage {
    let directory = tempfile::tempdir().expect("a directory");
    let (ledger, pretend) = (ledger(&file_in(directory.path())).await, Arc::new(Pretend::default()));
    let life = Life::begin(Arc::<SqlLedger>::clone(&ledger), Arc::<Pretend>::clone(&pretend), &pretend, terms);
    Stage { life, ledger, pretend, _directory: directory }
}

impl Stage {
    async fn told(&self, operation: &str) -> u16 {
        until(operation, async || self.life.port(operation).is_some()).await;
        self.life.port(operation).expect("it is told")
    }

    async fn failed(&self, operation: &str, reason: Reason) {
        until(reason.code(), async || {
            let place = self.life.place(operation);
            place.is_some_and(|place| place.state == TcpState::Failed && place.reason == Some(reason))
        })
        .await;
    }

    fn id(&self, operation: &str) -> Label {
        let services = self.life.registry.services();
        services.iter().find(|one| one.entry.key.operation == operation).expect("a service").id.clone()
    }
}

#[tokio::test]
async fn a_service_gets_a_port_and_keeps_it_when_it_comes_back_soon() {
    let stage = stage(Terms { kept: Duration::from_secs(60), ..terms(3) }).await;
    stage.life.see(&["a", "b"]);
    let (a, b) = (stage.told("a").await, stage.told("b").await);
    assert_ne!(a, b);
    stage.life.see(&["b"]);
    until("nothing listens for it", async || stage.pretend.ports() == [b]).await;
    stage.life.see(&["b", "c"]);
    assert_ne!(stage.told("c").await, a, "it is kept");
    stage.life.see(&["a", "b", "c"]);
    assert_eq!(stage.told("a").await, a);
    assert_eq!(stage.told("b").await, b);
    assert!(stage.pretend.state().wrongs.is_empty());
}

#[tokio::test]
async fn a_service_that_flaps_keeps_its_listener_and_with_it_who_is_connected() {
    let stage = stage(Terms { close_after: Duration::from_secs(60), ..terms(3) }).await;
    stage.life.see(&["a"]);
    let a = stage.told("a").await;
    stage.life.see(&["b"]);
    stage.told("b").await;
    assert_eq!(stage.life.board.count(), 1, "its address is taken back at once");
    stage.life.see(&["a", "b"]);
    assert_eq!(stage.told("a").await, a);
    assert_eq!(stage.pretend.state().withdrawn, Vec::<u16>::new());
}

#[tokio::test]
async fn a_service_that_is_for_others_now_loses_its_listener_at_once() {
    for (protocol, access) in [(Protocol::Tcp, AccessLevel::CanRead), (Protocol::Http, AccessLevel::Public)] {
        let minute = Duration::from_secs(60);
        let stage = stage(Terms { close_after: minute, kept: minute, ..terms(3) }).await;
        stage.life.see(&["a"]);
        let a = stage.told("a").await;
        stage.life.see_as(protocol, access, &["a"]);
        until("nothing listens", async || stage.pretend.state().withdrawn == [a]).await;
    }
}

#[tokio::test]
async fn a_port_rests_before_another_service_gets_it() {
    let rest = Duration::from_secs(4);
    let stage = stage(Terms { rest, ..terms(1) }).await;
    stage.life.see(&["a"]);
    assert_eq!(stage.told("a").await, FIRST);
    stage.life.see(&["a", "b"]);
    stage.failed("b", Reason::RangeExhausted).await;
    assert_eq!(stage.life.port("a"), Some(FIRST), "who has a port keeps it");
    let rests = Instant::now();
    stage.life.see(&["b"]);
    until("it rests", async || held(&*stage.ledger).await == (Vec::new(), 1)).await;
    until("the metrics say so", async || {
        let text = stage.life.metrics.text().expect("metrics");
        let is_there = |line: &str| text.lines().any(|one| one == format!("taskgate_gateway_{line}"));
        is_there(r#"ports{state="resting"} 1"#)
            && is_there(r#"ports{state="free"} 0"#)
            && text.contains(r#"taskgate_gateway_failures_total{reason="range-exhausted"}"#)
    })
    .await;
    assert_eq!(stage.told("b").await, FIRST);
    assert!(rests.elapsed() > rest / 2, "{:?}", rests.elapsed());
}

#[tokio::test]
async fn a_port_of_somebody_else_is_left_alone_and_another_one_is_found() {
    let stage = stage(terms(3)).await;
    stage.pretend.state().foreign.insert(FIRST);
    stage.life.see(&["a", "b"]);
    let mut told = [stage.told("a").await, stage.told("b").await];
    told.sort_unstable();
    assert_eq!(told, [FIRST + 1, FIRST + 2]);
    assert!(stage.pretend.state().foreign.contains(&FIRST));
}

#[tokio::test]
async fn a_service_whose_port_is_taken_from_it_gets_another_one() {
    let stage = stage(terms(3)).await;
    stage.life.see(&["a"]);
    assert_eq!(stage.told("a").await, FIRST);
    stage.pretend.state().foreign.insert(FIRST);
    // It moves, so that its listener is asked for again.
    stage.life.see_at(5433, &["a"]);
    until("it has another one", async || stage.life.port("a") == Some(FIRST + 1)).await;
    assert_eq!(stage.pretend.ports(), [FIRST + 1]);
    assert!(held(&*stage.ledger).await.0.iter().all(|lease| lease.port == FIRST + 1));
}

#[tokio::test]
async fn a_service_that_goes_while_its_listener_is_waited_for_leaves_nothing() {
    let stage = stage(Terms { program_timeout: Duration::from_secs(600), ..terms(1) }).await;
    stage.life.see(&["a"]);
    stage.told("a").await;
    let id = stage.id("a");
    stage.life.see(&[]);
    until("nothing is left", async || held(&*stage.ledger).await == (Vec::new(), 0)).await;
    stage.pretend.state().silent.insert(id);
    stage.life.see(&["a"]);
    until("it listens, and does not say so", async || stage.pretend.ports() == [FIRST]).await;
    assert_eq!(stage.life.port("a"), None);
    stage.life.see(&["b"]);
    until("another one has the port", async || stage.life.port("b") == Some(FIRST)).await;
    assert!(stage.pretend.state().wrongs.is_empty(), "{:?}", stage.pretend.state().wrongs);
}

#[tokio::test]
async fn a_reload_that_opens_services_to_nobody_takes_their_ports() {
    let stage = stage(terms(3)).await;
    stage.life.see(&["a"]);
    stage.told("a").await;
    stage.life.board.renew(&settings(""));
    let place = stage.life.place("a").expect("it speaks TCP");
    assert_eq!(place, TcpPlace::tunnel_only(Reason::NoSourceRanges));
    until("nothing is left", async || {
        stage.pretend.ports().is_empty() && held(&*stage.ledger).await == (Vec::new(), 0)
    })
    .await;
    stage.life.board.renew(&settings("192.0.2.0/24"));
    stage.told("a").await;
}

#[tokio::test]
async fn a_service_that_fails_holds_up_itself_alone() {
    let stage = stage(terms(20)).await;
    stage.life.see(&["never"]);
    stage.told("never").await;
    let never = stage.id("never");
    stage.life.see(&[]);
    until("nothing listens", async || stage.pretend.ports().is_empty()).await;
    stage.pretend.state().never.insert(never);
    stage.life.see(&["never", "a", "b", "c"]);
    for other in ["a", "b", "c"] {
        stage.told(other).await;
    }
    stage.failed("never", Reason::NotProgrammed).await;
    stage.pretend.state().never.clear();
    stage.told("never").await;
}

#[tokio::test]
async fn the_most_listeners_are_an_error_of_their_own() {
    let stage = stage(terms(5)).await;
    stage.pretend.state().limit = Some(1);
    stage.life.see(&["a"]);
    stage.told("a").await;
    stage.life.see(&["a", "b"]);
    stage.failed("b", Reason::ListenerLimit).await;
    stage.pretend.state().limit = Some(2);
    stage.told("b").await;
}

#[tokio::test]
async fn what_an_earlier_life_left_is_taken_away_before_its_port_is_used() {
    let directory = tempfile::tempdir().expect("a directory");
    let (ledger, pretend) = (ledger(&file_in(directory.path())).await, Arc::new(Pretend::default()));
    let stray = Label::parse(b"0123abcd").expect("a label");
    pretend.state().listeners.insert(FIRST, stray);
    pretend.state().is_away = true;
    let life = Life::begin(Arc::<SqlLedger>::clone(&ledger), Arc::<Pretend>::clone(&pretend), &pretend, terms(1));
    life.see(&["a"]);
    unavailable(&life, "a").await;
    // It is tried, again and again, and counts as no failure of the service.
    let observed = pretend.state().observed;
    until("it is asked again", async || pretend.state().observed > observed + 3).await;
    assert_eq!(held(&*ledger).await, (Vec::new(), 0), "nothing is reserved at which something may listen");
    assert!(!life.metrics.text().expect("metrics").contains("taskgate_gateway_failures_total{"));
    pretend.state().is_away = false;
    until("it is told", async || life.port("a") == Some(FIRST)).await;
    assert!(pretend.state().wrongs.is_empty(), "{:?}", pretend.state().wrongs);
}

#[tokio::test]
async fn nothing_is_taken_away_while_a_provider_has_not_said_what_it_sees() {
    let stage = stage(terms(3)).await;
    stage.life.see(&["a"]);
    let port = stage.told("a").await;
    let Stage { life, ledger, pretend, _directory } = stage;
    drop(life);
    let fate = Fate::at(usize::MAX, false);
    let counted = Mortal::new(Arc::clone(&ledger), &fate);
    // Of whom nobody holds the port either: he may be a service of that provider.
    pretend.state().listeners.insert(FIRST + 2, Label::parse(b"0123abcd").expect("a label"));
    let life = Life::begin(counted, Arc::<Pretend>::clone(&pretend), &pretend, terms(3));
    // It lists the ledger again and again, for longer than a port is kept.
    let steps = fate.steps();
    until("it listed often", async || fate.steps() > steps + 12).await;
    assert_eq!(held(&*ledger).await.0.len(), 1);
    assert_eq!(pretend.ports(), [port, FIRST + 2]);
    life.see(&["a"]);
    until("it is told", async || life.port("a") == Some(port)).await;
    until("what nobody holds is gone", async || pretend.ports() == [port]).await;
}

#[tokio::test]
async fn a_provider_that_never_says_what_it_sees_keeps_no_port_from_others_for_ever() {
    let directory = tempfile::tempdir().expect("a directory");
    let (ledger, pretend) = (ledger(&file_in(directory.path())).await, Arc::new(Pretend::default()));
    pretend.state().listeners.insert(FIRST, Label::parse(b"0123abcd").expect("a label"));
    let life = Life::begin(Arc::<SqlLedger>::clone(&ledger), Arc::<Pretend>::clone(&pretend), &pretend, terms(2));
    life.registry.expect_providers(&["file", "silent"]);
    life.see(&["a"]);
    until("it looked twice", async || pretend.state().observed > 1).await;
    assert_eq!((life.port("a"), pretend.ports()), (None, vec![FIRST]));
    // As `discovery.startup_secs` has it.
    life.registry.stop_waiting();
    until("it is told", async || life.port("a") == Some(FIRST + 1)).await;
    assert_eq!(pretend.ports(), [FIRST + 1]);
}

#[tokio::test]
async fn a_range_that_changes_takes_no_port_from_who_uses_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let address = file_in(directory.path());
    let ledger = ledger(&address).await;
    let begin = |terms: Terms| {
        let pretend = Arc::new(Pretend::default());
        let life = Life::begin(Arc::<SqlLedger>::clone(&ledger), Arc::<Pretend>::clone(&pretend), &pretend, terms);
        life.see(&["a"]);
        life
    };
    let elsewhere = Terms { range: PortRange::new(FIRST + 100, FIRST + 110).expect("a range"), ..terms(3) };
    let old = begin(terms(3));
    until("it is told", async || old.port("a").is_some()).await;
    let lease = held(&*ledger).await.0.pop().expect("it is held");
    let new = begin(elsewhere);
    until("both tell the same", async || new.port("a") == Some(lease.port)).await;
    assert_eq!(held(&*ledger).await, (vec![lease.clone()], 0), "nothing was given back");
    assert_eq!(old.port("a"), Some(lease.port));
    drop((old, new));
    // When nobody is left who has that range, it moves.
    until("it moves", async || {
        let life = begin(elsewhere);
        until("it is told", async || life.port("a").is_some()).await;
        life.port("a").is_some_and(|port| elsewhere.range.has(port))
    })
    .await;
    assert!(held(&*ledger).await.0.iter().all(|held| elsewhere.range.has(held.port)));
}

#[tokio::test]
async fn two_sidecars_have_the_same_ports_and_neither_gives_back_what_the_other_sees() {
    let directory = tempfile::tempdir().expect("a directory");
    let address = file_in(directory.path());
    // Longer than this process may stand still between two times that a sidecar says what it sees.
    let terms = Terms { kept: Duration::from_secs(2), ..terms(9) };
    let begin = async || {
        let (ledger, pretend) = (ledger(&address).await, Arc::new(Pretend::default()));
        let life = Life::begin(Arc::<SqlLedger>::clone(&ledger), Arc::<Pretend>::clone(&pretend), &pretend, terms);
        (life, ledger, pretend)
    };
    let ((one, ledger, first), (other, _, second)) = (begin().await, begin().await);
    one.see(&["a", "b", "c", "d"]);
    other.see(&["d", "c", "b", "a"]);
    until("both tell the same", async || {
        ["a", "b", "c", "d"].iter().all(|name| one.port(name).is_some() && one.port(name) == other.port(name))
    })
    .await;
    let a = one.port("a").expect("it is told");
    // One is blind for one of them, for longer than a port is kept.
    let d = one.port("d").expect("it is told");
    one.see(&["b", "c"]);
    other.see(&["a", "b", "c"]);
    until("nothing listens at the first one", async || !first.ports().contains(&a)).await;
    let is_held = async |port: u16| held(&*ledger).await.0.iter().any(|lease| lease.port == port);
    until("what neither sees is given back", async || !is_held(d).await).await;
    assert!(is_held(a).await, "the other one sees it");
    assert_eq!(other.port("a"), Some(a));
    one.see(&["a", "b", "c"]);
    until("it is told again", async || one.port("a") == Some(a)).await;
    for life in [&one, &other] {
        life.see(&[]);
    }
    until("nothing is left", async || held(&*ledger).await == (Vec::new(), 0)).await;
    assert!(first.ports().is_empty() && second.ports().is_empty());
}

/// A ledger that can be cut off.
#[derive(Debug)]
struct Cut(Arc<SqlLedger>, AtomicBool);

impl Cut {
    fn check(&self) -> Result<(), LeaseError> {
        if self.1.load(Ordering::SeqCst) { Err(LeaseError::Unavailable("cut off".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl Ledger for Cut {
    async fn list(&self) -> Result<Vec<Slot>, LeaseError> {
        self.check()?;
        self.0.list().await
    }

    async fn reserve(&self, range: PortRange, to: &Holder, id: &Label, no: &[u16]) -> Result<Lease, ReserveError> {
        self.check().map_err(|error| ReserveError::Unavailable(error.to_string()))?;
        self.0.reserve(range, to, id, no).await
    }

    async fn release(&self, lease: &Lease, rest: Duration) -> Result<(), LeaseError> {
        self.check()?;
        self.0.release(lease, rest).await
    }

    async fn release_unseen(&self, lease: &Lease, unseen: Duration, rest: Duration) -> Result<bool, LeaseError> {
        self.check()?;
        self.0.release_unseen(lease, unseen, rest).await
    }

    fn expires(&self) -> bool {
        true
    }

    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Lease>, LeaseError> {
        self.check()?;
        self.0.renew(leases).await
    }
}

#[tokio::test]
async fn who_is_cut_off_from_the_ledger_for_long_listens_no_more() {
    let directory = tempfile::tempdir().expect("a directory");
    let (ledger, pretend) = (ledger(&file_in(directory.path())).await, Arc::new(Pretend::default()));
    let cut = Arc::new(Cut(Arc::clone(&ledger), AtomicBool::new(false)));
    let life = Life::begin(Arc::<Cut>::clone(&cut), Arc::<Pretend>::clone(&pretend), &pretend, terms(3));
    life.see(&["a"]);
    until("it is told", async || life.port("a").is_some()).await;
    let lease = held(&*ledger).await.0.pop().expect("it is held");
    cut.1.store(true, Ordering::SeqCst);
    until("nothing listens", async || pretend.ports().is_empty()).await;
    assert_eq!(life.port("a"), None);
    assert_eq!(held(&*ledger).await.0, std::slice::from_ref(&lease), "nobody took it meanwhile");
    cut.1.store(false, Ordering::SeqCst);
    until("it is told again", async || life.port("a") == Some(lease.port)).await;

    // Where another sidecar took it away, it gets another one.
    ledger.release(&lease, Duration::from_secs(60)).await.expect("is released");
    until("it has another one", async || life.port("a").is_some_and(|port| port != lease.port)).await;
    assert_eq!(pretend.ports(), [life.port("a").expect("it is told")]);
}

/// The ids of services that are called like that.
async fn ids<const COUNT: usize>(operations: [&str; COUNT]) -> [Label; COUNT] {
    let stage = stage(terms(9)).await;
    stage.life.see(&operations);
    operations.map(|operation| stage.id(operation))
}

async fn unavailable(life: &Life, operation: &str) {
    until("it is said that nothing can be said", async || {
        let place = life.place(operation);
        place.is_some_and(|place| (place.state, place.reason) == (TcpState::Pending, Some(Reason::Unavailable)))
    })
    .await;
}

/// When the services are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    First,
    /// An Envoy connects later.
    WithoutEnvoy,
    /// It is being asked what it listens at.
    Meanwhile,
    /// It was asked.
    Last,
}

#[tokio::test]
async fn a_ledger_that_is_lost_leads_nobody_to_a_stranger() {
    let operations = ["gone", "a", "b", "c", "d", "e"];
    let listening = ids(operations).await;
    let count = u16::try_from(operations.len()).expect("few");
    for seen in [Seen::First, Seen::WithoutEnvoy, Seen::Meanwhile, Seen::Last] {
        for turn in 0..count {
            // What Envoy listens at goes on; nothing else is left of the life before.
            let at = |index: u16| FIRST + (index + turn) % count;
            let (directory, pretend) = (tempfile::tempdir().expect("a directory"), Arc::new(Pretend::default()));
            let listeners = (0..count).zip(&listening).map(|(index, id)| (at(index), id.clone()));
            pretend.state().listeners.extend(listeners);
            pretend.state().is_away = seen == Seen::WithoutEnvoy;
            pretend.state().is_slow = seen == Seen::Meanwhile;
            let ledger = ledger(&file_in(directory.path())).await;
            let terms = Terms { rest: Duration::from_secs(60), ..terms(2 * count) };
            let life = Life::begin(Arc::<SqlLedger>::clone(&ledger), Arc::<Pretend>::clone(&pretend), &pretend, terms);
            match seen {
                Seen::First | Seen::WithoutEnvoy => {}
                Seen::Meanwhile => until("it is asked", async || pretend.state().observed > 0).await,
                Seen::Last => until("it is asked again", async || pretend.state().observed > 1).await,
            }
            life.see(&["a", "b", "c", "d", "e", "new"]);
            if seen == Seen::WithoutEnvoy {
                unavailable(&life, "e").await;
            }
            (pretend.state().is_away, pretend.state().is_slow) = (false, false);
            until("all are told", async || life.board.count() == operations.len()).await;
            for (index, operation) in (0..count).zip(operations).skip(1) {
                assert_eq!(life.port(operation), Some(at(index)), "{operation} keeps its own: {seen:?} {turn}");
            }
            assert!(life.port("new") >= Some(FIRST + count), "{:?}: {turn}", life.port("new"));
            assert!(pretend.state().wrongs.is_empty(), "{:?}", pretend.state().wrongs);
            assert_eq!(pretend.state().withdrawn, [at(0)], "and nobody is cut off: {turn}");
            let rests = |slot: &Slot| matches!(slot, Slot::Resting { port, .. } if *port == at(0));
            assert!(
                ledger.list().await.expect("a list").iter().any(rests),
                "clients of the one that is gone reach nobody"
            );
        }
    }
}

#[tokio::test]
async fn what_an_envoy_brings_that_comes_late_takes_no_port_from_another_sidecars_service() {
    let [stray] = ids(["stray"]).await;
    let directory = tempfile::tempdir().expect("a directory");
    let address = file_in(directory.path());
    let begin = async |fate: &Arc<Fate>| {
        let (ledger, pretend) = (ledger(&address).await, Arc::new(Pretend::default()));
        pretend.state().is_away = true;
        let counted = Mortal::new(Arc::clone(&ledger), fate);
        let terms = Terms { kept: Duration::from_secs(2), ..terms(3) };
        let life = Life::begin(counted, Arc::<Pretend>::clone(&pretend), &pretend, terms);
        (life, ledger, pretend)
    };
    let fate = Fate::at(usize::MAX, false);
    let (late, _, brings) = begin(&fate).await;
    late.see(&["x"]);
    // It says who is there, and lists what is held; again and again.
    until("it listed the ledger", async || fate.steps() > 3).await;
    unavailable(&late, "x").await;
    let (other, ledger, pretend) = begin(&Fate::at(usize::MAX, false)).await;
    pretend.state().is_away = false;
    other.see(&["x"]);
    until("it is told", async || other.port("x") == Some(FIRST)).await;
    let leases = held(&*ledger).await;
    brings.state().listeners.insert(FIRST, stray);
    brings.state().is_away = false;
    until("it is taken away", async || brings.state().withdrawn == [FIRST]).await;
    until("both tell the same", async || late.port("x") == Some(FIRST)).await;
    assert!(brings.state().wrongs.is_empty(), "{:?}", brings.state().wrongs);
    assert_eq!((other.port("x"), held(&*ledger).await), (Some(FIRST), leases));
    assert_eq!(pretend.state().withdrawn, Vec::<u16>::new());
}

#[tokio::test]
async fn a_port_at_which_some_listen_alone_is_told_and_the_rest_is_tried_again() {
    let stage = stage(terms(3)).await;
    stage.pretend.state().in_part.insert(FIRST);
    stage.life.see(&["a"]);
    assert_eq!(stage.told("a").await, FIRST);
    until("it is settled", async || stage.pretend.state().is_settled).await;
    until("it is tried again", async || stage.pretend.state().programmed > 3).await;
    // It moves, and those that listen are told so.
    stage.life.see_at(5433, &["a"]);
    let programmed = stage.pretend.state().programmed;
    until("it is programmed again", async || stage.pretend.state().programmed > programmed + 1).await;
    assert_eq!(stage.life.port("a"), Some(FIRST), "it is told all the time");
    stage.life.see(&[]);
    until("nothing is left", async || {
        stage.pretend.ports().is_empty() && held(&*stage.ledger).await == (Vec::new(), 0)
    })
    .await;
}

#[tokio::test]
async fn a_port_is_told_however_long_it_took_to_say_that_some_do_not_listen() {
    let stage = stage(terms(3)).await;
    stage.pretend.state().in_part.insert(FIRST);
    stage.pretend.state().says_after = terms(3).program_timeout * 2;
    stage.life.see(&["a"]);
    assert_eq!(stage.told("a").await, FIRST);
}

#[tokio::test]
async fn those_that_listen_are_told_at_once_that_a_service_moved_however_often_others_failed() {
    let stage = stage(terms(3)).await;
    stage.pretend.state().in_part.insert(FIRST);
    stage.life.see(&["a"]);
    let programmed = || stage.pretend.state().programmed;
    // From now on it is tried every few seconds, and less often.
    until("it failed often", async || programmed() > 7).await;
    let (before, moved) = (programmed(), Instant::now());
    stage.life.see_at(5433, &["a"]);
    until("they are told", async || programmed() > before).await;
    // Also where it moves while they are being told.
    stage.pretend.state().says_after = Duration::from_millis(200);
    stage.life.see_at(5434, &["a"]);
    until("they are being told", async || programmed() > before + 1).await;
    stage.life.see_at(5435, &["a"]);
    until("they are told", async || programmed() > before + 2).await;
    assert!(moved.elapsed() < Duration::from_secs(3), "{:?}", moved.elapsed());
    assert_eq!(stage.life.port("a"), Some(FIRST));
}

#[tokio::test]
async fn many_services_at_once_get_a_port_each() {
    let names: Vec<String> = (0..300).map(|number| format!("op{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let stage = stage(terms(300)).await;
    stage.life.see(&names);
    until("all are told", async || stage.life.board.count() == 300).await;
    let ports: BTreeSet<u16> = names.iter().filter_map(|name| stage.life.port(name)).collect();
    assert_eq!(ports.len(), 300);
    assert_eq!(stage.pretend.ports(), ports.into_iter().collect::<Vec<_>>());
    stage.life.see(&[]);
    until("nothing is left", async || held(&*stage.ledger).await == (Vec::new(), 0)).await;
}
