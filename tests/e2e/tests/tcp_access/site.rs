//! A gateway with ports of their own for TCP services: `static.yaml`, with a listener for each.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};
use taskgate_test_kit::{Authority, Issued, ReservedAddress, wait_for};

use crate::support::PATIENCE;
use crate::support::client::Client;
use crate::support::gateway::Gateway;
use crate::support::service::{Service, id};
use crate::support::setup::Setup;

use super::job::TcpJob;

/// The services here: one that greets and one that does not, behind certificates; and two without TLS, of which one
/// is open.
pub(super) const GREETS: &str = "greets";
pub(super) const WAITS: &str = "waits";
pub(super) const OPEN: &str = "open";
pub(super) const PLAIN: &str = "plain";

pub(super) struct Site {
    pub(super) gateway: Gateway,
    pub(super) authority: Authority,
    pub(super) greets: TcpJob,
    pub(super) waits: TcpJob,
    _xds: ReservedAddress,
}

impl Site {
    pub(super) async fn start() -> anyhow::Result<Self> {
        Self::start_with(|setup| setup).await
    }

    /// With one worker, so that what one connection has learned is known to the next.
    pub(super) async fn start_with(change: impl FnOnce(Setup) -> Setup) -> anyhow::Result<Self> {
        let (authority, xds) = (Authority::new()?, ReservedAddress::new()?);
        let (greets, waits) = (TcpJob::start(true).await?, TcpJob::start(false).await?);
        let listen = xds.address();
        let setup = Setup::new(services(&greets, &waits)).one_worker().configure(|config| {
            config["xds"] = json!({"listen": listen});
            config["state"] = json!({"directory": "state"});
            config["verdicts"]["allow_lifetime_secs"] = json!(2);
            config["internal_task_gateway"] = json!({
                "gateway_ip": "127.0.0.1",
                "close_after_secs": 1,
                "gateway_port_range_start": 1025,
                "gateway_port_range_end": 1025,
                "source_ranges": ["127.0.0.0/8"],
                "client_certificates": {
                    "users": [
                        {"san": "spiffe://example.test/alice", "actor": "alice"},
                        {"subject": "CN=bob,O=Example", "actor": "bob", "groups": ["ml"]},
                    ],
                    "san_prefix": "spiffe://example.test/users/",
                },
            });
        });
        let setup = change(setup);
        let server = authority.issue("server", "DNS:localhost")?;
        let sidecar = setup.start_sidecar().await?;
        let jobs = [(GREETS, &greets), (WAITS, &waits), (OPEN, &waits), (PLAIN, &waits)];
        let jobs = jobs.map(|(task, job)| (task, job.address()));
        let tls = tls(&server, &authority.certificate());
        let ingress = setup.start_envoy_with(sidecar.internal_address(), |document| listen_at(document, &jobs, &tls));
        let ingress = ingress.await?;
        ingress.wait_for_table().await?;
        let gateway = Gateway { sidecar, ingress, config: setup.config().clone() };
        Ok(Self { gateway, authority, greets, waits, _xds: xds })
    }

    pub(super) fn services(&self) -> [Service; 4] {
        services(&self.greets, &self.waits)
    }

    /// The certificate of somebody whom the operator knows by that name.
    pub(super) fn user(&self, name: &str) -> anyhow::Result<Issued> {
        self.authority.issue(name, &format!("URI:spiffe://example.test/{name}"))
    }

    pub(super) async fn port(&self, task: &str) -> anyhow::Result<SocketAddr> {
        self.gateway.ingress.envoy.listener_address(&format!("tcp-{task}")).await
    }

    pub(super) async fn connect(&self, task: &str, shown: Option<&Issued>) -> anyhow::Result<Client> {
        Client::secure(self.port(task).await?, &self.authority.certificate(), shown)
    }

    pub(super) async fn connect_plainly(&self, task: &str) -> anyhow::Result<Client> {
        Client::plain(self.port(task).await?).await
    }

    /// The line of the access log about a connection to that service for which it holds.
    pub(super) async fn line(&self, task: &str, holds: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let id = id(task);
        let line = wait_for(PATIENCE, "a line in the access log", async || {
            let log = self.gateway.ingress.envoy.log();
            let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.find(|line| line["tcp.service"] == id && holds(line))
        });
        line.await.with_context(|| self.gateway.ingress.envoy.log())
    }

