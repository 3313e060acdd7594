//! A sidecar with an API of access, people who ask it, and a worker that decides as the filter does.

use std::time::Duration;

use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};
use serde_json::Value;
use taskgate_core::feed::{Cursor, FeedPage};
use taskgate_core::gate::{Decision, Gate, Question, Stand, Step};
use taskgate_core::identity::WireIdentity;
use taskgate_core::key::KeyRing;
use taskgate_core::request::Request;
use taskgate_core::session::Claims;
use taskgate_core::standing::Standing;
use taskgate_core::time::UnixTime;
use taskgate_core::token::TokenId;

use crate::kit::{START, Sidecar, config, tokens};

/// The services: one that readers may use, a public one, a closed one, and one of somebody else's that is raw TCP.
pub(super) const SERVICES: &str = r#"
services:
- {operation: op1, task: web, service: ui, endpoints: ["10.0.0.1:27001"], access: can_read, owner: alice,
   grants: [{to: "group:ml", level: can_read}, {to: carol, level: can_manage}]}
- {operation: op2, task: web, service: ui, endpoints: ["10.0.0.1:27002"], access: public, owner: alice}
- {operation: op3, task: web, service: ui, endpoints: ["10.0.0.1:27003"], access: nobody, owner: alice}
- {operation: op4, task: web, service: ui, endpoints: ["10.0.0.1:27004"], access: can_read, owner: alice, protocol: tcp}
"#;

/// The people: an owner, a reader, somebody who manages, and a stranger.
pub(super) const PEOPLE: [(&str, &str); 4] = [("alice", ""), ("bob", ", groups: [ml]"), ("carol", ""), ("mallory", "")];

/// What a sidecar needs beside its services.
pub(super) fn settings(rest: &str) -> String {
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let people = tokens(&PEOPLE);
    config(&format!(
        "keys: [{{id: k1, secret: \"{key}\"}}]\npublic: {{listen: \"127.0.0.1:0\"}}\naccess: {{}}\n{rest}\n{people}"
    ))
}

/// A sidecar with these services and people.
pub(super) async fn start(rest: &str) -> Sidecar {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("services.yaml"), SERVICES).expect("writes");
    let sidecar = Sidecar::start_in(directory, &settings(rest)).await;
    sidecar.table().await;
    sidecar
}

/// The id of the service of that operation.
pub(super) fn id(sidecar: &Sidecar, operation: &str) -> String {
    let services = sidecar.running.app.registry.services();
    let service = services.iter().find(|service| service.entry.key.operation == operation).expect("a service");
    service.id.to_string()
}

pub(super) fn public(sidecar: &Sidecar, path: &str) -> String {
    format!("http://{}{path}", sidecar.running.addresses.public.as_deref().expect("a public listener"))
}

/// Asks the API for everybody, as somebody or as nobody; status and JSON.
pub(super) async fn ask(sidecar: &Sidecar, who: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    let request = sidecar.client.request(method.parse().expect("a method"), public(sidecar, path));
    let request = if who.is_empty() { request } else { request.bearer_auth(format!("token-of-{who}")) };
    answer(if body.is_null() { request } else { request.json(&body) }).await
}

/// Asks the internal listener.
pub(super) async fn operator(sidecar: &Sidecar, method: &str, path: &str, body: Value) -> (u16, Value) {
    let request = sidecar.client.request(method.parse().expect("a method"), sidecar.internal(path));
    answer(if body.is_null() { request } else { request.json(&body) }).await
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.expect("text")).unwrap_or_default())
}

/// Makes a link; it and its id.
pub(super) async fn share(sidecar: &Sidecar, who: &str, body: Value) -> (String, String) {
    let (status, made) = ask(sidecar, who, "POST", "/v1/shares", body).await;
    assert_eq!(status, 201, "{made}");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    (text(&made["link"]), text(&made["share"]["id"]))
}

/// Waits until a condition holds.
pub(super) async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "it does not come");
        tokio::task::yield_now().await;
    }
}

/// A browser at a link that leads to the sidecar, as the filter would send it there.
pub(super) struct Browser<'a> {
    pub(super) sidecar: &'a Sidecar,
    client: reqwest::Client,
}

/// What it got.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl<'a> Browser<'a> {
    pub(super) fn new(sidecar: &'a Sidecar) -> Self {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        Self { sidecar, client: client.build().expect("a client") }
    }

    pub(super) async fn send(&self, method: &str, link: &str, headers: &[(&str, &str)]) -> Got {
        let rest = link.strip_prefix("https://").expect("a link");
        let (host, path) = rest.split_at(rest.find('/').expect("a path"));
        let request = self.client.request(method.parse().expect("a method"), public(self.sidecar, path));
        let request =
            headers.iter().fold(request.header("host", host), |request, (name, value)| request.header(*name, *value));
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Got { status, headers, text: response.text().await.expect("text") }
    }
}

impl Got {
    pub(super) fn location(&self) -> &str {
        self.headers.get(LOCATION).map_or("", |value| value.to_str().expect("text"))
    }

