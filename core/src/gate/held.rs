//! What a visitor holds that we sealed: sessions, and share links.

use crate::credential::{self, Place};
use crate::denial::Denial;
use crate::notes::{Listener, Note, SessionWorth};
use crate::permit::Worth;
use crate::session::{self, Session};

use super::case::Case;
use super::desk::Desk;
use super::{Step, arrival};

/// What it is worth.
pub(super) struct Held {
    /// What the first that is worth something is worth.
    pub(super) worth: Option<Worth>,
    /// Whether that came in a cookie.
    pub(super) is_cookie: bool,
    /// Why something of it is worth nothing: said where nothing else lets the visitor in.
    pub(super) ended: Option<Denial>,
    /// Whether cookies say nothing, because a page of another origin asks.
    pub(super) is_foreign: bool,
}

impl Held {
    /// What a request has of ours in headers and cookies.
    pub(super) fn look<T: Listener>(case: &Case<'_>, listener: &mut T) -> Self {
        let is_foreign = arrival::is_of_foreign_page(case.rules, case.request);
        let mut held = Self { worth: None, is_cookie: false, ended: None, is_foreign };
        if is_foreign && credential::has_cookie(case.request, case.names) {
            listener.note(|| Note::ForeignPage);
            held.ended = Some(Denial::CrossOrigin);
        }
        for (token, place) in credential::sealed(case.request, case.names) {
            if is_foreign && place == Place::Cookie {
                continue;
            }
            let Some(session) = open(case, token) else {
                listener.note(|| Note::ForeignToken(place));
                continue;
            };
            let actor = if T::LISTENS { session.identity.actor().into() } else { String::new() };
            let note = |worth| listener.note(|| Note::Session { place, actor, worth });
            match case.judge(session) {
                Ok(found) => {
                    note(if matches!(found, Worth::Good(_)) { SessionWorth::Good } else { SessionWorth::Unsure });
                    (held.worth, held.is_cookie) = (Some(found), place == Place::Cookie);
                    break;
                }
                Err(denial) => {
                    note(SessionWorth::Refused(denial));
                    held.ended = held.ended.or(Some(denial));
                }
            }
        }
        held
    }

    /// Takes the share link in the query, where there is one. A step where that decides.
    ///
    /// # Errors
    /// The link can't be taken out of the path.
    pub(super) fn take_link(
        &mut self,
        case: &Case<'_>,
        desk: &mut Desk<'_>,
        listener: &mut impl Listener,
    ) -> Result<Option<Step>, Denial> {
        let Some(token) = arrival::share_token(case.request) else { return Ok(None) };
        let shared = arrival::shared(case.rules, &token, &case.service, case.now.wall);
        let shared = shared.map_err(|_| Denial::ShareEnded).and_then(|session| case.judge(session));
        listener.note(|| Note::Share);
        // Who may come anyway stays who they are, and a link that is over takes nothing from who has a right of their
        // own.
        let has_session = self.is_of_a_person();
        match shared {
            Ok(_) if case.can_be_redirected() && has_session => return case.stays().map(Some),
            Ok(Worth::Good(permit)) if case.can_be_redirected() => {
                return Ok(Some(desk.finish(case.to_itself()?, Ok(permit), case.visit)));
            }
            Ok(shared) if !has_session => self.worth = Some(shared),
            Ok(_) => {}
            Err(denial) => self.ended = self.ended.or(Some(denial)),
        }
        Ok(None)
    }

    /// Whether it is a person's session, and not that of a share link.
    pub(super) fn is_of_a_person(&self) -> bool {
        arrival::is_of_a_person(self.worth.as_ref())
    }
}

/// The session in a token, or the one that a share link gives.
fn open(case: &Case<'_>, token: &[u8]) -> Option<Box<Session>> {
    match session::open(&case.rules.keys, token, case.service.id) {
        Ok(session) => Some(Box::new(session)),
        Err(session::SessionError::NotOurs) => arrival::shared(case.rules, token, &case.service, case.now.wall).ok(),
        Err(_) => None,
    }
}
