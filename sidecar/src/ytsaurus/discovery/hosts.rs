//! Addresses of nodes.
//!
//! The gate takes IP addresses alone, so names are looked up here. An answer counts for a while; when
//! the next can't be had, the last one stays.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::Instant;

/// How long an answer counts.
const LIFETIME: Duration = Duration::from_secs(30);
/// How long one look-up may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How many look-ups are under way at once.
const CONCURRENT: usize = 16;

/// Addresses of nodes.
#[derive(Debug, Default)]
pub struct Hosts {
    known: HashMap<String, Known>,
}

#[derive(Debug)]
struct Known {
    addresses: Vec<IpAddr>,
    until: Instant,
}

impl Hosts {
    /// Sees that the addresses of these hosts are known, and forgets all others. An IP address is its own.
    pub async fn look_up(&mut self, hosts: &HashSet<&str>) {
        self.known.retain(|host, _| hosts.contains(host.as_str()));
        let now = Instant::now();
        let unknown = hosts.iter().filter(|host| self.known.get(**host).is_none_or(|known| known.until <= now));
        let asked: Vec<_> = unknown.map(|host| looked_up(host)).collect();
        let answers: Vec<_> = futures_util::stream::iter(asked).buffer_unordered(CONCURRENT).collect().await;
        for (host, found) in answers {
            let until = Instant::now() + LIFETIME;
            match (found, self.known.get_mut(host)) {
                (Some(addresses), _) => drop(self.known.insert(host.to_owned(), Known { addresses, until })),
                // Asked again with the next round, and used until then.
                (None, Some(known)) => {
                    tracing::debug!(host, addresses = ?known.addresses, "node is not found any more");
                }
                (None, None) => {}
            }
        }
    }

    /// The addresses of a host that was looked up, in a steady order; empty where there are none.
    #[must_use]
    pub fn of(&self, host: &str) -> &[IpAddr] {
        self.known.get(host).map_or(&[], |known| known.addresses.as_slice())
    }
}

async fn looked_up(host: &str) -> (&str, Option<Vec<IpAddr>>) {
    (host, addresses(host).await)
}

async fn addresses(host: &str) -> Option<Vec<IpAddr>> {
    if let Ok(address) = host.parse() {
        return Some(vec![address]);
    }
    let found = tokio::time::timeout(TIMEOUT, tokio::net::lookup_host((host, 0))).await.ok()?.ok()?;
    let mut addresses: Vec<IpAddr> = found.map(|address| address.ip().to_canonical()).collect();
    // IPv4 first: where a node has both, that is the one that is configured with care.
    addresses.sort_by_key(|address| (address.is_ipv6(), *address));
    addresses.dedup();
    (!addresses.is_empty()).then_some(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_are_their_own_and_names_are_looked_up() {
        let mut hosts = Hosts::default();
        hosts.look_up(&["10.0.0.1", "2001:db8::1", "localhost", "nowhere.invalid"].into()).await;
        assert_eq!(hosts.of("10.0.0.1"), [IpAddr::from([10, 0, 0, 1])]);
        assert_eq!(hosts.of("2001:db8::1").len(), 1);
        assert!(hosts.of("localhost").iter().all(IpAddr::is_loopback) && !hosts.of("localhost").is_empty());
        assert_eq!(hosts.of("nowhere.invalid"), [] as [IpAddr; 0]);
        hosts.look_up(&["localhost"].into()).await;
        assert_eq!(hosts.of("10.0.0.1"), [] as [IpAddr; 0]);
    }

    #[tokio::test]
    async fn the_last_answer_stays_when_there_is_no_other() {
        let mut hosts = Hosts::default();
        let addresses = vec![IpAddr::from([10, 0, 0, 1])];
        hosts.known.insert("nowhere.invalid".into(), Known { addresses: addresses.clone(), until: Instant::now() });
        hosts.look_up(&["nowhere.invalid"].into()).await;
        assert_eq!(hosts.of("nowhere.invalid"), addresses);
    }
}
