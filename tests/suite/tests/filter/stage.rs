//! The scene of every test: one worker of a proxy with the compiled filter, and a sidecar.
//!
//! The sidecar here answers polls as the real one does: deltas to whoever can go on from where it is,
//! everything to whoever can't, and nothing (it holds the poll) where there is no news.

use std::collections::BTreeMap;
use std::time::Duration;

use taskgate_core::config::GateConfig;
use taskgate_core::feed::{Control, FeedPage};
use taskgate_core::identity::WireIdentity;
use taskgate_core::key::{KeyId, KeyRing, Secret};
use taskgate_core::service::{AccessLevel, Endpoint, Protocol, Service};
use taskgate_core::session::Claims;
use taskgate_core::time::UnixTime;
use taskgate_core::token::TokenId;
use taskgate_core::verdict::{Refusal, VerdictQuery, WireVerdict};
use taskgate_test_host::{
    Answer, Callout, CalloutId, Delivery, FailurePolicy, FilterModule, Flavour, Headers, Host, NginxConf, Outcome,
    Request, RootId, StreamId, Vm, VmOptions,
};

pub(crate) const ENVOY: &str = "cluster = taskgate-sidecar";
pub(crate) const NGINX: &str = "address = 127.0.0.1:1";
/// What the mirror's keys begin with on [`ENVOY`].
pub(crate) const MIRROR: &str = "taskgate/taskgate-sidecar/";
pub(crate) const DOMAIN: &str = "tasks.example.test";
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// The configuration of NGINX that operators copy.
pub(crate) fn wasmx_conf() -> NginxConf {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../nginx-config/wasmx.conf");
    let text = std::fs::read_to_string(path).expect("`nginx-config/wasmx.conf`");
    NginxConf::parse(&text).expect("a configuration")
}

/// The compiled filter.
pub(crate) fn filter() -> FilterModule {
    load("TASKGATE_FILTER", "taskgate_filter.wasm")
}

/// The same for NGINX with WasmX.
pub(crate) fn wasmx_filter() -> FilterModule {
    load("TASKGATE_WASMX_FILTER", "taskgate_filter_wasmx.wasm")
}

/// The one that a configuration is for.
pub(crate) fn filter_for(configuration: &str) -> FilterModule {
    if configuration.contains("address") { wasmx_filter() } else { filter() }
}

/// The same, with the header that makes it trap.
pub(crate) fn fault_filter() -> FilterModule {
    load("TASKGATE_FAULT_FILTER", "taskgate_filter_fault.wasm")
}

fn load(variable: &str, name: &str) -> FilterModule {
    FilterModule::load(crate::artefact::path(variable, name))
        .expect("the filter loads; `make filter fault-filter wasmx-filter`")
}

// === services ===

/// A service with two jobs, or one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) id: &'static str,
    pub(crate) access: AccessLevel,
    pub(crate) protocol: Protocol,
    pub(crate) jobs: &'static [&'static str],
}

pub(crate) const OPEN: Row = Row {
    id: "open",
    access: AccessLevel::Public,
    protocol: Protocol::Http,
    jobs: &["10.0.0.1:8001", "10.0.0.2:8002"],
};
pub(crate) const CLOSED: Row = Row {
    id: "closed",
    access: AccessLevel::CanRead,
    protocol: Protocol::Http,
    jobs: &["10.0.1.1:8001", "10.0.1.2:8002"],
};
pub(crate) const OTHER: Row = Row { id: "other", access: AccessLevel::CanRead, ..CLOSED };
pub(crate) const RPC: Row =
    Row { id: "rpc", access: AccessLevel::Public, protocol: Protocol::Grpc, jobs: &["10.0.2.1:9001"] };

impl Row {
    pub(crate) fn packed(self) -> Vec<u8> {
        packed(self.id, &self)
    }
}

