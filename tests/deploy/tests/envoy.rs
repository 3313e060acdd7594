//! Envoy takes the configuration that the chart makes for it, and it is the one that all tests run.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use taskgate_jobs::{JobOptions, http, listen};
use taskgate_test_kit::{Envoy, Sidecar, SidecarHome, environment, wait_until};

use crate::Outcome;
use crate::gateways::{PATIENCE, services, visit};
use crate::rendered::{Rendered, chart};

#[test]
fn the_chart_has_the_configuration_that_is_tested() -> Outcome {
    let original = fs::read_to_string(environment::repository().join("envoy-config/static.yaml"))?;
    let copy = fs::read_to_string(chart().join("files/static.yaml"))?;
    assert!(original == copy, "run `make chart`");
    Ok(())
}

#[test]
fn envoy_takes_its_configuration() -> Outcome {
    for values in ["envoy", "envoy-full"] {
        let rendered = Rendered::of(values)?;
        let directory = tempfile::tempdir()?;
        let at = directory.path().to_str().context("no path")?;
        let filter = environment::filter()?;
        let text = rendered.file("taskgate-envoy", "envoy.yaml")?;
        let text = text.replace("/etc/taskgate/filter.wasm", filter.to_str().context("no path")?);
        let text = text.replace("/etc/envoy/", &format!("{at}/"));
        fs::write(directory.path().join("envoy.yaml"), text)?;
        if let Ok(certificate) = rendered.file("taskgate-envoy", "certificate.yaml") {
            fs::write(directory.path().join("certificate.yaml"), certificate)?;
        }
        let mut command = Command::new(environment::envoy()?);
        command.args(["--mode", "validate", "--log-level", "warning", "--config-path"]);
        let output = command.arg(directory.path().join("envoy.yaml")).output()?;
        ensure!(output.status.success(), "{values}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

#[test]
fn nothing_but_what_was_set_differs() -> Outcome {
    let text = fs::read_to_string(environment::repository().join("envoy-config/static.yaml"))?;
    let mut expected: Value = serde_saphyr::from_str(&text)?;
    let mut rendered: Value = serde_saphyr::from_str(Rendered::of("envoy")?.file("taskgate-envoy", "envoy.yaml")?)?;
    let named = |list: &mut Value, names: &[&str]| {
        if let Some(items) = list.as_array_mut() {
            items.retain(|item| !names.iter().any(|name| item["name"] == *name));
        }
    };
    named(&mut expected["static_resources"]["clusters"], &["hsds", "taskgate-tasks"]);
    let hosts = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts";
    named(expected.pointer_mut(hosts).context("no virtual hosts")?, &["taskgate-tasks"]);
    named(&mut rendered["static_resources"]["clusters"], &["taskgate-admin"]);
    named(&mut rendered["static_resources"]["listeners"], &["taskgate-status"]);
    assert_eq!(rendered, expected);
    Ok(())
}

/// The chart's configuration on free ports: everything else of it as it is.
fn on_free_ports(rendered: &Rendered, sidecar: SocketAddr) -> anyhow::Result<Value> {
    let text = rendered.file("taskgate-envoy", "envoy.yaml")?;
    let filter = environment::filter()?;
    let text = text.replace("/etc/taskgate/filter.wasm", filter.to_str().context("no path")?);
    let mut document: Value = serde_saphyr::from_str(&text)?;
    let free = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
    let listeners = document["static_resources"]["listeners"].as_array_mut().context("no listeners")?;
    for listener in listeners {
        listener["address"] = free.clone();
    }
    let admin = taskgate_test_kit::ReservedAddress::new()?;
    document["admin"]["address"] =
        json!({"socket_address": {"address": "127.0.0.1", "port_value": admin.address().port()}});
    let clusters = document["static_resources"]["clusters"].as_array_mut().context("no clusters")?;
    for (name, address) in [("taskgate-sidecar", sidecar), ("taskgate-admin", admin.address())] {
        let cluster = clusters.iter_mut().find(|cluster| cluster["name"] == name).context("no such cluster")?;
        let endpoint =
            cluster.pointer_mut("/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address");
        let endpoint = endpoint.context("no endpoint")?;
        *endpoint = json!({"address": address.ip(), "port_value": address.port()});
    }
    Ok(document)
}

#[tokio::test]
async fn a_pod_s_envoy_serves_and_tells_probes_and_metrics_alone() -> Outcome {
    let job = http::serve(listen(SocketAddr::from(([127, 0, 0, 1], 0))).await?, JobOptions { name: "A".to_owned() })?;
    let rendered = Rendered::of("envoy")?;
    let mut config: Value = serde_saphyr::from_str(rendered.file("taskgate", "taskgate.yaml")?)?;
    for part in ["keys", "state", "verdicts"] {
        config.as_object_mut().context("no sections")?.remove(part);
    }
    let home = SidecarHome::new()?;
    home.write("services.yaml", &services(job.address()))?;
    let sidecar: Sidecar = home.start(&config.to_string()).await?;
    let envoy = Envoy::start(on_free_ports(&rendered, sidecar.internal_address())?.to_string()).await?;
    let ingress = envoy.listener_address("taskgate").await?;
    let served =
        async || visit(ingress, "/", &[]).await.is_ok_and(|answer| answer == (200, "hello from A\n".to_owned()));
    wait_until(PATIENCE, "the job's answer", served).await?;
    let status = envoy.listener_address("taskgate-status").await?;
    let asks = |path: &'static str| async move {
        Ok::<_, anyhow::Error>(reqwest::get(format!("http://{status}{path}")).await?)
    };
    assert_eq!(asks("/ready").await?.text().await?.trim(), "LIVE");
    assert!(asks("/stats/prometheus").await?.text().await?.contains("envoy_http_downstream_rq_total"));
    for path in ["/config_dump", "/", "/stats", "/quitquitquit", "/ready/../config_dump"] {
        assert_eq!(asks(path).await?.status(), 404, "{path}");
    }
    let post = reqwest::Client::new().post(format!("http://{status}/ready")).send().await?;
    assert_eq!(post.status(), 404, "nothing can be changed from outside");
    Ok(())
}
