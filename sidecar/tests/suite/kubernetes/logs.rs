//! What is read of pods.

use serde_json::json;

use super::cluster::Phase;
use super::stage::{Stage, file, row};

/// The messages of a text whose lines start with dates.
fn messages(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split_once(' ').expect("a date").1).collect()
}

#[tokio::test]
async fn a_pod_that_runs_is_followed_to_its_end() {
    let stage = Stage::start(&[("r", row("pod"))]).await;
    stage.cluster.add("pod", Phase::Running, &["main", "side"]);
    stage.cluster.write("pod", "one");
    let mut tail = stage.tail("r").await;
    assert_eq!(tail.line().await, "one");
    stage.cluster.write("pod", "two");
    assert_eq!(tail.line().await, "two");
    stage.cluster.write("pod", "three");
    stage.cluster.turn("pod", Phase::Succeeded);
    assert_eq!(tail.line().await, "three");
    assert_eq!(tail.next().await.0, "end");
    let pod = "/api/v1/namespaces/jobs/pods/pod";
    let log = format!("{pod}/log?container=main&follow=true&tailLines=1000&timestamps=true");
    assert_eq!(stage.cluster.asked(), [pod.to_owned(), log]);
}

#[tokio::test]
async fn a_pod_that_does_not_run_is_read_and_not_followed() {
    for phase in [Phase::Pending, Phase::Succeeded, Phase::Failed] {
        let stage = Stage::start(&[("r", row("pod"))]).await;
        stage.cluster.add("pod", phase, &["main"]);
        for number in 0..1_200 {
            stage.cluster.write("pod", &format!("line {number}"));
        }
        let answer = stage.ask("ann", "r").await;
        let expected: Vec<String> = (200..1_200).map(|number| format!("line {number}")).collect();
        assert_eq!((answer.status, messages(&answer.text)), (200, expected.iter().map(String::as_str).collect()));
        assert!(!stage.cluster.asked().iter().any(|asked| asked.contains("follow")), "{phase:?}");
    }
}

#[tokio::test]
async fn a_container_whose_start_is_known_is_read_from_there() {
    let started = json!({
        "namespace": "jobs", "pod": "pod", "container": "main", "started_at": "2026-01-02T03:04:05.900Z",
    });
    let stage = Stage::start(&[("r", started)]).await;
    stage.cluster.add("pod", Phase::Succeeded, &["main"]);
    let date = |text: &str| text.parse().expect("a date");
    stage.cluster.write_at("pod", date("2026-01-02T03:04:04Z"), "of another");
    stage.cluster.write_at("pod", date("2026-01-02T03:04:05.950000001Z"), "first");
    for _ in 0..1_200 {
        stage.cluster.write_at("pod", date("2026-01-02T03:04:06Z"), "more");
    }
    let answer = stage.ask("ann", "r").await;
    assert!(answer.text.starts_with("2026-01-02T03:04:05.950000001Z first\n"), "{}", &answer.text[..100]);
    assert_eq!(messages(&answer.text).len(), 1_201);
    let log = "/api/v1/namespaces/jobs/pods/pod/log?container=main&sinceTime=2026-01-02T03%3A04%3A05Z&timestamps=true";
    assert_eq!(stage.cluster.asked()[1], log);
}

#[tokio::test]
async fn long_lines_are_cut() {
    let stage = Stage::start(&[("r", row("pod"))]).await;
    stage.cluster.add("pod", Phase::Failed, &["main"]);
    stage.cluster.write("pod", &"x".repeat(1 << 20));
    stage.cluster.write("pod", "after");
    let answer = stage.ask("ann", "r").await;
    let [long, after] = messages(&answer.text)[..] else { panic!("two lines: {}", answer.text.len()) };
    assert!(long.len() < 64 && long.ends_with('…') && long.starts_with('x'), "{long}");
    assert_eq!(after, "after");
}

#[tokio::test]
async fn whoever_reads_no_more_is_not_read_for() {
    let stage = Stage::start(&[("r", row("pod"))]).await;
    stage.cluster.add("pod", Phase::Running, &["main"]);
    stage.cluster.write("pod", "one");
    let mut tail = stage.tail("r").await;
    assert_eq!(tail.line().await, "one");
    stage.cluster.has_readers(1).await;
    drop(tail);
    stage.cluster.has_readers(0).await;
}

#[tokio::test]
async fn pods_are_found_by_convention() {
    let mut catalog = file(&[]);
    let place = json!({"namespace": "{project}-{domain}", "pod": "{run}-{action}", "container": "main"});
    catalog["templates"] = json!({"log": {"kubernetes": place}});
    let cluster = super::cluster::Cluster::start().await;
    let kubeconfig = super::stage::kubeconfig(&cluster.url, super::cluster::TOKEN).to_string();
    let stage = Stage::start_with(cluster, &catalog, Some(&kubeconfig)).await;
    stage.cluster.add_in("p-d", "r1-a0", Phase::Succeeded, &["side", "main"]);
    let answer = stage.ask("ann", "r1").await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert!(stage.cluster.asked()[1].starts_with("/api/v1/namespaces/p-d/pods/r1-a0/log?container=main&"));
}
