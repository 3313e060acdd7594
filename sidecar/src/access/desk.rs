//! What access runs on: the store of share links and revocations, and what every worker is told of it.
//!
//! A revocation is in force when the call that made it returns: the list goes to the feed before. Where the store can't
//! be written, it is in force all the same, as long as this process lives, and is written when that is possible again.
//! What another process revokes is here within [`POLL`].

mod ledger;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use taskgate_core::feed::Control;
use taskgate_core::key::KeyRing;
use taskgate_core::revocation::{Revocations, Revoked};
use taskgate_core::session::Claims;
use taskgate_core::time::UnixTime;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::access::desk::ledger::{Ledger, Unkept, Unsaved, bounded};
use crate::access::explain::Explainer;
use crate::access::settings::AccessSettings;
use crate::access::store::{AccessStore, AccessStoreError, Ending, KeptRevocation, Share};
use crate::clock::SharedClock;
use crate::feed::{ControlState, Feed};

/// How often it is looked whether another process has revoked anything.
pub const POLL: Duration = Duration::from_secs(1);
/// How long it rests between two lists for the workers.
const PAUSE: Duration = Duration::from_millis(200);

/// What access runs on.
pub struct AccessDesk {
    store: AccessStore,
    settings: ArcSwap<AccessSettings>,
    control: Arc<ControlState>,
    feed: Arc<Feed>,
    clock: SharedClock,
    ended: ArcSwap<Revocations>,
    /// What was told. Held while a list is put together and told.
    ledger: Mutex<Ledger>,
    /// How often something was ended here.
    changes: AtomicU64,
    /// What the store has not taken yet.
    unsaved: std::sync::Mutex<Unsaved>,
    was_warned: AtomicBool,
    /// The gate that explains.
    explainer: Mutex<Explainer>,
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
            ledger: Mutex::default(),
            changes: AtomicU64::new(0),
            unsaved: std::sync::Mutex::default(),
            was_warned: AtomicBool::new(false),
            explainer: Mutex::default(),
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
    pub(super) async fn explainer(&self) -> MutexGuard<'_, Explainer> {
        self.explainer.lock().await
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

    /// Whether everybody's sessions were ended up to now or a little later: what is made now would be over.
    #[must_use]
    pub fn is_everybody_ended(&self) -> bool {
        self.ended.load().end_actor("", self.now())
    }

    /// Whether something is not kept yet.
    #[must_use]
    pub fn has_unsaved(&self) -> bool {
        !self.unsaved().is_empty()
    }

    /// Ends something before its time. It is in force when this returns, whatever it returns.
    ///
    /// # Errors
    /// [`AccessStoreError`]: it is not kept yet, and over if the process ends before it is.
    pub async fn revoke(&self, entry: KeptRevocation) -> Result<(), AccessStoreError> {
        self.warn_where_nothing_is_kept();
        let kept = self.store.revoke(&entry).await;
        if kept.is_err() {
            // It can't be looked how long links live that it ends the sessions of.
            let longest = entry.revocation.at.after(self.settings().max_share_lifetime);
            let is_wide = matches!(entry.revocation.revoked, Revoked::Actor(_) | Revoked::Everybody);
            self.unsaved().add(Unkept::Sessions(entry.lasting(is_wide.then_some(longest))));
        }
        self.settle().await;
        kept
    }

    /// Ends a link before its time. In force when this returns, whatever it returns.
    ///
    /// # Errors
    /// [`AccessStoreError`]: as with [`Self::revoke`].
    pub async fn end_share(&self, share: &Share, ending: &Ending) -> Result<(), AccessStoreError> {
        let kept = self.store.end_share(share, ending).await;
        if kept.is_err() {
            self.unsaved().add(Unkept::Share(Box::new(share.clone()), ending.clone()));
        }
        self.settle().await;
        kept.map(|_| ())
    }

    /// Brings the list up to date, and writes what could not be written before.
    ///
    /// # Errors
    /// [`AccessStoreError`]; then the list is what it was, with what is not kept yet.
    pub async fn refresh(&self) -> Result<(), AccessStoreError> {
        let mut ledger = self.ledger.lock().await;
        let kept = self.write().await;
        let listed = match kept {
            Ok(()) => self.store.revocations(self.now()).await,
            Err(error) => Err(error),
        };
        let outcome = listed.map(|listed| ledger.listed = listed);
        self.push(&ledger).await;
        outcome
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

    /// Writes what could not be written before.
    async fn write(&self) -> Result<(), AccessStoreError> {
        loop {
            let Some(unkept) = self.unsaved().first() else { return Ok(()) };
            match &unkept {
                Unkept::Sessions(entry) => self.store.revoke(entry).await?,
                Unkept::Share(share, ending) => self.store.end_share(share, ending).await.map(drop)?,
            }
            self.unsaved().remove(&unkept);
        }
    }

    /// Tells the workers, and returns when what was changed before the call is told. The first who comes is at once; of
    /// those who come soon after, one tells for all: a list is long, and goes to every worker.
    async fn settle(&self) {
        let change = self.changes.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        let mut ledger = self.ledger.lock().await;
        if ledger.told >= change {
            return;
        }
        if let Some(told_at) = ledger.told_at {
            tokio::time::sleep_until(told_at + PAUSE).await;
        }
        let upto = self.changes.load(Ordering::SeqCst);
        // What can't be read now is what it was.
        if let Ok(listed) = self.store.revocations(self.now()).await {
            ledger.listed = listed;
        }
        self.push(&ledger).await;
        (ledger.told, ledger.told_at) = (upto, Some(Instant::now()));
    }

    /// Tells the workers what the store had last, and what is unsaved beside.
    async fn push(&self, ledger: &Ledger) {
        let now = self.now();
        let unsaved = self.unsaved().list(now);
        let listed = ledger.listed.iter().filter(|kept| now < kept.until).cloned();
        let (list, overflow) = bounded(listed.chain(unsaved).collect());
        self.ended.store(Arc::new(Revocations::new(&list)));
        if self.control.revoke(list) {
            self.feed.set_control(self.control.control());
        }
        if let Some(everybody) = overflow
            && self.store.revoke(&everybody).await.is_err()
        {
            self.unsaved().add(Unkept::Sessions(everybody));
        }
    }

    fn unsaved(&self) -> std::sync::MutexGuard<'_, Unsaved> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for AccessDesk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AccessDesk").field("store", &self.store).finish_non_exhaustive()
    }
}
