//! The program, killed before it tells of a port that is reserved.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use taskgate::gateway::ledger::Ledger as _;
use taskgate::gateway::port::PortRange;
use taskgate_core::label::Label;

use super::stage::{FIRST, file_in, held, holder, ledger, until};

/// A running program that does not outlive its test.
struct Program {
    child: Child,
    internal: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        // SIGKILL: nothing is tidied up.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const SERVICES: &str = r#"
services:
- {operation: op1, task: db, service: sql, endpoints: ["10.0.0.1:5432"], access: public, protocol: tcp}
- {operation: op2, task: db, service: sql, endpoints: ["10.0.0.1:5433"], access: can_read, owner: alice, protocol: tcp}
- {operation: op3, task: web, service: ui, endpoints: ["10.0.0.1:80"], access: public}
"#;

fn config() -> String {
    format!(
        "gate: {{base_domains: [tasks.example.test]}}\n\
         internal: {{listen: \"127.0.0.1:0\"}}\noperations: {{listen: \"127.0.0.1:0\"}}\nxds: {{listen: \"127.0.0.1:0\"}}\n\
         providers: [{{file: {{path: services.yaml}}}}]\nstate: {{directory: .}}\n\
         internal_task_gateway:\n  gateway_ip: 127.0.0.1\n  gateway_port_range_start: {FIRST}\n  \
         gateway_port_range_end: {FIRST}\n  source_ranges: [127.0.0.0/8]\n  program_timeout_secs: 1\n"
    )
}

async fn start(directory: &Path) -> Program {
    let addresses = directory.join("addresses.json");
    // That of an earlier life says nothing of this one.
    let _ = std::fs::remove_file(&addresses);
    let log = std::fs::File::options().create(true).append(true).open(directory.join("log")).expect("a log");
    let child = Command::new(env!("CARGO_BIN_EXE_taskgate"))
        .current_dir(directory)
        .args(["serve", "--addresses-file", "addresses.json"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("starts");
    let mut program = Program { child, internal: String::new() };
    until("it listens", async || addresses.exists()).await;
    let text = std::fs::read(&addresses).expect("addresses");
    let addresses: Value = serde_json::from_slice(&text).expect("whole JSON");
    program.internal = addresses["internal"].as_str().expect("an address").to_owned();
    program
}

/// How the services stand, by their operations.
async fn places(program: &Program) -> Value {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().expect("a client");
    let url = format!("http://{}/internal/services", program.internal);
    let text = client.get(url).send().await.expect("an answer").text().await.expect("text");
    let list: Value = serde_json::from_str(&text).expect("JSON");
    let services = list["services"].as_array().expect("a list");
    services.iter().map(|one| (one["operation"].as_str().expect("text").to_owned(), one["tcp"].clone())).collect()
}

#[tokio::test]
async fn killed_before_its_port_is_told_a_service_has_the_same_one_after_the_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("taskgate.yaml"), config()).expect("writes");
    std::fs::write(directory.path().join("services.yaml"), SERVICES).expect("writes");
    let (service, range) =
        (Label::parse(b"0123abcd").expect("a label"), PortRange::new(FIRST, FIRST).expect("a range"));
    // What the first life came to.
    let before = ledger(&file_in(directory.path())).await;
    let lease = before.reserve(range, &holder("op1"), &service, &[]).await.expect("a port");
    before.close().await;
    for _ in 0..3 {
        // No Envoy runs, so that nothing ever listens, and nothing is told.
        let program = start(directory.path()).await;
        let ledger = ledger(&file_in(directory.path())).await;
        until("it is said that nothing can be said", async || places(&program).await["op1"]["reason"] == "unavailable")
            .await;
        let places = places(&program).await;
        assert_eq!(places["op1"]["state"], "pending", "{places}");
        assert_eq!(places["op1"]["address"], Value::Null, "{places}");
        assert_eq!(places["op2"]["reason"], "no-client-certificates", "{places}");
        assert_eq!(places["op3"], Value::Null, "{places}");
        drop(program);
        assert_eq!(held(&*ledger).await, (vec![lease.clone()], 0));
        ledger.close().await;
    }
}
