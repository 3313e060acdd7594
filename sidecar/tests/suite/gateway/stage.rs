//! A keeper of ports with a table, a ledger in a file, and a data plane that is made up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use taskgate::clock::SystemClock;
use taskgate::config::load;
use taskgate::digest::Digest;
use taskgate::discovery::inventory::{Entry, Inventory, ServiceKey};
use taskgate::discovery::policy::Policy;
use taskgate::discovery::publisher::Report;
use taskgate::feed::{ControlState, Feed};
use taskgate::gateway::board::Board;
use taskgate::gateway::keeper::{Keeper, Terms};
use taskgate::gateway::ledger::Ledger;
use taskgate::gateway::plane::{Plane, PlaneError, Wish};
use taskgate::gateway::port::{Holder, Lease, PortRange, Slot};
use taskgate::gateway::probe::Probe;
use taskgate::gateway::settings::GatewaySettings;
use taskgate::gateway::standing::TcpPlace;
use taskgate::gateway::store::SqlLedger;
use taskgate::registry::Registry;
use taskgate::secret::SecretText;
use taskgate::telemetry::metrics::Metrics;
use taskgate_core::config::GateConfig;
use taskgate_core::key::{KeyId, Secret};
use taskgate_core::label::Label;
use taskgate_core::service::{AccessLevel, Endpoint, Protocol};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The lowest port of every range here.
pub(super) const FIRST: u16 = 20_000;

/// What listens, as no program does: it is a list.
#[derive(Debug, Default)]
pub(super) struct Pretend {
    state: Mutex<Listening>,
}

/// What listens, and how it behaves.
#[derive(Debug, Default)]
pub(super) struct Listening {
    /// By port, the service that it is for.
    pub(super) listeners: BTreeMap<u16, Label>,
    /// Ports of somebody else.
    pub(super) foreign: BTreeSet<u16>,
    /// Ports at which a part of it does not listen.
    pub(super) in_part: BTreeSet<u16>,
    /// How long it takes to say so.
    pub(super) says_after: Duration,
    /// The most listeners.
    pub(super) limit: Option<usize>,
    /// Services for which nothing ever listens.
    pub(super) never: BTreeSet<Label>,
    /// Services for which it listens, and never says so.
    pub(super) silent: BTreeSet<Label>,
    /// Whether it listens for everybody, and never says so.
    pub(super) is_mute: bool,
    /// Whether it does not answer at all.
    pub(super) is_away: bool,
    /// Whether it is long in saying what listens.
    pub(super) is_slow: bool,
    /// How often it was asked for that.
    pub(super) observed: usize,
    /// How often a port was to be listened at.
    pub(super) programmed: usize,
    /// Whether it was told that everything was asked for.
    pub(super) is_settled: bool,
    /// Ports at which a listener was taken away.
    pub(super) withdrawn: Vec<u16>,
    /// What must not have happened.
    pub(super) wrongs: Vec<String>,
}

/// Whether something listens, as the list says.
#[derive(Debug)]
pub(super) struct Ear(pub(super) Arc<Pretend>);

/// How a range is kept here: short times.
pub(crate) fn terms(ports: u16) -> Terms {
    Terms {
        range: PortRange::new(FIRST, FIRST + ports - 1).expect("a range"),
        ports_per_owner: usize::from(ports),
        program_timeout: Duration::from_millis(300),
        rest: Duration::from_millis(300),
        kept: Duration::ZERO,
        close_after: Duration::ZERO,
    }
}

/// A keeper that runs until it is dropped, as if the process were killed.
#[derive(Debug)]
pub(crate) struct Life {
    pub(super) registry: Arc<Registry>,
    pub(super) board: Arc<Board>,
    pub(super) metrics: Arc<Metrics>,
    _stop: DropGuard,
}

impl Life {
    /// Begins one. The table waits for a provider.
    pub(super) fn begin(ledger: Arc<dyn Ledger>, plane: Arc<dyn Plane>, ears: &Arc<Pretend>, terms: Terms) -> Self {
        Self::begin_with(ledger, plane, Arc::new(Ear(Arc::clone(ears))), terms)
    }

