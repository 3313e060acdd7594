//! Which of a service's jobs a request tries, and in what order.
//!
//! First attempts are shared out by weight; the alternatives follow, and addresses that just failed
//! come last, so that a dead job costs one connect timeout once and not on every request.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::VecDeque;

use crate::edit::CANDIDATES;
use crate::service::Endpoint;
use crate::time::UnixTime;

/// The most addresses that are remembered as failed.
const MAX_DEMOTED: usize = 128;

/// Addresses that failed a short while ago, with the time until which they come last. Few, and most of
/// the time none.
#[derive(Debug)]
pub struct Demotions {
    until: VecDeque<(SocketAddr, UnixTime)>,
    length: Duration,
}

impl Demotions {
    /// None yet; each will last for `length`.
    #[must_use]
    pub const fn new(length: Duration) -> Self {
        Self { until: VecDeque::new(), length }
    }

    /// Remembers that `address` failed at `now`; where there are too many, the oldest is forgotten.
    pub fn add(&mut self, address: SocketAddr, now: UnixTime) {
        self.until.retain(|(found, until)| *found != address && *until > now);
        if self.until.len() >= MAX_DEMOTED {
            self.until.pop_front();
        }
        self.until.push_back((address, now.after(self.length)));
    }

    /// Whether `address` is demoted at `now`.
    #[must_use]
    pub fn has(&self, address: &SocketAddr, now: UnixTime) -> bool {
        self.until.iter().any(|(found, until)| found == address && now < *until)
    }
}

/// The addresses to try, all slots filled; none where there is no endpoint. `turn` goes round from
/// request to request.
#[must_use]
pub fn choose(
    endpoints: &[Endpoint],
    turn: u64,
    is_demoted: impl Fn(&SocketAddr) -> bool,
) -> Option<[SocketAddr; CANDIDATES]> {
    let first = first(endpoints, turn, &is_demoted)?;
    let after = endpoints.iter().skip(first).chain(endpoints.iter().take(first));
    let good = after.clone().filter(|endpoint| endpoint.weight > 0 && !is_demoted(&endpoint.address));
    let reserve = after.clone().filter(|endpoint| endpoint.weight == 0 && !is_demoted(&endpoint.address));
    let demoted = after.filter(|endpoint| is_demoted(&endpoint.address));
    let mut slots = good.chain(reserve).chain(demoted).map(|endpoint| endpoint.address).cycle();
    Some([slots.next()?, slots.next()?, slots.next()?])
}

/// Whose turn it is: by weight among the addresses that did not just fail.
fn first(endpoints: &[Endpoint], turn: u64, is_demoted: &impl Fn(&SocketAddr) -> bool) -> Option<usize> {
    let weight = |endpoint: &Endpoint| if is_demoted(&endpoint.address) { 0 } else { u64::from(endpoint.weight) };
    let total = endpoints.iter().map(weight).fold(0_u64, u64::saturating_add);
    if total == 0 {
        let count = u64::try_from(endpoints.len()).ok()?;
        return usize::try_from(turn.checked_rem(count)?).ok();
    }
    let mut left = turn.checked_rem(total)?;
    endpoints.iter().position(|endpoint| match left.checked_sub(weight(endpoint)) {
        Some(rest) => {
            left = rest;
            false
        }
        None => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(weights: &[u8]) -> Vec<Endpoint> {
        let address = |nth: usize| SocketAddr::from(([10, 0, 0, 1], u16::try_from(nth).unwrap_or(0).saturating_add(1)));
        weights.iter().enumerate().map(|(nth, weight)| Endpoint { address: address(nth), weight: *weight }).collect()
    }

    fn ports(weights: &[u8], turn: u64, demoted: &[u16]) -> Option<[u16; 3]> {
        choose(&endpoints(weights), turn, |address| demoted.contains(&address.port()))
            .map(|slots| slots.map(|a| a.port()))
    }

    #[test]
    fn fills_every_slot() {
        assert_eq!(ports(&[], 0, &[]), None);
        assert_eq!(ports(&[1], 7, &[]), Some([1, 1, 1]));
        assert_eq!(ports(&[1, 1], 0, &[]), Some([1, 2, 1]));
        assert_eq!(ports(&[1, 1], 1, &[]), Some([2, 1, 2]));
        assert_eq!(ports(&[1, 1, 1, 1], 3, &[]), Some([4, 1, 2]));
    }

    #[test]
    fn shares_first_attempts_by_weight() {
        let mut counts = [0; 3];
        for turn in 0..400 {
            if let Some([first, ..]) = ports(&[1, 3, 0], turn, &[]) {
                counts[usize::from(first) - 1] += 1;
            }
        }
        assert_eq!(counts, [100, 300, 0]);
    }

    #[test]
    fn what_just_failed_comes_last_but_is_not_lost() {
        for turn in 0..6 {
            assert_eq!(ports(&[1, 1], turn, &[1]), Some([2, 1, 2]), "turn {turn}");
        }
        assert_eq!(ports(&[1, 1], 1, &[1, 2]), Some([2, 1, 2]), "all failed: all are tried");
        assert_eq!(ports(&[1, 0], 0, &[1]), Some([2, 1, 2]), "the reserve before the failed");
    }

    #[test]
    fn a_demotion_ends_and_is_bounded() {
        let mut demotions = Demotions::new(Duration::from_secs(10));
        let address = SocketAddr::from(([10, 0, 0, 1], 1));
        demotions.add(address, UnixTime::from_millis(100_000));
        assert!(demotions.has(&address, UnixTime::from_millis(109_999)));
        assert!(!demotions.has(&address, UnixTime::from_millis(110_000)));
        for port in 1..5_000 {
            demotions.add(SocketAddr::from(([10, 0, 0, 2], port)), UnixTime::from_millis(100_000));
        }
        assert!(demotions.until.len() <= MAX_DEMOTED);
    }
}
