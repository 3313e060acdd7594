//! What is not read, and what is said of it.

use serde_json::json;
use taskgate_test_kit::ReservedAddress;

use super::cluster::{CLOSED, Cluster, Phase};
use super::stage::{Stage, file, kubeconfig, row};

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let container = json!({"namespace": "jobs", "pod": "pod", "container": "other"});
    let stage = Stage::start(&[("gone", row("gone")), ("container", container), ("waits", row("waits"))]).await;
    stage.cluster.add("pod", Phase::Running, &["main"]);
    stage.cluster.add("waits", Phase::Pending, &["main"]);
    for (run, because) in [
        ("gone", "the pod is not there yet, or not any more"),
        ("container", "the pod has no such container"),
        ("waits", "the container has no log yet, or not any more"),
        ("unknown", "no log context found"),
    ] {
        let answer = stage.ask("ann", run).await;
        assert_eq!(answer.status, 404, "{run}: {answer:?}");
        assert!(answer.text.contains(because), "{run}: {answer:?}");
    }
}

#[tokio::test]
async fn no_name_leads_elsewhere() {
    let names = ["../secrets/x", "..", "a?b", "a%2fb", "a/log", "A", "", "a\n"];
    let runs: Vec<String> = (0..names.len()).map(|number| format!("r{number}")).collect();
    let mut rows: Vec<_> = runs.iter().map(String::as_str).zip(names.map(row)).collect();
    rows.push(("elsewhere", json!({"namespace": "kube-system", "pod": "pod"})));
    rows.push(("path", json!({"namespace": "jobs/pods/x/../..", "pod": "pod"})));
    let stage = Stage::start(&rows).await;
    for (run, name) in runs.iter().zip(names) {
        let answer = stage.ask("ann", run).await;
        assert_eq!(answer.status, 404, "{name:?}: {answer:?}");
        assert!(answer.text.contains("there can be no such pod"), "{name:?}: {answer:?}");
    }
    for run in ["elsewhere", "path"] {
        let answer = stage.ask("ann", run).await;
        assert_eq!(answer.status, 500, "{answer:?}");
        assert!(answer.text.contains("data.logs.namespaces"), "{answer:?}");
    }
    assert_eq!(stage.ask("eve", "elsewhere").await.status, 404, "no project of hers");
    assert_eq!(stage.cluster.asked(), [""; 0], "nobody was asked");
}

#[tokio::test]
async fn what_the_sidecar_may_not_read_the_operator_is_told() {
    let stage = Stage::start(&[("r", json!({"namespace": CLOSED, "pod": "pod"}))]).await;
    let answer = stage.ask("ann", "r").await;
    assert_eq!(answer.status, 500);
    assert!(!answer.text.contains("serviceaccount"), "{answer:?}");
    stage.has_logged("allow its account to `get` `pods` and `pods/log`").await;
    stage.has_logged("cannot get resource").await;

    let cluster = Cluster::start().await;
    let stranger = kubeconfig(&cluster.url, "token-of-nobody").to_string();
    let stage = Stage::start_with(cluster, &file(&[("r", row("pod"))]), Some(&stranger)).await;
    assert_eq!(stage.ask("ann", "r").await.status, 500);
    stage.has_logged("does not know the sidecar's service account").await;
    assert!(!stage.log().contains("token-of-nobody"));
}

#[tokio::test]
async fn a_log_that_is_broken_off_ends_with_an_error() {
    let stage = Stage::start(&[("r", row("pod"))]).await;
    stage.cluster.add("pod", Phase::Running, &["main"]);
    stage.cluster.write("pod", "one");
    let mut tail = stage.tail("r").await;
    assert_eq!(tail.line().await, "one");
    stage.cluster.break_off("pod");
    assert_eq!(tail.next().await, ("error".to_owned(), "Kubernetes broke the log off".to_owned()));
}

#[tokio::test]
async fn a_cluster_that_is_not_reached_is_asked_again_later() {
    let address = ReservedAddress::new().expect("an address");
    let nowhere = kubeconfig(&format!("http://{}", address.address()), "t").to_string();
    let pods = file(&[("r", row("pod"))]);
    let stage = Stage::start_with(Cluster::start().await, &pods, Some(&nowhere)).await;
    let answer = stage.ask("ann", "r").await;
    assert_eq!(answer.status, 503, "{answer:?}");
    stage.has_logged("Connection refused").await;

    let stage = Stage::start_with(Cluster::start().await, &pods, None).await;
    assert_eq!(stage.ask("ann", "r").await.status, 500);
    stage.has_logged("set `KUBECONFIG`").await;
    let kubeconfig = kubeconfig(&stage.cluster.url, super::cluster::TOKEN).to_string();
    stage.write("kubeconfig", &kubeconfig);
    stage.cluster.add("pod", Phase::Succeeded, &["main"]);
    assert_eq!(stage.ask("ann", "r").await.status, 200, "it is there now");
}
