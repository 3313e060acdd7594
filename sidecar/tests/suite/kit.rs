//! A sidecar in this process, and services for it to ask.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use taskgate::clock::ManualClock;
use taskgate::config::load;
use taskgate::digest::Digest;
use taskgate::serve::{Running, Setting, start};
use taskgate_core::feed::{Control, Cursor, FeedPage};
use taskgate_core::table::Table;
use taskgate_core::time::UnixTime;
use taskgate_core::verdict::{Credential, Scheme, Verdict, VerdictAnswer, VerdictQuery};
use tempfile::TempDir;

/// When tests with a clock of their own begin: 2026-01-01.
pub(crate) const START: UnixTime = UnixTime::from_millis(1_767_225_600_000);

/// Services that most tests have.
pub(crate) const SERVICES: &str = r#"
services:
- operation: a8ef7695-3de07913-5103e8-e29a6707
  alias: greeter
  task: example_grpc_server
  service: server
  protocol: grpc
  endpoints: ["127.0.0.1:27001"]
  access: can_read
  owner: alice
  grants: [{to: "group:ml", level: can_read}]
"#;
/// The id of the service above.
pub(crate) const GREETER: &str = "ae5cf6f5";

/// Two operations whose service `ui` of task `web` wants the same short id, [`COLLIDING_ID`]; found by
/// searching, as anybody could. The first one's names come first.
pub(crate) const COLLIDING: [&str; 2] = ["op63822", "op82856"];
/// The short id of both.
pub(crate) const COLLIDING_ID: &str = "e1056666";

/// A services file with service `ui` of task `web` of these operations.
pub(crate) fn services(operations: &[&str]) -> String {
    let row = |operation: &&str| {
        format!("- {{operation: {operation}, task: web, service: ui, endpoints: [\"10.0.0.1:80\"], access: public}}\n")
    };
    format!("services:\n{}", operations.iter().map(row).collect::<String>())
}

/// A sidecar in this process.
pub(crate) struct Sidecar {
    pub(crate) running: Running,
    pub(crate) directory: TempDir,
    pub(crate) client: reqwest::Client,
    pub(crate) clock: Arc<ManualClock>,
}

/// The beginning of every configuration.
pub(crate) fn config(rest: &str) -> String {
    format!(
        "gate: {{base_domains: [tasks.example.test]}}\n\
         internal: {{listen: \"127.0.0.1:0\"}}\n\
         operations: {{listen: \"127.0.0.1:0\"}}\n\
         providers: [{{file: {{path: services.yaml, poll_secs: 1}}}}]\n{rest}\n"
    )
}

/// Listed tokens: the token of each of these people is `token-of-<name>`.
pub(crate) fn tokens(people: &[(&str, &str)]) -> String {
    let mut text = String::from("verdicts:\n  sources:\n  - tokens:\n      tokens:\n");
    for (name, rest) in people {
        let digest = Digest::of(format!("token-of-{name}").as_bytes());
        text.push_str(&format!("      - {{sha256: {digest}, actor: {name}{rest}}}\n"));
    }
    text
}

pub(crate) fn credential(scheme: Scheme, name: Option<&str>, value: &str) -> Credential {
    Credential { scheme, name: name.map(ToOwned::to_owned), value: value.into() }
}

pub(crate) fn bearer(value: &str) -> Credential {
    credential(Scheme::Bearer, None, value)
}

