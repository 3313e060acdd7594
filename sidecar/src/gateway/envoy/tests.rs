mod in_part;
mod secrets;

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::address;
use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use envoy_types::pb::envoy::config::listener::v3::Listener;
use envoy_types::pb::envoy::config::listener::v3::filter::ConfigType;
use envoy_types::pb::envoy::extensions::filters::network::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::wasm::v3::plugin_config::Vm;
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use envoy_types::pb::google::protobuf::StringValue;
use envoy_types::pb::google::rpc::Status as Reason;
use prost::Message as _;
use taskgate_core::service::{Endpoint, Protocol};

use super::*;
use crate::discovery::inventory::ServiceKey;
use crate::discovery::inventory::tests::entry;
use crate::gateway::port::Holder;
use crate::gateway::settings::EnvoyTlsFiles;
use crate::registry::published::Published;
use crate::secret::SecretText;
use crate::xds::addresses::Addresses;
use crate::xds::assignment::{HTTP1, Snapshot};
use crate::xds::conversation::{Conversation, Heard};
use crate::xds::ports::Kind;
use crate::xds::ports::secrets::{SecretName, TYPE_URL};

const ID: &str = "0123abcd";
/// What a connection goes through, in this order.
const FILTERS: [&str; 4] =
    ["envoy.filters.network.connection_limit", "taskgate.peer", "taskgate", "envoy.filters.network.tcp_proxy"];

fn plane(tls: Option<EnvoyTlsFiles>) -> EnvoyPlane {
    let settings = EnvoyGatewaySettings {
        listen: [127, 0, 0, 1].into(),
        filter_file: "/filter.wasm".into(),
        sidecar_cluster: "taskgate-sidecar".into(),
        tls,
        verdict_timeout_ms: 1_000,
        max_connections: 1_024,
        secret: None,
        store: SecretText::from("sqlite:/x".to_owned()),
    };
    EnvoyPlane::new(settings, watch::Sender::new(None).subscribe(), Duration::from_secs(30))
}

fn files() -> EnvoyTlsFiles {
    EnvoyTlsFiles { certificate_file: "/c".into(), key_file: "/k".into(), client_ca_file: "/a".into() }
}

fn wish(access: AccessLevel, job: u16, generation: u64) -> Wish {
    wish_of(ID, access, job, generation)
}

fn wish_of(id: &str, access: AccessLevel, job: u16, generation: u64) -> Wish {
    let mut entry = entry("op", "web", "tcp");
    entry.protocol = Protocol::Tcp;
    entry.policy.access = access;
    entry.endpoints = vec![Endpoint { address: ([10, 0, 0, 1], job).into(), weight: 1 }];
    let id = Label::parse(id.as_bytes()).expect("a label");
    let holder = Holder::of(&ServiceKey { operation: "op".into(), task: "web".into(), service: "tcp".into() });
    let lease = Lease { port: 20_000, holder, service: id.clone(), generation };
    let service = Published::new(id, Vec::new(), "file".into(), Arc::new(entry)).expect("a service");
    Wish { lease, service: Arc::new(service) }
}

/// A proxy, as it speaks.
struct Proxy {
    conversation: Conversation,
    board: Arc<Board>,
    /// The listeners that it has, with their bytes.
    listeners: HashMap<String, Vec<u8>>,
    /// What it says of listeners.
    refuses: Option<&'static str>,
    clusters: usize,
    /// The addresses that it got, in order.
    endpoints: Vec<ClusterLoadAssignment>,
    /// How often it was sent a listener.
    offers: usize,
    /// Whether it gives no listener up.
    keeps: bool,
    /// How often it was told to.
    removals: usize,
    /// What it says only when it has the addresses.
    held_back: Vec<String>,
    /// What it says of secrets.
    refuses_secrets: Option<&'static str>,
    /// Which secrets it got, in order.
    secrets: Vec<String>,
    asks_for_secrets: bool,
}