    /// The same, which tries ports otherwise.
    pub(crate) fn begin_with(
        ledger: Arc<dyn Ledger>,
        plane: Arc<dyn Plane>,
        probe: Arc<dyn Probe>,
        terms: Terms,
    ) -> Self {
        let metrics = Arc::new(Metrics::new());
        let (registry, feed) = registry(&metrics);
        let registry = Arc::new(registry);
        let board = Board::new(&settings("10.0.0.0/8"));
        let keeper = Keeper {
            registry: Arc::clone(&registry),
            feed,
            ledger,
            plane,
            probe,
            board: Arc::clone(&board),
            terms,
            metrics: Arc::clone(&metrics),
        };
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        tokio::spawn(async move { keeper.run(&stop).await });
        Self { registry, board, metrics, _stop: guard }
    }

    /// The provider sees these services, which are open to all.
    pub(crate) fn see(&self, operations: &[&str]) {
        self.see_at(5432, operations);
    }

    /// The same, with jobs at that port.
    pub(super) fn see_at(&self, port: u16, operations: &[&str]) {
        self.see_entries(operations.iter().map(|operation| entry(operation, port)));
    }

    /// The same, which speak that and are for these people.
    pub(super) fn see_as(&self, protocol: Protocol, access: AccessLevel, operations: &[&str]) {
        self.see_entries(operations.iter().map(|operation| {
            let entry = entry(operation, 5432);
            Entry { protocol, policy: Policy { access, ..entry.policy }, ..entry }
        }));
    }

    /// The same, and whose they are; `""` is nobody.
    pub(crate) fn see_of(&self, services: &[(&str, &str)]) {
        self.see_entries(services.iter().map(|(operation, owner)| {
            let entry = entry(operation, 5432);
            let owner = Some((*owner).to_owned()).filter(|owner| !owner.is_empty());
            Entry { policy: Policy { owner, ..entry.policy }, ..entry }
        }));
    }

    fn see_entries(&self, entries: impl Iterator<Item = Entry>) {
        let inventory = Inventory { services: entries.map(Arc::new).collect(), ..Inventory::default() };
        self.registry.apply([(Arc::from("file"), Report::Sees(inventory))].into());
    }

    /// What is told of a service.
    pub(crate) fn place(&self, operation: &str) -> Option<TcpPlace> {
        let services = self.registry.services();
        let service = services.iter().find(|service| service.entry.key.operation == operation)?;
        self.board.place(service)
    }

    /// The port that is told.
    pub(crate) fn port(&self, operation: &str) -> Option<u16> {
        let address = self.place(operation)?.address?;
        address.rsplit_once(':').and_then(|(_, port)| port.parse().ok())
    }

    /// What is told of services whose address is no listener of theirs.
    pub(super) fn lies(&self, pretend: &Pretend) -> Vec<String> {
        let services = self.registry.services();
        let lies = services.iter().filter_map(|service| {
            let told = self.port(&service.entry.key.operation)?;
            let listening = pretend.state().listeners.get(&told).cloned();
            // It is asked for twice, since it may have been taken back in between.
            let is_told = self.port(&service.entry.key.operation) == Some(told);
            (is_told && listening.as_ref() != Some(&service.id))
                .then(|| format!("{} is told at {told}, where {listening:?} is", service.id))
        });
        lies.collect()
    }
}

impl Pretend {
    pub(super) fn state(&self) -> MutexGuard<'_, Listening> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(&self, port: u16, service: Label) -> Result<(), PlaneError> {
        let mut state = self.state();
        if state.is_away {
            return Err(PlaneError::Unavailable("away".into()));
        }
        if state.foreign.contains(&port) {
            return Err(PlaneError::PortTaken(port));
        }
        if state.never.contains(&service) {
            let after = Duration::from_millis(1);
            return Err(PlaneError::NotProgrammed { port, after, reason: "never".into() });
        }
        if let Some(other) = state.listeners.get(&port).filter(|other| **other != service) {
            let wrong = format!("port {port} is wanted for {service}, and listens for {other}");
            state.wrongs.push(wrong);
        }
        if let Some(limit) =
            state.limit.filter(|limit| !state.listeners.contains_key(&port) && state.listeners.len() >= *limit)
        {
            return Err(PlaneError::ListenerLimit(limit));
        }
        state.listeners.insert(port, service);
        Ok(())
    }

    pub(super) fn ports(&self) -> Vec<u16> {
        self.state().listeners.keys().copied().collect()
    }
}

#[async_trait]
impl Plane for Pretend {
    async fn program(&self, wish: &Wish) -> Result<(), PlaneError> {
        let service = wish.service.id.clone();
        self.listen(wish.lease.port, service.clone())?;
        let is_silent = {
            let state = self.state();
            state.is_mute || state.silent.contains(&service)
        };
        if is_silent {
            std::future::pending::<()>().await;
        }
        let says_after = {
            let mut state = self.state();
            state.programmed += 1;
            state.in_part.contains(&wish.lease.port).then_some(state.says_after)
        };
        let Some(says_after) = says_after else { return Ok(()) };
        tokio::time::sleep(says_after).await;
        Err(PlaneError::InPart("away".into()))
    }

