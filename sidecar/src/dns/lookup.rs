//! Asking DNS servers.
//!
//! Names are whole: no search domain is added. Chains of aliases are followed for a few steps and no further. Nothing
//! is kept here: whoever asks wants to hear it from the servers.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup as Found;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use tokio::time::timeout;

use crate::dns::name::DnsName;

/// How long a server has for an answer.
const SERVER_TIMEOUT: Duration = Duration::from_secs(1);
/// How often a question is sent again.
const REPETITIONS: usize = 2;
/// How long a question may take, whatever the servers do.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The most addresses that are taken from one answer.
pub const MAX_ADDRESSES: usize = 32;
/// How many questions one server is asked at a time.
const MAX_AT_ONCE: usize = 64;

/// Which addresses are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Records of type A.
    Ipv4,
    /// Records of type AAAA.
    Ipv6,
}

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The name has these, for so long.
    Addresses(Vec<IpAddr>, Duration),
    /// It could not be said.
    Failed(String),
    /// The name has none of that family, or is not there at all; for so long, where that was said.
    Nothing(Option<Duration>),
}

/// Who is asked.
#[async_trait]
pub trait Lookup: fmt::Debug + Send + Sync + 'static {
    /// Asks for the addresses of a name.
    async fn look_up(&self, name: &DnsName, family: Family) -> Answer;
}

/// DNS servers.
pub struct Servers {
    configured: Vec<SocketAddr>,
    /// Made with the first question: without names nothing of the machine's matters.
    resolver: Kept<TokioResolver>,
}

impl Servers {
    /// These servers; none: those of the machine.
    #[must_use]
    pub const fn new(configured: Vec<SocketAddr>) -> Self {
        Self { configured, resolver: Kept::new() }
    }
}

#[async_trait]
impl Lookup for Servers {
    async fn look_up(&self, name: &DnsName, family: Family) -> Answer {
        let resolver = match self.resolver.get_or_make(|| resolver(&self.configured)) {
            Ok(resolver) => resolver,
            Err(reason) => return Answer::Failed(reason),
        };
        let Ok(mut whole) = Name::from_ascii(name.as_str()) else {
            return Answer::Failed("is no name".to_owned());
        };
        whole.set_fqdn(true);
        let kind = match family {
            Family::Ipv4 => RecordType::A,
            Family::Ipv6 => RecordType::AAAA,
        };
        match timeout(TIMEOUT, resolver.lookup(whole, kind)).await {
            Ok(found) => answer(found),
            Err(_) => Answer::Failed("no server answered in time".to_owned()),
        }
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Servers").field(&self.configured).finish()
    }
}

/// What is made once. Where it can't be made it is tried again the next time: a machine that starts may have no servers
/// yet.
struct Kept<T>(OnceLock<T>);

impl<T> Kept<T> {
    const fn new() -> Self {
        Self(OnceLock::new())
    }

    fn get_or_make(&self, make: impl FnOnce() -> Result<T, String>) -> Result<&T, String> {
        if let Some(made) = self.0.get() {
            return Ok(made);
        }
        let made = make()?;
        Ok(self.0.get_or_init(|| made))
    }
}

fn resolver(configured: &[SocketAddr]) -> Result<TokioResolver, String> {
    let servers = if configured.is_empty() {
        let (config, _) = read_system_conf().map_err(|error| format!("the machine's servers are unknown: {error}"))?;
        config.name_servers().to_vec()
    } else {
        configured.iter().map(|server| named_server(*server)).collect()
    };
    if servers.is_empty() {
        return Err("the machine has no DNS servers; name some in `dns.servers`".to_owned());
    }
    let config = ResolverConfig::from_parts(None, Vec::new(), servers);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options();
    builder.build().map_err(|error| error.to_string())
}

fn options() -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.timeout = SERVER_TIMEOUT;
    options.attempts = REPETITIONS;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.max_active_requests = MAX_AT_ONCE;
    options
}

fn named_server(server: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    NameServerConfig::new(server.ip(), true, connections.into())
}

fn answer(found: Result<Found, NetError>) -> Answer {
    let found = match found {
        Ok(found) => found,
        Err(NetError::Dns(DnsError::NoRecordsFound(nothing))) => {
            return Answer::Nothing(nothing.negative_ttl.map(|secs| Duration::from_secs(secs.into())));
        }
        Err(NetError::Dns(DnsError::ResponseCode(code))) => return Answer::Failed(format!("the server says: {code}")),
        Err(NetError::Timeout) => return Answer::Failed("no server answered in time".to_owned()),
        Err(error) => return Answer::Failed(error.to_string()),
    };
    let records = found.answers();
    let addresses = records.iter().filter_map(|record| match &record.data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    });
    // In a steady order: servers give them in another one each time.
    let mut addresses: Vec<IpAddr> = addresses.map(|address| address.to_canonical()).collect();
    addresses.sort();
    addresses.dedup();
    addresses.truncate(MAX_ADDRESSES);
    if addresses.is_empty() {
        return Answer::Nothing(None);
    }
    // An alias may change as well as what it leads to.
    let ttl = records.iter().map(|record| record.ttl).min().unwrap_or_default();
    Answer::Addresses(addresses, Duration::from_secs(ttl.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_made_is_tried_again_and_then_kept() {
        let kept = Kept::new();
        assert_eq!(kept.get_or_make(|| Err("no servers yet".to_owned())), Err("no servers yet".to_owned()));
        assert_eq!(kept.get_or_make(|| Ok(1)), Ok(&1));
        assert_eq!(kept.get_or_make(|| Ok(2)), Ok(&1));
    }
}
