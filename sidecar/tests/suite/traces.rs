//! Traces of a sidecar, and a collector that is away.

use std::time::Duration;

use taskgate_test_kit::{BlackHole, Collector};

use crate::kit::{Sidecar, bearer, tokens};

const PATIENCE: Duration = Duration::from_secs(20);

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn otlp(endpoint: &str, rest: &str) -> String {
    format!("telemetry: {{otlp: {{endpoint: \"{endpoint}\", timeout_ms: 500{rest}}}}}")
}

async fn ask(sidecar: &Sidecar, parent: &str) -> u16 {
    let url = sidecar.internal("/internal/services?token=in-the-query");
    let asked = sidecar.client.get(url).header("traceparent", parent).header("authorization", "Bearer s3cret");
    asked.send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn what_waits_is_sent_at_the_end_and_has_no_secrets() {
    let collector = Collector::start().await.expect("a collector");
    let sidecar = Sidecar::start(&otlp(&collector.url(), ", service_name: gate, headers: [\"x-key: k3y\"]")).await;
    assert_eq!(ask(&sidecar, PARENT).await, 200);
    sidecar.end().await;
    let spans = collector.spans(TRACE);
    let [span] = &spans[..] else { panic!("one part: {spans:?}") };
    assert_eq!((span.name.as_str(), span.parent_id.as_str()), ("GET /internal/services", "b7ad6b7169203331"));
    assert_eq!((&*span.attributes["service.name"], &*span.attributes["http.route"]), ("gate", "/internal/services"));
    assert!(!collector.has_seen("in-the-query") && !collector.has_seen("s3cret"));
    assert_eq!(collector.header("x-key").first().map(String::as_str), Some("k3y"));
}

/// The traces that are kept of requests which come without one, with what is none, with one that is not kept and with
/// one that is.
async fn kept(rest: &str) -> (usize, usize) {
    let collector = Collector::start().await.expect("a collector");
    let sidecar = Sidecar::start(&otlp(&collector.url(), rest)).await;
    let unkept = PARENT.replace("-01", "-00");
    for parent in ["", "00-broken", &unkept, PARENT] {
        assert_eq!(ask(&sidecar, parent).await, 200, "{parent}");
    }
    sidecar.end().await;
    (collector.spans(TRACE).len(), collector.count())
}

#[tokio::test]
async fn clients_do_not_decide_which_traces_are_kept() {
    assert_eq!(kept(", sample_ratio: 0").await, (0, 0));
    assert_eq!(kept(", sample_ratio: 1").await, (2, 4));
}

#[tokio::test]
async fn whoever_called_decides_where_that_is_said_and_the_ratio_where_nobody_did() {
    assert_eq!(kept(", sample_ratio: 0, trust_incoming: true").await, (1, 1));
    assert_eq!(kept(", sample_ratio: 1, trust_incoming: true").await, (1, 3));
}

#[tokio::test]
async fn a_trace_id_that_is_chosen_well_is_kept_no_more_often() {
    let collector = Collector::start().await.expect("a collector");
    let sidecar = Sidecar::start(&otlp(&collector.url(), ", sample_ratio: 0.000001")).await;
    // Of these a ratio of ids would keep all.
    let least = "00-00000000000000010000000000000000-b7ad6b7169203331-01";
    for _ in 0..50 {
        assert_eq!(ask(&sidecar, least).await, 200);
    }
    sidecar.end().await;
    assert!(collector.count() < 2, "{}", collector.count());
}

#[tokio::test]
async fn a_method_is_one_that_is_known() {
    let collector = Collector::start().await.expect("a collector");
    let sidecar = Sidecar::start(&otlp(&collector.url(), "")).await;
    let method = reqwest::Method::from_bytes(b"CLIENTS-TEXT").expect("a method");
    let asked = sidecar.client.request(method, sidecar.internal("/internal/services")).header("traceparent", PARENT);
    assert_eq!(asked.send().await.expect("an answer").status(), 405);
    sidecar.end().await;
    let spans = collector.spans(TRACE);
    let [span] = &spans[..] else { panic!("one part: {spans:?}") };
    assert_eq!((&*span.name, &*span.attributes["http.request.method"]), ("_OTHER /internal/services", "_OTHER"));
    assert!(!collector.has_seen("CLIENTS-TEXT"));
}

#[tokio::test]
async fn a_collector_that_is_away_hurts_nobody() {
    let nowhere = BlackHole::open().await.expect("a hole");
    let address = nowhere.address().expect("an address");
    let sidecar = Sidecar::start(&otlp(&format!("http://{address}"), "")).await;
    // More than may wait to be sent.
    for _ in 0..5_000 {
        assert_eq!(ask(&sidecar, PARENT).await, 200);
    }
    let ended = tokio::time::timeout(PATIENCE, sidecar.end()).await;
    assert!(ended.is_ok(), "the end waits for no collector");
}

#[tokio::test]
async fn dashboards_of_task_proxy_find_their_numbers_beside_ours() {
    let sidecar = Sidecar::start(&tokens(&[("alice", "")])).await;
    assert_eq!(sidecar.outcome(bearer("token-of-alice")).await, "alice");
    assert_eq!(sidecar.outcome(bearer("token-of-alice")).await, "alice");
    let (status, text) = sidecar.get(sidecar.operations("/metrics/prometheus")).await;
    for line in [
        "yt_task_proxy_auth_success_total{reason=\"authorized\"} 2\n",
        "yt_task_proxy_auth_cache_hits_total 1\n",
        "yt_task_proxy_discovery_failed_total{reason=\"infra_unavailable\"} 0\n",
        "taskgate_verdict_cache_hits_total 1\n",
    ] {
        assert!(status == 200 && text.contains(line), "{line} is not in\n{text}");
    }
    assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1);
    assert!(!sidecar.get(sidecar.operations("/metrics")).await.1.contains("yt_task_proxy"));
}
