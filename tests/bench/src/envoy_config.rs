//! One Envoy configuration with a listener for each way.
//!
//! Taskgate's part is `envoy-config/static.yaml` as it is. The other listeners are copies of its listener
//! without what the file's last paragraph says to add to an existing one, so that nothing else differs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};
use taskgate_test_kit::{StaticConfig, environment};

use crate::experiments;
use crate::noop::Calls;

/// Names of listeners.
pub(crate) mod listener {
    pub(crate) const AUTHZ_GRPC: &str = "authz-grpc";
    pub(crate) const AUTHZ_HTTP: &str = "authz-http";
    pub(crate) const NOOP: &str = "noop";
    pub(crate) const PLAIN: &str = "plain";
    pub(crate) const TASKGATE: &str = "taskgate";
}

pub(crate) const UPSTREAM: &str = "bench-upstream";
pub(crate) const MANAGER: &str = "/filter_chains/0/filters/0/typed_config";
pub(crate) const LISTENERS: &str = "/static_resources/listeners";
pub(crate) const CLUSTERS: &str = "/static_resources/clusters";
/// How long an authoriser may take.
const AUTHORISER_TIMEOUT: &str = "1s";

/// What the configuration points to.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// The directory of the filters that decide nothing.
    pub(crate) modules: PathBuf,
    pub(crate) upstream: Vec<SocketAddr>,
    pub(crate) authoriser_grpc: SocketAddr,
    pub(crate) authoriser_http: SocketAddr,
}

/// `envoy-config/static.yaml` with that sidecar.
pub(crate) fn taskgate_alone(sidecar: SocketAddr) -> anyhow::Result<Value> {
    let config = StaticConfig {
        listener: SocketAddr::from(([127, 0, 0, 1], 0)),
        sidecar,
        filter: filter()?,
        filter_lines: Vec::new(),
    };
    config.document()
}

/// The same with the other ways beside it.
pub(crate) fn all(sidecar: SocketAddr, places: &Places, experiments: bool) -> anyhow::Result<Value> {
    let mut document = taskgate_alone(sidecar)?;
    let others = [
        plain(&document, listener::PLAIN, None)?,
        plain(&document, listener::NOOP, Some(noop(&places.modules, Calls::None)))?,
        plain(&document, listener::AUTHZ_GRPC, Some(authz(&grpc_service())))?,
        plain(&document, listener::AUTHZ_HTTP, Some(authz(&http_service(places.authoriser_http))))?,
    ];
    let model = named(&document, CLUSTERS, "taskgate-h1-1")?.clone();
    let clusters = [
        upstream(&model, &places.upstream),
        cluster(listener::AUTHZ_GRPC, &[places.authoriser_grpc], Some("http2_protocol_options")),
        cluster(listener::AUTHZ_HTTP, &[places.authoriser_http], None),
    ];
    list(&mut document, LISTENERS)?.extend(others);
    list(&mut document, CLUSTERS)?.extend(clusters);
    if experiments {
        let calling = [(experiments::READ, Calls::Read), (experiments::ALL, Calls::All)];
        for (name, calls) in calling {
            let listener = plain(&document, name, Some(noop(&places.modules, calls)))?;
            list(&mut document, LISTENERS)?.push(listener);
        }
        experiments::add(&mut document)?;
    }
    Ok(document)
}

/// The plain route alone: no filter of any kind is loaded.
pub(crate) fn plain_alone(places: &Places) -> anyhow::Result<Value> {
    let mut document = all(SocketAddr::from(([127, 0, 0, 1], 1)), places, false)?;
    let has_name = |item: &Value, wanted: &str| item.get("name").is_some_and(|name| name == wanted);
    list(&mut document, LISTENERS)?.retain(|listener| has_name(listener, listener::PLAIN));
    list(&mut document, CLUSTERS)?.retain(|cluster| has_name(cluster, UPSTREAM));
    Ok(document)
}

