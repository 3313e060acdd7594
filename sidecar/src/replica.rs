//! A gate in this process, fed with the pages that workers of a proxy get.

use taskgate_core::feed::{FeedPage, InvalidPage};
use taskgate_core::gate::{ApplyError, Gate};
use taskgate_core::time::UnixTime;
use thiserror::Error;

use crate::feed::Ask;

/// A gate, and how far it has read.
#[derive(Debug)]
pub struct Replica {
    gate: Gate,
    ask: Ask,
}

/// Why a page was not taken, or not all of it. What the gate knew before still holds.
#[derive(Debug, Error)]
pub enum NotTaken {
    /// It does not follow what was read, or its configuration is not usable.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// It can't be read.
    #[error(transparent)]
    Page(#[from] InvalidPage),
}

impl Replica {
    /// A gate that has read nothing. `seed` should be random.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { gate: Gate::new(seed, true), ask: Ask::default() }
    }

    /// The gate.
    pub fn gate(&mut self) -> &mut Gate {
        &mut self.gate
    }

    /// What to ask the feed next.
    #[must_use]
    pub const fn ask(&self) -> Ask {
        self.ask
    }

    /// Takes the page that came to the last question; whether there is no more for now.
    ///
    /// # Errors
    /// [`NotTaken`]; the next question then begins anew.
    pub fn take(&mut self, bytes: &[u8], now: UnixTime) -> Result<bool, NotTaken> {
        self.ask = Ask::default();
        let page = FeedPage::decode(bytes)?;
        let is_last = page.complete || page.to == page.from;
        self.gate.apply(page, now)?;
        while self.gate.table_mut().tidy() {}
        let cursor = self.gate.table().cursor();
        let control = self.gate.control().map_or(0, |control| control.number);
        self.ask = Ask { epoch: cursor.epoch, since: cursor.number, control };
        Ok(is_last)
    }
}
