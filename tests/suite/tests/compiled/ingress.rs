//! What differs between the proxies that the compiled filter is played on.

use taskgate_suite::case::Need;
use taskgate_suite::script::{Exchange, Header};
use taskgate_suite::{Permitted, Script};
use taskgate_test_host::{Flavour, Headers, Host, NginxConf, StreamId, Vm};

const CLUSTER: &str = "taskgate-sidecar";
/// The headers by which Envoy is told where a request goes, in order.
const CANDIDATES: [&str; 3] = ["x-taskgate-up1", "x-taskgate-up2", "x-taskgate-up3"];
/// And that the job speaks HTTP/2.
const PROTOCOL: &str = "x-taskgate-protocol";
/// The variables by which NGINX is told so.
const VARIABLES: [&str; 3] = ["tg_upstream", "tg_next", "tg_third"];

/// A proxy.
#[derive(Debug)]
pub(super) enum Ingress {
    /// Envoy, whose configuration needs no imitation.
    Envoy,
    /// NGINX with WasmX and the configuration that operators copy.
    WasmX(NginxConf),
}

impl Ingress {
    /// WasmX with `nginx-config/wasmx.conf`.
    pub(super) fn wasmx() -> Self {
        Self::WasmX(crate::filter::stage::wasmx_conf())
    }

    /// What it can't do. Envoy makes `:authority` of `Host`, and can change paths: a case of an ingress
    /// that does otherwise is for other runners.
    pub(super) fn supports(&self, script: &Script) -> bool {
        let is_host = |(name, _): &Header| name.eq_ignore_ascii_case(b"host");
        match self {
            Self::Envoy => {
                script.rewrites_path && !script.exchanges().any(|exchange| exchange.headers.iter().any(is_host))
            }
            Self::WasmX(_) => script.needs.is_empty(),
        }
    }

    /// One process of it.
    pub(super) fn host(&self) -> Host {
        match self {
            Self::Envoy => Host::envoy([CLUSTER]),
            Self::WasmX(conf) => {
                let host = Host::new(Flavour::WasmX);
                host.configure_nginx(conf);
                host
            }
        }
    }

    /// The filter's configuration.
    pub(super) fn configuration(&self) -> &str {
        match self {
            Self::Envoy => "cluster = taskgate-sidecar",
            Self::WasmX(conf) => conf.configuration(),
        }
    }

    /// What the job gets, and what the proxy is told of where it is.
    pub(super) fn permitted(
        &self,
        vm: &Vm,
        stream: StreamId,
        headers: &Headers,
        cookies: Vec<String>,
        exchange: &Exchange,
    ) -> Result<Permitted, String> {
        match self {
            Self::Envoy => by_headers(headers, cookies),
            Self::WasmX(_) => by_variables(vm, stream, headers, cookies, exchange),
        }
    }

    /// Why cases are beyond it, where they are.
    pub(super) fn lacks() -> [(Need, usize); 5] {
        [
            (Need::ClearPrefixes, 4),
            (Need::EndStreams, 15),
            (Need::RewritePaths, 16),
            (Need::SeeFailures, 7),
            (Need::ShowHosts, 21),
        ]
    }
}

fn by_headers(headers: &Headers, cookies: Vec<String>) -> Result<Permitted, String> {
    let candidate = |name: &str| {
        let values: Vec<&[u8]> = headers.values(name).collect();
        match values[..] {
            [value] => String::from_utf8_lossy(value).parse().map_err(|_| format!("{name} is no address")),
            _ => Err(format!("{name} comes {} times", values.len())),
        }
    };
    let candidates = CANDIDATES.into_iter().map(candidate).collect::<Result<_, _>>()?;
    let http2 = match headers.text(PROTOCOL) {
        None => false,
        Some("h2") => true,
        Some(other) => return Err(format!("{PROTOCOL} is {other:?}")),
    };
    let told = |name: &[u8]| CANDIDATES.iter().chain([&PROTOCOL]).any(|told| told.as_bytes() == name);
    let headers = super::pairs(headers).into_iter().filter(|(name, _)| !told(name)).collect();
    Ok(Permitted { candidates, http2, headers, cookies })
}

fn by_variables(
    vm: &Vm,
    stream: StreamId,
    headers: &Headers,
    cookies: Vec<String>,
    exchange: &Exchange,
) -> Result<Permitted, String> {
    let candidate = |name: &str| {
        let value = vm.property(stream, &["ngx", name]).unwrap_or_default();
        String::from_utf8_lossy(&value).parse().map_err(|_| format!("{name} is no address"))
    };
    let candidates: Vec<std::net::SocketAddr> = VARIABLES.into_iter().map(candidate).collect::<Result<_, _>>()?;
    let destination = vm.destination(stream).ok_or("went nowhere")?;
    if candidates.first().map(ToString::to_string).as_ref() != Some(&destination.address) {
        return Err(format!("went to {}, not to {candidates:?}", destination.address));
    }
    // `:authority` is NGINX's own there; the client's is `Host`, whatever the case calls it.
    let by_host = exchange.headers.iter().any(|(name, _)| name == b"host");
    let headers = super::pairs(headers);
    // NGINX tells jobs the client's host under one more name, whatever the client says there.
    let host = |wanted: &[u8]| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    if host(b"x-forwarded-host") != host(b"host") {
        return Err("x-forwarded-host is not the host".into());
    }
    let of_nginx = [&b":authority"[..], b"x-forwarded-host"];
    let headers = headers.into_iter().filter(|(name, _)| !of_nginx.contains(&name.as_slice()));
    let headers = headers.map(|(name, value)| {
        let name = if name == b"host" && !by_host { b":authority".to_vec() } else { name };
        (name, value)
    });
    // The sidecar speaks both protocols, and is spoken to in HTTP/1.1.
    let variable = |name| vm.property(stream, &["ngx", name]).unwrap_or_default();
    let visitor = variable("tg_visitor");
    let own = !visitor.is_empty() && !visitor.starts_with(b"tunnel.")
        || [&b"own-path"[..], b"signed-url"].contains(&variable("tg_rule").as_slice());
    Ok(Permitted { candidates, http2: destination.http2 || own, headers: headers.collect(), cookies })
}
