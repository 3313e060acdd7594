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
    /// [`NotTaken`]; the next question then begins anew, unless it was the configuration alone.
    pub fn take(&mut self, bytes: &[u8], now: UnixTime) -> Result<bool, NotTaken> {
        self.ask = Ask::default();
        let page = FeedPage::decode(bytes)?;
        let is_last = page.complete || page.to == page.from;
        let applied = self.gate.apply(page, now);
        while self.gate.table_mut().tidy() {}
        if !matches!(applied, Err(ApplyError::Stale(_))) {
            let control = self.gate.control().map_or(0, |control| control.number);
            self.ask = Ask { cursor: self.gate.table().cursor(), control };
        }
        applied?;
        Ok(is_last)
    }
}

#[cfg(test)]
mod tests {
    use taskgate_core::config::GateConfig;
    use taskgate_core::feed::Control;

    use super::*;

    const NOW: UnixTime = UnixTime::from_millis(1_000);

    fn page(from: u64, base_domain: &str) -> Vec<u8> {
        let control = Control {
            number: from + 1,
            cache_key: [1; 32],
            keys: Vec::new(),
            verdict_epoch: 1,
            revocations: Vec::new(),
            gate: GateConfig::for_domain(base_domain),
        };
        let page = FeedPage {
            epoch: 7,
            from,
            to: from + 1,
            last: from + 1,
            reset: from == 0,
            complete: true,
            upserts: Vec::new(),
            removals: Vec::new(),
            control: Some(control),
        };
        page.encode().expect("encodes")
    }

    #[test]
    fn a_configuration_that_can_not_be_used_costs_no_row() {
        let mut replica = Replica::new(1);
        assert!(replica.take(&page(0, "tasks.example.test"), NOW).expect("is taken"));
        assert!(matches!(replica.take(&page(1, "not a domain"), NOW), Err(NotTaken::Apply(ApplyError::Config(_)))));
        let ask = replica.ask();
        assert_eq!((ask.cursor.number, ask.control), (2, 1), "it goes on, and asks for the configuration again");
    }

    #[test]
    fn a_page_that_does_not_follow_has_it_begin_anew() {
        let mut replica = Replica::new(1);
        assert!(replica.take(&page(0, "tasks.example.test"), NOW).expect("is taken"));
        assert!(replica.take(&page(5, "tasks.example.test"), NOW).is_err());
        assert_eq!(replica.ask(), Ask::default());
    }
}