    async fn withdraw(&self, lease: &Lease) -> Result<(), PlaneError> {
        let mut state = self.state();
        if state.is_away {
            return Err(PlaneError::Unavailable("away".into()));
        }
        if state.listeners.get(&lease.port) == Some(&lease.service) {
            state.listeners.remove(&lease.port);
            state.withdrawn.push(lease.port);
        }
        Ok(())
    }

    async fn observe(&self) -> Result<Vec<(u16, Label)>, PlaneError> {
        self.state().observed += 1;
        while self.state().is_slow {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let state = self.state();
        if state.is_away {
            return Err(PlaneError::Unavailable("away".into()));
        }
        Ok(state.listeners.iter().map(|(port, service)| (*port, service.clone())).collect())
    }

    async fn settle(&self) {
        self.state().is_settled = true;
    }
}

#[async_trait]
impl Probe for Ear {
    async fn answers(&self, port: u16, until: Instant) -> Result<(), String> {
        if Instant::now() >= until {
            return Err("there was no time to try".into());
        }
        let listens = self.0.state().listeners.contains_key(&port);
        if listens { Ok(()) } else { Err("nobody listens".into()) }
    }
}

/// A ledger in a file, or on a server.
pub(super) async fn ledger(address: &str) -> Arc<SqlLedger> {
    let ledger = SqlLedger::open(&SecretText::from(address.to_owned()), Arc::new(SystemClock)).await;
    Arc::new(ledger.expect("opens"))
}

/// The address of a ledger in a directory.
pub(super) fn file_in(directory: &Path) -> String {
    format!("sqlite:{}", directory.join("gateway.db").display())
}

/// The ports that are held, and how many rest.
pub(super) async fn held(ledger: &dyn Ledger) -> (Vec<Lease>, usize) {
    let slots = ledger.list().await.expect("a list");
    let all = slots.len();
    let held: Vec<Lease> = slots
        .into_iter()
        .filter_map(|slot| match slot {
            Slot::Held(lease) => Some(lease),
            Slot::Resting { .. } => None,
        })
        .collect();
    let resting = all - held.len();
    (held, resting)
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    // Whoever failed some times in a row may wait half a minute before trying again.
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition().await {
        assert!(Instant::now() < deadline, "it does not come: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Who holds the port of that operation's service.
pub(super) fn holder(operation: &str) -> Holder {
    Holder::of(&key(operation))
}

fn key(operation: &str) -> ServiceKey {
    ServiceKey { operation: operation.into(), task: "db".into(), service: "sql".into() }
}

fn entry(operation: &str, port: u16) -> Entry {
    Entry {
        key: Arc::new(key(operation)),
        alternatives: Vec::new(),
        alias: None,
        protocol: Protocol::Tcp,
        endpoints: vec![Endpoint { address: ([10, 0, 0, 1], port).into(), weight: 1 }],
        policy: Policy { access: AccessLevel::Public, owner: None, grants: Vec::new(), revision: 0 },
        forward_credential: false,
        names: Vec::new(),
        vouched: false,
        path: None,
    }
}

fn registry(metrics: &Arc<Metrics>) -> (Registry, Arc<Feed>) {
    let keys = vec![(KeyId::parse("k1").expect("an id"), Secret::new([1; 32]))];
    let control = ControlState::new(GateConfig::for_domain("a.b"), keys, Digest::of(b""));
    let feed = Arc::new(Feed::new(7, control.control()));
    let registry = Registry::new(Arc::clone(&feed), Arc::new(SystemClock), Arc::clone(metrics));
    registry.expect_providers(&["file"]);
    (registry, feed)
}

/// Settings with services that are open to these networks.
pub(super) fn settings(source_ranges: &str) -> GatewaySettings {
    let text = format!(
        "gate: {{base_domains: [tasks.example.test]}}\nproviders: [{{file: {{path: services.yaml}}}}]\nxds: {{}}\n\
         state: {{directory: /nowhere}}\n\
         internal_task_gateway: {{gateway_ip: 192.0.2.1, source_ranges: [{source_ranges}]}}\n"
    );
    let settings = load::read(&text, Path::new("/")).expect("holds");
    settings.gateway.expect("a section")
}