/// `row` under another id.
pub(crate) fn packed(id: &str, row: &Row) -> Vec<u8> {
    let endpoint = |text: &&str| Endpoint { address: text.parse().expect("an address"), weight: 1 };
    let service = Service {
        id,
        labels: Vec::new(),
        provider: "file",
        operation: "operation",
        alias: None,
        task: "task",
        services: vec!["ui"],
        protocol: row.protocol,
        endpoints: row.jobs.iter().map(endpoint).collect(),
        access: row.access,
        owner: None,
        forward_credential: false,
        vouched: false,
        path: None,
        origin: 1,
        epoch: 1,
    };
    service.pack().expect("a row").as_bytes().to_vec()
}

// === the sidecar ===

/// A sidecar's table and keys.
#[derive(Clone, Debug)]
pub(crate) struct Sidecar {
    pub(crate) epoch: u64,
    pub(crate) number: u64,
    changes: BTreeMap<String, (u64, Option<Vec<u8>>)>,
    pub(crate) control: Control,
    pub(crate) page_rows: usize,
}

impl Sidecar {
    pub(crate) fn new(epoch: u64) -> Self {
        let control = Control {
            number: 1,
            cache_key: [1; 32],
            keys: vec![key("k1", 2)],
            verdict_epoch: 1,
            revocations: vec![],
            gate: GateConfig::for_domain(DOMAIN),
        };
        Self { epoch, number: 0, changes: BTreeMap::new(), control, page_rows: 400 }
    }

    /// With the four services above.
    pub(crate) fn standard(epoch: u64) -> Self {
        let mut sidecar = Self::new(epoch);
        for row in [OPEN, CLOSED, OTHER, RPC] {
            sidecar.put(row.id, row.packed());
        }
        sidecar
    }

    pub(crate) fn put(&mut self, id: &str, row: Vec<u8>) {
        self.number += 1;
        self.changes.insert(id.to_owned(), (self.number, Some(row)));
    }

    pub(crate) fn remove(&mut self, id: &str) {
        self.number += 1;
        self.changes.insert(id.to_owned(), (self.number, None));
    }

    pub(crate) fn rotate(&mut self, keys: Vec<(KeyId, [u8; 32])>) {
        self.control.number += 1;
        self.control.keys = keys;
    }

    /// What it answers a poll for `path` with, and whether that is news.
    pub(crate) fn page(&self, path: &str) -> (Vec<u8>, bool) {
        let (epoch, since) = (parameter(path, "epoch"), parameter(path, "since"));
        let follows = epoch == self.epoch && since != 0 && since <= self.number;
        let from = if follows { since } else { 0 };
        let mut changes: Vec<_> = self.changes.iter().filter(|(_, (number, _))| *number > from).collect();
        changes.sort_by_key(|(_, (number, _))| *number);
        let complete = changes.len() <= self.page_rows;
        changes.truncate(self.page_rows);
        let last = changes.last().map_or(from, |(_, (number, _))| *number);
        let control =
            (epoch != self.epoch || parameter(path, "control") != self.control.number).then(|| self.control.clone());
        let page = FeedPage {
            epoch: self.epoch,
            from,
            to: if complete { self.number } else { last },
            last: self.number,
            reset: !follows,
            complete,
            upserts: changes.iter().filter_map(|(_, (_, row))| row.as_deref()).collect(),
            removals: changes.iter().filter(|(_, (_, row))| row.is_none()).map(|(id, _)| id.as_str()).collect(),
            control,
        };
        (page.encode().expect("encodes"), page.from != page.to || page.control.is_some())
    }
}

/// A number in a poll's query.
pub(crate) fn parameter(path: &str, name: &str) -> u64 {
    let (_, query) = path.split_once('?').expect("a query");
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} in {path}"))
}

pub(crate) fn key(id: &str, byte: u8) -> (KeyId, [u8; 32]) {
    (KeyId::parse(id).expect("an id"), [byte; 32])
}

pub(crate) fn page_answer(page: impl Into<Vec<u8>>) -> Answer {
    Answer::new(200).header("x-taskgate-answer", "table-v1").body(page)
}

pub(crate) fn verdict_answer(verdict: &WireVerdict) -> Answer {
    Answer::new(200).header("x-taskgate-answer", "verdict-v1").body(verdict.encode())
}

