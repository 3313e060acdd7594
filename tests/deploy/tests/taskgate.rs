//! The sidecar takes the configuration that the chart makes for it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use taskgate_test_kit::environment;
use tempfile::TempDir;

use crate::Outcome;
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
