mod late;
mod peers;

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use taskgate_core::identity::WireIdentity;
use taskgate_core::label::Label;
use taskgate_core::service::{AccessLevel, Protocol};
use taskgate_core::verdict::Scheme;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::auth::actor::Actor;
use crate::auth::source::{Identification, Question};
use crate::clock::ManualClock;
use crate::discovery::inventory::{Entry, Inventory, ServiceKey};
use crate::discovery::policy::{Grantee, Level, Policy};
use crate::discovery::publisher::Publisher;

/// A source that answers as it was told, and counts.
#[derive(Debug, Default)]
struct Scripted {
    answers: Mutex<VecDeque<Identification>>,
    asked: Mutex<usize>,
    takes: Duration,
}

#[async_trait]
impl Source for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    async fn identify(&self, _question: Question<'_>) -> Identification {
        *self.asked.lock().expect("a count") += 1;
        tokio::time::sleep(self.takes).await;
        let answer = self.answers.lock().expect("answers").pop_front();
        answer.unwrap_or_else(|| Identification::Unavailable("out of answers".into()))
    }
}

/// A provider that leaves authorisation to the policy.
#[derive(Debug)]
struct ByPolicy;

#[async_trait]
impl Provider for ByPolicy {
    async fn look(&self) -> Result<Inventory, String> {
        Ok(Inventory::default())
    }

    async fn run(&self, _publisher: Publisher, _stop: CancellationToken) {}
}

struct Court {
    judge: Judge,
    sources: Vec<Arc<Scripted>>,
    clock: Arc<ManualClock>,
    metrics: Arc<Metrics>,
    tasks: Tasks,
}

impl Court {
    fn new(scripts: Vec<Vec<Identification>>) -> Self {
        Self::taking(scripts, Duration::ZERO)
    }

    fn taking(scripts: Vec<Vec<Identification>>, takes: Duration) -> Self {
        Self::with_unattended(scripts, takes, 10)
    }

    fn with_unattended(scripts: Vec<Vec<Identification>>, takes: Duration, unattended: usize) -> Self {
        let sources: Vec<Arc<Scripted>> = scripts
            .into_iter()
            .map(|answers| Arc::new(Scripted { answers: Mutex::new(answers.into()), takes, ..Scripted::default() }))
            .collect();
        let clock = Arc::new(ManualClock::new(UnixTime::from_millis(1_000_000)));
        let metrics = Arc::new(Metrics::new());
        let tasks = Tasks::new();
        let shared = Shared {
            access: None,
            decisions: decisions(100),
            docket: Arc::new(Docket::with_unattended(unattended, tasks.clone())),
            cache_key: [3; 32],
            clock: Arc::<ManualClock>::clone(&clock),
            metrics: Arc::clone(&metrics),
        };
        let settings = VerdictSettings {
            deadline: Duration::from_millis(700),
            allow_lifetime: Duration::from_secs(30),
            deny_lifetime: Duration::from_secs(5),
            cache_entries: 100,
            sources: Vec::new(),
            fingerprint: Digest::of(b"sources"),
        };
        let list = sources.iter().map(|source| Arc::<Scripted>::clone(source) as Arc<dyn Source>).collect();
        let judge = Judge::of(list, &settings, Arc::new(shared), &tasks);
        Self { judge, sources, clock, metrics, tasks }
    }

    async fn decide(&self, service: &Arc<Published>, value: &str) -> WireVerdict {
        self.judge.decide(service, Some(Arc::new(ByPolicy)), &bearer(value)).await
    }

    fn asked(&self, source: usize) -> usize {
        *self.sources[source].asked.lock().expect("a count")
    }
}

fn service(access: AccessLevel) -> Arc<Published> {
    service_of("op", access)
}

/// A service with the id that all of them have here.
fn service_of(operation: &str, access: AccessLevel) -> Arc<Published> {
    let key = ServiceKey { operation: operation.into(), task: "web".into(), service: "ui".into() };
    let entry = Entry {
        key: Arc::new(key),
        alternatives: Vec::new(),
        alias: None,
        protocol: Protocol::Http,
        endpoints: Vec::new(),
        policy: Policy {
            access,
            owner: None,
            grants: vec![(Grantee::Actor("alice".into()), Level::CanRead)],
            revision: 0,
        },
        forward_credential: false,
        names: Vec::new(),
        vouched: false,
        path: None,
    };
    let id = Label::parse(b"ae5cf6f5").expect("a label");
    Arc::new(Published::new(id, Vec::new(), "file".into(), Arc::new(entry)).expect("a service"))
}

fn bearer(value: &str) -> Credential {
    Credential { scheme: Scheme::Bearer, name: None, value: value.into() }
}

fn identified(name: &str, expires_at: Option<u64>) -> Identification {
    let identity = WireIdentity { actor: name.into(), ..WireIdentity::default() };
    Identification::Identified(Actor::new(identity, expires_at.map(UnixTime::from_millis)).expect("an actor"))
}

fn unavailable() -> Identification {
    Identification::Unavailable("down".into())
}

fn allow(name: &str, lifetime_ms: u64) -> WireVerdict {
    let identity = WireIdentity { actor: name.into(), ..WireIdentity::default() };
    WireVerdict::Allow { identity, lifetime_ms, ends_at: None }
}

fn deny(code: Refusal) -> WireVerdict {
    WireVerdict::Deny { code, actor: None, lifetime_ms: 5_000 }
}

