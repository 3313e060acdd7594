//! Everything that runs: jobs, sidecar and Envoy.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use taskgate_test_kit::{Envoy, Sidecar, SidecarHome, StaticConfig};

use crate::job::Job;
use crate::screen;

/// The domain under which the demo's services are named.
pub(crate) const BASE_DOMAIN: &str = "tasks.example.test";
/// The token of a user who may use the services.
pub(crate) const ALICE: &str = "alice-demo-token";
/// The token of a user who may not.
pub(crate) const MALLORY: &str = "mallory-demo-token";

/// Ids of the services: the hashes of operation, task and service in `services.yaml` below.
pub(crate) mod service {
    /// The two HTTP jobs.
    pub(crate) const HTTP: &str = "2ef4261c";
    /// The gRPC job.
    pub(crate) const GRPC: &str = "ae5cf6f5";
    /// The WebSocket job.
    pub(crate) const WEBSOCKET: &str = "51a6d485";
}

/// The running parts.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) http_a: Job,
    http_b: Job,
    grpc: Job,
    websocket: Job,
    sidecar: Sidecar,
    envoy: Envoy,
    /// Where clients connect.
    pub(crate) ingress: SocketAddr,
}

impl Cluster {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let program = jobs_program()?;
        let http_a = Job::start(&program, "http", "A").await?;
        let http_b = Job::start(&program, "http", "B").await?;
        let grpc = Job::start(&program, "grpc", "G").await?;
        let websocket = Job::start(&program, "websocket", "W").await?;

        let home = SidecarHome::new()?;
        home.write("services.yaml", &services(&http_a, &http_b, &grpc, &websocket))?;
        let sidecar = home.start(&configuration()).await?;
        let envoy = Envoy::start(StaticConfig::new(sidecar.internal_address())?.render()?).await?;
        let ingress = envoy.listener_address("taskgate").await?;
        Ok(Self { http_a, http_b, grpc, websocket, sidecar, envoy, ingress })
    }

    /// What runs where, for whoever wants to go on by hand.
    pub(crate) fn describe(&self) {
        screen::title("Running until Ctrl-C");
        let ingress = self.ingress;
        for (name, address) in [
            ("ingress (Envoy)", ingress),
            ("sidecar, internal", self.sidecar.internal_address()),
            ("sidecar, metrics and health", self.sidecar.home().operations_address()),
            ("Envoy's admin page", self.envoy.admin_address()),
            ("HTTP job A (killed)", self.http_a.address),
            ("HTTP job B", self.http_b.address),
            ("gRPC job", self.grpc.address),
            ("WebSocket job", self.websocket.address),
        ] {
            screen::line(&format!("{name:<28} {address}"));
        }
        let host = format!("{}.{BASE_DOMAIN}", service::HTTP);
        screen::line("Try:");
        screen::line(&format!("curl -i -H 'Host: {host}' -H 'Authorization: Bearer {ALICE}' http://{ingress}/headers"));
    }

    /// Ends everything, in order.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.envoy.stop().await?;
        self.sidecar.stop().await?;
        for mut job in [self.http_a, self.http_b, self.grpc, self.websocket] {
            job.kill().await?;
        }
        Ok(())
    }
}

/// `taskgate-jobs`, built beside this program.
fn jobs_program() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("taskgate-jobs");
    anyhow::ensure!(program.exists(), "{} is not there; `make demo` builds it", program.display());
    Ok(program)
}

fn services(http_a: &Job, http_b: &Job, grpc: &Job, websocket: &Job) -> String {
    format!(
        r#"
services:
- operation: a6e04b98-bf982394-5103e8-55754a49
  alias: demo
  task: master
  service: ui
  endpoints: ["{}", "{}"]
  access: can_read
  owner: alice
- operation: a8ef7695-3de07913-5103e8-e29a6707
  task: example_grpc_server
  service: server
  protocol: grpc
  endpoints: ["{}"]
  access: can_read
  owner: alice
- operation: a6e04b98-bf982394-5103e8-55754a49
  task: history
  service: ui
  protocol: websocket
  endpoints: ["{}"]
  access: can_read
  owner: alice
"#,
        http_a.address, http_b.address, grpc.address, websocket.address
    )
}

fn configuration() -> String {
    let hash = |token: &str| Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!(
        r#"
gate:
  base_domains: [{BASE_DOMAIN}]
providers:
- file: {{path: services.yaml}}
verdicts:
  sources:
  - tokens:
      tokens:
      - {{sha256: "{}", actor: alice, groups: [ml], email: alice@example.test}}
      - {{sha256: "{}", actor: mallory}}
"#,
        hash(ALICE),
        hash(MALLORY)
    )
}

/// The arguments of a `curl` call, for running it and for showing it.
pub(crate) fn curl_command(arguments: &[&str]) -> String {
    let quote =
        |part: &&str| if part.contains([' ', '?', '&', '*']) { format!("'{part}'") } else { (*part).to_owned() };
    format!("curl {}", arguments.iter().map(quote).collect::<Vec<_>>().join(" "))
}

/// Runs `curl` and gives what it printed.
pub(crate) async fn curl(arguments: &[&str]) -> anyhow::Result<String> {
    let output = tokio::process::Command::new("curl").args(arguments).output().await.context("can't run curl")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    Ok(if text.is_empty() { errors.into_owned() } else { text })
}
