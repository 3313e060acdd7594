//! The settings of the internal task gateway, from configuration to what it runs with.

mod host;
mod warnings;

pub use host::GatewayHost;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::config::internal_task_gateway::InternalTaskGatewayConfig;
use crate::config::internal_task_gateway::envoy::EnvoyGatewayConfig;
use crate::config::internal_task_gateway::kubernetes::KubernetesGatewayMode;
use crate::config::internal_task_gateway::peers::ClientCertificatesConfig;
use crate::config::resolve::{Files, InvalidSetting, within};
use crate::digest::Digest;
use crate::gateway::envoy::cluster::MAX_CONNECTIONS;
use crate::gateway::port::PortRange;
use crate::secret::SecretText;
use crate::tasks::settings::store_address;

/// The file in the state directory.
const STORE_FILE: &str = "gateway.db";
/// The most networks that are listed.
const MAX_SOURCE_RANGES: usize = 1_000;
/// The longest that a port rests: a week.
const LONGEST_REST_SECS: u64 = 604_800;
/// The same.
pub const LONGEST_REST: Duration = Duration::from_secs(LONGEST_REST_SECS);

/// Settings that hold.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// What people connect to.
    pub host: GatewayHost,
    /// The ports that services get.
    pub range: PortRange,
    /// The most of them that the services of one owner have.
    pub ports_per_owner: usize,
    /// How long a listener may take until it takes connections.
    pub program_timeout: Duration,
    /// How long a freed port rests.
    pub rest: Duration,
    /// How long a service that is gone keeps its port.
    pub kept: Duration,
    /// How long connections to a service that is gone may last.
    pub close_after: Duration,
    /// From where services that are `public` may be reached.
    pub source_ranges: Arc<[IpNet]>,
    /// Who the holders of client certificates are, as it is written; `auth` makes users of it.
    pub client_certificates: ClientCertificatesConfig,
    /// What listens.
    pub back_end: BackEnd,
    /// Differs where only a restart makes a difference.
    pub fingerprint: Digest,
}

/// What listens.
#[derive(Clone, Debug)]
pub enum BackEnd {
    /// Envoy, told by xDS.
    Envoy(EnvoyGatewaySettings),
    /// A Gateway of Kubernetes.
    Kubernetes(KubernetesGatewaySettings),
}

/// How Envoy listens.
#[derive(Clone, Debug)]
pub struct EnvoyGatewaySettings {
    /// The address at which it listens.
    pub listen: IpAddr,
    /// The compiled filter, as Envoy sees it.
    pub filter_file: PathBuf,
    /// Envoy's cluster that is the sidecar's internal listener.
    pub sidecar_cluster: String,
    /// What it takes client certificates with; none: not at all.
    pub tls: Option<EnvoyTlsFiles>,
    /// How long the filter waits for a verdict, in milliseconds.
    pub verdict_timeout_ms: u64,
    /// The most connections of one service, on one Envoy.
    pub max_connections: u32,
    /// What the filter shows the sidecar: `internal.secret`.
    pub secret: Option<SecretText>,
    /// Where it is kept who has which port. It may have a password in it.
    pub store: SecretText,
}

/// What Envoy takes client certificates with: files, as Envoy sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvoyTlsFiles {
    /// Its own certificate.
    pub certificate_file: PathBuf,
    /// The key of it.
    pub key_file: PathBuf,
    /// The authorities whose client certificates it takes.
    pub client_ca_file: PathBuf,
}

/// How the Gateway of Kubernetes is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesGatewaySettings {
    /// Its name.
    pub name: String,
    /// The namespace that it is in.
    pub namespace: String,
    /// How listeners are added.
    pub mode: KubernetesGatewayMode,
    /// Whether services that are `public` get ports.
    pub open: bool,
}

