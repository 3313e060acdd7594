//! What access runs on: the store of share links and revocations, and what every worker is told of it.
//!
//! A revocation is in force when the call that made it returns: the list goes to the feed before. Where the store can't
//! be written, it is in force all the same, as long as this process lives, and is written when that is possible again.
//! What another process revokes is here within [`POLL`].

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use taskgate_core::feed::Control;
use taskgate_core::key::KeyRing;
use taskgate_core::revocation::{MAX_REVOCATIONS, Revocation, Revocations, Revoked};
use taskgate_core::session::Claims;
use taskgate_core::time::UnixTime;
use tokio::sync::{Mutex, MutexGuard};

use crate::access::explain::Replica;
use crate::access::settings::AccessSettings;
use crate::access::store::{AccessStore, AccessStoreError, Ending, KeptRevocation, Share};
use crate::clock::SharedClock;
use crate::feed::{ControlState, Feed};

/// How often it is looked whether another process has revoked anything.
pub const POLL: Duration = Duration::from_secs(1);
/// The most entries that do not end a link: more of them end the oldest sessions of all.
const MAX_OTHERS: usize = MAX_REVOCATIONS / 2;

/// What access runs on.
pub struct AccessDesk {
    store: AccessStore,
    settings: ArcSwap<AccessSettings>,
    control: Arc<ControlState>,
    feed: Arc<Feed>,
    clock: SharedClock,
    ended: ArcSwap<Revocations>,
    /// What the store has not taken yet. Held while a list is put together and told.
    unsaved: Mutex<Vec<KeptRevocation>>,
    was_warned: AtomicBool,
    /// The gate that explains.
    replica: Mutex<Replica>,
}

impl AccessDesk {
    /// What runs on this store, and tells the readers of this feed.
    #[must_use]
    pub fn new(
        store: AccessStore,
        settings: AccessSettings,
        control: Arc<ControlState>,
        feed: Arc<Feed>,
        clock: SharedClock,
    ) -> Self {
        Self {
            store,
            settings: ArcSwap::from_pointee(settings),
            control,
            feed,
            clock,
            ended: ArcSwap::default(),
            unsaved: Mutex::default(),
            was_warned: AtomicBool::new(false),
            replica: Mutex::default(),
        }
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &AccessStore {
        &self.store
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<AccessSettings> {
        self.settings.load_full()
    }

    /// Takes other settings; the store stays where it is.
    pub fn renew(&self, settings: AccessSettings) {
        self.settings.store(Arc::new(settings));
    }

    /// The key ring.
    #[must_use]
    pub fn ring(&self) -> KeyRing {
        self.control.ring()
    }

    /// What the gate decides by, keys included.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.control()
    }

    /// The gate that explains, for one who asks.
    pub(super) async fn replica(&self) -> MutexGuard<'_, Replica> {
        self.replica.lock().await
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// Whether a session was ended before its time, as far as this process knows.
    #[must_use]
    pub fn is_ended(&self, claims: &Claims) -> bool {
        self.ended.load().end_session(claims)
    }

    /// Ends something before its time. It is in force when this returns, whatever it returns.
    ///
    /// # Errors
    /// [`AccessStoreError`]: it is not kept yet, and over if the process ends before it is.
    pub async fn revoke(&self, entry: KeptRevocation) -> Result<(), AccessStoreError> {
        self.warn_where_nothing_is_kept();
        let kept = self.store.revoke(&entry).await;
        let mut unsaved = self.unsaved.lock().await;
        if kept.is_err() {
            unsaved.push(entry);
        }
        self.tell(&mut unsaved).await;
        kept
    }

    /// Ends a link before its time. In force when this returns, whatever it returns.
    ///
    /// # Errors
    /// [`AccessStoreError`]: as with [`Self::revoke`].
    pub async fn end_share(&self, share: &Share, ending: &Ending) -> Result<(), AccessStoreError> {
        let kept = self.store.end_share(share, ending).await;
        let mut unsaved = self.unsaved.lock().await;
        if kept.is_err() {
            let revocation = Revocation { revoked: Revoked::Share(share.id), at: ending.at };
            unsaved.push(KeptRevocation { revocation, until: share.expires_at, by: ending.by.clone() });
        }
        self.tell(&mut unsaved).await;
        kept.map(|_| ())
    }

    /// Brings the list up to date, and writes what could not be written before.
    ///
    /// # Errors
    /// [`AccessStoreError`]; then the list is what it was.
    pub async fn refresh(&self) -> Result<(), AccessStoreError> {
        let mut unsaved = self.unsaved.lock().await;
        while let Some(entry) = unsaved.last() {
            self.store.revoke(entry).await?;
            unsaved.pop();
        }
        let list = self.store.revocations(self.now()).await?;
        self.push(list.into_iter().map(|kept| kept.revocation).collect());
        Ok(())
    }

    /// Says once that what is made here ends with the process.
    pub fn warn_where_nothing_is_kept(&self) {
        if !self.store.is_kept() && !self.was_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "share links and revocations are kept in memory alone and end with the process; set `access.store` or \
                 `state.directory`"
            );
        }
    }

    /// The list as the store has it, or else what was told last, and what is unsaved beside.
    async fn tell(&self, unsaved: &mut Vec<KeptRevocation>) {
        let now = self.now();
        unsaved.retain(|entry| now < entry.until);
        let mut list: Vec<Revocation> = match self.store.revocations(now).await {
            Ok(list) => list.into_iter().map(|kept| kept.revocation).collect(),
            Err(_) => self.control.control().revocations,
        };
        list.extend(unsaved.iter().map(|entry| entry.revocation.clone()));
        self.push(list);
    }

    fn push(&self, list: Vec<Revocation>) {
        let list = bounded(list);
        self.ended.store(Arc::new(Revocations::new(&list)));
        if self.control.revoke(list) {
            self.feed.set_control(self.control.control());
        }
    }
}

