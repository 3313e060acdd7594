//! The end of a sign-in: whether the person may use the service, and the session.

use std::time::Duration;

use axum::response::Response;
use http::HeaderMap;
use taskgate_core::identity::WireIdentity;
use taskgate_core::session::Claims;
use taskgate_core::token::TokenId;

use crate::access::attempt::{Attempt, Guest};
use crate::access::entrance::{Entrance, Visit};
use crate::access::notice::Notice;
use crate::access::oidc::SignedIn;
use crate::access::pages::{self, Asker};
use crate::access::return_path::ReturnPath;
use crate::access::rights;
use crate::auth::actor::Actor;
use crate::digest::Digest;
use crate::discovery::policy::Authorisation;
use crate::random;

/// How much later than now a session may begin: what ends sessions reaches a little into the future, since clocks
/// differ.
const LONGEST_MOMENT_MILLIS: u64 = 10_000;

impl Entrance {
    /// Gives somebody who signed in a session, where they may have one, and sends them on.
    pub(super) async fn enter(
        &self,
        visit: &Visit,
        attempt: &Attempt,
        signed_in: SignedIn,
        browser: Option<[u8; 16]>,
        headers: &HeaderMap,
    ) -> Response {
        let to = ReturnPath::wanted(Some(&attempt.to));
        if to.is_share() {
            return self.as_guest(visit, &to, signed_in.identity, headers);
        }
        let actor = signed_in.identity.actor.clone();
        let claims = self.authorised(visit, signed_in, browser).await;
        let service = &visit.place.service;
        let token = claims.and_then(|claims| Ok((self.seal(visit, &claims)?, claims)));
        let (outcome, level) = (token.as_ref().err(), service.entry.policy.access.code());
        tracing::info!(
            audit = true,
            event = "sign-in",
            actor.id = actor,
            service.id = %service.id,
            access.level = level,
            rule = "sign-in",
            verdict = if outcome.is_none() { "allow" } else { "deny" },
            denial.code = outcome.map_or("", |notice| notice.meaning().code),
            session.id = token.as_ref().map_or_else(|_| String::new(), |(_, claims)| claims.id.to_string()),
            "somebody signed in"
        );
        let (token, claims) = match token {
            Ok(made) => made,
            Err(notice) => {
                return pages::notice(notice, Asker { to: Some(&to), actor: Some(&actor), ..visit.asker() });
            }
        };
        self.app.metrics.sessions_sealed.inc();
        let mut response = pages::redirect(&format!("{}{}", visit.site.origin(&visit.place.host), to.as_str()));
        let lifetime = claims.expires_at.since(self.app.clock.now());
        let line = visit.site.cookies().set(visit.site.session_cookie(), &token, lifetime);
        pages::add_cookie(&mut response, &line);
        pages::add_cookie(&mut response, &self.count_try(visit, headers));
        response
    }

    /// The claims of somebody who may use the service without a link.
    async fn authorised(
        &self,
        visit: &Visit,
        signed_in: SignedIn,
        browser: Option<[u8; 16]>,
    ) -> Result<Claims, Notice> {
        let service = &visit.place.service;
        let SignedIn { identity, stay } = signed_in;
        let actor = Actor::new(identity, None).map_err(|error| {
            tracing::warn!(%error, "somebody signed in who can't be named; see `access.sign_in.actor_claim`");
            Notice::Rejected
        })?;
        match rights::may_use(&self.app, service, &actor).await {
            Authorisation::Allow => {}
            Authorisation::AccessDenied => return Err(Notice::AccessDenied),
            Authorisation::UnknownService => return Err(Notice::UnknownService),
            Authorisation::Unavailable(reason) => {
                tracing::warn!(reason, service.id = %service.id, "whether somebody may use a service can't be said");
                return Err(Notice::AccessUnavailable);
            }
        }
        let now = self.app.clock.now();
        let lifetime = visit.site.session_lifetime().min(self.app.live.load().session_max);
        // All sessions of one browser's person are ended together, as are those of one stay at the provider.
        let of_browser = |browser: [u8; 16]| {
            TokenId::new(Digest::of_parts(&[b"browser", &browser, actor.name().as_bytes()]).prefix())
        };
        let id = stay.or_else(|| browser.map(of_browser));
        let id = id.or_else(|| random::non_zero().ok().map(TokenId::new)).ok_or(Notice::Internal)?;
        let identity = actor.into_identity();
        let claims = Claims::new(id, service.id.as_str(), service.epoch, identity, now, now.after(lifetime));
        self.begun_after_sign_out(claims)
    }

