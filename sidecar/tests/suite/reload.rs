//! Reload: what is valid is taken, what is not changes nothing.

use crate::kit::{SERVICES, Sidecar, bearer, config, tokens};

#[tokio::test]
async fn a_changed_configuration_is_taken() {
    let sidecar = Sidecar::start(&tokens(&[("alice", "")])).await;
    let mut reader = sidecar.table().await;
    let before = reader.control.clone().expect("control");
    assert_eq!(sidecar.outcome(bearer("token-of-bob")).await, "CredentialRejected");
    let domains = config(&tokens(&[("alice", ""), ("bob", ", groups: [ml]")])).replace("tasks.example.test", "t.test");
    sidecar.write("taskgate.yaml", &domains);
    sidecar.next_page(&mut reader).await;
    let after = reader.control.clone().expect("control");
    assert!(after.number > before.number && after.verdict_epoch > before.verdict_epoch);
    assert_eq!(after.gate.base_domains, ["t.test"]);
    // Keys that were made up at the start stay.
    assert_eq!((after.keys, after.cache_key), (before.keys, before.cache_key));
    assert_eq!(sidecar.outcome(bearer("token-of-bob")).await, "bob");
    assert_eq!(reader.table.len(), 1);
}

#[tokio::test]
async fn a_broken_configuration_changes_nothing() {
    let sidecar = Sidecar::start(&tokens(&[("alice", "")])).await;
    let control = sidecar.table().await.control.expect("control");
    let broken = [
        "gate: [",
        "",
        "nonsense: true\n",
        &config("verdicts: {deadline_ms: soon}\n"),
        &config("verdicts: {deadline_ms: 0}\n"),
        &config("keys: [{id: k1, secret: short}]\n"),
        &config("keys: [{id: k1, secret_file: missing.key}]\n"),
    ];
    for (index, text) in broken.iter().enumerate() {
        sidecar.write("taskgate.yaml", text);
        sidecar.running.reload();
        let failed = u64::try_from(index).expect("fits") + 1;
        // The watch may have seen the change as well; what counts is that no attempt changed anything.
        let attempts = async {
            while sidecar.metric("taskgate_config_reload_failed_total").await < Some(failed) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), attempts).await.expect("is tried");
        assert_eq!(sidecar.outcome(bearer("token-of-alice")).await, "alice", "{text}");
    }
    assert_eq!(sidecar.table().await.control, Some(control));
    assert_eq!(sidecar.metric("taskgate_config_reload_total").await, Some(0));
}

#[tokio::test]
async fn a_change_between_reading_and_watching_is_taken() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("services.yaml"), SERVICES).expect("writes");
    let (old, new) = (config(&tokens(&[("alice", "")])), config(&tokens(&[("bob", ", groups: [ml]")])));
    let change = |directory: &std::path::Path| std::fs::write(directory.join("taskgate.yaml"), &new).expect("writes");
    let sidecar = Sidecar::start_after(directory, &old, change).await;
    let taken = async {
        while sidecar.metric("taskgate_config_reload_total").await == Some(0) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), taken).await.expect("is taken");
    sidecar.table().await;
    assert_eq!(sidecar.outcome(bearer("token-of-bob")).await, "bob");
}

#[tokio::test]
async fn an_open_listener_never_loses_its_secret() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("services.yaml"), SERVICES).expect("writes");
    let open = config("").replacen("\"127.0.0.1:0\"", "\"0.0.0.0:0\", secret: hunter2", 1);
    let sidecar = Sidecar::start_in(directory, &open).await;
    // On its own the new configuration holds; the listener that runs is still the open one.
    sidecar.write("taskgate.yaml", &config(""));
    sidecar.running.reload();
    let refused = async {
        while sidecar.metric("taskgate_config_reload_failed_total").await < Some(1) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), refused).await.expect("is refused");
    let url = sidecar.internal("/internal/services").replace("0.0.0.0", "127.0.0.1");
    assert_eq!(sidecar.get(url).await.0, 401);
}

#[tokio::test]
async fn keys_rotate() {
    let key = |byte: u8| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode([byte; 32])
    };
    let sidecar = Sidecar::start(&format!("keys: [{{id: k1, secret: {}}}]\n", key(1))).await;
    let mut reader = sidecar.table().await;
    let ids = |reader: &crate::kit::Reader| {
        let control = reader.control.as_ref().expect("control");
        control.keys.iter().map(|(id, _)| id.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&reader), ["k1"]);
    sidecar.write("k2.key", &format!("{}\n", key(2)));
    let rotated = format!("keys: [{{id: k2, secret_file: k2.key}}, {{id: k1, secret: {}}}]\n", key(1));
    sidecar.write("taskgate.yaml", &config(&rotated));
    sidecar.next_page(&mut reader).await;
    assert_eq!(ids(&reader), ["k2", "k1"]);
}

#[tokio::test]
async fn providers_come_and_go() {
    let sidecar = Sidecar::start("").await;
    let mut reader = sidecar.table().await;
    sidecar.write("more.yaml", &SERVICES.replace("a8ef7695", "b8ef7695").replace("greeter", "other"));
    let two = config("").replace("}}]", "}}, {file: {name: more, path: more.yaml}}]");
    sidecar.write("taskgate.yaml", &two);
    sidecar.next_page(&mut reader).await;
    assert_eq!(reader.table.len(), 2);
    sidecar.write("taskgate.yaml", &config(""));
    sidecar.next_page(&mut reader).await;
    assert_eq!(reader.table.len(), 1);
    let (_, problems) = sidecar.get(sidecar.internal("/internal/problems")).await;
    assert!(!problems.contains("more"), "{problems}");
}
