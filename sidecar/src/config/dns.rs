//! `dns`: how names of services' endpoints become addresses.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::defaults;

/// How names that operators write as endpoints become addresses.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DnsConfig {
    /// The servers that are asked, `ip` or `ip:port`; none: those of `/etc/resolv.conf`, as it is at the start.
    pub servers: Vec<String>,
    /// How long an answer counts at least, whatever it says itself, in seconds. It is also how long after "there is
    /// no such name" it is asked again: the second such answer in a row counts.
    pub min_ttl_secs: u64,
    /// How long an answer counts at most, in seconds.
    pub max_ttl_secs: u64,
    /// Which addresses of a name are used: `both`, by turns; `prefer_ipv4` or `prefer_ipv6`, the others only while
    /// these fail; `ipv4` or `ipv6` alone.
    pub families: DnsFamilies,
    /// The networks that a name may lead to. Addresses of the machine itself and of the link count only where a
    /// network is made of such addresses, as `127.0.0.0/8` is: so whoever has a name can't lead the gate there.
    pub addresses: Vec<String>,
}

/// Which addresses of a name are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DnsFamilies {
    /// All, by turns.
    #[default]
    Both,
    /// Those of IPv4 alone.
    Ipv4,
    /// Those of IPv6 alone.
    Ipv6,
    /// Those of IPv6 only while those of IPv4 fail.
    PreferIpv4,
    /// Those of IPv4 only while those of IPv6 fail.
    PreferIpv6,
}

impl Default for DnsConfig {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            min_ttl_secs: defaults::DNS_MIN_TTL_SECS,
            max_ttl_secs: defaults::DNS_MAX_TTL_SECS,
            families: DnsFamilies::default(),
            addresses: defaults::DNS_ADDRESSES.iter().map(ToString::to_string).collect(),
        }
    }
}
