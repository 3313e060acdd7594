//! Ports in an Envoy that serves HTTP too, as the end of `tcp.yaml` says, with a sidecar that wants to see a secret.

use std::net::SocketAddr;

use anyhow::Context as _;
use serde_json::{Value, json};
use taskgate_test_kit::{ReservedAddress, environment, envoy_config, wait_for};

use super::block::Block;
use super::job::{Caller, Job};
use crate::support::ask::Ask;
use crate::support::gateway::Gateway;
use crate::support::service::{ALICE, Service, id};
use crate::support::setup::Setup;
use crate::support::{Outcome, PATIENCE, jobs, soon};

const SECRET: &str = "a-secret=of the sidecar";

/// A gateway whose Envoy takes ports as well.
async fn start(services: &[Service], xds: &ReservedAddress, ports: &Block) -> anyhow::Result<Gateway> {
    let (listen, filter) = (xds.address(), environment::filter()?);
    let setup = Setup::new(services.iter().cloned()).line(&format!("secret = {SECRET}")).configure(|config| {
        config["internal"] = json!({"secret": SECRET});
        config["state"] = json!({"directory": "state"});
        config["xds"] = json!({"listen": listen, "push_interval_ms": 10, "health_checks": {"enabled": false}});
        config["internal_task_gateway"] = json!({
            "gateway_ip": "127.0.0.1", "gateway_port_range_start": ports.first(),
            "gateway_port_range_end": ports.last(), "source_ranges": ["127.0.0.0/8"],
            "envoy": {"listen": "127.0.0.1", "filter_file": filter},
        });
    });
    let sidecar = setup.start_sidecar().await?;
    let ingress = setup.start_envoy_from("xds.yaml", sidecar.internal_address(), |document| join(document, listen));
    let ingress = ingress.await?;
    ingress.wait_for_table().await?;
    Ok(Gateway { sidecar, ingress, config: setup.config().clone() })
}

/// What of `tcp.yaml` belongs into an Envoy that has HTTP, with the secret.
fn join(document: &mut Value, xds: SocketAddr) -> anyhow::Result<()> {
    let tcp = envoy_config("tcp.yaml")?;
    for part in ["dynamic_resources", "deferred_stat_options", "overload_manager", "bootstrap_extensions"] {
        document[part] = tcp[part].clone();
    }
    let mut set = |place: &str, value: Value| {
        *document.pointer_mut(place).with_context(|| place.to_owned())? = value;
        anyhow::Ok(())
    };
    let plugin = "/bootstrap_extensions/0/typed_config/config";
    set(&format!("{plugin}/vm_config/code/local/filename"), json!(environment::filter()?))?;
    let lines = format!("cluster = taskgate-sidecar\nsecret = {SECRET}");
    set(&format!("{plugin}/configuration/value"), json!(lines))?;
    let shown = json!([{"key": "x-taskgate-internal", "value": SECRET}]);
    document["dynamic_resources"]["ads_config"]["grpc_services"][0]["initial_metadata"] = shown;
    let clusters = document.pointer_mut("/static_resources/clusters").and_then(Value::as_array_mut);
    let source = clusters.into_iter().flatten().find(|cluster| cluster["name"] == "taskgate-xds");
    let place = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
    let address = source.and_then(|source| source.pointer_mut(place)).context("no taskgate-xds")?;
    *address = json!({"address": xds.ip(), "port_value": xds.port()});
    Ok(())
}

async fn announced(gateway: &Gateway, task: &str) -> anyhow::Result<SocketAddr> {
    let found = wait_for(PATIENCE, "an address", async || {
        let ask = Ask::get("taskgate", "/internal/services").header("x-taskgate-internal", SECRET);
        let list = ask.send(gateway.sidecar.internal_address()).await.ok()?.json().ok()?;
        let service = list["services"].as_array()?.iter().find(|service| service["id"] == id(task))?.clone();
        service["tcp"]["address"].as_str()?.parse().ok()
    });
    found.await.with_context(|| format!("{}\n{}", gateway.sidecar.log(), gateway.ingress.envoy.log()))
}

#[tokio::test]
async fn a_port_that_comes_leaves_http_alone_and_both_show_the_secret() -> Outcome {
    let (web, socket, job) = (jobs::http("A").await?, jobs::websocket("W").await?, Job::start(b'T').await?);
    let services = [Service::http("web").at(web.address()), Service::websocket("ws").at(socket.address())];
    let (xds, ports) = (ReservedAddress::new()?, Block::take(8)?);
    let gateway = start(&services, &xds, &ports).await?;
    let mut open = gateway.ingress.websocket("ws", ALICE).await?;
    assert_eq!(open.say("before").await?, "W: before");

    let [web_service, ws_service] = services;
    let tcp = Service::tcp("db").access("public").at(job.address());
    gateway.publish(&[web_service.clone(), ws_service.clone(), tcp.clone()])?;
    let address = announced(&gateway, "db").await?;
    let called = wait_for(PATIENCE, "a connection to be let in", async || Caller::connect(address).await.ok());
    let (mut caller, name) = called.await?;
    assert_eq!(name, b'T');
    caller.echo("hello\n").await?;
    assert_eq!(gateway.ingress.visit("web", ALICE).await?.text(), "hello from A\n");
    assert_eq!(open.say("after").await?, "W: after");
    let log = gateway.ingress.envoy.log();
    assert!(!log.contains("another configuration takes over"), "{log}");

    // What was open before is looked after still.
    gateway.publish(&[web_service, ws_service.access("nobody"), tcp])?;
    let ended = async { while open.say("still").await.is_ok() {} };
    soon("the end of the connection", ended).await?;
    caller.echo("still there\n").await?;
    Ok(())
}