impl GatewaySettings {
    /// Checks a section.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(
        config: InternalTaskGatewayConfig,
        state_directory: Option<&Path>,
        has_xds: bool,
        secret: Option<&SecretText>,
        files: &mut Files<'_>,
    ) -> Result<Self, InvalidSetting> {
        let range = PortRange::new(config.gateway_port_range_start, config.gateway_port_range_end)
            .map_err(|error| InvalidSetting::new(key("gateway_port_range_start"), error.to_string()))?;
        let ports_per_owner = ports_per_owner(config.ports_per_owner, range)?;
        let close_after = within(&key("close_after_secs"), config.close_after_secs, 0, 3_600)?;
        let rest = within(&key("port_rest_secs"), config.port_rest_secs, 1, LONGEST_REST_SECS)?;
        if rest < close_after {
            let reason = "is less than `close_after_secs`: connections to the service that had the port last so long";
            return Err(InvalidSetting::new(key("port_rest_secs"), reason));
        }
        let host = GatewayHost::parse(&config.gateway_ip).ok_or_else(|| {
            InvalidSetting::new(key("gateway_ip"), "is neither an IP address nor a name; write it without a port")
        })?;
        let source_ranges = source_ranges(&config.source_ranges)?;
        let has_certificates = config.client_certificates != ClientCertificatesConfig::default();
        let written = Digest::of(format!("{:?}", without_rights(&config)).as_bytes());
        let gateway = |name: Option<String>| name.filter(|name| !name.is_empty());
        let back_end = match (gateway(config.gateway_name), gateway(config.gateway_namespace)) {
            (Some(name), Some(namespace)) => {
                if config.store.is_some() || config.store_file.is_some() {
                    let reason = "is not used with a Gateway of Kubernetes: the cluster keeps who has which port";
                    return Err(InvalidSetting::new(key("store"), reason));
                }
                // Whoever wrote them believes that they are asked for.
                for (name, is_set) in
                    [("source_ranges", !source_ranges.is_empty()), ("client_certificates", has_certificates)]
                {
                    if is_set {
                        let reason = "can't be enforced by a Gateway of Kubernetes, which takes every connection: say \
                                      in front of it who may connect, and leave this out";
                        return Err(InvalidSetting::new(key(name), reason));
                    }
                }
                BackEnd::Kubernetes(KubernetesGatewaySettings {
                    name: object_name("gateway_name", name, 253, true)?,
                    namespace: object_name("gateway_namespace", namespace, 63, false)?,
                    mode: config.kubernetes.mode,
                    open: config.kubernetes.open,
                })
            }
            (None, None) if !has_xds => {
                let reason = "needs `xds`, by which Envoy is told where to listen, or `gateway_name` and \
                              `gateway_namespace`";
                return Err(InvalidSetting::new("internal_task_gateway", reason));
            }
            (None, None) => {
                let store = files.secret(&key("store"), config.store, config.store_file.as_deref())?;
                let store = store_of(store, state_directory, files)?;
                BackEnd::Envoy(EnvoyGatewaySettings::resolve(config.envoy, store, secret)?)
            }
            (Some(_), None) => return Err(InvalidSetting::new(key("gateway_namespace"), "goes with `gateway_name`")),
            (None, Some(_)) => return Err(InvalidSetting::new(key("gateway_name"), "goes with `gateway_namespace`")),
        };
        let store = match &back_end {
            BackEnd::Envoy(envoy) => envoy.store.expose(),
            BackEnd::Kubernetes(_) => "",
        };
        Ok(Self {
            host,
            range,
            ports_per_owner,
            program_timeout: within(&key("program_timeout_secs"), config.program_timeout_secs, 1, 600)?,
            rest,
            kept: within(&key("port_kept_secs"), config.port_kept_secs, 0, LONGEST_REST_SECS)?,
            close_after,
            source_ranges,
            client_certificates: config.client_certificates,
            fingerprint: Digest::of_parts(&[written.as_bytes(), store.as_bytes()]),
            back_end,
        })
    }

    /// What an operator should know of settings that hold all the same; one text each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        warnings::warnings(self)
    }
}

