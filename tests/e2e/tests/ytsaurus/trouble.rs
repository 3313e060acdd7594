//! What goes wrong in one operation stays there; what changes is followed.

use serde_json::Value;
use taskgate_emulators::yson::Yson;
use taskgate_jobs::grpc::EchoClient;
use taskgate_test_kit::ReservedAddress;

use crate::support::ask::{Answer, Ask};
use crate::support::cluster::{self, EVERY_PORT, Name, host, job, job_at, operation, tasks_info, yson};
use crate::support::ingress::message;
use crate::support::load::Load;
use crate::support::service::ALICE;
use crate::support::setup::Setup;
use crate::support::{Outcome, PATIENCE, jobs, soon};

const TABLE: &str = "//sys/task_proxies/services";

#[tokio::test]
async fn a_bad_operation_costs_itself_alone() -> Outcome {
    let (cluster, handle) = (cluster::start().await?, jobs::http_on(2, "A").await?);
    // Each of these stopped all updates for everybody, or dropped its whole operation.
    for ports in ["[70000]", "[-1]", "[0]", "[\"x\"]", "{}", "[]", "#"] {
        let id = cluster.add_operation(operation(EVERY_PORT)?);
        cluster.add_job(id, job("web", &handle).ports_as(yson(ports)?));
    }
    for annotation in [
        "{task_proxy={enabled=%false}}",
        "{task_proxy={enabled=yes}}",
        "{task_proxy=[1;2]}",
        "{task_proxy={enabled=%true; tasks_info={web={a={port_index=9}; b={protocol=smtp; port_index=0}}}}}",
        "{task_proxy={enabled=%true; tasks_info={\"\"={\"\"={port_index=0}}}}}",
        "{is_spark=%true; description={\"Spark over YT\"={discovery_path=\"//nowhere\"}}}",
    ] {
        let id = cluster.add_operation(operation(annotation)?);
        cluster.add_job(id, job("web", &handle));
    }
    let mixed = Name::new(cluster.add_operation(operation(EVERY_PORT)?), "web", "port_0");
    cluster.add_job(mixed.operation, job("web", &handle));
    // Beside a job that just ended, one that listings still have, and one whose node is gone.
    let ended = cluster.add_job(mixed.operation, job_at("web", ([127, 0, 0, 9], 7).into()));
    let stale = cluster.add_job(mixed.operation, job_at("web", ([127, 0, 0, 9], 8).into()));
    cluster.set_job_active(ended, false);
    cluster.mark_stale(stale);
    let gateway = Setup::cluster(&cluster).start().await?;
    for _ in 0..10 {
        let answer = gateway.ingress.send(mixed.get("/", ALICE)).await?;
        assert_eq!((answer.denial(), answer.text().as_str()), ((200, ""), "hello from A\n"));
    }
    // What comes later arrives.
    let later = Name::new(cluster.add_operation(operation(EVERY_PORT)?), "web", "port0");
    cluster.add_job(later.operation, job("web", &handle));
    gateway.ingress.answers("a new service", || later.get("/", ALICE), Answer::is_ok).await?;
    // The table is written as well. It has what waits for a good port, and nothing that makes no sense.
    let rows = async || cluster.rows(TABLE).is_some_and(|rows| rows.len() == 7);
    taskgate_test_kit::wait_until(PATIENCE, "the table", rows).await?;
    for row in cluster.rows(TABLE).unwrap_or_default() {
        let text = |column: &str| row.field(column).and_then(Yson::as_str).unwrap_or_default();
        assert!(matches!((text("task_name"), text("service")), ("web", "port_0" | "a")), "{row:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_job_that_the_cluster_still_lists_fails_no_request() -> Outcome {
    let (cluster, alive, dies) = (cluster::start().await?, jobs::http_on(2, "A").await?, jobs::http_on(3, "B").await?);
    let web = Name::new(cluster.add_operation(operation(EVERY_PORT)?), "web", "port_0");
    let dead = ReservedAddress::new()?;
    cluster.add_job(web.operation, job("web", &alive));
    cluster.add_job(web.operation, job("web", &dies));
    cluster.add_job(web.operation, job_at("web", dead.address()));
    let gateway = Setup::cluster(&cluster).start().await?;
    let host = web.host();
    let load = Load::start(gateway.ingress.address, 2, move || Ask::get(&host, "/").token(ALICE));
    load.reached(100).await?;
    dies.kill().await;
    load.reached(400).await?;
    let tally = load.end().await?;
    assert_eq!(tally.failures(), [""; 0]);
    assert!(tally.answered("hello from A\n") > 0 && tally.answered("hello from B\n") > 0, "{tally:?}");
    Ok(())
}

#[tokio::test]
async fn a_protocol_that_changes_is_followed() -> Outcome {
    let (cluster, handle) = (cluster::start().await?, jobs::grpc("G").await?);
    let with = |protocol: &str| tasks_info(&format!("{{greeter={{api={{protocol={protocol}; port_index=0}}}}}}"));
    let api = Name::new(cluster.add_operation(operation(&with("http"))?), "greeter", "api");
    cluster.add_job(api.operation, job("greeter", &handle));
    let gateway = Setup::cluster(&cluster).start().await?;
    let mut client = EchoClient::connect(gateway.ingress.address, Some(&api.host())).await?;
    assert!(soon("a refusal", client.unary(message("hi", ALICE)?)).await?.is_err(), "HTTP/1.1 to a gRPC job");
    cluster.set_annotations(api.operation, yson(&with("grpc"))?);
    let called = async || match message("hi", ALICE) {
        Ok(request) => client.unary(request).await.is_ok(),
        Err(_) => false,
    };
    taskgate_test_kit::wait_until(PATIENCE, "the job to be spoken to in HTTP/2", called).await?;
    let row = async || {
        let rows = cluster.rows(TABLE).unwrap_or_default();
        matches!(rows.as_slice(), [row] if row.field("protocol").and_then(Yson::as_str) == Some("grpc"))
    };
    taskgate_test_kit::wait_until(PATIENCE, "the table to say so", row).await
}

#[tokio::test]
async fn no_answer_is_too_slow_whatever_an_annotation_says() -> Outcome {
    let (cluster, handle) = (cluster::start().await?, jobs::http_on(2, "A").await?);
    let short = "{task_proxy={enabled=%true; route_timeout_seconds=1; stream_idle_timeout_seconds=1}}";
    let web = Name::new(cluster.add_operation(operation(short)?), "web", "port_0");
    cluster.add_job(web.operation, job("web", &handle));
    let gateway = Setup::cluster(&cluster).start().await?;
    let answer = gateway.ingress.send(web.get("/slow?ms=1500", ALICE)).await?;
    assert_eq!(answer.text(), "hello from A\n");
    // Task proxy and Envoy by themselves cut after 15 s. Every route that leads to a job says that it does not.
    let dump: Value =
        serde_json::from_str(&gateway.ingress.envoy.admin("config_dump?resource=static_route_configs").await?)?;
    let hosts = dump["configs"][0]["route_config"]["virtual_hosts"].as_array().cloned().unwrap_or_default();
    let of_services = hosts.iter().filter(|host| host["name"] != "taskgate-tasks");
    let routes: Vec<&Value> = of_services.filter_map(|host| host["routes"].as_array()).flatten().collect();
    let leads_to_jobs = |route: &&&Value| route["route"]["cluster"] != "taskgate-none";
    assert_eq!(routes.iter().filter(leads_to_jobs).count(), 4, "{dump}");
    for route in routes.iter().filter(leads_to_jobs) {
        assert_eq!(route["route"]["timeout"], "0s");
        assert_eq!(route["route"]["max_stream_duration"]["max_stream_duration"], "0s");
    }
    Ok(())
}

#[tokio::test]
async fn aliases_make_host_names_only_where_they_can() -> Outcome {
    let (cluster, handle) = (cluster::start().await?, jobs::http_on(2, "A").await?);
    let annotation = tasks_info("{web={ui={port_index=0}}}");
    let (long, longest) = ("a".repeat(57), "b".repeat(56));
    // An alias, and the label that it makes.
    let aliases = [
        ("*my-app", Some("my-app-web-ui".to_owned())),
        ("*under_score", Some("under_score-web-ui".to_owned())),
        ("plain", Some("plain-web-ui".to_owned())),
        (longest.as_str(), Some(format!("{longest}-web-ui"))),
        (long.as_str(), None),
        ("", None),
        ("*", None),
        ("*a b", None),
        ("*ы", None),
    ];
    let mut names = Vec::new();
    for (alias, label) in aliases {
        let name = Name::new(cluster.add_operation(operation(&annotation)?.alias(alias)), "web", "ui");
        cluster.add_job(name.operation, job("web", &handle));
        names.push((name, alias, label));
    }
    let gateway = Setup::cluster(&cluster).start().await?;
    for (name, alias, label) in &names {
        assert_eq!(gateway.ingress.send(name.get("/", ALICE)).await?.text(), "hello from A\n", "{alias}");
        if let Some(label) = label {
            let answer = gateway.ingress.send(Ask::get(&host(label), "/").token(ALICE)).await?;
            assert_eq!(answer.text(), "hello from A\n", "{label}");
        }
    }
    // One letter too many makes no name.
    let answer = gateway.ingress.send(Ask::get(&host(&format!("{long}-web-ui")), "/").token(ALICE)).await?;
    assert!(!answer.is_ok(), "{}", answer.text());
    Ok(())
}
