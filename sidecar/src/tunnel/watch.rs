//! Whether a tunnel may go on.
//!
//! The filter ends what is no longer allowed by itself; other ingresses can't, so it is looked at here too.

use std::time::Duration;

use taskgate_core::identity::Identity;
use taskgate_core::service::{AccessLevel, Protocol};
use taskgate_core::session::{Claims, SharedAccess};
use taskgate_core::share::PathScope;
use taskgate_core::standing::DOUBT;
use taskgate_core::time::UnixTime;
use taskgate_core::token::TokenId;
use taskgate_core::verdict::{Credential, Scheme, VerdictQuery, WireVerdict};
use taskgate_core::visitor::Term;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::app::App;

/// How often it is looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often it is asked whether the visitor may still use the service, and how often while that is in doubt.
const RECHECK: Duration = Duration::from_secs(60);
const RECHECK_IN_DOUBT: Duration = Duration::from_secs(2);
/// For how long a question about a visitor may be used.
const QUESTION_LIFETIME: Duration = Duration::from_secs(300);
/// The number of a session that there is none of.
const NO_SESSION: TokenId = TokenId::new(0);

/// What somebody was let in to.
#[derive(Clone, Debug)]
pub struct Right {
    /// The service's id.
    pub service: String,
    /// Its epoch when that was decided.
    pub epoch: u32,
    /// Who it is; none: anybody.
    pub visitor: Option<Identity>,
    /// When.
    pub began: UnixTime,
    /// Until when at the longest, and by what, where that ends by itself.
    pub term: Option<Term>,
}

/// Waits until it is over, and says why.
pub async fn until_over(app: &App, mut right: Right) -> &'static str {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // What was decided may have been known for a while, under another policy: it is looked at once more now.
    let mut ask_at = Instant::now();
    let mut doubtful_since: Option<Instant> = None;
    loop {
        ticks.tick().await;
        let Some(service) = app.registry.service(&right.service).filter(|found| found.id.as_str() == right.service)
        else {
            return "the service is gone";
        };
        if service.entry.protocol != Protocol::Tcp || service.entry.policy.access == AccessLevel::Nobody {
            return "the service is not reached so any more";
        }
        let Some(visitor) = &right.visitor else {
            if service.entry.policy.access == AccessLevel::Public {
                continue;
            }
            return "the service is not public any more";
        };
        let wall = app.clock.now();
        let is_shared = right.term.is_some_and(|term| term.share.is_some());
        if right.term.is_some_and(|term| wall >= term.ends_at) {
            return if is_shared { "the share link is over" } else { "what the visitor was let in with is over" };
        }
        let claims = claims(visitor, &right, wall);
        if app.access.is_ended(&by_term(&claims, right.term)) {
            return "the visitor's access was ended";
        }
        let is_changed = service.epoch != right.epoch;
        let now = Instant::now();
        // Who came by a link may have no right of their own, and needs none: what ends a link is above.
        if is_shared || !(is_changed && doubtful_since.is_none()) && now < ask_at {
            continue;
        }
        match ask(app, &right.service, service.epoch, &claims).await {
            WireVerdict::Allow { .. } => {
                right.epoch = service.epoch;
                doubtful_since = None;
                ask_at = now + RECHECK;
            }
            WireVerdict::Deny { .. } => return "the visitor may not use the service any more",
            // Where nothing but time has passed, a platform that is away ends nothing.
            WireVerdict::Unavailable => {
                ask_at = now + RECHECK_IN_DOUBT;
                let since = *doubtful_since.get_or_insert(now);
                if is_changed && now.duration_since(since) >= DOUBT {
                    return "whether the visitor may still use the service can't be said";
                }
            }
        }
    }
}

/// The visitor, as the judge takes those whom it is asked about again.
fn claims(visitor: &Identity, right: &Right, now: UnixTime) -> Claims {
    let until = now.after(QUESTION_LIFETIME);
    Claims::new(NO_SESSION, &right.service, 0, visitor.to_wire(), right.began, until)
}

/// The same with the session and the link that let the visitor in: each may have been ended.
fn by_term(claims: &Claims, term: Option<Term>) -> Claims {
    let share = term.and_then(|term| term.share).map(|id| SharedAccess { id, scope: PathScope::everything() });
    let id = term.and_then(|term| term.session).unwrap_or(NO_SESSION);
    Claims { id, share, ..claims.clone() }
}

async fn ask(app: &App, service: &str, epoch: u32, claims: &Claims) -> WireVerdict {
    let Ok(value) = claims.seal(&app.control.ring()) else { return WireVerdict::Unavailable };
    let credential = Credential { scheme: Scheme::Session, name: None, value };
    app.verdict(&VerdictQuery { service: service.to_owned(), epoch, credential }).await
}