impl Proxy {
    fn connect(plane: &EnvoyPlane, brings: &[&str]) -> Self {
        let mut proxy = Self {
            conversation: Conversation::with_ports(plane.board.sit()),
            board: plane.board(),
            listeners: brings.iter().map(|name| ((*name).to_owned(), Vec::new())).collect(),
            refuses: None,
            clusters: 0,
            endpoints: Vec::new(),
            offers: 0,
            keeps: false,
            removals: 0,
            held_back: Vec::new(),
            refuses_secrets: None,
            secrets: Vec::new(),
            asks_for_secrets: false,
        };
        let versions = || brings.iter().map(|name| ((*name).to_owned(), "old".to_owned())).collect();
        for kind in [Kind::Cluster, Kind::Listener] {
            proxy.say(kind, DeltaDiscoveryRequest { initial_resource_versions: versions(), ..Default::default() });
        }
        proxy
    }

    fn say(&mut self, kind: Kind, request: DeltaDiscoveryRequest) {
        let request = DeltaDiscoveryRequest { type_url: kind.type_url().into(), ..request };
        self.conversation.hear(request).expect("no error");
    }

    /// Takes everything that comes, as Envoy does.
    fn take(&mut self) {
        loop {
            let ports = Arc::clone(&self.board.ports().borrow());
            let Some(response) = self.conversation.next_port(&ports) else { return };
            self.answer(&response);
        }
    }

    /// Asks for secrets while it has a listener that refers to them.
    fn ask_for_secrets(&mut self) {
        let is_secured = |bytes: &Vec<u8>| {
            let listener = Listener::decode(bytes.as_slice()).expect("a message");
            listener.filter_chains.iter().any(|chain| chain.transport_socket.is_some())
        };
        let needs = self.listeners.values().any(is_secured);
        if std::mem::replace(&mut self.asks_for_secrets, needs) != needs {
            let names = SecretName::ALL.map(|name| name.as_str().to_owned()).to_vec();
            let (asked, left) = if needs { (names, Vec::new()) } else { (Vec::new(), names) };
            self.say_of_secrets(DeltaDiscoveryRequest {
                resource_names_subscribe: asked,
                resource_names_unsubscribe: left,
                ..Default::default()
            });
        }
    }

    fn say_of_secrets(&mut self, request: DeltaDiscoveryRequest) {
        let request = DeltaDiscoveryRequest { type_url: TYPE_URL.into(), ..request };
        self.conversation.hear(request).expect("no error");
    }

    fn answer(&mut self, response: &DeltaDiscoveryResponse) {
        if response.type_url == TYPE_URL {
            self.secrets.extend(response.resources.iter().map(|resource| resource.name.clone()));
            let reason = self.refuses_secrets.map(|message| Reason { message: message.into(), ..Reason::default() });
            let response_nonce = response.nonce.clone();
            self.say_of_secrets(DeltaDiscoveryRequest { response_nonce, error_detail: reason, ..Default::default() });
            return;
        }
        let kind = Kind::of(&response.type_url).expect("a kind");
        let names = || response.resources.iter().map(|resource| resource.name.clone());
        let mut refusal = None;
        match kind {
            Kind::Cluster => {
                self.clusters += response.resources.len();
                let subscribe = names().collect();
                self.say(
                    Kind::Endpoints,
                    DeltaDiscoveryRequest {
                        resource_names_subscribe: subscribe,
                        resource_names_unsubscribe: response.removed_resources.clone(),
                        ..Default::default()
                    },
                );
            }
            Kind::Endpoints => self.endpoints.extend(response.resources.iter().map(|resource| {
                let body = resource.resource.clone().unwrap_or_default().value;
                ClusterLoadAssignment::decode(body.as_slice()).expect("a message")
            })),
            Kind::Listener => {
                assert!(response.resources.len() <= 1, "one at a time");
                self.offers += response.resources.len();
                refusal = self.refuses.filter(|_| !response.resources.is_empty());
                if refusal.is_none() {
                    let body = |resource: &envoy_types::pb::envoy::service::discovery::v3::Resource| {
                        resource.resource.clone().unwrap_or_default().value
                    };
                    self.listeners
                        .extend(response.resources.iter().map(|resource| (resource.name.clone(), body(resource))));
                }
                self.removals += usize::from(!response.removed_resources.is_empty());
                if self.keeps && !response.removed_resources.is_empty() {
                    refusal = Some("no");
                } else {
                    self.listeners.retain(|name, _| !response.removed_resources.contains(name));
                }
            }
        }
        let error_detail = refusal.map(|message| Reason { message: message.into(), ..Reason::default() });
        let nonce = response.nonce.clone();
        if kind == Kind::Cluster && !response.resources.is_empty() {
            // As Envoy does with clusters that come after its start.
            self.held_back.push(nonce);
            return;
        }
        self.say(kind, DeltaDiscoveryRequest { response_nonce: nonce, error_detail, ..Default::default() });
        if kind == Kind::Listener {
            self.ask_for_secrets();
        }
        if kind == Kind::Endpoints {
            for response_nonce in std::mem::take(&mut self.held_back) {
                self.say(Kind::Cluster, DeltaDiscoveryRequest { response_nonce, ..Default::default() });
            }
        }
    }

