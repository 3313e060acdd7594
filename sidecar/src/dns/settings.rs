//! What operators say about names, checked.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::arvados::network::{Network, is_permitted};
use crate::config::dns::{DnsConfig, DnsFamilies};
use crate::config::resolve::{InvalidSetting, within};

/// The port of DNS servers.
const PORT: u16 = 53;
/// The most servers.
const MAX_SERVERS: usize = 8;

/// How names become addresses.
///
/// Invariant: `min_ttl` is not longer than `max_ttl`, and not 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsSettings {
    /// Who is asked; none: whom the machine asks.
    pub servers: Vec<SocketAddr>,
    /// How long an answer counts at least.
    pub min_ttl: Duration,
    /// How long it counts at most.
    pub max_ttl: Duration,
    /// Which addresses are used.
    pub families: DnsFamilies,
    addresses: Vec<Network>,
}

impl DnsSettings {
    /// Checks a configuration.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(config: &DnsConfig) -> Result<Self, InvalidSetting> {
        if config.servers.len() > MAX_SERVERS {
            return Err(InvalidSetting::new("dns.servers", format!("more than {MAX_SERVERS} servers")));
        }
        let servers = config.servers.iter().enumerate().map(|(index, text)| {
            server(text).ok_or_else(|| {
                let reason = format!("`{text}` is no `ip` or `ip:port` (IPv6 with a port in brackets)");
                InvalidSetting::new(format!("dns.servers[{index}]"), reason)
            })
        });
        let addresses = config.addresses.iter().enumerate().map(|(index, text)| {
            Network::parse(text)
                .map_err(|error| InvalidSetting::new(format!("dns.addresses[{index}]"), format!("`{text}` {error}")))
        });
        let min_ttl = within("dns.min_ttl_secs", config.min_ttl_secs, 1, 3_600)?;
        let max_ttl = within("dns.max_ttl_secs", config.max_ttl_secs, 1, 86_400)?;
        if min_ttl > max_ttl {
            return Err(InvalidSetting::new("dns.min_ttl_secs", "is longer than `dns.max_ttl_secs`"));
        }
        Ok(Self {
            servers: servers.collect::<Result<_, _>>()?,
            min_ttl,
            max_ttl,
            families: config.families,
            addresses: addresses.collect::<Result<_, _>>()?,
        })
    }

    /// Whether a name may lead to that address.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        is_permitted(&self.addresses, address)
    }
}

fn server(text: &str) -> Option<SocketAddr> {
    match text.parse::<IpAddr>() {
        Ok(address) => Some(SocketAddr::new(address, PORT)),
        Err(_) => text.parse().ok().filter(|server: &SocketAddr| server.port() != 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_operators_write_is_checked() {
        let servers = ["192.0.2.53", "192.0.2.54:5353", "2001:db8::53", "[2001:db8::54]:5353"];
        let config = DnsConfig { servers: servers.map(ToOwned::to_owned).to_vec(), ..DnsConfig::default() };
        let settings = DnsSettings::resolve(&config).expect("settings");
        let read: Vec<String> = settings.servers.iter().map(ToString::to_string).collect();
        assert_eq!(read, ["192.0.2.53:53", "192.0.2.54:5353", "[2001:db8::53]:53", "[2001:db8::54]:5353"]);
        let wrong = |change: fn(&mut DnsConfig)| {
            let mut config = DnsConfig::default();
            change(&mut config);
            DnsSettings::resolve(&config).expect_err("refused").key
        };
        assert_eq!(wrong(|config| config.servers = vec!["dns.example.test".into()]), "dns.servers[0]");
        assert_eq!(wrong(|config| config.servers = vec!["192.0.2.1:0".into()]), "dns.servers[0]");
        assert_eq!(wrong(|config| config.servers = vec!["192.0.2.1".into(); 9]), "dns.servers");
        assert_eq!(wrong(|config| config.addresses = vec!["10.0.0.0/33".into()]), "dns.addresses[0]");
        assert_eq!(wrong(|config| config.min_ttl_secs = 0), "dns.min_ttl_secs");
        assert_eq!(wrong(|config| config.min_ttl_secs = 301), "dns.min_ttl_secs");
        assert_eq!(wrong(|config| config.max_ttl_secs = 86_401), "dns.max_ttl_secs");
    }

    #[test]
    fn names_lead_to_this_machine_only_where_that_is_said() {
        let by_default = DnsSettings::resolve(&DnsConfig::default()).expect("settings");
        let special = ["127.0.0.1", "::1", "169.254.169.254", "fe80::1", "0.0.0.0", "::ffff:127.0.0.1", "224.0.0.1"];
        for address in special {
            assert!(!by_default.permits(address.parse().expect(address)), "{address}");
        }
        assert!(["192.0.2.1", "10.0.0.1", "2001:db8::1"].iter().all(|one| by_default.permits(one.parse().expect(one))));
        let config = DnsConfig { addresses: vec!["127.0.0.0/8".into()], ..DnsConfig::default() };
        let local = DnsSettings::resolve(&config).expect("settings");
        assert!(local.permits([127, 0, 0, 1].into()) && !local.permits([192, 0, 2, 1].into()));
    }
}
