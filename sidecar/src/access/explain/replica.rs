//! The gate that explains: it is made when somebody asks first, and reads on whenever somebody asks.

use std::time::Duration;

use taskgate_core::gate::Gate;
use taskgate_core::time::UnixTime;

use crate::access::explain::Unexplained;
use crate::app::App;
use crate::random;
use crate::replica::Replica;

/// The most pages of one question: more rows than there can be.
const MAX_PAGES: usize = 10_000;
/// How often the table may begin anew meanwhile.
const MAX_TIMES_BEGUN_AGAIN: usize = 2;

/// The gate that explains, once there is one.
#[derive(Debug, Default)]
pub struct Explainer(Option<Replica>);

impl Explainer {
    /// The gate, with all that there is now.
    ///
    /// # Errors
    /// [`Unexplained::Unavailable`].
    pub(super) async fn fresh(&mut self, app: &App, now: UnixTime) -> Result<&mut Gate, Unexplained> {
        let failed =
            |error: &dyn std::fmt::Display| Unexplained::Unavailable(format!("the table can't be read: {error}"));
        // Where a page does not fit, what was read is dropped, and the next question begins anew.
        let mut replica = match self.0.take() {
            Some(replica) => replica,
            None => Replica::new(random::non_zero().map_err(|error| failed(&error))?),
        };
        let mut times_begun_again = 0_usize;
        for _ in 0..MAX_PAGES {
            let ask = replica.ask();
            let page = app.feed.next_page(ask, Duration::ZERO, &app.stop).await.map_err(|error| failed(&error))?;
            times_begun_again += usize::from(page.begins_again(ask));
            if times_begun_again > MAX_TIMES_BEGUN_AGAIN {
                return Err(failed(&"it begins anew each time"));
            }
            if replica.take(&page.bytes, now).map_err(|error| failed(&error))? {
                return Ok(self.0.insert(replica).gate());
            }
            // Others have their turn: the first time there may be many pages.
            tokio::task::yield_now().await;
        }
        Err(failed(&"it does not end"))
    }
}
