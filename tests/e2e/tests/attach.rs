//! The filter attached to one virtual host of a listener that has others.

use anyhow::Context as _;
use serde_json::{Value, json};
use taskgate_jobs::JobHandle;
use taskgate_test_kit::Sidecar;

use crate::support::ask::{Ask, next_part};
use crate::support::ingress::{Ingress, handshake_at};
use crate::support::service::{ALICE, BASE_DOMAIN, Service, host};
use crate::support::setup::Setup;
use crate::support::stage::Stage;
use crate::support::{Outcome, jobs, soon};

/// The other virtual host.
const OTHER: &str = "other.example.test";

const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// An Envoy that had a virtual host of its own before Taskgate came.
struct Shared {
    ingress: Ingress,
    job: JobHandle,
    _sidecar: Sidecar,
}

impl Shared {
    async fn start(upstream: std::net::SocketAddr) -> anyhow::Result<Self> {
        let job = jobs::http("A").await?;
        let setup = Setup::new([Service::http("web").at(job.address())]).one_worker().mortal()?;
        let sidecar = setup.start_sidecar().await?;
        let ingress = setup.start_envoy_with(sidecar.internal_address(), |document| attach(document, upstream)).await?;
        ingress.wait_for_table().await?;
        Ok(Self { ingress, job, _sidecar: sidecar })
    }
}

