//! Istio and Envoy Gateway, as far as that goes without them: their patches are put into an Envoy as they would put
//! them, with the filter configured in JSON, and the real Envoy serves with it.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};
use taskgate_core::naming::ServiceDigest;
use taskgate_jobs::{JobOptions, http, listen};
use taskgate_test_kit::{Envoy, EnvoyOptions, Sidecar, SidecarHome, environment, wait_until};

use crate::Outcome;
use crate::rendered::Rendered;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

const OPERATION: &str = "a6e04b98-bf982394-5103e8-55754a49";
const MANAGER: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A public service with a job at that address, and one for its owner.
pub(crate) fn services(job: SocketAddr) -> String {
    let service = |task: &str, access: &str| json!({"operation": OPERATION, "task": task, "service": "ui", "endpoints": [job], "access": access, "owner": "alice"});
    json!({"services": [service("open", "public"), service("closed", "owner")]}).to_string()
}

/// Asks for the public service; status and body.
pub(crate) async fn visit(ingress: SocketAddr, path: &str, headers: &[(&str, &str)]) -> anyhow::Result<(u16, String)> {
    ask(ingress, "open", path, headers).await
}

async fn ask(ingress: SocketAddr, task: &str, path: &str, headers: &[(&str, &str)]) -> anyhow::Result<(u16, String)> {
    let id = ServiceDigest::of(OPERATION, task, "ui").suffix(8).map(|id| id.to_string()).unwrap_or_default();
    let host = format!("{id}.tasks.example.test");
    let mut request = reqwest::Client::new().get(format!("http://{ingress}{path}")).header("host", host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.timeout(PATIENCE).send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

/// What a gateway has before anybody patches it: a connection manager with a router, and nothing it leads to.
#[derive(Debug)]
struct Gateway {
    manager: Value,
    clusters: Vec<Value>,
}

impl Gateway {
    fn new() -> Self {
        let router = json!({"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"});
        Self {
            manager: json!({
                "@type": MANAGER, "stat_prefix": "gateway",
                // As gateways have it; the patches have to change it.
                "normalize_path": true, "merge_slashes": true, "upgrade_configs": [{"upgrade_type": "websocket"}],
                "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
                "route_config": {"name": "http.80", "virtual_hosts": []},
            }),
            clusters: Vec::new(),
        }
    }

    /// Puts a filter before the router.
    fn insert(&mut self, filter: Value) -> Outcome {
        let filters = self.manager["http_filters"].as_array_mut().context("no filters")?;
        filters.insert(filters.len().saturating_sub(1), filter);
        Ok(())
    }

    fn add_host(&mut self, host: Value) -> Outcome {
        let hosts = self.manager.pointer_mut("/route_config/virtual_hosts").and_then(Value::as_array_mut);
        hosts.context("no virtual hosts")?.push(host);
        Ok(())
    }

    /// The filter as a gateway configures it: with the plugin's settings as JSON in a text.
    fn plugin(name: &str, settings: &Value, disabled: bool) -> anyhow::Result<Value> {
        Ok(json!({
            "name": name, "disabled": disabled,
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "config": {
                    "name": "taskgate", "failure_policy": "FAIL_RELOAD",
                    "vm_config": {
                        "runtime": "envoy.wasm.runtime.v8",
                        "code": {"local": {"filename": environment::filter()?}},
                    },
                    "configuration": {
                        "@type": "type.googleapis.com/google.protobuf.StringValue", "value": settings.to_string(),
                    },
                },
            },
        }))
    }

    /// Runs it beside a sidecar, with the secret in the proxy's environment, as operators put it there.
    async fn start(mut self, sidecar: SocketAddr) -> anyhow::Result<Envoy> {
        let own = self.clusters.iter_mut().find(|cluster| cluster["name"] == "taskgate-sidecar");
        let own = own.context("no way to the sidecar")?;
        let endpoint = own.pointer_mut("/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address");
        let endpoint = endpoint.context("no endpoint")?;
        assert_eq!(endpoint, &json!({"address": "taskgate.taskgate.svc.cluster.local", "port_value": 7010}));
        *endpoint = json!({"address": sidecar.ip(), "port_value": sidecar.port()});
        let directory = tempfile::tempdir()?;
        let program = directory.path().join("envoy");
        let envoy = environment::envoy()?;
        let script = format!("#!/bin/sh\nTASKGATE_INTERNAL_SECRET={SECRET} exec {} \"$@\"\n", envoy.display());
        fs::write(&program, script)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700))?;
        let free = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
        let manager = json!({"name": "envoy.filters.network.http_connection_manager", "typed_config": self.manager});
        let document = json!({
            "admin": {"address": free},
            "static_resources": {
                "listeners": [{"name": "gateway", "address": free, "filter_chains": [{"filters": [manager]}]}],
                "clusters": self.clusters,
            },
        });
        let options = EnvoyOptions { program: Some(program), ..EnvoyOptions::default() };
        Envoy::start_with(document.to_string(), options).await
    }
}

async fn sidecar(job: SocketAddr) -> anyhow::Result<Sidecar> {
    let home = SidecarHome::new()?;
    home.write("services.yaml", &services(job))?;
    let config = json!({
        "gate": {"base_domains": ["tasks.example.test"]}, "internal": {"secret": SECRET},
        "providers": [{"file": {"path": "services.yaml"}}],
    });
    home.start(&config.to_string()).await
}

