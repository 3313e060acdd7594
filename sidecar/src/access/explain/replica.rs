//! The gate that explains: fed as every worker's is.

use std::time::Duration;

use taskgate_core::feed::FeedPage;
use taskgate_core::gate::Gate;
use taskgate_core::time::UnixTime;

use crate::access::explain::Unexplained;
use crate::app::App;
use crate::feed::Ask;
use crate::random;

/// The most pages of one question: more rows than there can be.
const MAX_PAGES: usize = 10_000;

/// A gate, and how far it has read.
#[derive(Debug, Default)]
pub struct Replica {
    gate: Option<Gate>,
    ask: Ask,
}

impl Replica {
    /// The gate, with all that there is now.
    ///
    /// # Errors
    /// [`Unexplained::Unavailable`].
    pub(super) async fn fresh(&mut self, app: &App, now: UnixTime) -> Result<&mut Gate, Unexplained> {
        let failed =
            |error: &dyn std::fmt::Display| Unexplained::Unavailable(format!("the table can't be read: {error}"));
        let mut gate = match self.gate.take() {
            Some(gate) => gate,
            None => Gate::new(random::non_zero().map_err(|error| failed(&error))?, true),
        };
        for _ in 0..MAX_PAGES {
            let bytes =
                app.feed.next_page(self.ask, Duration::ZERO, &app.stop).await.map_err(|error| failed(&error))?.bytes;
            let page = FeedPage::decode(&bytes).map_err(|error| failed(&error))?;
            let is_last = page.complete || page.to == page.from;
            // Where it does not fit, what was read is dropped, and the next question begins anew.
            self.ask = Ask::default();
            gate.apply(page, now).map_err(|error| failed(&error))?;
            let cursor = gate.table().cursor();
            let control = gate.control().map_or(0, |control| control.number);
            self.ask = Ask { epoch: cursor.epoch, since: cursor.number, control };
            if is_last {
                return Ok(self.gate.insert(gate));
            }
            // Others have their turn: the first time there may be many pages.
            tokio::task::yield_now().await;
        }
        Err(failed(&"it does not end"))
    }
}
