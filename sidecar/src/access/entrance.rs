//! Where people come in: signing in, who am I, signing out, below `/.taskgate/` of every service.
//!
//! The gate sends such requests here, whoever asks, and says nothing about who it is: only the cookies of that very
//! host count, and those are ours. Nothing is kept of a sign-in that is under way ([`crate::access::attempt`]).

pub mod settings;

use std::sync::Arc;

use axum::response::Response;
use http::HeaderMap;
use taskgate_core::session::{self, Session};

use crate::access::cookies;
use crate::access::entrance::settings::EntranceSettings;
use crate::access::host::{Place, Site};
use crate::access::notice::Notice;
use crate::access::oidc::Oidc;
use crate::access::pages::{self, Asker};
use crate::app::App;
use crate::http::HttpError;

/// Where people come in.
#[derive(Debug)]
pub struct Entrance {
    pub(super) app: Arc<App>,
    pub(super) oidc: Option<Oidc>,
}

/// One request to it: the site as it is configured now, and the service that the request's host names.
#[derive(Debug)]
pub struct Visit {
    /// The site.
    pub site: Arc<Site>,
    /// The service.
    pub place: Place,
    /// Whether a program asks.
    pub is_program: bool,
}

impl Entrance {
    /// What people come in by, with these settings.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(settings: &EntranceSettings, app: Arc<App>) -> Result<Self, HttpError> {
        let oidc = settings.sign_in.clone().map(|settings| Oidc::new(settings, Arc::clone(&app.clock))).transpose()?;
        Ok(Self { app, oidc })
    }

    /// What the listeners share.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Whether people can sign in.
    #[must_use]
    pub const fn has_sign_in(&self) -> bool {
        self.oidc.is_some()
    }

    /// Where somebody signs out at the provider, as far as that is known.
    #[must_use]
    pub fn provider_sign_out(&self) -> Option<String> {
        self.oidc.as_ref().and_then(Oidc::sign_out_url)
    }

    /// A request for a host.
    ///
    /// # Errors
    /// What is answered where that names no service.
    pub fn visit(&self, authority: Option<&str>, headers: &HeaderMap) -> Result<Visit, Box<Response>> {
        let is_program = pages::is_program(headers);
        let site = self.app.live.load().site.clone();
        let found = site.zip(authority).and_then(|(site, authority)| {
            let place = site.place(&self.app, authority)?;
            Some(Visit { site, place, is_program })
        });
        let asker = Asker { is_program, ..Asker::default() };
        found.ok_or_else(|| Box::new(pages::notice(Notice::UnknownService, asker)))
    }

    /// The session of whoever asks, where it holds.
    #[must_use]
    pub fn session(&self, visit: &Visit, headers: &HeaderMap) -> Option<Session> {
        self.sessions(visit, headers).into_iter().next()
    }

    /// All sessions that a request shows and that hold: as a rule one.
    #[must_use]
    pub fn sessions(&self, visit: &Visit, headers: &HeaderMap) -> Vec<Session> {
        const MOST: usize = 4;

        let (ring, now) = (self.app.control.ring(), self.app.clock.now());
        let service = &visit.place.service;
        let shown = cookies::values(headers, visit.site.session_cookie()).take(MOST);
        let sessions = shown.filter_map(|value| session::open(&ring, value.as_bytes(), service.id.as_str()).ok());
        let holds = |session: &Session| {
            let claims = &session.claims;
            now < claims.expires_at
                && now.since(claims.seen_at) < visit.site.session_idle()
                && !self.app.access.is_ended(claims)
        };
        sessions.filter(holds).collect()
    }
}

impl Visit {
    /// Who is shown a page.
    #[must_use]
    pub fn asker(&self) -> Asker<'_> {
        Asker { host: Some(&self.place.host), is_program: self.is_program, ..Asker::default() }
    }

    /// A notice.
    #[must_use]
    pub fn notice(&self, notice: Notice) -> Response {
        pages::notice(notice, self.asker())
    }
}
