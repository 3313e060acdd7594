//! The sidecar takes the configuration that the chart makes for it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use taskgate_test_kit::{DnsServer, ReservedAddress, SidecarHome, environment, wait_until};
use tempfile::TempDir;

use crate::Outcome;
use crate::gateways::PATIENCE;
use crate::rendered::{Rendered, VALUES};

/// `/etc/taskgate` as the pod has it: what its projected volume puts together.
pub(crate) fn directory(rendered: &Rendered) -> anyhow::Result<TempDir> {
    let directory = tempfile::tempdir()?;
    let volumes = rendered.pod()?["volumes"].as_array().context("no volumes")?;
    let config =
        volumes.iter().find(|volume| volume["name"] == "config").context("no volume with the configuration")?;
    for source in config["projected"]["sources"].as_array().into_iter().flatten() {
        if let Some(name) = source["configMap"]["name"].as_str() {
            let files = rendered.one("ConfigMap", name)?["data"].as_object().context("no files")?;
            for (file, text) in files {
                write(directory.path(), file, text.as_str().unwrap_or_default())?;
            }
        }
        for item in source["secret"]["items"].as_array().into_iter().flatten() {
            let path = item["path"].as_str().context("no path")?;
            write(directory.path(), path, secret(path))?;
        }
    }
    Ok(directory)
}

/// What would be in the Secret: a key of 32 bytes, or a text.
fn secret(path: &str) -> &'static str {
    if path.ends_with(".key") {
        "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA="
    } else if path.ends_with("store") {
        "sqlite:tasks.db"
    } else {
        "0123456789abcdef0123456789abcdef"
    }
}

fn write(directory: &Path, file: &str, text: &str) -> Outcome {
    let path = directory.join(file);
    fs::create_dir_all(path.parent().context("no directory")?)?;
    Ok(fs::write(path, text)?)
}

#[test]
fn the_sidecar_takes_its_configuration() -> Outcome {
    for values in VALUES {
        let rendered = Rendered::of(values)?;
        let directory = directory(&rendered)?;
        let file = directory.path().join("taskgate.yaml");
        let output = Command::new(environment::sidecar()?).args(["config", "check", "--config"]).arg(&file).output()?;
        ensure!(output.status.success(), "{values}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

#[test]
fn probes_and_services_go_where_the_sidecar_listens() -> Outcome {
    for values in VALUES {
        let rendered = Rendered::of(values)?;
        let config: Value = serde_saphyr::from_str(rendered.file("taskgate", "taskgate.yaml")?)?;
        let listens = |section: &str| config[section]["listen"].as_str().unwrap_or_default().to_owned();
        assert_eq!(listens("operations"), "0.0.0.0:7011", "{values}");
        let beside_envoy = rendered.of_kind("ConfigMap").any(|map| map["metadata"]["name"] == "taskgate-envoy");
        let internal = if beside_envoy { "127.0.0.1:7010" } else { "0.0.0.0:7010" };
        assert_eq!(listens("internal"), internal, "{values}");
        assert_eq!(config["internal"].get("secret_file").is_some(), !beside_envoy, "{values}");
        let refused = &config["discovery"]["refused_endpoints"];
        for port in [":8080", ":9901", ":9902"] {
            let is_named = refused.as_array().is_some_and(|refused| refused.iter().any(|named| named == port));
            assert_eq!(is_named, beside_envoy, "{values}: {refused}");
        }
        // Who asks must not have what opens the keys.
        let asked = config["forward_auth"].get("secret_file");
        assert!(asked.is_none() || asked != config["internal"].get("secret_file"), "{values}");
        let containers = rendered.containers()?;
        let sidecar = containers.iter().find(|container| container["name"] == "taskgate").context("no sidecar")?;
        let ports = sidecar["ports"].as_array().context("no ports")?;
        assert!(ports.iter().any(|port| port["name"] == "operations" && port["containerPort"] == 7011), "{values}");
    }
    Ok(())
}

/// Who waits longest for a start is the sidecar itself, for a provider that is down; then it is ready without it.
#[test]
fn nobody_gives_a_start_up_while_the_sidecar_still_waits() -> Outcome {
    for values in VALUES {
        let rendered = Rendered::of(values)?;
        let config: Value = serde_saphyr::from_str(rendered.file("taskgate", "taskgate.yaml")?)?;
        let waits = config["discovery"]["startup_secs"].as_u64().unwrap_or(60);
        let containers = rendered.containers()?;
        let sidecar = containers.iter().find(|container| container["name"] == "taskgate").context("no sidecar")?;
        let probe = &sidecar["startupProbe"];
        let patience = probe["periodSeconds"].as_u64().zip(probe["failureThreshold"].as_u64()).context("no bound")?;
        assert!(patience.0 * patience.1 >= waits + 60, "{values}: {probe}");
    }
    Ok(())
}

/// An ingress of another pod is never led to its own loopback.
#[tokio::test]
async fn what_the_sidecar_serves_itself_is_at_its_service() -> Outcome {
    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    let rendered = Rendered::of("forward-auth-full")?;
    let mut config: Value = serde_saphyr::from_str(rendered.file("taskgate", "taskgate.yaml")?)?;
    let name = "taskgate.taskgate.svc.cluster.example.test";
    for section in ["/access", "/tunnels", "/data/service"] {
        let address = config.pointer(section).map(|section| &section["address"]);
        assert_eq!(address, Some(&json!(format!("{name}:7012"))), "{section}");
    }
    let ports = rendered.one("Service", "taskgate")?["spec"]["ports"].as_array().context("no ports")?;
    assert!(ports.iter().any(|port| port["port"] == 7012 && port["targetPort"] == 7012), "{ports:?}");
    let elsewhere = Rendered::with("forward-auth-full", &["config.access.address=edge.example.test:80"])?;
    let elsewhere: Value = serde_saphyr::from_str(elsewhere.file("taskgate", "taskgate.yaml")?)?;
    assert_eq!(elsewhere["access"]["address"], "edge.example.test:80", "who names an address means it");

    let dns = DnsServer::start().await?;
    dns.set(name, &[[192, 0, 2, 7].into()], 60);
    let asked = ReservedAddress::new()?;
    for part in ["keys", "state", "data", "filter"] {
        config.as_object_mut().context("no sections")?.remove(part);
    }
    config["access"].as_object_mut().context("no access")?.remove("store_file");
    config["internal"] = json!({"secret": SECRET});
    config["forward_auth"] = json!({"listen": asked.address(), "secret": SECRET});
    config["dns"] = json!({"servers": [dns.address()]});
    let home = SidecarHome::new()?;
    home.write("services.yaml", "services: []")?;
    let _sidecar = home.start(&config.to_string()).await?;
    let own = async || {
        let question = reqwest::Client::new().get(format!("http://{}/v1/decide?for=haproxy", asked.address()));
        let question = question
            .header("x-taskgate-internal", SECRET)
            .header("x-forwarded-method", "GET")
            .header("x-forwarded-host", "access.tasks.example.test")
            .header("x-forwarded-uri", "/.taskgate/jwks.json");
        let answer = question.timeout(Duration::from_secs(5)).send().await.ok();
        answer.and_then(|answer| answer.headers().get("x-taskgate-upstream").cloned())
    };
    wait_until(PATIENCE, "the way to the sidecar", async || own().await.is_some()).await?;
    assert_eq!(own().await.context("no way")?, "192.0.2.7:7012");
    Ok(())
}
