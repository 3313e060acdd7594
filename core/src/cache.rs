//! The verdict cache: bounded, and keyed so that no credential can be found in it.
//!
//! Two generations stand in for an exact least-recently-used order: when the young one is full, the
//! old one is dropped whole. What is used moves to the young one. Every operation takes constant time.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::time::UnixTime;
use crate::verdict::{Credential, Scheme, Verdict};

/// What a verdict is kept under: a keyed hash of service, its epoch and the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerdictKey([u8; 16]);

/// Makes keys. Whoever has no cache key can't tell which credential a key stands for.
#[derive(Clone, Debug)]
pub struct Keyer(Option<Hmac<Sha256>>);

impl Keyer {
    /// A keyer with that secret.
    #[must_use]
    pub fn new(cache_key: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(cache_key).ok())
    }

    /// The key for a credential at a service.
    #[must_use]
    pub fn key(&self, service: &str, epoch: u32, credential: &Credential) -> VerdictKey {
        let mut key = [0; 16];
        let Some(mut mac) = self.0.clone() else { return VerdictKey(key) };
        let scheme = match credential.scheme {
            Scheme::Bearer => b"b",
            Scheme::Cookie => b"c",
            Scheme::Oauth => b"o",
            Scheme::Query => b"q",
        };
        let name = credential.name.as_deref().unwrap_or_default();
        // Lengths go first, so that no two questions make the same bytes. Two bytes hold each of them:
        // a credential has at most 8192 bytes, and all other parts are names.
        for part in [service.as_bytes(), &epoch.to_be_bytes(), scheme, name.as_bytes(), credential.value.as_bytes()] {
            mac.update(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
            mac.update(part);
        }
        for (to, from) in key.iter_mut().zip(mac.finalize().into_bytes()) {
            *to = from;
        }
        VerdictKey(key)
    }
}

/// What the cache has for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cached {
    /// In force.
    Fresh(Arc<Verdict>),
    /// Past its lifetime; good only while the sidecar can't be reached.
    Stale(Arc<Verdict>),
    /// Nothing.
    Nothing,
}

/// Verdicts by key.
#[derive(Debug)]
pub struct VerdictCache {
    young: HashMap<VerdictKey, Entry>,
    old: HashMap<VerdictKey, Entry>,
    half: usize,
    grace: Duration,
}

#[derive(Clone, Debug)]
struct Entry {
    verdict: Arc<Verdict>,
    stored_at: UnixTime,
    fresh_until: UnixTime,
}

impl VerdictCache {
    /// A cache of at most `capacity` verdicts, which an unreachable sidecar keeps in force for
    /// `grace` beyond their lifetime.
    #[must_use]
    pub fn new(capacity: usize, grace: Duration) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: (capacity / 2).max(1), grace }
    }

    /// What is known at `now`.
    pub fn find(&mut self, key: &VerdictKey, now: UnixTime) -> Cached {
        let entry = match self.young.get(key) {
            Some(entry) => entry.clone(),
            None => match self.old.remove(key) {
                Some(entry) => {
                    self.insert(*key, entry.clone());
                    entry
                }
                None => return Cached::Nothing,
            },
        };
        // A clock that jumped back would keep an entry for ever: what is from the future is not kept.
        if now < entry.stored_at || now >= entry.fresh_until.after(self.grace) {
            self.young.remove(key);
            Cached::Nothing
        } else if now < entry.fresh_until {
            Cached::Fresh(entry.verdict)
        } else {
            Cached::Stale(entry.verdict)
        }
    }

    /// Keeps a verdict for `lifetime` from `now`.
    pub fn keep(&mut self, key: VerdictKey, verdict: Arc<Verdict>, lifetime: Duration, now: UnixTime) {
        self.old.remove(&key);
        self.insert(key, Entry { verdict, stored_at: now, fresh_until: now.after(lifetime) });
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    /// How many verdicts are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.young.len().saturating_add(self.old.len())
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn insert(&mut self, key: VerdictKey, entry: Entry) {
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = core::mem::take(&mut self.young);
        }
        self.young.insert(key, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Refusal;

    const DENY: Verdict = Verdict::Deny(Refusal::AccessDenied);

    fn at(millis: u64) -> UnixTime {
        UnixTime::from_millis(millis)
    }

    fn credential(value: &str) -> Credential {
        Credential { scheme: Scheme::Bearer, name: None, value: value.into() }
    }

    fn key(value: &str) -> VerdictKey {
        Keyer::new(&[1; 32]).key("ae5cf6f5", 1, &credential(value))
    }

    #[test]
    fn keys_differ_in_every_part() {
        let keyer = Keyer::new(&[1; 32]);
        let keys = [
            keyer.key("ae5cf6f5", 1, &credential("t")),
            keyer.key("2ef4261c", 1, &credential("t")),
            keyer.key("ae5cf6f5", 2, &credential("t")),
            keyer.key("ae5cf6f5", 1, &credential("u")),
            keyer.key("ae5cf6f5", 1, &Credential { scheme: Scheme::Oauth, ..credential("t") }),
            keyer.key(
                "ae5cf6f5",
                1,
                &Credential { scheme: Scheme::Cookie, name: Some("t".into()), value: String::new() },
            ),
            Keyer::new(&[2; 32]).key("ae5cf6f5", 1, &credential("t")),
        ];
        for (nth, key) in keys.iter().enumerate() {
            assert!(!keys[..nth].contains(key), "key {nth}");
        }
    }

    #[test]
    fn a_verdict_is_fresh_then_stale_then_gone() {
        let mut cache = VerdictCache::new(10, Duration::from_secs(60));
        cache.keep(key("t"), Arc::new(DENY), Duration::from_secs(30), at(0));
        assert_eq!(cache.find(&key("t"), at(29_999)), Cached::Fresh(Arc::new(DENY)));
        assert_eq!(cache.find(&key("t"), at(30_000)), Cached::Stale(Arc::new(DENY)));
        assert_eq!(cache.find(&key("t"), at(90_000)), Cached::Nothing);
        assert!(cache.is_empty());
    }

    #[test]
    fn a_clock_that_jumps_back_prolongs_nothing() {
        let mut cache = VerdictCache::new(10, Duration::from_secs(60));
        cache.keep(key("t"), Arc::new(DENY), Duration::from_secs(30), at(1_000_000));
        assert_eq!(cache.find(&key("t"), at(999_999)), Cached::Nothing);
    }

    #[test]
    fn is_bounded_and_keeps_what_is_used() {
        let mut cache = VerdictCache::new(100, Duration::ZERO);
        cache.keep(key("used"), Arc::new(DENY), Duration::from_secs(30), at(0));
        for nth in 0..1_000 {
            cache.keep(key(&nth.to_string()), Arc::new(DENY), Duration::from_secs(30), at(0));
            assert_eq!(cache.find(&key("used"), at(1)), Cached::Fresh(Arc::new(DENY)), "after {nth}");
            assert!(cache.len() <= 100);
        }
    }
}
