//! What outlives the process.

use std::path::Path;
use std::time::Duration;

use taskgate_core::naming::ServiceDigest;

use crate::kit::{COLLIDING, COLLIDING_ID, Sidecar, config, services};

const STATE: &str = "state: {directory: state}";

/// A sidecar with these services, once it has them.
async fn start(directory: tempfile::TempDir, operations: &[&str], rest: &str) -> Sidecar {
    std::fs::write(directory.path().join("services.yaml"), services(operations)).expect("writes");
    let sidecar = Sidecar::start_in(directory, &config(rest)).await;
    sidecar.table().await;
    sidecar
}

/// Whose service an id is.
async fn operation(sidecar: &Sidecar, id: &str) -> Option<String> {
    sidecar.table().await.table.service(id).map(|service| service.operation.to_owned())
}

fn names(directory: &Path) -> String {
    std::fs::read_to_string(directory.join("state/names.json")).unwrap_or_default()
}

async fn until(sidecar: &Sidecar, metric: &str, least: u64) {
    let reached = async { while sidecar.metric(metric).await < Some(least) {} };
    tokio::time::timeout(Duration::from_secs(20), reached).await.expect("is counted");
}

#[tokio::test]
async fn ids_outlive_a_restart_with_a_state_directory() {
    let [newcomer, first] = COLLIDING;
    for operation in COLLIDING {
        let short = ServiceDigest::of(operation, "web", "ui").suffix(8).expect("an id");
        assert_eq!(short.as_str(), COLLIDING_ID);
    }
    assert!(newcomer < first, "on a fresh start the newcomer would count first");
    for (rest, expected) in [(STATE, first), ("", newcomer)] {
        let directory = tempfile::tempdir().expect("a directory");
        let directory = start(directory, &[first], rest).await.end().await;
        let sidecar = start(directory, &[newcomer, first], rest).await;
        assert_eq!(operation(&sidecar, COLLIDING_ID).await.as_deref(), Some(expected), "{rest}");
        assert_eq!(sidecar.metric("taskgate_service_id_collisions{provider=\"file\"}").await, Some(1));
        // And through a restart in which it was not there.
        let directory = sidecar.end().await;
        let directory = start(directory, &["op"], rest).await.end().await;
        let sidecar = start(directory, &[newcomer, first], rest).await;
        assert_eq!(operation(&sidecar, COLLIDING_ID).await.as_deref(), Some(expected), "{rest}");
    }
}

#[tokio::test]
async fn ids_are_written_while_it_runs() {
    let sidecar = start(tempfile::tempdir().expect("a directory"), &["op"], STATE).await;
    let written = async {
        while !names(sidecar.directory.path()).contains("\"op\",\"web\",\"ui\"") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), written).await.expect("is written");
}

#[tokio::test]
async fn a_corrupt_file_is_set_aside() {
    let directory = tempfile::tempdir().expect("a directory");
    let state = directory.path().join("state");
    std::fs::create_dir(&state).expect("makes");
    std::fs::write(state.join("names.json"), "{\"version\":1,\"names\":[[\"e10").expect("writes");
    let sidecar = start(directory, &COLLIDING, STATE).await;
    assert_eq!(sidecar.metric("taskgate_state_read_failed_total").await, Some(1));
    assert_eq!(operation(&sidecar, COLLIDING_ID).await.as_deref(), Some(COLLIDING[0]));
    let directory = sidecar.end().await;
    assert!(names(directory.path()).contains(COLLIDING[1]));
    let bad = std::fs::read_to_string(directory.path().join("state/names.json.bad")).expect("is kept");
    assert!(bad.ends_with("e10"), "{bad}");
}

#[tokio::test]
async fn a_directory_that_can_not_be_written_costs_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let blocked = directory.path().join("state");
    std::fs::write(&blocked, "no directory").expect("writes");
    let sidecar = start(directory, &["op"], STATE).await;
    until(&sidecar, "taskgate_state_write_failed_total", 1).await;
    sidecar.write("services.yaml", &services(&COLLIDING));
    until(&sidecar, "taskgate_service_id_collisions{provider=\"file\"}", 1).await;
    assert_eq!(sidecar.get(sidecar.operations("/readyz")).await.0, 200);
    // Room at last: what it learned meanwhile is there.
    std::fs::remove_file(&blocked).expect("removes");
    let directory = sidecar.end().await;
    assert!(names(directory.path()).contains(COLLIDING[1]));
}