    /// Where the jobs were, in order.
    fn jobs(&self) -> Vec<u32> {
        let addresses = self.endpoints.iter().flat_map(|assignment| &assignment.endpoints);
        let addresses = addresses.flat_map(|group| &group.lb_endpoints).map(|endpoint| {
            let Some(HostIdentifier::Endpoint(endpoint)) = &endpoint.host_identifier else { panic!("no address") };
            let socket = endpoint.address.clone().and_then(|address| address.address);
            let Some(address::Address::SocketAddress(socket)) = socket else { panic!("no address") };
            let Some(PortSpecifier::PortValue(port)) = socket.port_specifier else { panic!("no port") };
            port
        });
        addresses.collect()
    }

    fn listener(&self) -> Listener {
        assert_eq!(self.listeners.len(), 1);
        let bytes = self.listeners.values().next().expect("a listener");
        Listener::decode(bytes.as_slice()).expect("a message")
    }
}

/// Programs while proxies listen to what comes.
async fn program(plane: &EnvoyPlane, wish: &Wish, proxies: &mut [&mut Proxy]) -> Result<(), PlaneError> {
    let mut news = plane.board.ports();
    let listen = async {
        loop {
            proxies.iter_mut().for_each(|proxy| proxy.take());
            news.changed().await.expect("the board lasts");
        }
    };
    let programmed = tokio::select! {
        programmed = plane.program(wish) => programmed,
        () = listen => unreachable!(),
    };
    proxies.iter_mut().for_each(|proxy| proxy.take());
    programmed
}

#[tokio::test(start_paused = true)]
async fn a_port_is_programmed_when_every_proxy_has_it() {
    let plane = plane(None);
    let wish = wish(AccessLevel::Public, 80, 1);
    let nobody = plane.program(&wish).await;
    assert!(matches!(nobody, Err(PlaneError::NotProgrammed { port: 20_000, .. })), "{nobody:?}");
    let (mut one, mut deaf) = (Proxy::connect(&plane, &[]), Proxy::connect(&plane, &[]));
    let waiting = program(&plane, &wish, &mut [&mut one]).await;
    assert!(matches!(waiting, Err(PlaneError::NotProgrammed { .. })), "{waiting:?}");
    deaf.take();
    assert_eq!(plane.program(&wish).await, Ok(()), "nothing more is to be done");
    assert_eq!((one.clusters, one.endpoints.len(), one.listeners.len()), (1, 1, 1));
    // One that comes later counts as well.
    let mut late = Proxy::connect(&plane, &[]);
    assert_eq!(program(&plane, &wish, &mut [&mut late]).await, Ok(()));
    assert_eq!(late.listener(), one.listener());
}

