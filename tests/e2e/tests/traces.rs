//! One trace of a client's request: through Envoy and the filter into the sidecar, and on to whom the sidecar asks.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::any;
use serde_json::json;
use taskgate_test_kit::{CollectedSpan, Collector, wait_for};
use tokio::net::TcpListener;

use crate::support::ask::Ask;
use crate::support::service::{ALICE, Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, PATIENCE, jobs};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CLIENT: &str = "b7ad6b7169203331";

/// A platform that knows everybody as Alice; which traces it was asked in.
async fn platform() -> anyhow::Result<(SocketAddr, Arc<Mutex<Vec<String>>>)> {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let whoami = async |State(asked): State<Arc<Mutex<Vec<String>>>>, headers: HeaderMap| {
        let trace = headers.get("traceparent").and_then(|value| value.to_str().ok()).unwrap_or_default();
        asked.lock().map(|mut asked| asked.push(trace.to_owned())).ok();
        axum::Json(json!({"actor": "alice"}))
    };
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let address = listener.local_addr()?;
    let routes = Router::new().route("/whoami", any(whoami)).with_state(Arc::clone(&asked));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok((address, asked))
}

fn named<'a>(spans: &'a [CollectedSpan], name: &str) -> Option<&'a CollectedSpan> {
    spans.iter().find(|span| span.name == name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_and_all_that_it_causes_is_one_trace() -> Outcome {
    let collector = Collector::start().await?;
    let (address, asked) = platform().await?;
    let job = jobs::http("A").await?;
    let setup = Setup::new([Service::http("web").at(job.address())]).platform(address);
    let setup = setup.configure(|config| {
        config["telemetry"] = json!({"otlp": {"endpoint": collector.url(), "headers": ["x-tenant: research"]}});
    });
    let gateway = setup.start().await?;
    let parent = format!("00-{TRACE}-{CLIENT}-01");
    let ask = Ask::get(&host("web"), "/?secret=in-the-query").token(ALICE).header("traceparent", &parent);
    let answer = gateway.ingress.send(ask).await?;
    assert_eq!(answer.text(), "hello from A\n");
    let spans = wait_for(PATIENCE, "the trace", async || {
        let spans = collector.spans(TRACE);
        (named(&spans, "POST /internal/verdict").is_some() && spans.len() >= 2).then_some(spans)
    });
    let spans = spans.await?;
    let verdict = named(&spans, "POST /internal/verdict").cloned().unwrap_or_default();
    assert_eq!((verdict.parent_id.as_str(), verdict.attributes["service.name"].as_str()), (CLIENT, "taskgate"));
    assert_eq!(verdict.attributes["http.response.status_code"], "200");
    let callout = spans.iter().find(|span| span.parent_id == verdict.span_id).cloned().unwrap_or_default();
    assert_eq!(callout.attributes["server.port"], address.port().to_string());
    let asked = asked.lock().map(|asked| asked.clone()).unwrap_or_default();
    assert_eq!(asked, [format!("00-{TRACE}-{}-01", callout.span_id)]);
    // The log has it too, and nobody has what is secret.
    let line = gateway
        .sidecar
        .log()
        .lines()
        .find(|line| line.contains("\"verdict\"") && line.contains(TRACE))
        .map(ToOwned::to_owned);
    assert!(line.is_some(), "{}", gateway.sidecar.log());
    assert!(!collector.has_seen(ALICE) && !collector.has_seen("in-the-query"));
    assert!(collector.header("x-tenant").iter().all(|value| value == "research"));
    // What is no trace is none, and hurts nobody. (Another token, so that it is asked about.)
    let broken = Ask::get(&host("web"), "/").token("another-token").header("traceparent", "00-not-a-trace");
    assert_eq!(gateway.ingress.send(broken).await?.text(), "hello from A\n");
    Ok(())
}
