//! Addresses of nodes.
//!
//! The gate takes IP addresses alone, so names are looked up here. An answer counts for a while; when
//! the next can't be had, the last one stays. However slow the resolver, a round waits for it shortly: what
//! is not known by then is asked for in the next one.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout, timeout_at};

use crate::retry;

/// How long an answer counts at most, and how much less it may be: names that were first asked for together
/// should not be asked for together ever after.
const LIFETIME: Duration = Duration::from_secs(30);
const SPREAD: Duration = Duration::from_secs(10);
/// How long one look-up may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long all look-ups of a round may take.
const BUDGET: Duration = Duration::from_secs(3);
/// How many look-ups are under way at once.
const CONCURRENT: usize = 16;

/// Addresses of nodes.
#[derive(Debug, Default)]
pub struct Hosts {
    known: HashMap<String, Known>,
    /// When names without an answer were asked for last. They come after all others.
    vain: HashMap<String, Instant>,
    /// Names that nobody said anything about in time.
    unanswered: HashSet<String>,
}

#[derive(Debug)]
struct Known {
    addresses: Vec<IpAddr>,
    until: Instant,
}

/// What became of a look-up.
enum Answer {
    Addresses(Vec<IpAddr>),
    /// There are none.
    Nothing,
    TimedOut,
}

impl Hosts {
    /// Sees that the addresses of these hosts are known, as far as there is time, and forgets all others. An IP
    /// address is its own.
    pub async fn look_up(&mut self, hosts: &HashSet<&str>, deadline: Instant) {
        self.known.retain(|host, _| hosts.contains(host.as_str()));
        self.vain.retain(|host, _| hosts.contains(host.as_str()));
        let were_unanswered = !self.unanswered.is_empty();
        let now = Instant::now();
        let mut asked: Vec<&str> = Vec::new();
        for host in hosts {
            match (host.parse(), self.known.get(*host)) {
                (Ok(address), None) => self.learn(host, vec![address]),
                (Ok(_), Some(_)) => {}
                (Err(_), known) if known.is_some_and(|known| now < known.until) => {}
                (Err(_), _) => asked.push(host),
            }
        }
        asked.sort_by_key(|host| (self.vain.get(*host).copied(), self.known.contains_key(*host)));
        self.unanswered = asked.iter().map(|host| (*host).to_owned()).collect();
        let end = deadline.min(now + BUDGET);
        let answers: Vec<_> = asked.into_iter().map(looked_up).collect();
        let answers = futures_util::stream::iter(answers).buffer_unordered(CONCURRENT);
        futures_util::pin_mut!(answers);
        while Instant::now() < end
            && let Ok(Some((host, answer))) = timeout_at(end, answers.next()).await
        {
            self.take(host, answer);
        }
        let unanswered = self.unanswered.len();
        match self.unanswered.iter().next() {
            Some(host) if !were_unanswered => {
                tracing::warn!(unanswered, host, "names of nodes can't be looked up in time; they are asked for again");
            }
            Some(host) => tracing::debug!(unanswered, host, "names of nodes can't be looked up in time"),
            None => {}
        }
    }

    /// The addresses of a host that was looked up, in a steady order; empty where there are none.
    #[must_use]
    pub fn of(&self, host: &str) -> &[IpAddr] {
        self.known.get(host).map_or(&[], |known| known.addresses.as_slice())
    }

    /// Whether it is a matter of the moment that a host has none.
    #[must_use]
    pub fn is_unanswered(&self, host: &str) -> bool {
        self.unanswered.contains(host) && !self.known.contains_key(host)
    }

    fn take(&mut self, host: &str, answer: Answer) {
        if !matches!(answer, Answer::TimedOut) {
            self.unanswered.remove(host);
        }
        match (answer, self.known.get(host)) {
            (Answer::Addresses(addresses), _) => return self.learn(host, addresses),
            // Asked again with the next round, and used until then.
            (Answer::Nothing, Some(known)) => {
                tracing::debug!(host, addresses = ?known.addresses, "node is not found any more");
            }
            (Answer::Nothing, None) | (Answer::TimedOut, _) => {}
        }
        self.vain.insert(host.to_owned(), Instant::now());
    }