pub(crate) fn allow(actor: &str) -> WireVerdict {
    let identity = WireIdentity {
        actor: actor.to_owned(),
        email: Some(format!("{actor}@example.test")),
        groups: vec!["ml".into(), "ops".into()],
        ..WireIdentity::default()
    };
    WireVerdict::Allow { identity, lifetime_ms: 60_000, ends_at: None }
}

pub(crate) fn deny() -> WireVerdict {
    WireVerdict::Deny { code: Refusal::AccessDenied, actor: None, lifetime_ms: 60_000 }
}

// === the proxy ===

/// A proxy with one worker, and its sidecar.
pub(crate) struct Stage {
    pub(crate) host: Host,
    pub(crate) vm: Vm,
    pub(crate) root: RootId,
    pub(crate) sidecar: Sidecar,
}

impl Stage {
    /// A proxy that has heard nothing of the sidecar yet.
    pub(crate) fn empty() -> Self {
        Self::start(ENVOY, Sidecar::standard(7))
    }

    /// A proxy that has the sidecar's table.
    pub(crate) fn ready() -> Self {
        Self::following(ENVOY, Sidecar::standard(7))
    }

    /// The same on NGINX.
    pub(crate) fn nginx() -> Self {
        Self::following(NGINX, Sidecar::standard(7))
    }

    pub(crate) fn following(configuration: &str, sidecar: Sidecar) -> Self {
        let mut stage = Self::start(configuration, sidecar);
        stage.follow();
        stage
    }

    pub(crate) fn start(configuration: &str, sidecar: Sidecar) -> Self {
        let host = host(configuration);
        let (vm, root) = worker(&host, configuration);
        Self { host, vm, root, sidecar }
    }

    /// The poll under way.
    pub(crate) fn poll(&self) -> Option<Callout> {
        let mut polls: Vec<Callout> = self.vm.callouts();
        polls.retain(|callout| callout.path().starts_with("/internal/table?"));
        assert!(polls.len() <= 1, "one poll at a time: {polls:?}");
        polls.pop()
    }

    /// The questions that wait for an answer.
    pub(crate) fn questions(&self) -> Vec<Callout> {
        let mut questions = self.vm.callouts();
        questions.retain(|callout| callout.path() == "/internal/verdict");
        questions
    }

    /// The only question, and what it asks.
    pub(crate) fn question(&self) -> (CalloutId, VerdictQuery) {
        let questions = self.questions();
        assert_eq!(questions.len(), 1, "questions: {questions:?}");
        (questions[0].id, VerdictQuery::decode(&questions[0].body).expect("a question"))
    }

    pub(crate) fn answer(&mut self, callout: CalloutId, answer: Answer) {
        assert_eq!(self.vm.answer(callout, answer), Delivery::Delivered);
    }

    /// Answers the only question.
    pub(crate) fn decide(&mut self, verdict: &WireVerdict) {
        let (callout, _) = self.question();
        self.answer(callout, verdict_answer(verdict));
    }

    /// The sidecar answers until it has no news; its last poll stays open.
    pub(crate) fn follow(&mut self) {
        for _ in 0..200 {
            match self.poll() {
                None => self.pass(TICK),
                Some(poll) => match self.sidecar.page(poll.path()) {
                    (page, is_news) if is_news || parameter(poll.path(), "wait_ms") == 0 => {
                        self.answer(poll.id, page_answer(page));
                    }
                    _ => return,
                },
            }
        }
        panic!("the filter never comes to rest");
    }

    /// The sidecar answers the poll it holds: with news, or with none.
    pub(crate) fn confirm(&mut self) {
        let poll = self.poll().expect("a poll");
        let (page, _) = self.sidecar.page(poll.path());
        self.answer(poll.id, page_answer(page));
    }

    /// The sidecar went away with the poll that it held; the filter polls again.
    pub(crate) fn lose_poll(&mut self) {
        let poll = self.poll().expect("a poll");
        self.answer(poll.id, Answer::reset());
        self.pass(TICK * 2);
    }

