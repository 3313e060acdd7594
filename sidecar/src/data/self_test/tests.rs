use std::sync::Arc;
use std::sync::atomic::Ordering;

use taskgate_core::key::{KeyId, KeyRing, Secret};
use tempfile::TempDir;

use super::*;
use crate::api::objects;
use crate::clock::{ManualClock, SharedClock};
use crate::data::self_test::carrier::InProcess;
use crate::data::store::local::{LocalSettings, LocalStore, StoreName};
use crate::data::testing::MemoryStore;

const NOW: taskgate_core::time::UnixTime = taskgate_core::time::UnixTime::from_millis(1_800_000_000_000);

struct Local {
    directory: TempDir,
    store: Arc<LocalStore>,
    clock: SharedClock,
}

impl Local {
    fn open(keep_free_bytes: u64) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let settings = LocalSettings {
            name: StoreName::parse("main").expect("a name"),
            folder: directory.path().to_owned(),
            public_url: "https://nobody.example.test".into(),
            audience: "test".into(),
            uri_base: None,
            max_object_bytes: 1 << 20,
            keep_free_bytes,
            durable: false,
        };
        let clock: SharedClock = Arc::new(ManualClock::new(NOW));
        let ring = KeyRing::new([(KeyId::parse("k1").expect("an id"), Secret::new([1; 32]))]);
        let keys = Arc::new(arc_swap::ArcSwap::from_pointee(ring));
        let store = Arc::new(LocalStore::open(settings, keys, Arc::clone(&clock)).expect("opens"));
        Self { directory, store, clock }
    }

    async fn tried(&self, carrier: &dyn Carrier) -> Report {
        let prefix = Segments::parse("uploads").expect("segments");
        self_test(Subject {
            name: "main",
            store: &*self.store,
            public: None,
            carrier,
            prefix: Some(&prefix),
            create_only: true,
            clock: &*self.clock,
        })
        .await
    }

    fn files(&self) -> usize {
        let folder = self.directory.path().join("objects/uploads/.taskgate");
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }
}

/// A proxy that hands everything on, but takes out what is to be checked.
#[derive(Debug)]
struct Careless(InProcess);

#[async_trait::async_trait]
impl Carrier for Careless {
    async fn carry(&self, method: Method, request: &SignedRequest, body: Bytes) -> Result<Answer, String> {
        if method == Method::PUT && body != BYTES {
            return Ok(Answer { status: http::StatusCode::OK, headers: http::HeaderMap::new(), body: Vec::new() });
        }
        self.0.carry(method, request, body).await
    }
}

#[tokio::test]
async fn a_store_that_works_is_said_to_and_nothing_is_left() {
    let local = Local::open(0);
    let report = local.tried(&InProcess(objects::routes(Arc::clone(&local.store)))).await;
    let steps: Vec<Step> = report.steps.iter().map(|(step, _)| *step).collect();
    let all = [
        Step::Write,
        Step::Look,
        Step::Read,
        Step::Keep,
        Step::Put,
        Step::Get,
        Step::Head,
        Step::Digest,
        Step::Length,
        Step::Create,
        Step::Delete,
    ];
    assert_eq!(steps, all);
    assert!(report.steps.iter().all(|(_, outcome)| *outcome == Outcome::Passed), "{report:?}");
    assert!(report.is_good());
    assert_eq!(local.files(), 0);
}

#[tokio::test]
async fn a_store_that_takes_what_it_should_refuse_is_named() {
    let local = Local::open(0);
    let report = local.tried(&Careless(InProcess(objects::routes(Arc::clone(&local.store))))).await;
    for (step, outcome) in &report.steps {
        let expected = match step {
            Step::Digest | Step::Length => Outcome::Failed(step.if_taken().to_owned()),
            _ => Outcome::Passed,
        };
        assert_eq!(*outcome, expected, "{step}");
    }
    assert!(!report.is_good());
}

#[tokio::test]
async fn a_full_disk_and_a_lost_folder_are_told() {
    let full = Local::open(u64::MAX);
    let carrier = InProcess(objects::routes(Arc::clone(&full.store)));
    let report = full.tried(&carrier).await;
    let [(Step::Write, Outcome::Failed(reason))] = &report.steps[..] else { panic!("{report:?}") };
    assert!(reason.contains("no room"), "{reason}");

    let lost = Local::open(0);
    let carrier = InProcess(objects::routes(Arc::clone(&lost.store)));
    std::fs::remove_dir_all(lost.directory.path().join("staging")).expect("removed");
    let report = lost.tried(&carrier).await;
    let failed = |wanted: Step| {
        let mut found = report.steps.iter().filter(|(step, _)| *step == wanted);
        matches!(found.next(), Some((_, Outcome::Failed(_))))
    };
    assert!(failed(Step::Write) && failed(Step::Put), "{report:?}");
    assert!(matches!(&report.steps[0].1, Outcome::Failed(reason) if reason.contains("os error 2")), "{report:?}");
}

#[tokio::test]
async fn what_fails_is_told_step_by_step() {
    let store = MemoryStore::new("main");
    store.is_broken.store(true, Ordering::SeqCst);
    let clock = ManualClock::new(NOW);
    // Nobody answers there.
    let carrier = InProcess(axum::Router::new());
    let subject = Subject {
        name: "main",
        store: &*store,
        public: Some(&*store),
        carrier: &carrier,
        prefix: None,
        create_only: true,
        clock: &clock,
    };
    let report = self_test(subject).await;
    let failures = [(Step::Write, "broken"), (Step::Look, "broken"), (Step::Put, "it does not do it (404)")];
    let failures = failures.map(|(step, reason)| (step, Outcome::Failed(reason.to_owned())));
    assert_eq!(report.steps, failures);

    store.is_broken.store(false, Ordering::SeqCst);
    let report = self_test(subject).await;
    let get = report.steps.iter().find(|(step, _)| *step == Step::Get).expect("it is tried with what was written");
    assert!(matches!(get.1, Outcome::Failed(_)));
    assert!(crate::data::testing::lock(&store.objects).is_empty());
    assert!(store.last_upload().0.starts_with(".taskgate/canary-"));
}