/// What a visitor of such a gateway notices.
async fn serves(gateway: Gateway) -> Outcome {
    let job = http::serve(listen(SocketAddr::from(([127, 0, 0, 1], 0))).await?, JobOptions { name: "A".to_owned() })?;
    let sidecar = sidecar(job.address()).await?;
    let envoy = gateway.start(sidecar.internal_address()).await?;
    let ingress = envoy.listener_address("gateway").await?;
    let served =
        async || visit(ingress, "/", &[]).await.is_ok_and(|answer| answer == (200, "hello from A\n".to_owned()));
    wait_until(PATIENCE, "the job's answer", served).await?;
    let spoofed = job.address().to_string();
    assert_eq!(ask(ingress, "closed", "/", &[("x-taskgate-up1", &spoofed)]).await?.0, 401);
    assert_eq!(ask(ingress, "nobody", "/", &[("x-taskgate-up1", &spoofed)]).await?.0, 404);
    let (_, seen) = visit(ingress, "/a//b%2Fc?d=1", &[("x-forwarded-user", "root")]).await?;
    let seen: Value = serde_json::from_str(&seen)?;
    assert_eq!(seen["target"], "/a//b%2Fc?d=1", "the path as the client sent it");
    assert!(!seen["headers"].to_string().contains("root") && !seen["headers"].to_string().contains("x-taskgate-up1"));
    Ok(())
}

/// Puts these in place of what is there, as JSON patches do.
fn replace(into: &mut Value, from: &Value) {
    let (Some(into), Some(from)) = (into.as_object_mut(), from.as_object()) else { return };
    into.extend(from.iter().map(|(key, value)| (key.clone(), value.clone())));
}

/// Adds these to what is there, as Istio merges messages: lists grow, what is in both is merged, and nothing is turned
/// off.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(from)) => into.extend(from.iter().cloned()),
        (Value::Bool(_), Value::Bool(false)) => {}
        (into, from) => *into = from.clone(),
    }
}

#[tokio::test]
async fn istio_s_patches_make_a_gateway_that_serves() -> Outcome {
    let rendered = Rendered::of("istio")?;
    let plugin = rendered.one("WasmPlugin", "taskgate")?;
    assert_eq!(plugin["spec"]["failStrategy"], "FAIL_RELOAD");
    let mut gateway = Gateway::new();
    // By `pathNormalization`, as the guide asks for: a merge could not.
    replace(&mut gateway.manager, &json!({"normalize_path": false, "merge_slashes": false}));
    gateway.insert(Gateway::plugin("istio-system.taskgate", &plugin["spec"]["pluginConfig"], false)?)?;
    let patches = rendered.one("EnvoyFilter", "taskgate")?["spec"]["configPatches"].as_array().context("no patches")?;
    for patch in patches {
        let (at, what) = (&patch["applyTo"], &patch["patch"]);
        let value = what["value"].clone();
        match (at.as_str().unwrap_or_default(), what["operation"].as_str().unwrap_or_default()) {
            ("NETWORK_FILTER", "MERGE") => merge(&mut gateway.manager, &value["typed_config"]),
            ("HTTP_FILTER", "INSERT_BEFORE") => gateway.insert(value)?,
            ("ROUTE_CONFIGURATION", "MERGE") => merge(&mut gateway.manager["route_config"], &value),
            ("VIRTUAL_HOST", "ADD") => gateway.add_host(value)?,
            ("CLUSTER", "ADD") => gateway.clusters.push(value),
            other => bail!("a patch that this test does not know: {other:?}"),
        }
    }
    serves(gateway).await
}

#[tokio::test]
async fn envoy_gateway_s_patches_make_a_gateway_that_serves() -> Outcome {
    let rendered = Rendered::of("envoy-gateway")?;
    let policy = rendered.one("EnvoyExtensionPolicy", "taskgate")?;
    let extension = &policy["spec"]["wasm"][0];
    assert_eq!(extension["failOpen"], false);
    let mut gateway = Gateway::new();
    // The name that Envoy Gateway gives it, by which the virtual host turns it on.
    let name = "envoy.filters.http.wasm/envoyextensionpolicy/taskgate/taskgate/wasm/0";
    gateway.insert(Gateway::plugin(name, &extension["config"], true)?)?;
    let patches = rendered.one("EnvoyPatchPolicy", "taskgate")?["spec"]["jsonPatches"].as_array();
    let mut settings = Map::new();
    for patch in patches.context("no patches")? {
        let operation = &patch["operation"];
        let kind = patch["type"].as_str().and_then(|kind| kind.rsplit('.').next()).unwrap_or_default();
        let (place, path) = (operation["jsonPath"].as_str().unwrap_or_default(), operation["path"].as_str());
        let value = operation["value"].clone();
        match (kind, path) {
            ("Cluster", Some("")) => gateway.clusters.push(value),
            ("RouteConfiguration", Some("/virtual_hosts/-")) => gateway.add_host(value)?,
            ("Listener", Some("failure_policy")) => {
                assert!(place.contains(name), "{place}");
                assert_eq!(value, "FAIL_RELOAD");
            }
            ("Listener", Some(key)) => _ = settings.insert(key.to_owned(), value),
            ("Listener", None) => {
                assert!(place.ends_with(r#"http_filters[?(@.name=="envoy.filters.http.router")]"#), "{place}");
                gateway.insert(value)?;
            }
            other => bail!("a patch that this test does not know: {other:?}"),
        }
    }
    replace(&mut gateway.manager, &Value::Object(settings));
    serves(gateway).await
}
