//! Friendly names, as operators and proxies see them.

use std::time::Duration;

use serde_json::Value;

use crate::kit::{Sidecar, config};

const STATE: &str = "state: {directory: state}\nnames: {kept_days: 7, reserved: [grafana]}";

/// A services file: for each row operation, owner and name.
fn services(rows: &[[&str; 3]]) -> String {
    let row = |[operation, owner, name]: &[&str; 3]| {
        format!(
            "- {{operation: {operation}, task: web, service: ui, endpoints: [\"10.0.0.1:80\"], access: public, \
             owner: {owner}, names: [{name}]}}\n"
        )
    };
    format!("services:\n{}", rows.iter().map(row).collect::<String>())
}

async fn start(directory: tempfile::TempDir, rows: &[[&str; 3]]) -> Sidecar {
    std::fs::write(directory.path().join("services.yaml"), services(rows)).expect("writes");
    let sidecar = Sidecar::start_in(directory, &config(STATE)).await;
    sidecar.table().await;
    sidecar
}

/// Whose service a name leads to.
async fn operation(sidecar: &Sidecar, name: &str) -> Option<String> {
    sidecar.table().await.table.service(name).map(|service| service.operation.to_owned())
}

async fn list(sidecar: &Sidecar) -> Value {
    let (status, text) = sidecar.get(sidecar.internal("/internal/names")).await;
    assert_eq!(status, 200);
    serde_json::from_str(&text).expect("JSON")
}

async fn release(sidecar: &Sidecar, name: &str) -> (u16, String) {
    let request = sidecar.client.delete(sidecar.internal(&format!("/internal/names/{name}")));
    let response = request.send().await.expect("an answer");
    (response.status().as_u16(), response.text().await.expect("text"))
}

/// Changes the services, and waits until a problem says so.
async fn change(sidecar: &Sidecar, rows: &[[&str; 3]], problem: &str) {
    sidecar.write("services.yaml", &services(rows));
    let told = async { while !sidecar.get(sidecar.internal("/internal/problems")).await.1.contains(problem) {} };
    tokio::time::timeout(Duration::from_secs(20), told).await.expect("is told");
}

#[tokio::test]
async fn a_name_is_kept_across_a_restart_and_released_by_an_operator() {
    let sidecar = start(tempfile::tempdir().expect("a directory"), &[["op1", "alice", "ollama"]]).await;
    assert_eq!(operation(&sidecar, "ollama").await.as_deref(), Some("op1"));
    let (_, listed) = sidecar.get(sidecar.internal("/internal/services")).await;
    assert!(listed.contains("\"names\":[\"ollama\"]"), "{listed}");
    let (status, text) = release(&sidecar, "ollama").await;
    assert!(status == 409 && text.contains("name-in-force"), "{status} {text}");
    assert_eq!(release(&sidecar, "nobodys").await.0, 404);

    // Her workload ends, and another one claims the name: before and after a restart it is hers.
    change(&sidecar, &[["op2", "bob", "ollama"]], "`ollama` is kept for another owner until 2026-01-08").await;
    let sidecar = start(sidecar.end().await, &[["op2", "bob", "ollama"], ["op3", "bob", "grafana"]]).await;
    assert_eq!(operation(&sidecar, "ollama").await, None);
    let listed = list(&sidecar).await;
    assert_eq!((&listed["names"][0]["name"], &listed["names"][0]["owner"]), (&"ollama".into(), &"alice".into()));
    assert_eq!(listed["names"][0]["operation"], "op1");
    let reserved = listed["reserved"].as_array().expect("a list");
    assert!(reserved.contains(&"grafana".into()) && reserved.contains(&"www".into()), "{listed}");
    assert_eq!(operation(&sidecar, "grafana").await, None);

    let (status, text) = release(&sidecar, "ollama").await;
    assert_eq!((status, text.as_str()), (200, "{\"released\":\"ollama\"}"));
    assert_eq!(operation(&sidecar, "ollama").await.as_deref(), Some("op2"));
}