    /// Ticks, without a timeout of any callout.
    pub(crate) fn pass(&mut self, duration: Duration) {
        for _ in 0..duration.as_millis() / TICK.as_millis() {
            self.host.advance(TICK);
            assert!(self.vm.tick(self.root), "the filter ticks: {:?} {:?}", self.vm.trap(), self.host.crash());
        }
    }

    /// Long enough for every part of the table to be mirrored.
    pub(crate) fn mirror(&mut self) {
        self.pass(TICK * 20);
    }

    /// Another instance takes the worker's place, as after a trap.
    pub(crate) fn reload(&mut self) {
        self.vm.reload().expect("starts again");
    }

    pub(crate) fn send(&mut self, request: Request) -> StreamId {
        self.vm.request(self.root, request)
    }

    /// What reached the job.
    #[track_caller]
    pub(crate) fn job(&self, stream: StreamId) -> Headers {
        match self.vm.outcome(stream) {
            Outcome::Continued { headers } => headers,
            other => panic!("it did not reach the job: {other:?}"),
        }
    }

    /// The request was answered with that denial, and nothing reached a job.
    #[track_caller]
    pub(crate) fn assert_denied(&self, stream: StreamId, status: u32, code: &str) {
        assert_eq!(self.denial(stream), (status, code.to_owned()));
        assert_eq!(self.vm.upstream(stream), None, "something reached the job");
    }

    /// Status and code of the reply.
    #[track_caller]
    pub(crate) fn denial(&self, stream: StreamId) -> (u32, String) {
        match self.vm.outcome(stream) {
            Outcome::Replied(reply) => {
                (reply.status, reply.headers.text("x-taskgate-denial").unwrap_or_default().to_owned())
            }
            other => panic!("no reply: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn assert_alive(&self) {
        assert_eq!(self.vm.trap(), None);
        assert_eq!(self.host.crash(), None);
    }

    /// A session for the service, that many seconds from now on.
    pub(crate) fn session(&self, service: &str, secs: i64) -> String {
        let now = UnixTime::from_nanos(self.host.now_ns());
        let identity = WireIdentity { actor: "sam".into(), ..WireIdentity::default() };
        let expires_at = UnixTime::from_millis(now.as_millis().saturating_add_signed(secs * 1000));
        let claims = Claims::new(TokenId::new(7), service, 1, identity, now, expires_at);
        let (id, secret) = self.sidecar.control.keys.first().cloned().expect("a key");
        let ring = KeyRing::new([(id, Secret::new(secret))]);
        claims.seal(&ring).expect("seals")
    }
}

/// A proxy that a configuration is for, with everything it needs.
pub(crate) fn host(configuration: &str) -> Host {
    if configuration.contains("address") {
        let host = Host::new(Flavour::WasmX);
        host.configure_nginx(&wasmx_conf());
        host
    } else {
        Host::envoy(["taskgate-sidecar"])
    }
}

/// One more worker.
pub(crate) fn worker(host: &Host, configuration: &str) -> (Vm, RootId) {
    let mut vm = host.vm_with(&filter_for(configuration), reloading()).expect("links");
    let root = vm.add_plugin(configuration).expect("starts");
    (vm, root)
}

pub(crate) fn reloading() -> VmOptions {
    VmOptions { policy: FailurePolicy::Reload, ..VmOptions::default() }
}

// === requests ===

pub(crate) fn get(service: &str) -> Request {
    Request::get(&format!("{service}.{DOMAIN}"), "/path?x=1")
}

pub(crate) fn with_token(service: &str, token: &str) -> Request {
    get(service).header("authorization", format!("Bearer {token}"))
}

/// The addresses a request will try.
pub(crate) fn candidates(job: &Headers) -> [String; 3] {
    ["x-taskgate-up1", "x-taskgate-up2", "x-taskgate-up3"].map(|name| {
        assert_eq!(job.values(name).count(), 1, "{name} in {job:?}");
        job.text(name).unwrap_or_default().to_owned()
    })
}
