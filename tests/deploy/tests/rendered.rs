//! The chart, rendered.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use taskgate_test_kit::environment;

/// The values with which the chart is looked at: files of `deploy/helm/taskgate/ci`.
pub(crate) const VALUES: [&str; 7] =
    ["envoy", "envoy-full", "daemonset", "forward-auth", "forward-auth-full", "istio", "envoy-gateway"];

/// All resources that the chart makes of some values.
#[derive(Debug)]
pub(crate) struct Rendered(pub(crate) Vec<Value>);

impl Rendered {
    /// Of a file of values.
    pub(crate) fn of(values: &str) -> anyhow::Result<Self> {
        Self::with(values, &[])
    }

    /// The same with some of them set otherwise, as `a.b=c`.
    pub(crate) fn with(values: &str, set: &[&str]) -> anyhow::Result<Self> {
        let documents = helm(&["template", "taskgate"], values, set)?;
        let documents: Vec<Value> = serde_saphyr::from_multiple(&documents)?;
        let documents: Vec<Value> = documents.into_iter().filter(|document| !document.is_null()).collect();
        ensure!(!documents.is_empty(), "the chart makes nothing");
        Ok(Self(documents))
    }

    /// The one resource of that kind and name.
    pub(crate) fn one(&self, kind: &str, name: &str) -> anyhow::Result<&Value> {
        let mut found = self.of_kind(kind).filter(|document| document["metadata"]["name"] == name);
        let one = found.next().with_context(|| format!("no {kind} {name}"))?;
        ensure!(found.next().is_none(), "two of {kind} {name}");
        Ok(one)
    }

    pub(crate) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |document| document["kind"] == kind)
    }

    /// A file of a `ConfigMap`.
    pub(crate) fn file(&self, name: &str, file: &str) -> anyhow::Result<&str> {
        let map = self.one("ConfigMap", name)?;
        map["data"][file].as_str().with_context(|| format!("no {file} in {name}"))
    }

    /// The pod of the one workload.
    pub(crate) fn pod(&self) -> anyhow::Result<&Value> {
        let kinds = ["Deployment", "StatefulSet", "DaemonSet"];
        let mut workloads = kinds.iter().flat_map(|kind| self.of_kind(kind));
        let workload = workloads.next().context("no workload")?;
        ensure!(workloads.next().is_none(), "two workloads");
        Ok(&workload["spec"]["template"]["spec"])
    }

    /// Its containers, those that start first included.
    pub(crate) fn containers(&self) -> anyhow::Result<Vec<&Value>> {
        let pod = self.pod()?;
        let lists = ["initContainers", "containers"].into_iter().filter_map(|list| pod[list].as_array());
        Ok(lists.flatten().collect())
    }
}

/// Why the chart makes nothing of these values.
pub(crate) fn refusal(values: &str, set: &[&str]) -> anyhow::Result<String> {
    match helm(&["template", "taskgate"], values, set) {
        Ok(_) => bail!("rendered with {set:?}"),
        Err(error) => Ok(error.to_string()),
    }
}

/// Runs Helm on the chart with a file of values.
pub(crate) fn helm(arguments: &[&str], values: &str, set: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new(environment::deploy()?.join("bin/helm"));
    command.args(arguments).arg(chart()).arg("--values").arg(chart().join(format!("ci/{values}.yaml")));
    if arguments.first() == Some(&"template") {
        command.args(["--namespace", "taskgate"]);
    }
    for set in set {
        command.args(["--set", set]);
    }
    let output = command.output().context("can't run helm")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

pub(crate) fn chart() -> PathBuf {
    environment::repository().join("deploy/helm/taskgate")
}
