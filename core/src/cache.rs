//! The verdict cache: bounded, and keyed so that no credential can be found in it.
//!
//! A key is a hash already, so it says where its verdict is kept: in one of a few slots. Where they are
//! all taken, the one that was not used for longest makes room. Every operation takes constant time.

use core::time::Duration;
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
    /// A keyer with that secret, for verdicts of one epoch: what was asked in another is never found.
    #[must_use]
    pub fn new(cache_key: &[u8; 32], verdict_epoch: u64) -> Self {
        Self(
            Hmac::new_from_slice(cache_key).ok().map(|mac: Hmac<Sha256>| mac.chain_update(verdict_epoch.to_be_bytes())),
        )
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
            Scheme::Session => b"s",
            Scheme::Peer => b"p",
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
    /// In force: within its lifetime.
    Fresh(Arc<Verdict>),
    /// Past its lifetime, and asking has just been in vain.
    Postponed(Arc<Verdict>),
    /// Past its lifetime; good only while the sidecar can't be reached.
    Stale(Arc<Verdict>),
    /// Nothing.
    Nothing,
}

/// In how many slots a key may be kept.
const WAYS: usize = 4;

/// Verdicts by key.
#[derive(Debug)]
pub struct VerdictCache {
    /// Made when the first verdict comes.
    slots: Vec<Option<Entry>>,
    sets: usize,
    grace: Duration,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    key: VerdictKey,
    verdict: Arc<Verdict>,
    stored_at: UnixTime,
    fresh_until: UnixTime,
    /// Until when nobody is asked again, since there was no answer.
    postponed_until: UnixTime,
    /// When it was last used, counted in uses of the cache.
    used: u64,
}

impl VerdictCache {
    /// A cache of at most `capacity` verdicts (4 at least), which an unreachable sidecar keeps in force
    /// for `grace` beyond their lifetime.
    #[must_use]
    pub fn new(capacity: usize, grace: Duration) -> Self {
        Self { slots: Vec::new(), sets: (capacity / WAYS).max(1), grace, uses: 0 }
    }

    /// What is known at `now`.
    pub fn find(&mut self, key: &VerdictKey, now: UnixTime) -> Cached {
        self.uses = self.uses.wrapping_add(1);
        let (uses, grace) = (self.uses, self.grace);
        let is_it = |slot: &&mut Option<Entry>| slot.as_ref().is_some_and(|entry| entry.key == *key);
        let Some(slot) = self.set(key).iter_mut().find(is_it) else { return Cached::Nothing };
        let Some(entry) = slot else { return Cached::Nothing };
        // A clock that jumped back would keep an entry for ever: what is from the future is not kept.
        if now < entry.stored_at || now >= entry.fresh_until.after(grace) {
            *slot = None;
            return Cached::Nothing;
        }
        entry.used = uses;
        let verdict = Arc::clone(&entry.verdict);
        if now < entry.fresh_until {
            Cached::Fresh(verdict)
        } else if now < entry.postponed_until {
            Cached::Postponed(verdict)
        } else {
            Cached::Stale(verdict)
        }
    }

    /// Nobody is asked again for `pause` from `now`, where there is a verdict to go on with.
    pub fn postpone(&mut self, key: &VerdictKey, pause: Duration, now: UnixTime) {
        if let Some(entry) = self.set(key).iter_mut().flatten().find(|entry| entry.key == *key) {
            entry.postponed_until = now.after(pause);
        }
    }

    /// Keeps a verdict for `lifetime` from `now`.
    pub fn keep(&mut self, key: VerdictKey, verdict: Arc<Verdict>, lifetime: Duration, now: UnixTime) {
        if self.slots.is_empty() {
            self.slots.resize_with(self.sets.saturating_mul(WAYS), || None);
        }
        self.uses = self.uses.wrapping_add(1);
        let (fresh_until, postponed_until) = (now.after(lifetime), now);
        let entry = Entry { key, verdict, stored_at: now, fresh_until, postponed_until, used: self.uses };
        let worth = |slot: &&mut Option<Entry>| match slot {
            Some(kept) if kept.key == key => (0, 0),
            None => (1, 0),
            Some(kept) => (2, kept.used),
        };
        if let Some(slot) = self.set(&key).iter_mut().min_by_key(worth) {
            *slot = Some(entry);
        }
    }

    /// How many verdicts are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The slots in which a key may be kept; none where nothing was kept yet.
    fn set(&mut self, key: &VerdictKey) -> &mut [Option<Entry>] {
        let hash = key.0.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let set = usize::try_from(hash).unwrap_or(0).checked_rem(self.sets).unwrap_or(0);
        let start = set.saturating_mul(WAYS);
        self.slots.get_mut(start..start.saturating_add(WAYS)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Refusal;

    const DENY: Verdict = Verdict::Deny { refusal: Refusal::AccessDenied, actor: None };

    fn at(millis: u64) -> UnixTime {
        UnixTime::from_millis(millis)
    }

    fn credential(value: &str) -> Credential {
        Credential { scheme: Scheme::Bearer, name: None, value: value.into() }
    }

    fn key(value: &str) -> VerdictKey {
        Keyer::new(&[1; 32], 1).key("ae5cf6f5", 1, &credential(value))
    }

    #[test]
    fn keys_differ_in_every_part() {
        let keyer = Keyer::new(&[1; 32], 1);
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
            Keyer::new(&[2; 32], 1).key("ae5cf6f5", 1, &credential("t")),
            Keyer::new(&[1; 32], 2).key("ae5cf6f5", 1, &credential("t")),
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
    fn asking_in_vain_is_not_repeated_at_once() {
        let mut cache = VerdictCache::new(10, Duration::from_secs(60));
        cache.keep(key("t"), Arc::new(DENY), Duration::from_secs(30), at(0));
        cache.postpone(&key("t"), Duration::from_secs(1), at(30_000));
        cache.postpone(&key("other"), Duration::from_secs(1), at(30_000));
        assert_eq!(cache.find(&key("t"), at(30_999)), Cached::Postponed(Arc::new(DENY)));
        assert_eq!(cache.find(&key("t"), at(31_000)), Cached::Stale(Arc::new(DENY)));
        assert_eq!(cache.find(&key("other"), at(30_500)), Cached::Nothing);
    }

    #[test]
    fn a_clock_that_jumps_back_prolongs_nothing() {
        let mut cache = VerdictCache::new(10, Duration::from_secs(60));
        cache.keep(key("t"), Arc::new(DENY), Duration::from_secs(30), at(1_000_000));
        assert_eq!(cache.find(&key("t"), at(999_999)), Cached::Nothing);
    }

    #[test]
    fn a_newer_verdict_takes_the_place_of_the_old() {
        let mut cache = VerdictCache::new(100, Duration::ZERO);
        cache.keep(key("t"), Arc::new(DENY), Duration::from_secs(30), at(0));
        let other = Verdict::Deny { refusal: Refusal::CredentialRejected, actor: None };
        cache.keep(key("t"), Arc::new(other.clone()), Duration::from_secs(30), at(1));
        assert_eq!((cache.find(&key("t"), at(2)), cache.len()), (Cached::Fresh(Arc::new(other)), 1));
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
