//! Keys and epochs that ride with the table.

use std::sync::{Mutex, MutexGuard, PoisonError};

use taskgate_core::config::GateConfig;
use taskgate_core::feed::Control;
use taskgate_core::key::{KeyId, KeyRing, Secret};
use taskgate_core::revocation::Revocation;

use crate::digest::Digest;

/// What workers' verdict caches are keyed with, derived from the current key: who restarts with the
/// same keys voids no verdict.
const CACHE_KEY_CONTEXT: &[u8] = b"taskgate/v1/verdict-cache";
/// The bits of a verdict epoch that count changes within one life; the rest tell which sources.
const COUNTER_BITS: u32 = 16;

/// The keys and epochs that are in force.
#[derive(Debug)]
pub struct ControlState {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    number: u64,
    gate: GateConfig,
    keys: Vec<(KeyId, Secret)>,
    fingerprint: Digest,
    verdict_epoch: u64,
    revocations: Vec<Revocation>,
}

impl ControlState {
    /// The state at the start. `keys` has the current key first and is not empty.
    #[must_use]
    pub fn new(gate: GateConfig, keys: Vec<(KeyId, Secret)>, fingerprint: Digest) -> Self {
        // From the sources rather than from the time: a restart with the same sources voids nothing.
        let verdict_epoch = (fingerprint.prefix() >> (COUNTER_BITS + 1)) << COUNTER_BITS;
        Self { inner: Mutex::new(Inner { number: 1, gate, keys, fingerprint, verdict_epoch, revocations: Vec::new() }) }
    }

    /// Takes the gate's configuration, keys and sources; whether anything changed. The verdict epoch rises when sources did.
    pub fn update(&self, gate: GateConfig, keys: Vec<(KeyId, Secret)>, fingerprint: Digest) -> bool {
        let mut inner = self.inner();
        let sources_changed = inner.fingerprint != fingerprint;
        if !sources_changed && inner.keys == keys && inner.gate == gate {
            return false;
        }
        if sources_changed {
            inner.verdict_epoch = inner.verdict_epoch.saturating_add(1);
        }
        inner.number = inner.number.saturating_add(1);
        inner.gate = gate;
        inner.keys = keys;
        inner.fingerprint = fingerprint;
        true
    }

    /// Takes what was ended before its time; whether that is news.
    pub fn revoke(&self, revocations: Vec<Revocation>) -> bool {
        let mut inner = self.inner();
        if inner.revocations == revocations {
            return false;
        }
        inner.number = inner.number.saturating_add(1);
        inner.revocations = revocations;
        true
    }

    /// The wire form.
    #[must_use]
    pub fn control(&self) -> Control {
        let inner = self.inner();
        let cache_key = inner.keys.first().map(|(_, secret)| *secret.derive(CACHE_KEY_CONTEXT).expose());
        Control {
            number: inner.number,
            cache_key: cache_key.unwrap_or_default(),
            keys: inner.keys.iter().map(|(id, secret)| (id.clone(), *secret.expose())).collect(),
            verdict_epoch: inner.verdict_epoch,
            revocations: inner.revocations.clone(),
            gate: inner.gate.clone(),
        }
    }

    /// The keys, current first.
    #[must_use]
    pub fn keys(&self) -> Vec<(KeyId, Secret)> {
        self.inner().keys.clone()
    }

    /// The key ring.
    #[must_use]
    pub fn ring(&self) -> KeyRing {
        KeyRing::new(self.inner().keys.iter().cloned())
    }

    /// The epoch of verdicts.
    #[must_use]
    pub fn verdict_epoch(&self) -> u64 {
        self.inner().verdict_epoch
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(base: &str) -> GateConfig {
        GateConfig::for_domain(base)
    }

    fn keys(byte: u8) -> Vec<(KeyId, Secret)> {
        vec![(KeyId::parse("k1").expect("an id"), Secret::new([byte; 32]))]
    }

    #[test]
    fn a_restart_with_the_same_settings_voids_nothing() {
        let sources = Digest::of(b"sources");
        let (one, other) =
            (ControlState::new(gate("a.b"), keys(1), sources), ControlState::new(gate("a.b"), keys(1), sources));
        assert_eq!(one.control(), other.control());
        assert_ne!(one.control().cache_key, [1; 32]);
    }

    #[test]
    fn numbers_rise_with_what_changed() {
        let state = ControlState::new(gate("a.b"), keys(1), Digest::of(b"a"));
        let before = state.control();
        assert!(!state.update(gate("a.b"), keys(1), Digest::of(b"a")));
        assert_eq!(state.control(), before);
        assert!(state.update(gate("a.b"), keys(2), Digest::of(b"a")));
        let rotated = state.control();
        assert!(rotated.number > before.number && rotated.verdict_epoch == before.verdict_epoch);
        assert!(state.update(gate("a.b"), keys(2), Digest::of(b"b")));
        assert!(state.update(gate("a.b"), keys(2), Digest::of(b"a")));
        assert_eq!(state.verdict_epoch(), before.verdict_epoch + 2);
        assert!(state.update(gate("c.d"), keys(2), Digest::of(b"a")));
        assert_eq!(state.verdict_epoch(), before.verdict_epoch + 2);
    }
}