    /// The cookie that was set, as a browser sends it.
    pub(super) fn cookie(&self) -> Option<String> {
        let line = self.headers.get(SET_COOKIE)?.to_str().expect("text");
        line.split(';').next().map(ToOwned::to_owned)
    }

    pub(super) fn code(&self) -> String {
        let problem: Value = serde_json::from_str(&self.text).unwrap_or_default();
        problem["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// What came of a request at a worker.
#[derive(Debug)]
pub(super) enum Seen {
    /// It reached the job, as this person.
    In(String, Box<Standing>),
    /// It was sent on there, with this cookie.
    SentTo(String, Option<String>),
    /// It was refused.
    Refused(&'static str),
}

/// A worker: the gate, fed by the sidecar, which it asks as the filter does.
pub(super) struct Worker<'a> {
    sidecar: &'a Sidecar,
    gate: Gate,
}

impl<'a> Worker<'a> {
    pub(super) async fn new(sidecar: &'a Sidecar) -> Self {
        let mut worker = Self { sidecar, gate: Gate::new(1, true) };
        worker.refresh().await;
        worker
    }

    /// Takes what news there are.
    pub(super) async fn refresh(&mut self) {
        loop {
            let Cursor { epoch, number, began } = self.gate.table().cursor();
            let control = self.gate.control().map_or(0, |control| control.number);
            let query = format!("epoch={epoch}&since={number}&began={began}&control={control}&wait_ms=0");
            let url = self.sidecar.internal(&format!("/internal/table?{query}"));
            let bytes = self.sidecar.client.get(url).send().await.expect("an answer").bytes().await.expect("a body");
            let page = FeedPage::decode(&bytes).expect("a page");
            let is_news = page.to != page.from || page.control.is_some();
            self.gate.apply(page, self.now()).expect("continues");
            if !is_news {
                return;
            }
        }
    }

    /// Visits a URL with these headers.
    pub(super) async fn visit(&mut self, url: &str, headers: &[(&str, &str)]) -> Seen {
        let rest = url.strip_prefix("https://").expect("a URL");
        let (host, path) = rest.split_at(rest.find('/').expect("a path"));
        let lines = [(":method", "GET"), (":path", path), (":authority", host), ("accept", "text/html")];
        let lines = lines.iter().chain(headers).map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let now = self.now();
        let decision = match self.gate.on_request(&Request::read(lines), now) {
            Step::Done(decision) => decision,
            Step::Ask(question) => {
                let Question { key, query, pending } = *question;
                let answer = self.sidecar.verdict_at(&query.service, query.epoch, query.credential).await;
                let learned = self.gate.learn(key, answer, now);
                self.gate.on_verdict(pending, &learned)
            }
        };
        match decision {
            Decision::Permit(edits) => {
                let actor = edits.standing.who().identity().map(|who| who.actor().to_owned()).unwrap_or_default();
                Seen::In(actor, Box::new(edits.standing.clone()))
            }
            Decision::Redirect(reply) => {
                let header =
                    |name: &str| reply.headers.iter().find(|(found, _)| *found == name).map(|(_, value)| value);
                let cookie = header("set-cookie").and_then(|line| line.split(';').next()).map(ToOwned::to_owned);
                Seen::SentTo(header("location").cloned().unwrap_or_default(), cookie)
            }
            Decision::Refuse(denial, _) => Seen::Refused(denial.code()),
        }
    }

    /// The same in one word: the person, `-> <where>`, or the denial's code.
    pub(super) async fn seen(&mut self, url: &str, headers: &[(&str, &str)]) -> String {
        match self.visit(url, headers).await {
            Seen::In(actor, _) => actor,
            Seen::SentTo(location, _) => format!("-> {location}"),
            Seen::Refused(code) => code.to_owned(),
        }
    }

    /// Whether an open stream ends, and why.
    pub(super) fn ends(&mut self, standing: &mut Standing) -> Option<&'static str> {
        match self.gate.stand(standing, self.now().into(), true) {
            Stand::Ends(denial) => Some(denial.code()),
            Stand::Ask(..) | Stand::Holds => None,
        }
    }

    fn now(&self) -> UnixTime {
        use taskgate::clock::Clock as _;
        self.sidecar.clock.now()
    }
}

/// A session of somebody for the service with that label, as a browser sends it; none of nobody, and for none.
pub(super) fn session_cookie(
    sidecar: &Sidecar,
    ring: &KeyRing,
    label: &str,
    actor: &str,
    groups: &[&str],
) -> Option<String> {
    let service = sidecar.running.app.registry.service(label).filter(|_| !actor.is_empty())?;
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    let identity = WireIdentity { actor: actor.into(), groups, ..WireIdentity::default() };
    let (now, end) = (START, START.after(Duration::from_secs(3600)));
    // Not looked at yet.
    let claims = Claims::new(TokenId::new(1), service.id.as_str(), service.epoch.wrapping_add(1), identity, now, end);
    Some(format!("__Host-taskgate={}", claims.seal(ring).expect("seals")))
}
