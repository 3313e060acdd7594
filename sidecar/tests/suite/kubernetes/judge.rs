//! Kubernetes' own client, which says whether the server that stands in for a cluster answers as one does.

use jiff::{SignedDuration, Timestamp};
use taskgate_test_kit::environment;
use tokio::process::Command;

use super::cluster::{CLOSED, Cluster, Phase, TOKEN};

#[tokio::test]
async fn the_server_answers_as_kubernetes_own_client_expects() {
    let cluster = Cluster::start().await;
    cluster.add("waits", Phase::Pending, &["main"]);
    cluster.add("runs", Phase::Running, &["main"]);
    cluster.add("done", Phase::Succeeded, &["main", "side"]);
    cluster.add("broken", Phase::Failed, &["main"]);
    cluster.add_in(CLOSED, "done", Phase::Succeeded, &["main"]);
    cluster.write_at("done", Timestamp::now() - SignedDuration::from_hours(2), "one");
    cluster.write("done", "two");
    cluster.write("done", "three");
    cluster.write("runs", "one");
    let python = environment::kubernetes_client().expect("Kubernetes' client").join("python3");
    let script = environment::repository().join("tests/kubernetes/judge.py");
    let mut judge = Command::new(python);
    judge.arg(script).args([&cluster.url, TOKEN]).kill_on_drop(true);
    // What is followed goes on once it is.
    let goes_on = async {
        cluster.has_readers(1).await;
        cluster.write("runs", "two");
        cluster.write("runs", "three");
        cluster.turn("runs", Phase::Succeeded);
        std::future::pending::<()>().await;
    };
    let output = tokio::select! {
        output = judge.output() => output.expect("python3 runs"),
        () = goes_on => unreachable!("it has no end"),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.trim(), "22 answers");
}
