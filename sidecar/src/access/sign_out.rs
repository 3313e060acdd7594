//! Signing out: the session ends in every tab and at every worker, within a moment.
//!
//! On a service's host that is of this browser alone, since a script of the job is as good as the person there. All
//! devices are signed out on the sidecar's own host, where no job's pages are.

use std::time::Duration;

use askama::Template;
use axum::response::Response;
use http::header::ORIGIN;
use http::{HeaderMap, StatusCode};
use taskgate_core::revocation::Revoked;

use crate::access::entrance::{Entrance, Visit};
use crate::access::notice::Notice;
use crate::access::pages;

const SIGN_OUT_PATH: &str = "/.taskgate/sign-out";

#[derive(Template)]
#[template(path = "access/sign_out.html")]
struct ConfirmPage<'a> {
    actor: Option<&'a str>,
    /// Whether all devices can be signed out here.
    is_access: bool,
    /// Where they can, from another host.
    everywhere: String,
    is_sign_in: bool,
}

#[derive(Template)]
#[template(path = "access/signed_out.html")]
struct SignedOutPage {
    everywhere: bool,
    is_sign_in: bool,
    provider_sign_out: Option<String>,
}

impl Entrance {
    /// Asks whether to sign out: a link must not do it.
    #[must_use]
    pub fn confirm_sign_out(&self, visit: &Visit, headers: &HeaderMap) -> Response {
        let session = self.session(visit, headers);
        let actor = session.as_ref().map(|session| session.identity.actor());
        let is_access = visit.site.is_access(&visit.place.host);
        let everywhere = format!("{}{SIGN_OUT_PATH}", visit.site.origin(visit.site.access_host()));
        pages::html(StatusCode::OK, &ConfirmPage { actor, is_access, everywhere, is_sign_in: self.has_sign_in() })
    }

    /// Signs out: the sessions that the browser shows end, with all of the same sign-in; or all of the person's, on the
    /// sidecar's own host.
    pub async fn sign_out(&self, visit: &Visit, everywhere: bool, headers: &HeaderMap) -> Response {
        if !is_own_page(visit, headers) {
            return visit.notice(Notice::ForeignOrigin);
        }
        let everywhere = everywhere && visit.site.is_access(&visit.place.host);
        let sessions = self.sessions(visit, headers);
        if everywhere && sessions.is_empty() {
            // Nobody is known here whose sessions could end; the page says what to do.
            return pages::redirect(SIGN_OUT_PATH);
        }
        let mut ended = true;
        for session in sessions {
            let claims = &session.claims;
            let actor = claims.identity.actor.as_str();
            // Of a link somebody has no more than this session.
            let is_person = claims.share.is_none() && everywhere;
            let revoked = if is_person { Revoked::Actor(actor.to_owned()) } else { Revoked::Session(claims.id) };
            let longest = visit.site.session_lifetime().max(claims.expires_at.since(self.app.clock.now()));
            let kept = self.app.access.end_sessions(revoked, actor, longest.max(Duration::from_secs(1))).await;
            if let Err(error) = kept {
                // It is in force all the same, and is kept as soon as that is possible.
                tracing::error!(%error, "a sign-out is not kept yet");
                ended = false;
            }
            tracing::info!(
                audit = true,
                event = "sign-out",
                actor.id = actor,
                service.id = claims.service,
                session.id = %claims.id,
                everywhere = is_person,
                kept = ended,
                "somebody signed out"
            );
        }
        let page =
            SignedOutPage { everywhere, is_sign_in: self.has_sign_in(), provider_sign_out: self.provider_sign_out() };
        let mut response = pages::html(StatusCode::OK, &page);
        let line = visit.site.cookies().expire(visit.site.session_cookie(), "/", None);
        pages::add_cookie(&mut response, &line);
        response
    }
}

/// Whether a page of the same host asks. Browsers say so with every form; whoever says nothing is none.
fn is_own_page(visit: &Visit, headers: &HeaderMap) -> bool {
    let mut said = headers.get_all(ORIGIN).iter();
    let (Some(origin), None) = (said.next(), said.next()) else { return false };
    origin.as_bytes() == visit.site.origin(&visit.place.host).as_bytes()
}
