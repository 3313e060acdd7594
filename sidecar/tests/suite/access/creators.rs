//! A link does not outlive its creator's right, nor its service's owner.

use serde_json::{Value, json};

use super::support::{SERVICES, Seen, Worker, ask, id, operator, share, start, until};

#[tokio::test]
async fn who_loses_the_right_loses_the_links() {
    let sidecar = start("").await;
    let service = id(&sidecar, "op1");
    let body = json!({"service": service, "lifetime_secs": 3600});
    let (link, of_carol) = share(&sidecar, "carol", body.clone()).await;
    let (_, of_alice) = share(&sidecar, "alice", body).await;
    let mut worker = Worker::new(&sidecar).await;
    let Seen::SentTo(_, Some(cookie)) = worker.visit(&link, &[]).await else { panic!("is not let in") };

    sidecar.write("services.yaml", &SERVICES.replace("level: can_manage", "level: can_read"));
    until(async || state(&sidecar, &of_carol).await == "ended").await;
    assert_eq!(state(&sidecar, &of_alice).await, "live");
    worker.refresh().await;
    assert_eq!(worker.seen(&link, &[]).await, "share-ended");
    let page = link.split('?').next().expect("a path");
    assert_eq!(worker.seen(page, &[("cookie", &cookie)]).await, "share-ended");
    let (_, list) = operator(&sidecar, "GET", "/internal/shares", Value::Null).await;
    let ended = list["shares"].as_array().expect("a list").iter().find(|share| share["id"] == json!(of_carol));
    assert_eq!(ended.expect("is listed")["ended_by"], "taskgate");
}

#[tokio::test]
async fn links_of_another_owner_s_service_are_over() {
    let sidecar = start("").await;
    let body = json!({"service": id(&sidecar, "op1"), "lifetime_secs": 3600});
    let (link, share) = share(&sidecar, "carol", body).await;
    sidecar.write("services.yaml", &SERVICES.replacen("owner: alice", "owner: bob", 1));
    until(async || state(&sidecar, &share).await == "ended").await;
    let mut worker = Worker::new(&sidecar).await;
    assert_eq!(worker.seen(&link, &[]).await, "share-ended");
    // The new owner hears of the service's links, but not of the old one's secrets.
    let (status, _) = ask(&sidecar, "bob", "DELETE", &format!("/v1/shares/{share}"), Value::Null).await;
    assert_eq!(status, 404);
}

async fn state(sidecar: &crate::kit::Sidecar, share: &str) -> String {
    let (_, list) = operator(sidecar, "GET", "/internal/shares", Value::Null).await;
    let shares = list["shares"].as_array().cloned().unwrap_or_default();
    let found = shares.iter().find(|found| found["id"] == json!(share)).expect("is listed").clone();
    found["state"].as_str().expect("text").to_owned()
}
