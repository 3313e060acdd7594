//! The program, whose `KUBECONFIG` leads to the cluster: from a service to an address that is told, over its death.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use taskgate_emulators::kubernetes::{Kubernetes, Profile};
use taskgate_test_kit::{wait_for, wait_until};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use super::PATIENCE;
use super::stage::{EDGE, TCP};

const SERVICES: &str = r#"
services:
- {operation: op1, task: db, service: sql, endpoints: ["10.0.0.1:5432"], access: public, protocol: tcp}
- {operation: op2, task: db, service: sql, endpoints: ["10.0.0.1:5433"], access: can_read, owner: alice, protocol: tcp}
"#;

async fn start(directory: &Path) -> (Child, String) {
    let addresses = directory.join("addresses.json");
    // That of an earlier life says nothing of this one.
    let _ = std::fs::remove_file(&addresses);
    let log = std::fs::File::options().create(true).append(true).open(directory.join("log")).expect("a log");
    let program = Command::new(env!("CARGO_BIN_EXE_taskgate"))
        .current_dir(directory)
        .args(["serve", "--addresses-file", "addresses.json"])
        .env("KUBECONFIG", directory.join("kubeconfig"))
        .env_remove("KUBERNETES_SERVICE_HOST")
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .expect("starts");
    let internal = wait_for(PATIENCE, "the sidecar's addresses", async || {
        let addresses: Value = serde_json::from_slice(&std::fs::read(&addresses).ok()?).ok()?;
        Some(addresses["internal"].as_str()?.to_owned())
    });
    (program, internal.await.expect("it listens"))
}

/// What is told of the services, by their operations.
async fn places(internal: &str) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = client.get(format!("http://{internal}/internal/services")).send().await.expect("an answer");
    let list: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
    let services = list["services"].as_array().expect("a list");
    services.iter().map(|one| (one["operation"].as_str().expect("text").to_owned(), one["tcp"].clone())).collect()
}

#[tokio::test]
async fn a_service_is_told_with_its_port_and_has_it_after_a_restart() {
    let cluster = Kubernetes::start(Profile { token: Some("t".into()), ..Profile::default() }).await.expect("starts");
    cluster.add_gateway(EDGE, TCP, true);
    // Stands for the Gateway's proxy, which the sidecar tries before it tells anybody.
    let proxy = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = proxy.local_addr().expect("an address").port();
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("writes");
    write("services.yaml", SERVICES);
    write(
        "taskgate.yaml",
        &format!(
            "gate: {{base_domains: [tasks.example.test]}}\n\
             internal: {{listen: \"127.0.0.1:0\"}}\noperations: {{listen: \"127.0.0.1:0\"}}\n\
             providers: [{{file: {{path: services.yaml, poll_secs: 1}}}}]\n\
             internal_task_gateway:\n  gateway_ip: 127.0.0.1\n  gateway_name: {TCP}\n  gateway_namespace: {EDGE}\n  \
             gateway_port_range_start: {port}\n  gateway_port_range_end: {port}\n  \
             port_kept_secs: 0\n  close_after_secs: 0\n  kubernetes: {{open: true}}\n"
        ),
    );
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": cluster.url()}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    });
    write("kubeconfig", &kubeconfig.to_string());
    let log = || std::fs::read_to_string(directory.path().join("log")).expect("a log");
    let behind = || cluster.behind(EDGE, port).map(|found| found.iter().map(ToString::to_string).collect::<String>());
    let announced = json!({"address": format!("127.0.0.1:{port}"), "state": "announced"});

    for _ in 0..2 {
        // Killed, not ended, when it is dropped.
        let (_program, internal) = start(directory.path()).await;
        let is_told = wait_until(PATIENCE, "the port is told", async || places(&internal).await["op1"] == announced);
        is_told.await.unwrap_or_else(|error| panic!("{error}: {}", log()));
        assert_eq!(behind().as_deref(), Some("10.0.0.1:5432"));
        assert_eq!(places(&internal).await["op2"]["state"], "tunnel-only", "it is not for everybody");
    }
    let is_creation = |call: &String| call.starts_with("create") && !call.contains(" leases ");
    let creations: Vec<String> = cluster.writes().into_iter().filter(is_creation).collect();
    assert_eq!(creations.len(), 4, "once: {creations:?}");

    let (_program, internal) = start(directory.path()).await;
    write("services.yaml", &SERVICES.replace("10.0.0.1:5432", "10.0.0.2:6000"));
    let follows = wait_until(PATIENCE, "it follows", async || behind().as_deref() == Some("10.0.0.2:6000"));
    follows.await.unwrap_or_else(|error| panic!("{error}: {}", log()));
    write("services.yaml", &SERVICES.replace("access: public", "access: owner, owner: alice"));
    let closed = wait_until(PATIENCE, "it is closed", async || behind().is_none_or(|found| found.is_empty()));
    closed.await.unwrap_or_else(|error| panic!("{error}: {}", log()));
    assert_ne!(places(&internal).await["op1"]["state"], "announced");
}
