//! The feed: the table as a sequence of numbered changes, and the pages that readers get of it.
//!
//! Rows are ordered by the number of their last change, so a page is the first changes after the
//! reader's number, whatever the size of the table. A removal stays as a tombstone, up to a bound;
//! a reader that may have missed one that is forgotten starts anew. Who starts comes to the end in one go,
//! unless more removals than are remembered come meanwhile.
//!
//! Until every provider has published, no page says that the table is complete: a reader keeps what
//! it has and takes what there is.

mod control;
mod log;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use taskgate_core::feed::{Control, Cursor, FeedPage, InvalidPage};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::feed::log::{Log, MAX_TOMBSTONES};
use crate::registry::published::Published;
use crate::registry::state::Upsert;

pub use crate::feed::control::ControlState;

/// The longest a reader waits for news.
pub const MAX_WAIT: Duration = Duration::from_secs(60);

/// What a reader asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Where the reader is.
    pub cursor: Cursor,
    /// The number of its keys and epochs.
    pub control: u64,
}

/// One page, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The wire form.
    pub bytes: Vec<u8>,
    /// Whether the reader starts anew.
    pub reset: bool,
}

impl Page {
    /// Whether it makes the one who asked begin anew, who had something already. Such a page may be followed by
    /// another, so whoever reads on at once may never stop.
    #[must_use]
    pub const fn begins_again(&self, ask: Ask) -> bool {
        self.reset && ask.cursor.epoch != 0
    }
}

/// The feed.
#[derive(Debug)]
pub struct Feed {
    epoch: u64,
    inner: RwLock<Inner>,
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    log: Log,
    control: Control,
    settled: bool,
}

impl Feed {
    /// An empty feed of one life of the sidecar. `epoch` must be random and not 0.
    #[must_use]
    pub fn new(epoch: u64, control: Control) -> Self {
        Self::with(epoch, control, Log::new(MAX_TOMBSTONES))
    }

    fn with(epoch: u64, control: Control, log: Log) -> Self {
        let inner = Inner { log, control, settled: false };
        Self { epoch, inner: RwLock::new(inner), changes: watch::Sender::new(0) }
    }

    /// Publishes what changed; the number of the last change.
    pub fn publish(&self, upserts: &[Upsert], removals: &[Arc<Published>]) -> u64 {
        let number = self.change(|inner| {
            for service in removals {
                inner.log.remove(service.id.as_str());
            }
            for upsert in upserts {
                inner.log.upsert(&upsert.now);
            }
            inner.log.last()
        });
        if !(upserts.is_empty() && removals.is_empty()) {
            self.wake();
        }
        number
    }

    /// Every provider has published, or is no longer waited for.
    pub fn settle(&self) {
        let news = self.change(|inner| {
            let news = !std::mem::replace(&mut inner.settled, true);
            if news {
                // A number of its own, so that readers who have everything hear that it is everything.
                inner.log.touch();
            }
            news
        });
        if news {
            self.wake();
        }
    }

    /// Whether every provider has published, or is no longer waited for.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).settled
    }

    /// News whenever there is anything for readers.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Replaces keys and epochs.
    pub fn set_control(&self, control: Control) {
        // Who reads the state first may come last.
        self.change(|inner| {
            if inner.control.number <= control.number {
                inner.control = control;
            }
        });
        self.wake();
    }

    /// The page for a reader, where there is anything for it.
    ///
    /// # Errors
    /// [`InvalidPage`]; see [`FeedPage::encode`].
    pub fn page(&self, ask: Ask) -> Result<Option<Page>, InvalidPage> {
        self.encoded(ask, |page| page.to != page.from || page.control.is_some())
    }

    /// The page for a reader, waiting up to `wait` for there to be anything, and then an empty one.
    ///
    /// # Errors
    /// [`InvalidPage`].
    pub async fn next_page(&self, ask: Ask, wait: Duration, stop: &CancellationToken) -> Result<Page, InvalidPage> {
        let mut changes = self.changes.subscribe();
        let deadline = tokio::time::Instant::now() + wait.min(MAX_WAIT);
        loop {
            changes.mark_unchanged();
            if let Some(page) = self.page(ask)? {
                return Ok(page);
            }
            let woken = tokio::select! {
                changed = changes.changed() => changed.is_ok(),
                () = tokio::time::sleep_until(deadline) => false,
                () = stop.cancelled() => false,
            };
            if !woken {
                return self.encoded(ask, |_| true)?.ok_or(InvalidPage::Encoding);
            }
        }
    }

    fn encoded(&self, ask: Ask, wanted: impl FnOnce(&FeedPage<'_>) -> bool) -> Result<Option<Page>, InvalidPage> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let page = inner.page(self.epoch, ask);
        if !wanted(&page) {
            return Ok(None);
        }
        Ok(Some(Page { bytes: page.encode()?, reset: page.reset }))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.inner.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn wake(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Inner {
    fn page(&self, epoch: u64, ask: Ask) -> FeedPage<'_> {
        let is_of_this_life = ask.cursor.epoch == epoch;
        let follows = is_of_this_life && ask.cursor.number != 0 && self.log.covers(ask.cursor);
        let cursor = if follows { ask.cursor } else { Cursor { epoch, number: 0, began: self.log.last() } };
        let mut page = self.log.page(cursor);
        page.reset = !follows;
        page.complete &= self.settled;
        page.control = (!is_of_this_life || ask.control != self.control.number).then(|| self.control.clone());
        page
    }
}

#[cfg(test)]
mod tests;