    /// Waits until the filter has asked so often.
    pub(super) async fn asked(&self, times: u64) -> anyhow::Result<()> {
        let asked = async || self.gateway.ingress.counter("verdicts.asked").await.is_ok_and(|count| count >= times);
        taskgate_test_kit::wait_until(PATIENCE, "the filter to ask", asked).await
    }
}

fn services(greets: &TcpJob, waits: &TcpJob) -> [Service; 4] {
    [
        Service::tcp(GREETS).at(greets.address()),
        Service::tcp(WAITS).at(waits.address()),
        Service::tcp(OPEN).access("public").at(waits.address()),
        Service::tcp(PLAIN).at(waits.address()),
    ]
}

fn tls(server: &Issued, authority: &Path) -> Value {
    json!({
        "name": "tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "require_client_certificate": true,
            "common_tls_context": {
                "tls_certificates": [{
                    "certificate_chain": {"filename": server.certificate}, "private_key": {"filename": server.key},
                }],
                "validation_context": {"trusted_ca": {"filename": authority}},
            },
        },
    })
}

/// Adds a listener for each service: what says when a handshake is over, the filter, and the way to the job.
fn listen_at(document: &mut Value, jobs: &[(&str, SocketAddr)], tls: &Value) -> anyhow::Result<()> {
    let http =
        "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config";
    let filter = document.pointer(http).context("the filter is not where it was")?.clone();
    for (task, job) in jobs {
        let mut chain = json!({"name": id(task), "filters": filters(task, &filter)});
        if *task == GREETS || *task == WAITS {
            chain["transport_socket"] = tls.clone();
            chain["transport_socket_connect_timeout"] = json!("10s");
        }
        let listener = json!({
            "name": format!("tcp-{task}"),
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
            "filter_chains": [chain],
        });
        let cluster = json!({
            "name": format!("tcp-{task}"), "type": "STATIC",
            "load_assignment": {"cluster_name": format!("tcp-{task}"), "endpoints": [{"lb_endpoints": [{"endpoint": {
                "address": {"socket_address": {"address": job.ip(), "port_value": job.port()}},
            }}]}]},
        });
        for (place, value) in [("listeners", listener), ("clusters", cluster)] {
            let list = document.pointer_mut(&format!("/static_resources/{place}")).and_then(Value::as_array_mut);
            list.context("no list")?.push(value);
        }
    }
    Ok(())
}

fn filters(task: &str, filter: &Value) -> Value {
    let kind = |name: &str| format!("type.googleapis.com/envoy.extensions.{name}");
    json!([
        {"name": "taskgate.peer", "typed_config": {
            "@type": kind("filters.network.set_filter_state.v3.Config"),
            "on_downstream_tls_handshake": [{
                "object_key": "taskgate.peer", "factory_key": "envoy.string",
                "format_string": {"text_format_source": {
                    "inline_string": "v1 %DOWNSTREAM_PEER_FINGERPRINT_256% %DOWNSTREAM_PEER_CERT_V_END(%s)%",
                }},
            }],
        }},
        {"name": "taskgate", "typed_config": {"@type": kind("filters.network.wasm.v3.Wasm"), "config": filter}},
        {"name": "tcp", "typed_config": {
            "@type": kind("filters.network.tcp_proxy.v3.TcpProxy"),
            "stat_prefix": "tcp", "cluster": format!("tcp-{task}"), "max_early_data_bytes": 65536,
            "access_log": [{"name": "log", "typed_config": {
                "@type": kind("access_loggers.stream.v3.StdoutAccessLog"),
                "log_format": {"json_format": {
                    "tcp.service": "%FILTER_CHAIN_NAME%",
                    "service.id": "%FILTER_STATE(wasm.tg_service:PLAIN)%",
                    "actor.id": "%FILTER_STATE(wasm.tg_actor:PLAIN)%",
                    "access.level": "%FILTER_STATE(wasm.tg_level:PLAIN)%",
                    "access.rule": "%FILTER_STATE(wasm.tg_rule:PLAIN)%",
                    "denial.code": "%FILTER_STATE(wasm.tg_denial:PLAIN)%",
                    "upstream.addr": "%UPSTREAM_HOST%",
                }},
            }}],
        }},
    ])
}