#[test]
fn what_is_the_same_is_sent_in_the_same_bytes() {
    let (one, other) = (plane(Some(files())), plane(Some(files())));
    for level in [AccessLevel::Public, AccessLevel::CanRead] {
        let port = one.port(&wish(level, 80, 1)).expect("a port");
        (0..20).for_each(|number| assert_eq!(other.port(&wish(level, 80, number)).expect("a port"), port));
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_moves_has_only_its_addresses_sent() {
    let plane = plane(None);
    let mut proxy = Proxy::connect(&plane, &[]);
    for (number, job) in [80, 81, 82, 82].into_iter().enumerate() {
        assert_eq!(program(&plane, &wish(AccessLevel::Public, job, 1), &mut [&mut proxy]).await, Ok(()));
        assert_eq!((proxy.clusters, proxy.endpoints.len()), (1, (number + 1).min(3)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_listener_is_taken_back_and_may_be_tried_again() {
    let plane = plane(None);
    let (mut one, mut other) = (Proxy::connect(&plane, &[]), Proxy::connect(&plane, &[]));
    let wish = wish(AccessLevel::Public, 80, 1);
    let taken = "Error adding/updating listener(s) x: cannot bind '0.0.0.0:20000': Address already in use";
    for (reason, error) in [(taken, PlaneError::PortTaken(20_000)), ("no", PlaneError::Refused("no".into()))] {
        other.refuses = Some(reason);
        assert_eq!(program(&plane, &wish, &mut [&mut one, &mut other]).await, Err(error));
        assert_eq!((one.listeners.len(), other.listeners.len()), (0, 0), "nothing stays half there");
    }
    other.refuses = None;
    assert_eq!(program(&plane, &wish, &mut [&mut one, &mut other]).await, Ok(()));
    assert_eq!((one.listeners.len(), other.listeners.len()), (1, 1));
}

fn is_in_part(programmed: &Result<(), PlaneError>) -> bool {
    matches!(programmed, Err(PlaneError::InPart(_)))
}

#[tokio::test(start_paused = true)]
async fn nothing_listens_without_the_filter_or_for_whom_it_must_not() {
    let open = plane(None);
    let mut proxy = Proxy::connect(&open, &[]);
    assert_eq!(program(&open, &wish(AccessLevel::Public, 80, 1), &mut [&mut proxy]).await, Ok(()));
    let filters = |listener: &Listener| {
        let chain = &listener.filter_chains[0];
        assert_eq!(chain.name, ID);
        chain.filters.iter().map(|filter| filter.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(filters(&proxy.listener()), FILTERS);
    assert!(proxy.listener().filter_chains[0].transport_socket.is_none());
    // What was public is not any more: it stops listening at once.
    for level in [AccessLevel::CanRead, AccessLevel::Owner, AccessLevel::Nobody] {
        let refused = program(&open, &wish(level, 80, 1), &mut [&mut proxy]).await;
        assert!(matches!(refused, Err(PlaneError::Refused(_))), "{level:?}: {refused:?}");
        assert_eq!(proxy.listeners.len(), 0);
    }

    let closed = plane(Some(files()));
    let mut proxy = Proxy::connect(&closed, &[]);
    assert_eq!(program(&closed, &wish(AccessLevel::CanRead, 80, 1), &mut [&mut proxy]).await, Ok(()));
    let listener = proxy.listener();
    assert_eq!(filters(&listener), FILTERS);
    assert!(listener.filter_chains[0].transport_socket.is_some());
    let refused = program(&closed, &wish(AccessLevel::Nobody, 80, 1), &mut [&mut proxy]).await;
    assert!(matches!(refused, Err(PlaneError::Refused(_))), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_life_left_stays_until_it_is_known_to_be_nobodys() {
    let plane = plane(None);
    let (kept, gone) = ("taskgate-tcp/0123abcd/20000", "taskgate-tcp/ffff0000/20001");
    let mut proxy = Proxy::connect(&plane, &[kept, gone, "somebody-elses"]);
    proxy.take();
    assert_eq!(proxy.listeners.len(), 3);
    let ports: Vec<u16> = plane.observe().await.expect("seen").into_iter().map(|(port, _)| port).collect();
    assert_eq!(ports, [20_000, 20_001]);
    let wish = wish(AccessLevel::Public, 80, 1);
    assert_eq!(program(&plane, &wish, &mut [&mut proxy]).await, Ok(()));
    assert_eq!(proxy.listeners.len(), 3);
    plane.settle().await;
    proxy.take();
    let mut left: Vec<&str> = proxy.listeners.keys().map(String::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["somebody-elses", kept]);
}

#[tokio::test(start_paused = true)]
async fn an_old_reservation_takes_nothing_from_a_new_one() {
    let plane = plane(None);
    let mut proxy = Proxy::connect(&plane, &[]);
    let (old, new) = (wish(AccessLevel::Public, 80, 1), wish(AccessLevel::Public, 80, 2));
    assert_eq!(program(&plane, &new, &mut [&mut proxy]).await, Ok(()));
    assert_eq!(plane.withdraw(&old.lease).await, Ok(()));
    proxy.take();
    assert_eq!(proxy.listeners.len(), 1);
    // It is gone when the proxy says so.
    let held = plane.withdraw(&new.lease).await;
    assert!(matches!(held, Err(PlaneError::Unavailable(_))), "{held:?}");
    proxy.take();
    assert_eq!((plane.withdraw(&new.lease).await, proxy.listeners.len()), (Ok(()), 0));
}

/// What the filter is told, and the machine that it runs in.
fn filter_of(port: &Port) -> (String, String) {
    let resource = port.body(Kind::Listener).resource("x").resource.expect("a listener");
    let listener = Listener::decode(resource.value.as_slice()).expect("a message");
    let filter = listener.filter_chains[0].filters.iter().find(|filter| filter.name == "taskgate").expect("a filter");
    let Some(ConfigType::TypedConfig(config)) = &filter.config_type else { panic!("no configuration") };
    let plugin = Wasm::decode(config.value.as_slice()).expect("a message").config.expect("a plugin");
    let told = StringValue::decode(plugin.configuration.expect("told").value.as_slice()).expect("a text").value;
    let Some(Vm::VmConfig(machine)) = plugin.vm else { panic!("no machine") };
    (told, machine.vm_id)
}

#[test]
fn the_filter_shows_the_sidecar_its_secret_and_leaves_the_filter_of_http_alone() {
    let wish = wish(AccessLevel::Public, 80, 1);
    let mut plane = plane(None);
    let machine = "taskgate-tcp".to_owned();
    let told = |plane: &EnvoyPlane| filter_of(&plane.port(&wish).expect("a port"));
    assert_eq!(told(&plane), ("cluster = taskgate-sidecar".to_owned(), machine.clone()));
    let secrets = watch::Sender::new(Some(SecretText::from("a=b".to_owned())));
    plane.secrets = secrets.subscribe();
    assert_eq!(told(&plane), ("cluster = taskgate-sidecar\nsecret = a=b".to_owned(), machine.clone()));
    // A reload is enough for another one.
    secrets.send_replace(Some(SecretText::from("c".to_owned())));
    plane.settings.verdict_timeout_ms = 2_500;
    let lines = "cluster = taskgate-sidecar\nsecret = c\nverdict_timeout_ms = 2500".to_owned();
    assert_eq!(told(&plane), (lines, machine));
}

#[tokio::test(start_paused = true)]
async fn a_port_that_two_services_have_had_is_taken_from_the_one_that_lost_it() {
    let plane = plane(None);
    let mut proxy = Proxy::connect(&plane, &[]);
    let (old, new) = (wish(AccessLevel::Public, 80, 5), wish_of("ffff0000", AccessLevel::Public, 80, 9));
    assert_eq!(program(&plane, &old, &mut [&mut proxy]).await, Ok(()));
    proxy.refuses = Some("error adding listener: duplicate address '0.0.0.0:20000'");
    assert_eq!(program(&plane, &new, &mut [&mut proxy]).await, Err(PlaneError::PortTaken(20_000)));
    proxy.refuses = None;
    let nobodys = Lease { holder: Holder::nobody(), generation: 0, ..old.lease.clone() };
    for lease in [old.lease.clone(), nobodys] {
        assert_eq!(program(&plane, &old, &mut [&mut proxy]).await, Ok(()));
        let _waits = plane.withdraw(&lease).await;
        proxy.take();
        assert_eq!((plane.withdraw(&lease).await, proxy.listeners.len()), (Ok(()), 0));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_remembered_of_a_port_that_is_gone() {
    let plane = plane(None);
    let mut proxy = Proxy::connect(&plane, &[]);
    plane.settle().await;
    let wish = wish(AccessLevel::Public, 80, 1);
    for refuses in [None, Some("no")] {
        proxy.refuses = refuses;
        assert_eq!(program(&plane, &wish, &mut [&mut proxy]).await.is_ok(), refuses.is_none());
        let _waits = plane.withdraw(&wish.lease).await;
        proxy.take();
        assert_eq!(plane.withdraw(&wish.lease).await, Ok(()));
        let known = format!("{:?} {:?}", plane.board(), proxy.conversation);
        assert!(!known.contains(&*name::of(&wish.lease.service, wish.lease.port)), "{known}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_gives_a_listener_not_up_is_not_asked_for_ever() {
    let plane = plane(None);
    let mut proxy = Proxy::connect(&plane, &[]);
    let wish = wish(AccessLevel::Public, 80, 1);
    assert_eq!(program(&plane, &wish, &mut [&mut proxy]).await, Ok(()));
    proxy.keeps = true;
    let _waits = plane.withdraw(&wish.lease).await;
    proxy.take();
    assert_eq!((proxy.removals, proxy.listeners.len()), (1, 1));
    // The port is not given to anybody meanwhile.
    let held = plane.withdraw(&wish.lease).await;
    assert!(matches!(held, Err(PlaneError::Unavailable(_))), "{held:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_proxy_asks_for_while_it_refuses_addresses_of_a_port_it_gets() {
    let plane = plane(None);
    let mut proxy = Proxy::connect(&plane, &[]);
    let wish = wish(AccessLevel::Public, 80, 1);
    let nothing = plane.program(&wish).await;
    assert!(nothing.is_err(), "{nothing:?}");
    let mut next = || {
        let ports = Arc::clone(&proxy.board.ports().borrow());
        proxy.conversation.next_port(&ports).expect("a response")
    };
    while next().type_url != Kind::Cluster.type_url() {}
    let asks = |names: &[&str]| DeltaDiscoveryRequest {
        type_url: Kind::Endpoints.type_url().to_owned(),
        resource_names_subscribe: names.iter().map(|name| (*name).to_owned()).collect(),
        ..DeltaDiscoveryRequest::default()
    };
    let name = name::of(&wish.lease.service, wish.lease.port);
    proxy.conversation.hear(asks(&[&name])).expect("no error");
    let mut next = || {
        let ports = Arc::clone(&proxy.board.ports().borrow());
        proxy.conversation.next_port(&ports).expect("a response")
    };
    let refused = loop {
        let response = next();
        if response.type_url == Kind::Endpoints.type_url() {
            break response;
        }
    };
    let heard = proxy.conversation.hear(DeltaDiscoveryRequest {
        response_nonce: refused.nonce,
        error_detail: Some(Reason { message: "no".into(), ..Reason::default() }),
        ..asks(&[HTTP1])
    });
    assert!(matches!(heard, Ok(Heard::Refused { .. })), "{heard:?}");
    let addresses = Addresses { http1: [([10, 0, 0, 1], 80).into()].into(), ..Addresses::default() };
    let sent = proxy.conversation.next(&Snapshot::new(&addresses, true)).expect("what it asked for");
    assert_eq!(sent.resources.first().map(|resource| resource.name.as_str()), Some(HTTP1));
}
