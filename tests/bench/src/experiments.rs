//! Taskgate's Envoy configuration with one part changed each: where the time goes.
//!
//! Only for finding out. Most of these would be wrong in production: jobs would see headers that are not
//! theirs, or a job's death would be noticed.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::envoy_config::{CLUSTERS, LISTENERS, MANAGER, UPSTREAM, list, listener, named};

/// Copies of the clusters that make up an HTTP/1.1 job's upstream get this in front of their names.
const COPY: &str = "bench-";

/// A plain route with a filter that reads what Taskgate's does.
pub(crate) const READ: &str = "no-op that reads headers";
/// The same, with all the calls of a permitted request.
pub(crate) const ALL: &str = "no-op that edits headers";

/// Taskgate where every request asks the sidecar, over HTTP/2.
pub(crate) const ASKING_HTTP2: &str = "taskgate uncached, HTTP/2";
const SIDECAR_HTTP2: &str = "bench-sidecar-http2";

/// One changed configuration.
#[derive(Clone, Copy, Debug)]
struct Experiment {
    name: &'static str,
    change: fn(&mut Value) -> anyhow::Result<()>,
    /// The cluster that requests with an address go to, in place of the right one.
    cluster: Option<&'static str>,
}

const EXPERIMENTS: [Experiment; 7] = [
    Experiment { name: ASKING_HTTP2, change: with_http2, cluster: None },
    Experiment { name: "- early header mutation", change: without_early_mutation, cluster: None },
    Experiment { name: "- attempts", change: |_| Ok(()), cluster: Some("bench-taskgate-h1") },
    Experiment { name: "- attempts, composite", change: |_| Ok(()), cluster: Some("taskgate-h1-1") },
    Experiment { name: "- attempts, composite, metadata", change: without_metadata, cluster: Some("bench-by-header") },
    Experiment { name: "- all but filter and mutation", change: without_metadata, cluster: Some(UPSTREAM) },
    Experiment { name: "- retries, buffer, idle limit", change: without_route_options, cluster: None },
];

/// The names, which are those of the listeners too.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    [READ, ALL].into_iter().chain(EXPERIMENTS.iter().map(|experiment| experiment.name))
}

/// Adds a listener for each experiment.
pub(crate) fn add(document: &mut Value) -> anyhow::Result<()> {
    let mut composite = named(document, CLUSTERS, "taskgate-h1")?.clone();
    rename(&mut composite, &format!("{COPY}taskgate-h1"))?;
    let options = "/typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let options = composite.pointer_mut(options).and_then(Value::as_object_mut).context("no protocol options")?;
    options.remove("http_filters").context("no attempt filter")?;
    let mut by_header = named(document, CLUSTERS, "taskgate-h1-1")?.clone();
    rename(&mut by_header, "bench-by-header")?;
    *by_header.get_mut("original_dst_lb_config").context("no address")? =
        json!({"use_http_header": true, "http_header_name": "x-taskgate-up1"});
    let mut sidecar = named(document, CLUSTERS, "taskgate-sidecar")?.clone();
    rename(&mut sidecar, SIDECAR_HTTP2)?;
    sidecar.as_object_mut().context("no map")?.insert(
        "typed_extension_protocol_options".to_owned(),
        json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }}),
    );
    let model = named(document, LISTENERS, listener::TASKGATE)?.clone();
    for experiment in EXPERIMENTS {
        let mut listener = model.clone();
        rename(&mut listener, experiment.name)?;
        let manager = listener.pointer_mut(MANAGER).context("no connection manager")?;
        (experiment.change)(manager).with_context(|| experiment.name)?;
        if let Some(cluster) = experiment.cluster {
            redirect(manager, cluster)?;
        }
        list(document, LISTENERS)?.push(listener);
    }
    list(document, CLUSTERS)?.extend([composite, by_header, sidecar]);
    Ok(())
}

/// A VM has one configuration, so this is another VM.
fn with_http2(manager: &mut Value) -> anyhow::Result<()> {
    let config = manager.pointer_mut("/http_filters/0/typed_config/config").context("no filter")?;
    *config.pointer_mut("/vm_config/vm_id").context("no VM")? = json!(SIDECAR_HTTP2);
    *config.pointer_mut("/configuration/value").context("no configuration")? =
        json!(format!("cluster = {SIDECAR_HTTP2}"));
    Ok(())
}

fn without_early_mutation(manager: &mut Value) -> anyhow::Result<()> {
    let fields = manager.as_object_mut().context("no connection manager")?;
    fields.remove("early_header_mutation_extensions").context("no early header mutation")?;
    Ok(())
}

fn without_metadata(manager: &mut Value) -> anyhow::Result<()> {
    let filters = manager.pointer_mut("/http_filters").and_then(Value::as_array_mut).context("no filters")?;
    filters.retain(|filter| filter.get("name").is_none_or(|name| name != "taskgate.candidates"));
    let hosts = manager.pointer_mut("/route_config/virtual_hosts/0/typed_per_filter_config");
    hosts.and_then(Value::as_object_mut).context("no virtual host")?.remove("taskgate.candidates");
    Ok(())
}

fn without_route_options(manager: &mut Value) -> anyhow::Result<()> {
    let host = manager.pointer_mut("/route_config/virtual_hosts/0").and_then(Value::as_object_mut);
    host.context("no virtual host")?.remove("request_body_buffer_limit").context("no buffer limit")?;
    for route in routes(manager)? {
        for option in ["retry_policy", "idle_timeout", "max_stream_duration"] {
            route.remove(option);
        }
    }
    Ok(())
}

/// HTTP/1.1 requests with an address go to `cluster`.
fn redirect(manager: &mut Value, cluster: &str) -> anyhow::Result<()> {
    for route in routes(manager)? {
        if route.get("cluster").is_some_and(|name| name == "taskgate-h1") {
            route.insert("cluster".to_owned(), json!(cluster));
        }
    }
    Ok(())
}

fn routes(manager: &mut Value) -> anyhow::Result<impl Iterator<Item = &mut serde_json::Map<String, Value>>> {
    let routes = manager.pointer_mut("/route_config/virtual_hosts/0/routes").and_then(Value::as_array_mut);
    let routes = routes.context("no routes")?.iter_mut();
    Ok(routes.filter_map(|route| route.get_mut("route")?.as_object_mut()))
}

fn rename(value: &mut Value, name: &str) -> anyhow::Result<()> {
    let fields = value.as_object_mut().context("no map")?;
    fields.insert("name".to_owned(), json!(name));
    Ok(())
}
