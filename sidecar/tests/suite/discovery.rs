//! The file provider, from the file to the table.

use taskgate_core::service::AccessLevel;

use crate::kit::{GREETER, SERVICES, Sidecar, bearer, config, tokens};

#[tokio::test]
async fn a_changed_file_reaches_readers() {
    let sidecar = Sidecar::start("").await;
    let mut reader = sidecar.table().await;
    let before = reader.table.service(GREETER).expect("a service").epoch;
    sidecar.write("services.yaml", &SERVICES.replace("27001", "27009").replace("can_read\n  owner", "owner\n  owner"));
    sidecar.next_page(&mut reader).await;
    let service = reader.table.service(GREETER).expect("a service");
    assert_eq!((service.endpoints[0].address.port(), service.access), (27009, AccessLevel::Owner));
    assert_ne!(service.epoch, before);
    // As an editor does it: a new file over the old one.
    sidecar.write("services.new", "services: []");
    let path = sidecar.directory.path();
    std::fs::rename(path.join("services.new"), path.join("services.yaml")).expect("renames");
    sidecar.next_page(&mut reader).await;
    assert!(reader.table.is_empty());
}

#[tokio::test]
async fn a_broken_file_leaves_the_last_one_in_force() {
    let sidecar = Sidecar::start(&tokens(&[("alice", "")])).await;
    for broken in ["services: [", "services:", "", "services: {}\n"] {
        sidecar.write("services.yaml", broken);
        let failure = async {
            loop {
                let (_, text) = sidecar.get(sidecar.internal("/internal/problems")).await;
                let problems: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                if let Some(failure) = problems["providers"][0]["failure"].as_str() {
                    return failure.to_owned();
                }
            }
        };
        let failure = tokio::time::timeout(std::time::Duration::from_secs(20), failure).await.expect("is reported");
        assert!(failure.contains("services.yaml"), "{failure}");
        assert_eq!(sidecar.outcome(bearer("token-of-alice")).await, "alice");
        assert_eq!(sidecar.get(sidecar.operations("/readyz")).await.0, 200);
        sidecar.write("services.yaml", SERVICES);
        let recovered =
            async { while sidecar.get(sidecar.internal("/internal/problems")).await.1.contains("services.yaml") {} };
        tokio::time::timeout(std::time::Duration::from_secs(20), recovered).await.expect("recovers");
    }
}

#[tokio::test]
async fn one_bad_service_costs_itself_alone() {
    let sidecar = Sidecar::start("").await;
    let mut reader = sidecar.table().await;
    let bad = "- {operation: bad-op, task: t, service: s, endpoints: [\"no where:80\"], access: public}\n";
    let good = "- {operation: op, task: t, service: s, endpoints: [\"10.0.0.1:80\"], access: public}\n";
    sidecar.write("services.yaml", &format!("{SERVICES}{bad}{good}"));
    sidecar.next_page(&mut reader).await;
    assert_eq!(reader.table.len(), 2);
    let (_, problems) = sidecar.get(sidecar.internal("/internal/problems")).await;
    assert!(problems.contains("bad-op") && problems.contains("no where:80"), "{problems}");
    assert_eq!(sidecar.metric("taskgate_service_problems{provider=\"file\"}").await, Some(1));
    assert_eq!(sidecar.metric("taskgate_services{provider=\"file\",protocol=\"http\"}").await, Some(1));
}

#[tokio::test]
async fn a_sidecar_that_knows_no_services_yet_is_not_ready_and_decides_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let sidecar = Sidecar::start_in(directory, &config(&tokens(&[("alice", "")]))).await;
    let (status, text) = sidecar.get(sidecar.operations("/readyz")).await;
    assert!(status == 503 && text.contains("provider file"), "{text}");
    assert_eq!(sidecar.get(sidecar.operations("/healthz")).await.0, 200);
    assert_eq!(sidecar.outcome(bearer("token-of-alice")).await, "unavailable");
    sidecar.write("services.yaml", SERVICES);
    let reader = sidecar.table().await;
    assert_eq!(reader.table.len(), 1);
    assert_eq!(sidecar.get(sidecar.operations("/readyz")).await.0, 200);
    assert_eq!(sidecar.outcome(bearer("token-of-alice")).await, "alice");
}

#[tokio::test]
async fn a_provider_that_is_down_keeps_nobody_from_the_others() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("services.yaml"), SERVICES).expect("writes");
    let two =
        config(&tokens(&[("alice", "")])).replace("}}]", "}}, {file: {name: away, path: away.yaml, poll_secs: 1}}]");
    let waiting = |secs: u32| format!("{two}discovery: {{startup_secs: {secs}}}\n");
    // One that waits for it for longer than any test takes.
    let sidecar = Sidecar::start_in(directory, &waiting(3_600)).await;
    let (status, text) = sidecar.get(sidecar.operations("/readyz")).await;
    assert!(status == 503 && text.contains("provider away"), "{text}");
    let sidecar = Sidecar::start_in(sidecar.end().await, &waiting(1)).await;
    // The table is whole once nobody is waited for any more.
    let mut reader = sidecar.table().await;
    assert_eq!(reader.table.len(), 1);
    let (status, text) = sidecar.get(sidecar.operations("/readyz")).await;
    assert!(status == 200 && text.contains("provider away"), "{text}");
    assert_eq!(sidecar.outcome(bearer("token-of-alice")).await, "alice");
    assert_eq!(sidecar.get(sidecar.operations("/healthz")).await.0, 200);
    // Who comes later takes nobody's readiness away.
    sidecar.write("away.yaml", &SERVICES.replace("a8ef7695", "b8ef7695").replace("greeter", "other"));
    sidecar.next_page(&mut reader).await;
    assert_eq!(reader.table.len(), 2);
    assert_eq!(sidecar.get(sidecar.operations("/readyz")).await.1, r#"{"ready":true,"reasons":{}}"#);
}

#[tokio::test]
async fn a_provider_that_a_reload_brings_leaves_the_process_ready() {
    let sidecar = Sidecar::start("").await;
    let two = config("").replace("}}]", "}}, {file: {name: away, path: away.yaml, poll_secs: 1}}]");
    sidecar.write("taskgate.yaml", &two);
    sidecar.running.reload();
    let named = async {
        loop {
            let (status, text) = sidecar.get(sidecar.operations("/readyz")).await;
            assert_eq!(status, 200, "{text}");
            if text.contains("provider away") {
                return;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), named).await.expect("is named");
}

#[tokio::test]
async fn the_sidecar_itself_is_no_upstream() {
    let sidecar = Sidecar::start("").await;
    let mut reader = sidecar.table().await;
    let own = &sidecar.running.addresses.internal;
    let bad = format!("- {{operation: op, task: t, service: s, endpoints: [\"{own}\"], access: public}}\n");
    sidecar.write("services.yaml", &format!("{}{bad}", SERVICES.replace("27001", "27002")));
    sidecar.next_page(&mut reader).await;
    assert_eq!(reader.table.len(), 1);
    let (_, problems) = sidecar.get(sidecar.internal("/internal/problems")).await;
    assert!(problems.contains("is the sidecar itself"), "{problems}");
}