impl Sidecar {
    /// Starts one with the usual services.
    pub(crate) async fn start(rest: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("services.yaml"), SERVICES).expect("writes");
        let sidecar = Self::start_in(directory, &config(rest)).await;
        sidecar.table().await;
        sidecar
    }

    /// Starts one with that configuration, with whatever is in the directory.
    pub(crate) async fn start_in(directory: TempDir, config: &str) -> Self {
        Self::start_after(directory, config, |_| ()).await
    }

    /// The same, but that something happens once the configuration is read.
    pub(crate) async fn start_after(directory: TempDir, config: &str, happens: impl FnOnce(&Path)) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let path = directory.path().join("taskgate.yaml");
        std::fs::write(&path, config).expect("writes");
        let settings = load::load(&path).expect("the configuration holds");
        happens(directory.path());
        let setting = Setting { clock: Arc::<ManualClock>::clone(&clock), config_path: Some(path), logs: None };
        let running = start(settings, setting).await.expect("starts");
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().expect("a client");
        Self { running, directory, client, clock }
    }

    /// Ends it; what it leaves behind.
    pub(crate) async fn end(self) -> TempDir {
        assert!(self.running.end().await, "ends in time");
        self.directory
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), text).expect("writes");
    }

    pub(crate) fn internal(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.addresses.internal)
    }

    pub(crate) fn operations(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.addresses.operations)
    }

    pub(crate) async fn get(&self, url: String) -> (u16, String) {
        let response = self.client.get(url).send().await.expect("an answer");
        (response.status().as_u16(), response.text().await.expect("text"))
    }

    /// Waits for a whole table.
    pub(crate) async fn table(&self) -> Reader {
        let mut reader = Reader { table: Table::new(1), control: None };
        while !reader.table.is_complete() {
            self.next_page(&mut reader).await;
        }
        reader
    }

    /// Waits for the next page, and takes it.
    pub(crate) async fn next_page(&self, reader: &mut Reader) {
        let Cursor { epoch, number, began } = reader.table.cursor();
        let control = reader.control.as_ref().map_or(0, |control| control.number);
        let query = format!("epoch={epoch}&since={number}&began={began}&control={control}&wait_ms=15000");
        let url = self.internal(&format!("/internal/table?{query}"));
        let response = self.client.get(url).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-taskgate-answer"], "table-v1");
        let bytes = response.bytes().await.expect("a body");
        let page = FeedPage::decode(&bytes).expect("a page");
        if let Some(control) = &page.control {
            reader.control = Some(control.clone());
        }
        reader.table.apply(&page, START).expect("continues");
    }

    /// Asks whether the holder of a credential may use a service.
    pub(crate) async fn verdict(&self, service: &str, credential: Credential) -> VerdictAnswer {
        let known = self.running.app.registry.service(service);
        self.verdict_at(service, known.map_or(0, |service| service.epoch), credential).await
    }

    /// The same, where the one who asks knows the service in that epoch.
    pub(crate) async fn verdict_at(&self, service: &str, epoch: u32, credential: Credential) -> VerdictAnswer {
        let body = VerdictQuery { service: service.into(), epoch, credential }.encode();
        let response = self.client.post(self.internal("/internal/verdict")).body(body).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-taskgate-answer"], "verdict-v1");
        VerdictAnswer::read(&response.bytes().await.expect("a body"))
    }

    /// The same, in short: the actor, the refusal's name, or `unavailable`.
    pub(crate) async fn outcome(&self, credential: Credential) -> String {
        outcome(&self.verdict(GREETER, credential).await)
    }

    pub(crate) async fn metric(&self, line: &str) -> Option<u64> {
        let (_, text) = self.get(self.operations("/metrics")).await;
        let value = text.lines().find_map(|one| one.strip_prefix(line)?.strip_prefix(' '))?;
        value.parse().ok()
    }
}

pub(crate) fn outcome(answer: &VerdictAnswer) -> String {
    match answer {
        VerdictAnswer::Decided(Verdict::Allow { identity, .. }, _) => identity.actor().to_owned(),
        VerdictAnswer::Decided(Verdict::Deny { refusal: code, .. }, _) => format!("{code:?}"),
        VerdictAnswer::Unavailable => "unavailable".to_owned(),
    }
}

/// The table as a worker has it.
pub(crate) struct Reader {
    pub(crate) table: Table,
    pub(crate) control: Option<Control>,
}

/// Serves a router on a free port until the test ends; where it is.
pub(crate) async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

pub(crate) fn path_text(path: &Path) -> String {
    path.to_str().expect("text").to_owned()
}
