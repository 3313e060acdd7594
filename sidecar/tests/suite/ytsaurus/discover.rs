//! `taskgate discover --once`, run as operators run it.

use std::process::Output;

use taskgate_emulators::ytsaurus::{ClusterError, Fault, Job, Operation, Ytsaurus};

use crate::ytsaurus::support::{TOKEN, cluster, config, guid, yson};

/// What the program says about a cluster.
async fn discover(cluster: &Ytsaurus, rest: &str, words: &[&str]) -> Output {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("taskgate.yaml"), config(&cluster.url(), rest)).expect("writes");
    // Not the blocking kind: the cluster is played in this very process.
    tokio::process::Command::new(env!("CARGO_BIN_EXE_taskgate"))
        .current_dir(directory.path())
        .args(["discover", "--once"])
        .args(words)
        .output()
        .await
        .expect("runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// The rest of the line that begins so.
fn line<'a>(output: &'a Output, start: &str) -> &'a str {
    let lines = text(&output.stdout).lines();
    let line = lines.into_iter().find(|line| line.trim_start().starts_with(start));
    assert!(line.is_some(), "{start} begins no line of\n{}", text(&output.stdout));
    line.unwrap_or_default()
}

async fn with_services() -> Ytsaurus {
    let cluster = cluster().await;
    let annotations = "{task_proxy={enabled=%true; tasks_info={master={ui={protocol=http; port_index=0}; \
         api={protocol=grpc; port_index=7}; ftp={protocol=ftp; port_index=0}}}}}";
    let operation = Operation::new("alice").id(guid("a6e04b98-bf982394-5103e8-55754a49")).alias("*greeter");
    let operation = cluster.add_operation(operation.annotations(yson(annotations)));
    cluster.add_job(operation, Job::new("master").address("10.0.0.1:9012").ports([27001]));
    let stale = cluster.add_job(operation, Job::new("master").address("10.0.0.2:9012").ports([27001]));
    cluster.mark_stale(stale);
    cluster.add_operation(Operation::new("bob").annotations(yson("{task_proxy=yes}")).id(guid("1-1-3e8-1")));
    cluster
}

#[tokio::test]
async fn it_prints_services_and_all_that_is_refused() {
    let cluster = with_services().await;
    let output = discover(&cluster, "", &[]).await;
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let ui = line(&output, "2ef4261c");
    for part in ["http", "can_read", "alice", "10.0.0.1:27001", "/master/ui", "greeter-master-ui"] {
        assert!(ui.contains(part), "{part} is not in {ui}");
    }
    let out = text(&output.stdout);
    assert!(out.lines().any(|line| line.contains("/master/api") && line.contains("grpc")), "{out}");
    for reason in ["none of grpc, http and websocket", "have no port 7", "is stale", "`task_proxy` is no map"] {
        let refused = out.lines().find(|line| line.contains(reason));
        assert!(refused.is_some_and(|line| line.starts_with("ytsaurus") && line.contains("operation ")), "{out}");
    }
    assert!(line(&output, "PROVIDER").contains("REFUSED"));
    // The same for programs.
    let output = discover(&cluster, "", &["--json"]).await;
    let seen: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(seen["services"].as_array().map(Vec::len), Some(2));
    assert_eq!(seen["providers"][0]["problems"].as_array().map(Vec::len), Some(4), "{seen}");
    // It changes nothing.
    let written = ["create", "lock", "start_transaction", "write_table"];
    assert!(written.iter().all(|command| cluster.count(command) == 0), "{:?}", cluster.calls());
}

#[tokio::test]
async fn a_cluster_that_can_t_be_asked_is_said_and_shows_in_the_status() {
    let cluster = with_services().await;
    let said = async |rest: &str, words: &[&str]| {
        let output = discover(&cluster, rest, words).await;
        assert_ne!(output.status.code(), Some(0), "{}", text(&output.stdout));
        let message = text(&output.stderr).to_owned();
        assert!(!message.contains(TOKEN) && message.lines().count() == 1, "{message}");
        message
    };
    let brief = ", round_secs: 1, timeout_ms: 500";
    cluster.set_reachable(false);
    let message = said(brief, &[]).await;
    assert!(message.contains("provider ytsaurus: operations can't be listed"), "{message}");
    cluster.set_reachable(true);
    cluster.fail("list_operations", u64::MAX, Fault::Hang);
    let message = said(brief, &[]).await;
    assert!(message.contains("no answer within"), "{message}");
    cluster.clear_faults();
    let denied = ClusterError::new(901, "Access denied for user \"robot-taskgate\"");
    cluster.fail("list_operations", 1, Fault::Refuse { status: 400, error: denied });
    let message = said(brief, &["--json"]).await;
    assert!(message.contains("Access denied for user"), "{message}");
    cluster.revoke_token(TOKEN);
    cluster.reset_calls();
    let message = said("", &[]).await;
    assert!(message.contains("the cluster rejects the credential"), "{message}");
    assert_eq!(cluster.count("list_operations"), 1);
}