/// The filter that `make filter` built.
fn filter() -> anyhow::Result<PathBuf> {
    let made = environment::repository().join("target/wasm/taskgate_filter.wasm");
    let is_named = std::env::var_os(environment::TASKGATE_FILTER).is_some_and(|name| !name.is_empty());
    if !is_named && made.exists() { Ok(made) } else { environment::filter() }
}

/// Taskgate's listener without Taskgate, in front of the upstream's cluster.
fn plain(document: &Value, name: &str, filter: Option<Value>) -> anyhow::Result<Value> {
    let mut listener = named(document, LISTENERS, listener::TASKGATE)?.clone();
    let fields = listener.as_object_mut().context("a listener is no map")?;
    fields.insert("name".to_owned(), json!(name));
    let manager = listener.pointer_mut(MANAGER).and_then(Value::as_object_mut).context("no connection manager")?;
    manager.remove("early_header_mutation_extensions").context("no early header mutation")?;
    let filters = manager.get_mut("http_filters").and_then(Value::as_array_mut).context("no filters")?;
    let router = filters.pop().context("no router")?;
    *filters = filter.into_iter().chain([router]).collect();
    manager.insert("stat_prefix".to_owned(), json!(name));
    manager.insert(
        "route_config".to_owned(),
        json!({"name": name, "virtual_hosts": [{"name": name, "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "route": {"cluster": UPSTREAM, "timeout": "0s"}}
        ]}]}),
    );
    Ok(listener)
}

fn noop(modules: &Path, calls: Calls) -> Value {
    json!({"name": "noop", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {"name": calls.file(), "vm_config": {
            "vm_id": calls.file(),
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": modules.join(calls.file())}},
        }},
    }})
}

fn authz(service: &(&str, Value)) -> Value {
    let (kind, service) = service;
    json!({"name": "envoy.filters.http.ext_authz", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        "transport_api_version": "V3",
        *kind: service,
    }})
}

fn grpc_service() -> (&'static str, Value) {
    let service = json!({"envoy_grpc": {"cluster_name": listener::AUTHZ_GRPC}, "timeout": AUTHORISER_TIMEOUT});
    ("grpc_service", service)
}

fn http_service(address: SocketAddr) -> (&'static str, Value) {
    let service = json!({
        "server_uri": {
            "uri": format!("http://{address}"), "cluster": listener::AUTHZ_HTTP, "timeout": AUTHORISER_TIMEOUT,
        },
        "authorization_response": {"allowed_upstream_headers": {"patterns": [{"exact": "x-forwarded-user"}]}},
    });
    ("http_service", service)
}

/// The upstream's cluster treats connections as the clusters of Taskgate do.
fn upstream(model: &Value, addresses: &[SocketAddr]) -> Value {
    let mut upstream = cluster(UPSTREAM, addresses, None);
    for key in
        ["circuit_breakers", "connect_timeout", "typed_extension_protocol_options", "upstream_connection_options"]
    {
        if let (Some(value), Some(fields)) = (model.get(key), upstream.as_object_mut()) {
            fields.insert(key.to_owned(), value.clone());
        }
    }
    upstream
}

fn cluster(name: &str, addresses: &[SocketAddr], protocol: Option<&str>) -> Value {
    let endpoints: Vec<Value> = addresses
        .iter()
        .map(|address| {
            let socket = json!({"address": address.ip(), "port_value": address.port()});
            json!({"endpoint": {"address": {"socket_address": socket}}})
        })
        .collect();
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {protocol.unwrap_or("http_protocol_options"): {}},
        }},
    })
}

/// The list at that place.
pub(crate) fn list<'a>(document: &'a mut Value, pointer: &str) -> anyhow::Result<&'a mut Vec<Value>> {
    document.pointer_mut(pointer).and_then(Value::as_array_mut).with_context(|| format!("there is no {pointer}"))
}

/// The item of that name in the list at that place.
pub(crate) fn named<'a>(document: &'a Value, pointer: &str, name: &str) -> anyhow::Result<&'a Value> {
    let mut items = document.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let found = items.find(|item| item.get("name").is_some_and(|named| named == name));
    found.with_context(|| format!("there is no {name} in {pointer}"))
}
