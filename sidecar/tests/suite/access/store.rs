//! What outlives the process, and what two processes share.

use serde_json::{Value, json};

use super::support::{SERVICES, Worker, ask, id, operator, settings, share, start, until};
use crate::kit::Sidecar;

#[tokio::test]
async fn a_link_that_was_taken_back_stays_so_after_a_restart() {
    let sidecar = start("state: {directory: state}").await;
    let body = json!({"service": id(&sidecar, "op1"), "lifetime_secs": 3600});
    let (gone, share_id) = share(&sidecar, "alice", body.clone()).await;
    let (good, _) = share(&sidecar, "alice", body).await;
    ask(&sidecar, "alice", "DELETE", &format!("/v1/shares/{share_id}"), Value::Null).await;
    let (_, ended) = operator(&sidecar, "POST", "/internal/sessions/end", json!({"actor": "bob"})).await;
    assert_eq!(ended["kept"], true);

    let directory = sidecar.end().await;
    assert!(directory.path().join("state/access.db").exists());
    let again = Sidecar::start_in(directory, &settings("state: {directory: state}")).await;
    again.table().await;
    let mut worker = Worker::new(&again).await;
    assert_eq!(worker.seen(&gone, &[]).await, "share-ended");
    assert_eq!(worker.seen(&good, &[]).await, "-> /");
    let (_, list) = ask(&again, "alice", "GET", "/v1/shares", Value::Null).await;
    assert_eq!(list["shares"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn what_one_process_takes_back_the_other_refuses() {
    let shared = tempfile::tempdir().expect("a directory");
    let store = format!("sqlite:{}", shared.path().join("access.db").display());
    let settings = || settings("").replace("access: {}", &format!("access: {{store: \"{store}\"}}"));
    let begin = async || {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("services.yaml"), SERVICES).expect("writes");
        let sidecar = Sidecar::start_in(directory, &settings()).await;
        sidecar.table().await;
        sidecar
    };
    let (one, other) = (begin().await, begin().await);
    let body = json!({"service": id(&one, "op1"), "lifetime_secs": 3600});
    let (link, share) = share(&one, "alice", body).await;
    let mut worker = Worker::new(&other).await;
    assert_eq!(worker.seen(&link, &[]).await, "-> /");
    ask(&one, "alice", "DELETE", &format!("/v1/shares/{share}"), Value::Null).await;
    let began = std::time::Instant::now();
    loop {
        worker.refresh().await;
        if worker.seen(&link, &[]).await == "share-ended" {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    until(async || ask(&other, "alice", "GET", "/v1/shares", Value::Null).await.1["shares"][0]["state"] == "ended")
        .await;
}

#[test]
fn a_store_that_is_none_is_said_when_the_configuration_is_read() {
    for (access, because) in [
        ("{store: \"mysql://x\"}", "`access.store`: is neither `sqlite:<path>` nor"),
        ("{store: \"sqlite:\"}", "`access.store`: names no file"),
        ("{shares: {max_lifetime_secs: 0}}", "`access.shares.max_lifetime_secs`: 0 is not between"),
    ] {
        let text = settings("").replace("access: {}", &format!("access: {access}"));
        let error = taskgate::config::load::read(&text, std::path::Path::new("/")).expect_err("refused");
        assert!(error.to_string().contains(because), "{error}");
    }
}