/// As the end of `static.yaml` says, with the other virtual host and its cluster there already.
fn attach(document: &mut Value, upstream: std::net::SocketAddr) -> Outcome {
    let hosts = document.pointer_mut(&format!("{MANAGER}/route_config/virtual_hosts")).context("no virtual hosts")?;
    let hosts = hosts.as_array_mut().context("no list of virtual hosts")?;
    let ours = hosts.first_mut().context("no virtual host")?;
    ours["domains"] = json!([BASE_DOMAIN, format!("*.{BASE_DOMAIN}")]);
    let routes = json!([{"match": {"prefix": "/"}, "route": {"cluster": "other", "timeout": "0s"}}]);
    hosts.push(json!({"name": "other", "domains": [OTHER], "routes": routes}));
    let endpoint = json!({"address": upstream.ip(), "port_value": upstream.port()});
    let endpoint = json!({"endpoint": {"address": {"socket_address": endpoint}}});
    let clusters = document.pointer_mut("/static_resources/clusters").and_then(Value::as_array_mut);
    clusters.context("no clusters")?.push(json!({
        "name": "other", "type": "STATIC", "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "other", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }));
    Ok(())
}

#[tokio::test]
async fn another_virtual_host_is_as_it_was_and_ours_is_guarded() -> Outcome {
    let mut upstream = Stage::open().await?;
    let shared = Shared::start(upstream.address()).await?;
    let ingress = &shared.ingress;
    assert!(ingress.visit("web", ALICE).await?.is_ok());
    assert_eq!(ingress.send(Ask::get(&host("web"), "/")).await?.denial(), (401, "credential-missing"));
    let counted = [ingress.counter("requests.permitted").await?, ingress.counter("verdicts.asked").await?];

    // What Taskgate would take away stays: it is none of its business there.
    let kept = [
        ("authorization", format!("Bearer {ALICE}")),
        ("cookie", "YTCypressCookie=theirs; a=1".to_owned()),
        ("x-forwarded-user", "theirs".to_owned()),
        ("x-yt-user-name", "theirs".to_owned()),
        ("x-yt-taskproxy-id", "theirs".to_owned()),
    ];
    let ask = kept.iter().fold(Ask::get(OTHER, "/a/../b?q=%2F"), |ask, (name, value)| ask.header(name, value));
    let (answer, visit) =
        tokio::join!(ingress.send(ask.header("x-taskgate-up1", shared.job.address().to_string())), async {
            let visit = upstream.next().await?;
            let kept: Vec<_> = kept.iter().map(|(name, _)| visit.head.all(name).join("|")).collect();
            let line = visit.head.line.clone();
            visit.answer("200 OK", "", "from the other").await?;
            Ok::<_, anyhow::Error>((line, kept))
        });
    let (line, seen) = visit?;
    assert_eq!(answer?.text(), "from the other");
    assert_eq!(line, "GET /a/../b?q=%2F HTTP/1.1");
    assert_eq!(seen, kept.map(|(_, value)| value));
    let after = [ingress.counter("requests.permitted").await?, ingress.counter("verdicts.asked").await?];
    assert_eq!(after, counted, "the other host's request never entered the filter");
    assert_eq!(ingress.send(Ask::get("neither.example.test", "/")).await?.status, 404, "Envoy knows no such host");
    Ok(())
}

#[tokio::test]
async fn limits_of_the_listener_do_not_reach_what_was_permitted() -> Outcome {
    let mut upstream = Stage::open().await?;
    let mut job = Stage::open().await?;
    let setup = Setup::new([Service::http("web").at(job.address())]);
    let sidecar = setup.start_sidecar().await?;
    let with_limits = |document: &mut Value| {
        attach(document, upstream.address())?;
        let manager = document.pointer_mut(MANAGER).context("no connection manager")?;
        manager["stream_idle_timeout"] = json!("1s");
        manager["common_http_protocol_options"] = json!({"max_stream_duration": "2s"});
        Ok(())
    };
    let ingress = setup.start_envoy_with(sidecar.internal_address(), with_limits).await?;
    ingress.wait_for_table().await?;
    let (mut ours, mut other) = (ingress.http1().await?, ingress.http1().await?);
    let begin = async |stage: &mut Stage| {
        let mut visit = stage.next().await?;
        visit.begin("text/event-stream").await?;
        visit.wire.write_chunk("before").await?;
        Ok::<_, anyhow::Error>(visit)
    };
    let (answer, visit) = tokio::join!(ours.open(Ask::get(&host("web"), "/").token(ALICE)), begin(&mut job));
    let (mut ours, mut source) = (answer?.into_body(), visit?);
    // The other one outlives the idle limit by its events and ends at the limit of its length. Ours began
    // before it and had nothing to say in all that time.
    let (answer, visit) = tokio::join!(other.open(Ask::get(OTHER, "/")), begin(&mut upstream));
    let (mut other, mut other_source) = (answer?.into_body(), visit?);
    while soon("the limit", next_part(&mut other)).await?.is_ok() {
        other_source.wire.write_chunk("event").await.ok();
    }
    assert_eq!(next_part(&mut ours).await?, "before");
    source.wire.write_chunk("after").await?;
    assert_eq!(next_part(&mut ours).await?, "after");
    Ok(())
}

#[tokio::test]
async fn websockets_of_another_virtual_host_work() -> Outcome {
    let upstream = jobs::websocket("W").await?;
    let shared = Shared::start(upstream.address()).await?;
    let mut socket = shared.ingress.websocket_with(handshake_at(OTHER, None)?).await?;
    assert_eq!(socket.say("hi").await?, "W: hi");
    Ok(())
}

#[tokio::test]
async fn another_virtual_host_does_not_notice_the_death_of_the_filter() -> Outcome {
    let mut upstream = Stage::open().await?;
    let shared = Shared::start(upstream.address()).await?;
    let ingress = &shared.ingress;
    let mut link = ingress.http1().await?;
    // The header that kills the filter is an ordinary header here.
    let (answer, visit) = tokio::join!(link.open(Ask::get(OTHER, "/").header("x-fault", "trap")), async {
        let mut visit = upstream.next().await?;
        visit.begin("text/event-stream").await?;
        visit.wire.write_chunk("before").await?;
        Ok::<_, anyhow::Error>(visit)
    });
    let (mut stream, mut source) = (answer?.into_body(), visit?);
    assert_eq!(next_part(&mut stream).await?, "before");
    assert_eq!(ingress.send(Ask::get(&host("web"), "/").header("x-fault", "trap")).await?.status, 503);
    source.wire.write_chunk("after").await?;
    assert_eq!(soon("the stream to go on", next_part(&mut stream)).await??, "after");
    Ok(())
}