#[tokio::test]
async fn a_decision_is_kept_for_its_lifetime_and_no_longer() {
    let court = Court::new(vec![vec![identified("alice", None), Identification::Rejected("revoked")]]);
    let service = service(AccessLevel::CanRead);
    assert_eq!(court.decide(&service, "t").await, allow("alice", 30_000));
    court.clock.advance(Duration::from_millis(29_999));
    assert_eq!(court.decide(&service, "t").await, allow("alice", 1));
    assert_eq!((court.asked(0), court.metrics.verdict_cache_hits.get()), (1, 1));
    court.clock.advance(Duration::from_millis(1));
    assert_eq!(court.decide(&service, "t").await, deny(Refusal::CredentialRejected));
    assert_eq!(court.asked(0), 2);
}

#[tokio::test]
async fn a_decision_does_not_outlive_the_credential() {
    let court = Court::new(vec![vec![identified("alice", Some(1_002_000))]]);
    let ends_at = Some(UnixTime::from_millis(1_002_000));
    let decided = court.decide(&service(AccessLevel::CanRead), "t").await;
    assert!(
        matches!(&decided, WireVerdict::Allow { lifetime_ms: 2_000, ends_at: end, .. } if *end == ends_at),
        "{decided:?}"
    );
}

#[tokio::test]
async fn decisions_are_about_one_credential_and_one_policy() {
    let answers = vec![identified("alice", None), identified("bob", None), identified("alice", None)];
    let court = Court::new(vec![answers]);
    let readable = service(AccessLevel::CanRead);
    assert_eq!(court.decide(&readable, "a").await, allow("alice", 30_000));
    let refused = |code, actor: &str| WireVerdict::Deny { code, actor: Some(actor.into()), lifetime_ms: 5_000 };
    assert_eq!(court.decide(&readable, "b").await, refused(Refusal::UnknownService, "bob"));
    let own = service(AccessLevel::Owner);
    assert_eq!(court.decide(&own, "a").await, refused(Refusal::AccessDenied, "alice"));
    assert_eq!(court.asked(0), 3);
}

#[tokio::test]
async fn a_decision_does_not_count_for_the_next_service_with_that_id() {
    let court = Court::new(vec![vec![identified("alice", None), Identification::Rejected("revoked")]]);
    let (first, second) = (service(AccessLevel::CanRead), service_of("other", AccessLevel::CanRead));
    assert_eq!(court.decide(&first, "a").await, allow("alice", 30_000));
    assert_eq!(court.decide(&second, "a").await, deny(Refusal::CredentialRejected));
    // Not by the epoch alone, which is short.
    let same_epoch = Arc::new(Published { epoch: first.epoch, ..(*second).clone() });
    assert_ne!(court.judge.key(&first, &bearer("a")), court.judge.key(&same_epoch, &bearer("a")));
}

#[tokio::test]
async fn unavailable_is_never_kept_and_never_a_no() {
    let court = Court::new(vec![vec![unavailable(), unavailable(), identified("alice", None)]]);
    let service = service(AccessLevel::CanRead);
    assert_eq!(court.decide(&service, "t").await, WireVerdict::Unavailable);
    assert_eq!(court.decide(&service, "t").await, WireVerdict::Unavailable);
    assert_eq!(court.decide(&service, "t").await, allow("alice", 30_000));
}

#[tokio::test]
async fn with_a_source_out_of_reach_only_a_yes_counts() {
    let service = service(AccessLevel::CanRead);
    let court = Court::new(vec![vec![unavailable()], vec![identified("alice", None)]]);
    assert_eq!(court.decide(&service, "t").await, allow("alice", 30_000));
    for no in [Identification::Rejected("no"), Identification::Refused("no"), Identification::NotRequested] {
        let court = Court::new(vec![vec![unavailable()], vec![no.clone()]]);
        assert_eq!(court.decide(&service, "t").await, WireVerdict::Unavailable, "{no:?}");
    }
}

#[tokio::test]
async fn the_first_source_that_knows_it_decides() {
    let service = service(AccessLevel::CanRead);
    let court = Court::new(vec![vec![Identification::NotRequested], vec![Identification::Refused("no")], vec![]]);
    assert_eq!(court.decide(&service, "t").await, deny(Refusal::AccessDenied));
    assert_eq!((court.asked(0), court.asked(1), court.asked(2)), (1, 1, 0));
    let court = Court::new(vec![vec![Identification::NotRequested]]);
    assert_eq!(court.decide(&service, "t").await, deny(Refusal::CredentialRejected));
}

#[tokio::test(start_paused = true)]
async fn many_who_ask_the_same_cost_one_call() {
    let court = Court::taking(vec![vec![identified("alice", None)]], Duration::from_millis(100));
    let service = service(AccessLevel::CanRead);
    let verdicts = futures_util::future::join_all((0..50).map(|_| court.decide(&service, "t"))).await;
    assert!(verdicts.iter().all(|verdict| *verdict == allow("alice", 30_000)), "{verdicts:?}");
    assert_eq!(court.asked(0), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_source_is_not_waited_for() {
    let court = Court::taking(vec![vec![identified("alice", None)]], Duration::from_secs(60));
    let started = Instant::now();
    assert_eq!(court.decide(&service(AccessLevel::CanRead), "t").await, WireVerdict::Unavailable);
    assert_eq!(started.elapsed(), Duration::from_millis(700));
}

#[tokio::test]
async fn without_its_provider_a_service_is_not_decided_about() {
    let court = Court::new(vec![vec![identified("alice", None)]]);
    let verdict = court.judge.decide(&service(AccessLevel::CanRead), None, &bearer("t")).await;
    assert_eq!(verdict, WireVerdict::Unavailable);
}
