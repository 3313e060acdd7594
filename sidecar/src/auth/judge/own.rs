//! Sessions that the gate has opened and asks about: whether they still hold.
//!
//! They are this installation's own, so no source hears of one. Whoever signed in is looked at by the service's
//! provider, by name: nothing of the platform's is in a session. Who came by a share link may do what the link says, as
//! long as it is not over.

use std::time::Duration;

use taskgate_core::session::{self, Session};
use taskgate_core::token::TokenId;
use taskgate_core::verdict::Refusal;

use crate::auth::actor::Actor;
use crate::auth::judge::docket::Answer;
use crate::auth::judge::inquiry::Inquiry;
use crate::auth::judge::{Decision, Outcome, Undecided};

/// What these decisions are called in logs and metrics.
const SOURCE: &str = "session";
/// The number in claims about somebody who has a stream open without a session.
const OPEN_STREAM: TokenId = TokenId::new(0);
/// The longest that a decision about a session holds, whatever is configured: one that was ended counts no longer.
const MAX_LIFETIME: Duration = Duration::from_secs(5);

impl Inquiry {
    /// Whether a session still holds.
    pub(super) async fn ask_about_session(&self) -> Answer {
        let undecided = |reason: String| Err(Undecided { source: SOURCE, reason });
        let Some(access) = &self.shared.access else { return undecided("there are no sessions here".into()) };
        let (id, now) = (self.service.id.as_str(), self.shared.clock.now());
        let Ok(Session { claims, identity }) = session::open(&access.ring(), self.credential.value.as_bytes(), id)
        else {
            return Ok(self.session_over("session can't be opened", String::new()));
        };
        let actor = identity.actor().to_owned();
        if claims.expires_at <= now || access.is_ended(&claims) {
            return Ok(self.session_over("session has ended", actor));
        }
        if let Some(shared) = &claims.share {
            let share = match access.store().share(shared.id).await {
                Ok(share) => share,
                Err(error) => return undecided(error.to_string()),
            };
            let is_good = share.is_some_and(|share| {
                let is_this = share.service == id && share.origin == self.service.entry.origin();
                is_this && share.is_live(now) && share.scope == shared.scope
            });
            if !is_good {
                return Ok(self.session_over("share link is over", actor));
            }
            let outcome = Outcome::Allow(claims.identity, Some(claims.expires_at));
            return Ok(briefly(Decision { outcome, actor, source: SOURCE, until: claims.expires_at }, now));
        }
        // Sessions have a number. Whoever asks about an open stream has none, and makes claims of whom the gate let in.
        if claims.id == OPEN_STREAM {
            return match Actor::named_here(claims.identity, Some(claims.expires_at)) {
                Ok(actor) => self.authorise_again(actor, SOURCE).await.map(|decision| briefly(decision, now)),
                Err(_) => Ok(self.session_over("stream's visitor can't be named", actor)),
            };
        }
        match Actor::new(claims.identity, Some(claims.expires_at)) {
            Ok(actor) => self.authorise(actor, SOURCE, None).await.map(|decision| briefly(decision, now)),
            Err(_) => Ok(self.session_over("session's visitor can't be named", actor)),
        }
    }

    fn session_over(&self, reason: &'static str, actor: String) -> Decision {
        tracing::debug!(source = SOURCE, reason, service.id = self.service.id.as_str(), "session refused");
        let decision = self.deny(Refusal::CredentialRejected, actor, SOURCE);
        briefly(decision, self.shared.clock.now())
    }
}

fn briefly(decision: Decision, now: taskgate_core::time::UnixTime) -> Decision {
    Decision { until: decision.until.min(now.after(MAX_LIFETIME)), ..decision }
}
