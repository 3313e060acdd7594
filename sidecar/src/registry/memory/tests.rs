use std::collections::BTreeMap;

use taskgate_core::config::GateConfig;
use taskgate_core::key::{KeyId, Secret};
use taskgate_core::naming::ServiceDigest;
use taskgate_core::time::UnixTime;
use tempfile::TempDir;

use super::*;
use crate::clock::ManualClock;
use crate::discovery::inventory::Inventory;
use crate::discovery::inventory::tests::entry as example;
use crate::discovery::publisher::Report;
use crate::feed::{ControlState, Feed};

/// A registry and what it remembers, as after a start.
struct Life {
    registry: Arc<Registry>,
    memory: Memory,
    metrics: Arc<Metrics>,
}

impl Life {
    fn start(directory: &Path) -> Self {
        let keys = vec![(KeyId::parse("k1").expect("an id"), Secret::new([1; 32]))];
        let control = ControlState::new(GateConfig::for_domain("a.b"), keys, Digest::of(b""));
        let clock = Arc::new(ManualClock::new(UnixTime::from_millis(1_000)));
        let metrics = Arc::new(Metrics::new());
        let feed = Arc::new(Feed::new(7, control.control()));
        let registry = Arc::new(Registry::new(feed, clock, Arc::clone(&metrics)));
        registry.expect_providers(&["file"]);
        let mut memory = Memory::new(directory, Arc::clone(&metrics));
        memory.restore(&registry);
        Self { registry, memory, metrics }
    }

    /// Ends it, keeping what there is to keep.
    async fn end(self) -> Arc<Metrics> {
        let end = CancellationToken::new();
        end.cancel();
        self.memory.keep(self.registry, end).await;
        self.metrics
    }

    fn remembered(&self) -> Vec<String> {
        self.registry.remembered().ids.iter().map(|named| named.key().operation.clone()).collect()
    }
}

fn publish(registry: &Registry, operations: &[&str]) {
    let services = operations.iter().map(|operation| example(operation, "web", "ui").into()).collect();
    let inventory = Inventory { services, ..Inventory::default() };
    registry.apply(BTreeMap::from([(Arc::from("file"), Report::Sees(inventory))]));
}

fn short(operation: &str) -> String {
    ServiceDigest::of(operation, "web", "ui").suffix(8).expect("an id").to_string()
}

fn text(directory: &Path) -> String {
    std::fs::read_to_string(directory.join(FILE_NAME)).unwrap_or_default()
}

fn names_in(directory: &TempDir) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(directory.path())
        .expect("lists")
        .map(|file| file.expect("a file").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    names
}

/// Waits in the clock of the runtime, which moves by itself while nothing else does.
async fn until(mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(600), waiting).await.expect("holds in time");
}

#[tokio::test]
async fn what_is_kept_is_there_after_the_next_start() {
    let directory = tempfile::tempdir().expect("a directory");
    // Made on the way.
    let state = directory.path().join("a/b");
    let first = Life::start(&state);
    publish(&first.registry, &["two", "one", "gone \"there\""]);
    publish(&first.registry, &["two", "one"]);
    first.end().await;
    let expected = format!(
        "{{\"version\":1,\"names\":[[\"{}\",\"gone \\\"there\\\"\",\"web\",\"ui\"],[\"{}\",\"one\",\"web\",\"ui\"],\
         [\"{}\",\"two\",\"web\",\"ui\"]]}}\n",
        short("gone \"there\""),
        short("one"),
        short("two")
    );
    assert_eq!(text(&state), expected);
    let second = Life::start(&state);
    assert_eq!(second.remembered(), ["gone \"there\"", "one", "two"]);
    let metrics = second.end().await;
    assert_eq!((metrics.state_reads_failed.get(), metrics.state_writes_failed.get()), (0, 0));
    assert_eq!(text(&state), expected);
}

