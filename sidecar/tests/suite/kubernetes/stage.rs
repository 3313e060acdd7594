//! A sidecar as it is started, whose `KUBECONFIG` leads to the server that stands in for a cluster.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use taskgate_test_kit::{wait_for, wait_until};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::PATIENCE;
use super::cluster::{Cluster, TOKEN};
use crate::kit::{SERVICES, config, tokens};

/// A running sidecar. `ann` writes to project `p`, and so to its domain `d`; `eve` has nothing there.
pub(super) struct Stage {
    pub(super) cluster: Cluster,
    client: reqwest::Client,
    public: String,
    directory: TempDir,
    _program: Child,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) text: String,
}

/// A log as it comes.
pub(super) struct Tail {
    response: reqwest::Response,
    waiting: String,
}

impl Stage {
    /// Starts both. The log of each run is the pod that these rows say, by the names of runs.
    pub(super) async fn start(pods: &[(&str, Value)]) -> Self {
        let cluster = Cluster::start().await;
        let kubeconfig = kubeconfig(&cluster.url, TOKEN);
        Self::start_with(cluster, &file(pods), Some(&kubeconfig.to_string())).await
    }

    /// The same with that catalog, and what `KUBECONFIG` leads to; none: nowhere.
    pub(super) async fn start_with(cluster: Cluster, catalog: &Value, kubeconfig: Option<&str>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("writes");
        write("services.yaml", SERVICES);
        write("catalog.yaml", &catalog["file"].to_string());
        if let Some(kubeconfig) = kubeconfig {
            write("kubeconfig", kubeconfig);
        }
        let mut catalogs = vec![json!({"file": {"path": "catalog.yaml"}})];
        catalogs.extend(catalog.get("templates").map(|templates| json!({"templates": templates})));
        let data = json!({
            "stores": {"main": {"local": {"folder": "objects", "public_url": "http://127.0.0.1:1"}}},
            "catalog": catalogs, "self_test": "off",
            "logs": {"namespaces": ["jobs", "closed", "{project}-{domain}"], "max_line": "64"},
        });
        // JSON is YAML.
        let rest =
            format!("public: {{listen: \"127.0.0.1:0\"}}\n{}data: {data}\n", tokens(&[("ann", ""), ("eve", "")]));
        write("taskgate.yaml", &config(&rest));
        let log = std::fs::File::create(directory.path().join("log")).expect("a log");
        let program = Command::new(env!("CARGO_BIN_EXE_taskgate"))
            .current_dir(directory.path())
            .args(["serve", "--addresses-file", "addresses.json"])
            .env("KUBECONFIG", directory.path().join("kubeconfig"))
            .env_remove("KUBERNETES_SERVICE_HOST")
            .env_remove("HTTPS_PROXY")
            .env_remove("https_proxy")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("starts");
        let public = wait_for(PATIENCE, "the sidecar's addresses", async || public(directory.path())).await;
        let public = public.unwrap_or_else(|error| panic!("{error}: {}", log_of(directory.path())));
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { cluster, client, public, directory, _program: program }
    }

    async fn send(&self, user: &str, run: &str, accept: &str) -> reqwest::Response {
        let url = format!("http://{}/v1/data/logs/p/d/{run}/a0/1", self.public);
        let request = self.client.get(url).bearer_auth(format!("token-of-{user}")).header("accept", accept);
        request.send().await.expect("an answer")
    }

    /// The whole log of a run, or why there is none.
    pub(super) async fn ask(&self, user: &str, run: &str) -> Answer {
        let response = self.send(user, run, "*/*").await;
        let status = response.status().as_u16();
        let text = tokio::time::timeout(PATIENCE, response.text()).await.expect("ends").expect("ends well");
        Answer { status, text }
    }

    /// The log of a run as it comes.
    pub(super) async fn tail(&self, run: &str) -> Tail {
        let response = self.send("ann", run, "text/event-stream").await;
        assert_eq!(response.status(), 200);
        Tail { response, waiting: String::new() }
    }

    /// Waits until the sidecar has logged that.
    pub(super) async fn has_logged(&self, text: &str) {
        let logged = wait_until(PATIENCE, text, async || log_of(self.directory.path()).contains(text)).await;
        logged.unwrap_or_else(|error| panic!("{error}: {}", log_of(self.directory.path())));
    }

    /// Writes a file that the sidecar may read.
    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), text).expect("writes");
    }

    /// All that the sidecar has logged.
    pub(super) fn log(&self) -> String {
        log_of(self.directory.path())
    }
}

impl Tail {
    /// The next event: its kind, and its message where it has one.
    pub(super) async fn next(&mut self) -> (String, String) {
        loop {
            if let Some((event, rest)) = self.waiting.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim_start);
                let kind = field("event:").map(str::to_owned);
                let data: Value = serde_json::from_str(field("data:").unwrap_or("null")).expect("JSON");
                self.waiting = rest.to_owned();
                // What says that the stream lives has no kind.
                let Some(kind) = kind else { continue };
                let message = data["message"].as_str().or_else(|| data["detail"].as_str());
                return (kind, message.unwrap_or_default().to_owned());
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("comes in time");
            let chunk = chunk.expect("comes whole").expect("has an end");
            self.waiting.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }

    /// The next event, which is a line: what it says.
    pub(super) async fn line(&mut self) -> String {
        let (kind, message) = self.next().await;
        assert_eq!(kind, "line", "{message}");
        message
    }
}

/// What `KUBECONFIG` leads to.
pub(super) fn kubeconfig(url: &str, token: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": token}}],
    })
}

/// A catalog in a file: by the names of runs, the pods that these rows say.
pub(super) fn file(pods: &[(&str, Value)]) -> Value {
    let action = |(run, row): &(&str, Value)| {
        let attempt = json!({"number": 1, "log": {"kubernetes": row}});
        json!({"project": "p", "domain": "d", "run": run, "action": "a0", "attempts": [attempt]})
    };
    json!({"file": {
        "projects": [{"name": "p", "domains": ["d"], "writers": {"users": ["ann"]}}],
        "actions": pods.iter().map(action).collect::<Vec<_>>(),
    }})
}

/// A row that says which pod of `jobs` it is.
pub(super) fn row(pod: &str) -> Value {
    json!({"namespace": "jobs", "pod": pod})
}

fn public(directory: &Path) -> Option<String> {
    let addresses: Value = serde_json::from_slice(&std::fs::read(directory.join("addresses.json")).ok()?).ok()?;
    Some(addresses["public"].as_str()?.to_owned())
}

fn log_of(directory: &Path) -> String {
    std::fs::read_to_string(directory.join("log")).expect("a log")
}