    /// Claims that begin after whatever ended those of the same sign-in or person before: at most a moment later than
    /// now. So a sign-in keeps its number, and all services where somebody comes again are signed out of together, the
    /// next time too.
    fn begun_after_sign_out(&self, claims: Claims) -> Result<Claims, Notice> {
        let begun = |millis| {
            let issued_at = claims.issued_at.after(Duration::from_millis(millis));
            Claims { issued_at, ..claims.clone() }
        };
        if !self.app.access.is_ended(&claims) {
            return Ok(claims);
        }
        let (mut ended, mut good) = (0_u64, LONGEST_MOMENT_MILLIS);
        if self.app.access.is_ended(&begun(good)) {
            return Err(Notice::AccessUnavailable);
        }
        while good.saturating_sub(ended) > 1 {
            let middle = ended.midpoint(good);
            if self.app.access.is_ended(&begun(middle)) { ended = middle } else { good = middle }
        }
        Ok(begun(good))
    }

    /// Sends somebody back to the page of the share link that they come for. Whether it is for them, that page says; its
    /// button uses the link, and nothing is used up or replaced before.
    fn as_guest(&self, visit: &Visit, to: &ReturnPath, identity: WireIdentity, headers: &HeaderMap) -> Response {
        let service = &visit.place.service;
        let actor = identity.actor.clone();
        let notice = |notice| pages::notice(notice, Asker { to: Some(to), actor: Some(&actor), ..visit.asker() });
        let Ok(known) = Actor::new(identity, None) else { return notice(Notice::Rejected) };
        let identity = known.into_identity();
        let guest = Guest { service: service.id.as_str().to_owned(), identity, began: self.app.clock.now() };
        let Some(line) = guest.line(&visit.site, &self.app.control.ring()) else { return notice(Notice::Internal) };
        tracing::info!(
            audit = true,
            event = "sign-in",
            actor.id = actor,
            service.id = %service.id,
            access.level = service.entry.policy.access.code(),
            rule = "share",
            verdict = "allow",
            denial.code = "",
            session.id = "",
            "somebody signed in for a share link"
        );
        let mut response = pages::redirect(&format!("{}{}", visit.site.origin(&visit.place.host), to.as_str()));
        pages::add_cookie(&mut response, &line);
        pages::add_cookie(&mut response, &self.count_try(visit, headers));
        response
    }

    /// The session's token, short enough for a cookie. Groups are left out where there are too many: with fewer groups
    /// somebody may do less, never more.
    fn seal(&self, visit: &Visit, claims: &Claims) -> Result<String, Notice> {
        let (ring, longest) = (self.app.control.ring(), visit.site.longest_session());
        let mut claims = claims.clone();
        loop {
            let token = claims.seal(&ring).ok().filter(|token| token.len() <= longest);
            if let Some(token) = token {
                return Ok(token);
            }
            let left = claims.identity.groups.len() / 2;
            if claims.identity.groups.is_empty() {
                return Err(Notice::Internal);
            }
            tracing::warn!(
                actor.id = claims.identity.actor,
                groups = left,
                "too many groups for a session; some are left out"
            );
            claims.identity.groups.truncate(left);
        }
    }
}