#[tokio::test]
async fn a_file_that_is_none_is_set_aside() {
    let names = |entries: &str| format!("{{\"version\":1,\"names\":[{entries}]}}");
    for bad in [
        String::new(),
        "null".to_owned(),
        "{\"version\":3,\"names\":[]}".to_owned(),
        "{\"version\":1}".to_owned(),
        names("[\"ae5cf6f5\",\"a\",\"b\"]"),
        names("[\"ae5cf6f5\",\"a\",\"b\",\"c\""),
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join(FILE_NAME), &bad).expect("writes");
        std::fs::write(directory.path().join("names.json.bad"), "an earlier one").expect("writes");
        let life = Life::start(directory.path());
        assert_eq!(life.metrics.state_reads_failed.get(), 1, "{bad}");
        publish(&life.registry, &["one"]);
        life.end().await;
        assert_eq!(names_in(&directory), [FILE_NAME, "names.json.bad"]);
        assert_eq!(std::fs::read_to_string(directory.path().join("names.json.bad")).expect("text"), bad);
        assert_eq!(Life::start(directory.path()).remembered(), ["one"], "{bad}");
    }
}

#[tokio::test]
async fn a_file_that_can_not_be_read_is_set_aside() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(directory.path().join(FILE_NAME)).expect("makes");
    let life = Life::start(directory.path());
    publish(&life.registry, &["one"]);
    let metrics = life.end().await;
    assert_eq!((metrics.state_reads_failed.get(), metrics.state_writes_failed.get()), (1, 0));
    assert_eq!(Life::start(directory.path()).remembered(), ["one"]);
}

#[tokio::test]
async fn an_entry_that_can_not_be_true_costs_itself_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let entry = |id: &str, operation: &str| format!("[\"{id}\",\"{operation}\",\"web\",\"ui\"]");
    let entries = [
        entry(&short("one"), "two"),
        entry("my-app", "one"),
        entry("", ""),
        entry(&short("one"), "one"),
        entry(&short("one"), "one"),
        entry(&short("three"), "three"),
    ];
    let text = format!("{{\"version\":1,\"names\":[{}]}}", entries.join(","));
    std::fs::write(directory.path().join(FILE_NAME), text).expect("writes");
    let life = Life::start(directory.path());
    assert_eq!(life.remembered(), ["one", "three"]);
    assert_eq!(life.end().await.state_reads_failed.get(), 0);
    assert_eq!(Life::start(directory.path()).remembered(), ["one", "three"]);
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_written_once_a_second() {
    let directory = tempfile::tempdir().expect("a directory");
    let Life { registry, memory, .. } = Life::start(directory.path());
    let end = CancellationToken::new();
    let keeping = tokio::spawn(memory.keep(Arc::clone(&registry), end.clone()));
    until(|| text(directory.path()).contains("\"names\":[]")).await;
    let started = tokio::time::Instant::now();
    publish(&registry, &["one"]);
    until(|| text(directory.path()).contains("one")).await;
    assert!(started.elapsed() <= REST + Duration::from_millis(100), "took {:?}", started.elapsed());
    let started = tokio::time::Instant::now();
    publish(&registry, &["one", "two"]);
    until(|| text(directory.path()).contains("two")).await;
    assert!(started.elapsed() > REST / 2, "took {:?}", started.elapsed());
    // At the end it is written without waiting.
    let started = tokio::time::Instant::now();
    publish(&registry, &["one", "two", "three"]);
    end.cancel();
    keeping.await.expect("ends");
    assert!(text(directory.path()).contains("three"));
    assert!(started.elapsed() < REST, "took {:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_can_not_be_written_is_tried_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let blocked = directory.path().join("blocked");
    std::fs::write(&blocked, "a file where the directory should be").expect("writes");
    let Life { registry, memory, metrics } = Life::start(&blocked);
    assert_eq!(metrics.state_reads_failed.get(), 0);
    publish(&registry, &["one"]);
    let end = CancellationToken::new();
    let keeping = tokio::spawn(memory.keep(Arc::clone(&registry), end.clone()));
    until(|| metrics.state_writes_failed.get() >= 3).await;
    // The table has it all the same.
    assert_eq!(registry.services().len(), 1);
    std::fs::remove_file(&blocked).expect("removes");
    until(|| text(&blocked).contains("one")).await;
    end.cancel();
    keeping.await.expect("ends");
}