/// A list that every worker can hold. Links that were taken back are never left out: they would be good again. Of the
/// rest, the oldest become one entry that ends what anybody began up to then.
fn bounded(list: Vec<Revocation>) -> Vec<Revocation> {
    let (mut links, mut others): (Vec<_>, Vec<_>) =
        list.into_iter().partition(|entry| matches!(entry.revoked, Revoked::Share(_)));
    others.sort_by_key(|entry| entry.at);
    if others.len() > MAX_OTHERS {
        let oldest = others.len().saturating_sub(MAX_OTHERS.saturating_sub(1));
        let left_out: Vec<Revocation> = others.drain(..oldest).collect();
        if let Some(last) = left_out.last() {
            tracing::warn!(entries = left_out.len(), "too many revocations: every session from before them is ended");
            others.insert(0, Revocation { revoked: Revoked::Everybody, at: last.at });
        }
    }
    // There is a bound when links are made; this one is for the workers.
    links.truncate(MAX_REVOCATIONS.saturating_sub(others.len()));
    links.append(&mut others);
    links
}

impl fmt::Debug for AccessDesk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AccessDesk").field("store", &self.store).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use taskgate_core::token::TokenId;

    use super::*;

    #[test]
    fn a_list_is_bounded_and_forgets_nothing() {
        let entry = |revoked, at| Revocation { revoked, at: UnixTime::from_millis(at) };
        let sessions = (1..=20_000).map(|number| entry(Revoked::Session(TokenId::new(number)), number));
        let list = bounded(sessions.chain([entry(Revoked::Share(TokenId::new(1 << 40)), 0)]).collect());
        assert!(list.len() <= MAX_REVOCATIONS, "{}", list.len());
        let ended = Revocations::new(&list);
        assert!(ended.end_token(TokenId::new(1 << 40)), "a link that was taken back");
        assert!(ended.end_token(TokenId::new(20_000)) && !ended.end_token(TokenId::new(1)));
        // The oldest are ended by a time up to which everybody's are.
        assert!(ended.end_actor("anybody", UnixTime::from_millis(10_001)));
        assert!(!ended.end_actor("anybody", UnixTime::from_millis(10_002)));
    }
}