    fn learn(&mut self, host: &str, addresses: Vec<IpAddr>) {
        let until = Instant::now() + LIFETIME.saturating_sub(retry::fraction(SPREAD));
        self.vain.remove(host);
        self.known.insert(host.to_owned(), Known { addresses, until });
    }
}

async fn looked_up(host: &str) -> (&str, Answer) {
    let Ok(found) = timeout(TIMEOUT, tokio::net::lookup_host((host, 0))).await else {
        return (host, Answer::TimedOut);
    };
    let mut addresses: Vec<IpAddr> = found.into_iter().flatten().map(|address| address.ip().to_canonical()).collect();
    // IPv4 first: where a node has both, that is the one that is configured with care.
    addresses.sort_by_key(|address| (address.is_ipv6(), *address));
    addresses.dedup();
    (host, if addresses.is_empty() { Answer::Nothing } else { Answer::Addresses(addresses) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    #[tokio::test]
    async fn addresses_are_their_own_and_names_are_looked_up() {
        let mut hosts = Hosts::default();
        hosts.look_up(&["10.0.0.1", "2001:db8::1", "localhost", "nowhere.invalid"].into(), soon()).await;
        assert_eq!(hosts.of("10.0.0.1"), [IpAddr::from([10, 0, 0, 1])]);
        assert_eq!(hosts.of("2001:db8::1").len(), 1);
        assert!(hosts.of("localhost").iter().all(IpAddr::is_loopback) && !hosts.of("localhost").is_empty());
        assert_eq!(hosts.of("nowhere.invalid"), [] as [IpAddr; 0]);
        hosts.look_up(&["localhost"].into(), soon()).await;
        assert_eq!(hosts.of("10.0.0.1"), [] as [IpAddr; 0]);
    }

    #[tokio::test]
    async fn the_last_answer_stays_when_there_is_no_other() {
        let mut hosts = Hosts::default();
        let addresses = vec![IpAddr::from([10, 0, 0, 1])];
        hosts.known.insert("nowhere.invalid".into(), Known { addresses: addresses.clone(), until: Instant::now() });
        hosts.look_up(&["nowhere.invalid"].into(), soon()).await;
        assert_eq!(hosts.of("nowhere.invalid"), addresses);
    }
    #[tokio::test]
    async fn who_is_not_answered_in_time_is_asked_again_and_keeps_what_was_known() {
        let mut hosts = Hosts::default();
        let addresses = vec![IpAddr::from([10, 0, 0, 1])];
        hosts.known.insert("known.invalid".into(), Known { addresses: addresses.clone(), until: Instant::now() });
        let asked = ["localhost", "known.invalid", "10.0.0.2"].into();
        // No time at all.
        hosts.look_up(&asked, Instant::now()).await;
        assert_eq!((hosts.of("known.invalid"), hosts.of("10.0.0.2").len()), (addresses.as_slice(), 1));
        assert!(hosts.of("localhost").is_empty() && hosts.is_unanswered("localhost"));
        assert!(!hosts.is_unanswered("known.invalid") && !hosts.is_unanswered("10.0.0.2"));
        hosts.look_up(&asked, soon()).await;
        assert!(!hosts.of("localhost").is_empty() && !hosts.is_unanswered("localhost"));
        assert_eq!(hosts.of("known.invalid"), addresses);
    }

    #[test]
    fn names_that_were_learned_together_are_not_asked_for_together() {
        let mut hosts = Hosts::default();
        for number in 0..50 {
            hosts.learn(&format!("node-{number}"), Vec::new());
        }
        let now = Instant::now();
        let left: Vec<u64> = hosts.known.values().map(|known| (known.until - now).as_secs()).collect();
        assert!(left.iter().all(|secs| (19..=30).contains(secs)), "{left:?}");
        assert!(left.iter().min() < left.iter().max(), "{left:?}");
    }
}
