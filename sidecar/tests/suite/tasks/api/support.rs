//! A sidecar with a public listener, and who asks it.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use taskgate::tasks::row::TaskId;
use taskgate::tasks::store::{Claim, Claimed, Limits, Outcome};
use taskgate_core::time::UnixTime;
use taskgate_test_kit::{Hsds, HsdsUser};

use crate::kit::{START, Sidecar};
use crate::tasks::claimant;

/// Far more than any test has.
pub(super) const NO_LIMITS: Limits =
    Limits { queued_per_user: 10_000, running_per_user: 10_000, queued: 10_000, running: 10_000 };

/// A sidecar with a public listener.
pub(super) struct Api {
    pub(super) sidecar: Sidecar,
}

/// A request to it.
pub(super) struct Question(reqwest::RequestBuilder);

/// What it answers.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Api {
    /// Starts one whose own workers work on that many tasks at one time. `rest` is more of the section `tasks`.
    pub(super) async fn start(hsds: &Hsds, workers: usize, rest: &str) -> Self {
        let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let config = format!(
            "public: {{listen: \"127.0.0.1:0\"}}\nkeys: [{{id: k1, secret: \"{key}\"}}]\ntasks:\n  \
             store: sqlite:tasks.db\n  hsds: {{endpoint: \"{}\"}}\n  workers: {{concurrent: {workers}}}\n{rest}",
            hsds.url()
        );
        Self { sidecar: Sidecar::start(&config).await }
    }

    pub(super) fn url(&self, path: &str) -> String {
        let address = self.sidecar.running.addresses.public.as_ref().expect("a public listener");
        format!("http://{address}{path}")
    }

    /// A request of that user.
    pub(super) fn ask(&self, user: HsdsUser, method: Method, path: &str) -> Question {
        self.nobody(method, path).header("authorization", &user.authorization())
    }

    /// A request without a credential.
    pub(super) fn nobody(&self, method: Method, path: &str) -> Question {
        Question(self.sidecar.client.request(method, self.url(path)))
    }

    pub(super) async fn get(&self, user: HsdsUser, path: &str) -> Answer {
        self.ask(user, Method::GET, path).send().await
    }

    pub(super) async fn post(&self, user: HsdsUser, body: &Value) -> Answer {
        self.ask(user, Method::POST, "/tasks").json(body).send().await
    }

    /// Takes all tasks, as a worker would.
    pub(super) async fn claim(&self) -> Vec<Claimed> {
        let claim = Claim { claimant: claimant("test"), max: 100, lease_until: START.after(Duration::from_hours(1)) };
        let store = self.sidecar.running.app.desk.as_ref().expect("tasks").store();
        store.claim(&claim, &NO_LIMITS, self.now()).await.expect("claims").tasks
    }

    /// Ends the work on a task, as a worker would.
    pub(super) async fn settle(&self, claimed: &Claimed, outcome: Outcome) {
        let store = self.sidecar.running.app.desk.as_ref().expect("tasks").store();
        store.settle(claimed.hold, outcome, self.now()).await.expect("settles");
    }

    pub(super) fn now(&self) -> UnixTime {
        self.sidecar.running.app.clock.now()
    }
}

impl Question {
    pub(super) fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    pub(super) fn json(self, body: &Value) -> Self {
        Self(self.0.json(body))
    }

    pub(super) fn text(self, body: impl Into<reqwest::Body>) -> Self {
        Self(self.0.body(body))
    }

    pub(super) async fn send(self) -> Answer {
        let response = self.0.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.expect("text");
        if status.is_client_error() || status.is_server_error() {
            assert_eq!(headers["content-type"], "application/problem+json", "{status} {text}");
        }
        assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{text}");
        Answer { status: status.as_u16(), headers, body: serde_json::from_str(&text).unwrap_or_default() }
    }
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    /// The task's id.
    pub(super) fn id(&self) -> TaskId {
        TaskId::parse(self.text("taskid")).expect("an id")
    }

    pub(super) fn text(&self, member: &str) -> &str {
        self.body[member].as_str().expect(member)
    }

    /// The status with what a problem is.
    pub(super) fn outcome(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }
}

/// A request for nothing, different for each number.
pub(super) fn noop(number: u64) -> Value {
    json!({"operation": "noop", "args": {"steps": number}})
}

/// An object by its path.
pub(super) fn at(domain: &str, path: &str) -> Value {
    json!({"domain": domain, "h5path": path})
}

/// A domain of that user with integers at `/a` and `/b`.
pub(super) async fn make_domain(hsds: &Hsds, user: HsdsUser, name: &str) -> String {
    let domain = format!("{}/{name}", user.home());
    let program =
        "import h5pyd, sys\nwith h5pyd.File(sys.argv[1], 'w') as f:\n f['a'] = [1, 2, 3]\n f['b'] = [0, 0, 0]\n";
    hsds.python(user, program, &[&domain]).await.expect("makes a domain");
    domain
}

/// Whether a text is in the files of the store.
pub(super) fn is_stored(sidecar: &Sidecar, text: &str) -> bool {
    let files = std::fs::read_dir(sidecar.directory.path()).expect("lists");
    let paths = files.map(|file| file.expect("a file").path());
    let stores = paths.filter(|path| path.to_string_lossy().contains("tasks.db"));
    let bytes: Vec<u8> = stores.flat_map(|path| std::fs::read(path).expect("reads")).collect();
    assert!(!bytes.is_empty(), "there is a store");
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
