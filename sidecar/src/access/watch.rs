//! Whether creators of share links may still share.
//!
//! A link never outlives its creator's right: when a service's policy changes, and every minute where the platform
//! decides, each creator is looked at again. Who lost the right loses the links; where that can't be said now, they stay.

use std::collections::HashMap;
use std::time::Duration;

use taskgate_core::identity::WireIdentity;
use taskgate_core::token::TokenId;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::access::store::{Creator, Share};
use crate::access::{rights, shares};
use crate::app::App;
use crate::arvados::uuid::Uuid;
use crate::auth::actor::Actor;
use crate::discovery::policy::Authorisation;
use crate::registry::published::Published;

/// How often every creator is looked at.
const ROUND: Duration = Duration::from_secs(60);
/// How long it rests after a look, however often the table changes.
const REST: Duration = Duration::from_secs(2);

/// What was found last.
#[derive(Debug, Default)]
pub struct Watch {
    /// The epoch of each link's service when its creator was found to have the right, and when that was.
    good: HashMap<TokenId, (u32, Instant)>,
}

/// What a look came to.
enum Finding {
    Good,
    Lost(&'static str),
    Unknown,
}

impl Watch {
    /// Looks until `stop`: when the table changes, and every so often.
    pub async fn run(mut self, app: &App, stop: &CancellationToken) {
        let mut changes = app.registry.changes();
        loop {
            self.look(app).await;
            let next = async {
                tokio::time::sleep(REST).await;
                tokio::select! {
                    () = tokio::time::sleep(ROUND.saturating_sub(REST)) => {}
                    changed = changes.changed() => if changed.is_err() { stop.cancelled().await },
                }
            };
            tokio::select! {
                () = next => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Looks once at every link that can be used.
    pub async fn look(&mut self, app: &App) {
        // What can't be read now is read the next time; the store's keeper says so.
        let Ok(live) = app.access.store().live_shares(app.access.now()).await else { return };
        let mut good = HashMap::with_capacity(live.len());
        // Links of one creator for one service come together, and are decided together.
        let mut last: Option<(String, String, bool)> = None;
        for share in live {
            // One whose service is not there does nothing, and its service may come again.
            let Some(service) = app.registry.service(&share.service) else { continue };
            let seen = self.good.get(&share.id).filter(|(epoch, at)| *epoch == service.epoch && at.elapsed() < ROUND);
            if let Some(seen) = seen {
                good.insert(share.id, *seen);
                continue;
            }
            let is_like_last = last.as_ref().is_some_and(|(id, creator, is_good)| {
                *is_good && *id == share.service && *creator == share.creator.name()
            });
            let finding = if is_like_last && share.origin == service.entry.origin() {
                Finding::Good
            } else {
                find(app, &share, &service).await
            };
            let is_good = matches!(finding, Finding::Good);
            last = Some((share.service.clone(), share.creator.name().to_owned(), is_good));
            match finding {
                Finding::Good => drop(good.insert(share.id, (service.epoch, Instant::now()))),
                Finding::Unknown => {}
                Finding::Lost(why) => {
                    if let Err(error) = shares::end(app, &share, "taskgate", why).await {
                        tracing::error!(%error, share.id = %share.id, "a link is over that could not be marked so");
                    }
                }
            }
        }
        self.good = good;
    }
}

async fn find(app: &App, share: &Share, service: &Published) -> Finding {
    if share.origin != service.entry.origin() {
        return Finding::Lost("the service has another owner");
    }
    let Creator::Person { name, groups } = &share.creator else { return Finding::Good };
    // Who made a link was allowed to, so that whoever has a name of the cluster's is that user.
    let identity = WireIdentity {
        actor: name.clone(),
        groups: groups.clone(),
        arvados_user_uuid: Uuid::of_person(name),
        ..WireIdentity::default()
    };
    let Ok(actor) = Actor::new(identity, None) else { return Finding::Lost("its creator can't be named") };
    match rights::may_share(app, service, &actor).await {
        Authorisation::Allow => Finding::Good,
        Authorisation::AccessDenied | Authorisation::UnknownService => {
            Finding::Lost("its creator may not share the service any more")
        }
        Authorisation::Unavailable(reason) => {
            tracing::debug!(reason, share.id = %share.id, "whether a link's creator may share can't be said now");
            Finding::Unknown
        }
    }
}
