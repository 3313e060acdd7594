//! A cluster with a Gateway, and sidecars that use it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use taskgate::clock::ManualClock;
use taskgate::config::internal_task_gateway::kubernetes::KubernetesGatewayMode;
use taskgate::discovery::inventory::{Entry, ServiceKey};
use taskgate::discovery::policy::Policy;
use taskgate::gateway::kubernetes::KubernetesGateway;
use taskgate::gateway::ledger::{Ledger as _, ReserveError};
use taskgate::gateway::plane::Wish;
use taskgate::gateway::port::{Holder, Lease, PortRange, Slot};
use taskgate::gateway::settings::KubernetesGatewaySettings;
use taskgate::registry::published::Published;
use taskgate_core::label::Label;
use taskgate_core::service::{AccessLevel, Endpoint, Protocol};
use taskgate_core::time::UnixTime;
use taskgate_emulators::kubernetes::{Kubernetes, Profile};

use super::PATIENCE;

/// The namespace that all is in.
pub(super) const EDGE: &str = "edge";
/// The Gateway.
pub(super) const TCP: &str = "tcp";
/// How long ports rest here.
pub(super) const REST: Duration = Duration::from_secs(600);

/// Both ways to add listeners.
pub(super) const MODES: [KubernetesGatewayMode; 2] =
    [KubernetesGatewayMode::ListenerSets, KubernetesGatewayMode::Gateway];

/// A cluster with a Gateway that has an HTTP listener at port 80.
pub(super) struct Stage {
    pub(super) cluster: Kubernetes,
    pub(super) clock: Arc<ManualClock>,
    mode: KubernetesGatewayMode,
}

impl Stage {
    pub(super) async fn start(mode: KubernetesGatewayMode) -> Self {
        Self::start_with(mode, Profile::default()).await
    }

    pub(super) async fn start_with(mode: KubernetesGatewayMode, profile: Profile) -> Self {
        let cluster = Kubernetes::start(profile).await.expect("starts");
        cluster.add_gateway(EDGE, TCP, true);
        let clock = Arc::new(ManualClock::new(UnixTime::from_millis(1_800_000_000_000)));
        Self { cluster, clock, mode }
    }

    /// A sidecar that has just started.
    pub(super) fn life(&self) -> KubernetesGateway {
        self.life_with(true, PATIENCE)
    }

    /// One for another Gateway of the same namespace.
    pub(super) fn life_of(&self, gateway: &str) -> KubernetesGateway {
        self.life_at(gateway, true, PATIENCE)
    }

    /// The same, which puts public services at ports or not, and waits so long for a listener.
    pub(super) fn life_with(&self, open: bool, program_timeout: Duration) -> KubernetesGateway {
        self.life_at(TCP, open, program_timeout)
    }

    fn life_at(&self, gateway: &str, open: bool, program_timeout: Duration) -> KubernetesGateway {
        let config = kube::Config::new(self.cluster.url().parse().expect("an address"));
        let settings =
            KubernetesGatewaySettings { name: gateway.into(), namespace: EDGE.into(), mode: self.mode, open };
        let clock = Arc::clone(&self.clock);
        KubernetesGateway::with_cluster(config, settings, program_timeout, REST, clock)
    }

    /// Where a connection to a port ends, as text; `-` where nothing listens.
    pub(super) fn behind(&self, port: u16) -> String {
        let found = self.cluster.behind(EDGE, port);
        let texts =
            |addresses: Vec<SocketAddr>| addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        found.map_or_else(|| "-".to_owned(), texts)
    }

    /// The names of everything that this sidecar made, in all resources.
    pub(super) fn left(&self) -> Vec<String> {
        let made = ["listenersets", "services", "endpointslices", "tcproutes"];
        let mut names: Vec<String> = made.iter().flat_map(|plural| self.cluster.names(plural)).collect();
        names.extend(self.cluster.ports(EDGE, TCP).iter().filter(|port| **port != 80).map(ToString::to_string));
        names
    }
}

/// So many ports.
pub(super) fn range(count: u16) -> PortRange {
    PortRange::new(20_000, 19_999 + count).expect("a range")
}

/// The service of a task, which everybody may use, with jobs at these addresses.
pub(super) fn service(task: &str, jobs: &[&str]) -> Arc<Published> {
    service_for(task, AccessLevel::Public, jobs)
}

/// The same, for whom it is.
pub(super) fn service_for(task: &str, access: AccessLevel, jobs: &[&str]) -> Arc<Published> {
    let endpoint = |address: &&str| Endpoint { address: address.parse().expect("an address"), weight: 1 };
    let entry = Entry {
        key: Arc::new(ServiceKey { operation: "op".into(), task: task.into(), service: "tcp".into() }),
        alternatives: Vec::new(),
        alias: None,
        protocol: Protocol::Tcp,
        endpoints: jobs.iter().map(endpoint).collect(),
        policy: Policy { access, owner: None, grants: Vec::new(), revision: 0 },
        forward_credential: false,
        names: Vec::new(),
        vouched: false,
        path: None,
    };
    Arc::new(Published::new(label(task), Vec::new(), "file".into(), Arc::new(entry)).expect("a service"))
}

pub(super) fn label(text: &str) -> Label {
    Label::parse(text.as_bytes()).expect("a label")
}

/// Reserves a port for a service.
pub(super) async fn reserve(
    gateway: &KubernetesGateway,
    range: PortRange,
    service: &Published,
) -> Result<Lease, ReserveError> {
    gateway.reserve(range, &Holder::of(&service.entry.key), &service.id, &[]).await
}

/// Reserves a port that there is.
pub(super) async fn wish(gateway: &KubernetesGateway, range: PortRange, service: &Arc<Published>) -> Wish {
    let lease = reserve(gateway, range, service).await.expect("a port");
    Wish { lease, service: Arc::clone(service) }
}

/// The ports that are held.
pub(super) async fn held(gateway: &KubernetesGateway) -> Vec<u16> {
    let slots = gateway.list().await.expect("a list");
    let mut ports: Vec<u16> = slots.iter().filter(|slot| matches!(slot, Slot::Held(_))).map(Slot::port).collect();
    ports.sort_unstable();
    ports
}