impl EnvoyGatewaySettings {
    fn resolve(
        config: EnvoyGatewayConfig,
        store: SecretText,
        secret: Option<&SecretText>,
    ) -> Result<Self, InvalidSetting> {
        // The filter is told in lines.
        if secret.map(SecretText::expose).is_some_and(|text| text.contains([';', '\r', '\n']) || text.trim() != text) {
            let reason = "has a `;`, an end of a line, or spaces around it, which can't be told to the filter of TCP \
                          services";
            return Err(InvalidSetting::new("internal.secret", reason));
        }
        let listen = config.listen.parse().map_err(|_| {
            InvalidSetting::new(key("envoy.listen"), "is no IP address; write it without a port, as in `0.0.0.0`")
        })?;
        for (name, is_empty) in [
            ("envoy.filter_file", config.filter_file.as_os_str().is_empty()),
            ("envoy.sidecar_cluster", config.sidecar_cluster.is_empty()),
        ] {
            if is_empty {
                return Err(InvalidSetting::new(key(name), "is empty"));
            }
        }
        let tls = match (config.certificate_file, config.key_file, config.client_ca_file) {
            (None, None, None) => None,
            (Some(certificate_file), Some(key_file), Some(client_ca_file)) => {
                Some(EnvoyTlsFiles { certificate_file, key_file, client_ca_file })
            }
            _ => {
                let reason = "set `certificate_file`, `key_file` and `client_ca_file`, or none of them";
                return Err(InvalidSetting::new(key("envoy.certificate_file"), reason));
            }
        };
        let most = config.max_connections_per_service;
        if !(1..=MAX_CONNECTIONS).contains(&most) {
            let reason = format!("is not between 1 and {MAX_CONNECTIONS}");
            return Err(InvalidSetting::new(key("envoy.max_connections_per_service"), reason));
        }
        Ok(Self {
            listen,
            filter_file: config.filter_file,
            sidecar_cluster: config.sidecar_cluster,
            tls,
            verdict_timeout_ms: within_millis(config.verdict_timeout_ms)?,
            max_connections: most,
            secret: secret.cloned(),
            store,
        })
    }
}

/// Half of the range where nothing is said, and more of it for one owner than for all others together where it is odd: in
/// a range of one port that is the one.
fn ports_per_owner(most: Option<u32>, range: PortRange) -> Result<usize, InvalidSetting> {
    match most {
        None => Ok(range.ports().count().div_ceil(2)),
        Some(0) => Err(InvalidSetting::new(key("ports_per_owner"), "is 0: services with an owner would get no port")),
        Some(most) => Ok(usize::try_from(most).unwrap_or(usize::MAX)),
    }
}

fn within_millis(millis: u64) -> Result<u64, InvalidSetting> {
    let reason = "is not between 1 and 3600000";
    let holds = (1..=3_600_000).contains(&millis);
    holds.then_some(millis).ok_or_else(|| InvalidSetting::new(key("envoy.verdict_timeout_ms"), reason))
}

fn key(name: &str) -> String {
    format!("internal_task_gateway.{name}")
}

/// The section without what is taken at once.
fn without_rights(config: &InternalTaskGatewayConfig) -> InternalTaskGatewayConfig {
    InternalTaskGatewayConfig {
        source_ranges: Vec::new(),
        client_certificates: ClientCertificatesConfig::default(),
        ..config.clone()
    }
}

fn store_of(
    store: Option<SecretText>,
    state_directory: Option<&Path>,
    files: &Files<'_>,
) -> Result<SecretText, InvalidSetting> {
    match (store, state_directory) {
        (Some(store), _) => store_address(&key("store"), store, files),
        (None, Some(directory)) => Ok(SecretText::from(format!("sqlite:{}", directory.join(STORE_FILE).display()))),
        (None, None) => {
            let reason = "who has which port must outlive the process: set `state.directory`, or this";
            Err(InvalidSetting::new(key("store"), reason))
        }
    }
}

fn source_ranges(texts: &[String]) -> Result<Arc<[IpNet]>, InvalidSetting> {
    if texts.len() > MAX_SOURCE_RANGES {
        return Err(InvalidSetting::new(key("source_ranges"), format!("more than {MAX_SOURCE_RANGES} networks")));
    }
    let parse = |(index, text): (usize, &String)| {
        let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        network.ok_or_else(|| {
            let key = key(&format!("source_ranges[{index}]"));
            InvalidSetting::new(key, "is no network; write it as in `10.0.0.0/8` or `fd00::/8`")
        })
    };
    texts.iter().enumerate().map(parse).collect()
}

/// A name that an object of Kubernetes may have.
fn object_name(name: &str, text: String, longest: usize, has_dots: bool) -> Result<String, InvalidSetting> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(is_plain) && !label.starts_with('-') && !label.ends_with('-')
    };
    let holds = text.len() <= longest && if has_dots { text.split('.').all(is_label) } else { is_label(&text) };
    if holds {
        Ok(text)
    } else {
        let reason = format!("no object of Kubernetes has such a name: at most {longest} of a-z, 0-9 and `-`");
        Err(InvalidSetting::new(key(name), reason))
    }
}

#[cfg(test)]
mod tests;
