//! Signing in with the provider: from the first redirect to the session.
//!
//! `sign-in` on a service's host seals an [`Attempt`] into a cookie there and sends the browser to the provider; the
//! provider sends it to the one `callback` that it knows, on the sidecar's own host; that sends it on to `callback` on
//! the service's host, where the cookie is; and there it becomes a session.

use std::cmp::Reverse;
use std::time::Duration;

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use taskgate_core::time::UnixTime;
use url::Url;

use crate::access::attempt::{ATTEMPT_SECS, Attempt, AttemptId, Seat, Ticket};
use crate::access::cookies;
use crate::access::entrance::{Entrance, Visit};
use crate::access::notice::Notice;
use crate::access::oidc::{MAX_CODE, OidcError, SignedIn};
use crate::access::pages::{self, Asker};
use crate::access::return_path::ReturnPath;
use crate::random;

/// The most sign-ins of one browser that are under way on one host: tabs that were opened at once.
const MAX_ATTEMPTS: usize = 5;
/// How many sign-ins may be completed within [`LOOP_SECS`] before that is taken for going round and round.
const MAX_TRIES: u64 = 3;
/// See [`MAX_TRIES`].
const LOOP_SECS: u64 = 60;
/// How long a browser is known by the same number.
const BROWSER_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3_600);
/// What attempts' cookies begin with, after the part that all of ours have.
const ATTEMPT_COOKIE: &str = "si-";
const TRIES_COOKIE: &str = "tries";
const BROWSER_COOKIE: &str = "browser";

/// What the sign-in begins with.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Where to go afterwards.
    pub to: ReturnPath,
    /// Whether the provider is to ask who it is, even where it knows somebody.
    pub as_another: bool,
    /// Whether a person asked for it who had gone round before.
    pub again: bool,
}

/// What the provider sent a browser back with.
#[derive(Clone, Debug, Default)]
pub struct Return {
    /// The code.
    pub code: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
    /// The ticket.
    pub state: Option<String>,
    /// The seat, from our own host.
    pub seat: Option<String>,
}

impl Entrance {
    /// Sends a browser to the provider.
    pub async fn begin(&self, visit: &Visit, wish: Wish, headers: &HeaderMap) -> Response {
        let asker = Asker { to: Some(&wish.to), ..visit.asker() };
        let Some(oidc) = &self.oidc else { return pages::notice(Notice::SignInOff, asker) };
        let now = self.app.clock.now();
        let tries = Tries::read(visit, headers, now).filter(|_| !wish.again);
        if tries.as_ref().is_some_and(|tries| tries.count >= MAX_TRIES) {
            return pages::notice(Notice::RoundAndRound, asker);
        }
        let Some((attempt, ticket)) = new_attempt(visit, &wish, now) else {
            return pages::notice(Notice::Internal, asker);
        };
        let ring = self.app.control.ring();
        let (Ok(kept), Ok(state)) = (attempt.seal(&ring), ticket.seal(&ring)) else {
            return pages::notice(Notice::Internal, asker);
        };
        let url = match oidc.sign_in_url(&attempt, state, &visit.site.callback(), wish.as_another).await {
            Ok(url) => url,
            Err(error) => {
                tracing::warn!(%error, "nobody can be sent to sign in");
                return pages::notice(Notice::ProviderDown, asker);
            }
        };
        let mut response = pages::redirect(url.as_str());
        for name in self.superfluous(visit, headers, now) {
            pages::add_cookie(&mut response, &visit.site.cookies().expire(&name, "/", None));
        }
        let style = visit.site.cookies();
        let line = style.set(&attempt_cookie(visit, &attempt.id), &kept, Duration::from_secs(ATTEMPT_SECS));
        pages::add_cookie(&mut response, &line);
        if wish.again {
            pages::add_cookie(&mut response, &style.expire(&visit.site.cookie(TRIES_COOKIE), "/", None));
        }
        response
    }

    /// Goes on with a browser that the provider sent back: to the host where the sign-in began, and there to its end.
    pub async fn come_back(&self, visit: &Visit, back: Return, headers: &HeaderMap) -> Response {
        let ring = self.app.control.ring();
        let ticket = back.state.as_deref().and_then(|state| Ticket::open(&ring, state));
        let Some(ticket) = ticket else { return visit.notice(Notice::Malformed) };
        if self.app.clock.now() >= ticket.expires {
            return visit.notice(Notice::TooLate);
        }
        if ticket.host == visit.place.host {
            return self.complete(visit, &ticket, back, headers).await;
        }
        if visit.site.is_access(&visit.place.host) {
            return self.pass_on(visit, &ticket, &back, headers);
        }
        // Nobody but our own host sends browsers to others.
        visit.notice(Notice::NotBegunHere)
    }

    /// From the host that the provider knows to the one where the sign-in began.
    fn pass_on(&self, visit: &Visit, ticket: &Ticket, back: &Return, headers: &HeaderMap) -> Response {
        if visit.site.place(&self.app, &ticket.host).is_none() {
            return visit.notice(Notice::UnknownService);
        }
        let Ok(mut url) = Url::parse(&format!("{}/.taskgate/callback", visit.site.origin(&ticket.host))) else {
            return visit.notice(Notice::Internal);
        };
        let Some(browser) = browser(visit, headers) else { return visit.notice(Notice::Internal) };
        let seat = Seat { id: ticket.id, browser }.seal(&self.app.control.ring());
        {
            let mut query = url.query_pairs_mut();
            let parts = [("code", &back.code), ("error", &back.error), ("state", &back.state), ("seat", &seat.ok())];
            for (name, value) in parts {
                if let Some(value) = value {
                    query.append_pair(name, value);
                }
            }
        }
        let mut response = pages::redirect(url.as_str());
        pages::add_cookie(&mut response, &browser_line(visit, browser));
        response
    }

    /// Where the sign-in began: the code becomes a session, if it began in this browser.
    async fn complete(&self, visit: &Visit, ticket: &Ticket, back: Return, headers: &HeaderMap) -> Response {
        let (ring, now) = (self.app.control.ring(), self.app.clock.now());
        let name = attempt_cookie(visit, &ticket.id);
        let mut kept = cookies::values(headers, &name).filter_map(|value| Attempt::open(&ring, value, now));
        let Some(attempt) = kept.find(|attempt| attempt.id == ticket.id) else {
            return visit.notice(Notice::NotBegunHere);
        };
        let to = ReturnPath::wanted(Some(&attempt.to));
        // On our own host it is known at first hand.
        let own = browser(visit, headers).filter(|_| visit.site.is_access(&visit.place.host));
        let mut response = match self.signed_in(visit, &attempt, &back).await {
            Ok(signed_in) => {
                let seat = back.seat.as_deref().and_then(|seat| Seat::open(&ring, seat));
                let browser = own.or(seat.filter(|seat| seat.id == attempt.id).map(|seat| seat.browser));
                self.enter(visit, &attempt, signed_in, browser, headers).await
            }
            Err(notice) => pages::notice(notice, Asker { to: Some(&to), ..visit.asker() }),
        };
        pages::add_cookie(&mut response, &visit.site.cookies().expire(&name, "/", None));
        if let Some(own) = own {
            pages::add_cookie(&mut response, &browser_line(visit, own));
        }
        response
    }

    async fn signed_in(&self, visit: &Visit, attempt: &Attempt, back: &Return) -> Result<SignedIn, Notice> {
        let oidc = self.oidc.as_ref().ok_or(Notice::SignInOff)?;
        if let Some(error) = &back.error {
            // Errors are codes of the standards; whatever else it is is not for a log.
            let is_code = error.len() <= 64 && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let code = if is_code { error.as_str() } else { "unreadable" };
            tracing::info!(audit = true, event = "sign-in-refused", error = code, service.id = %visit.place.service.id, "the sign-in provider sent somebody back without a code");
            let is_down = matches!(code, "server_error" | "temporarily_unavailable");
            return Err(if is_down { Notice::ProviderDown } else { Notice::ProviderRefused });
        }
        let code = back.code.clone().filter(|code| !code.is_empty() && code.len() <= MAX_CODE);
        let code = code.ok_or(Notice::Malformed)?;
        oidc.redeem(code, attempt, &visit.site.callback()).await.map_err(|error| {
            tracing::warn!(audit = true, event = "sign-in-failed", %error, service.id = %visit.place.service.id, "a sign-in was not completed");
            match error {
                OidcError::Refused(_) => Notice::ProviderRefused,
                OidcError::Rejected(_) => Notice::Rejected,
                OidcError::Unavailable(_) => Notice::ProviderDown,
            }
        })
    }

    /// The cookies of attempts that one more leaves no room for: what is over or broken, and the oldest.
    fn superfluous(&self, visit: &Visit, headers: &HeaderMap, now: UnixTime) -> Vec<String> {
        let prefix = visit.site.cookie(ATTEMPT_COOKIE);
        let ring = self.app.control.ring();
        let shown = cookies::all(headers).filter(|(name, _)| name.starts_with(&prefix));
        let mut found: Vec<(UnixTime, &str)> = shown
            .map(|(name, value)| {
                (Attempt::open(&ring, value, now).map(|attempt| attempt.began).unwrap_or_default(), name)
            })
            .collect();
        found.sort_unstable_by_key(|(began, _)| Reverse(*began));
        let kept = MAX_ATTEMPTS.saturating_sub(1);
        let surplus =
            found.iter().enumerate().filter(|(place, (began, _))| *place >= kept || *began == UnixTime::default());
        let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        surplus.map(|(_, (_, name))| (*name).to_owned()).filter(|name| is_name(name)).collect()
    }

    /// The line that counts one more sign-in that was completed.
    pub(super) fn count_try(&self, visit: &Visit, headers: &HeaderMap) -> String {
        let now = self.app.clock.now();
        let before = Tries::read(visit, headers, now);
        let since = before.as_ref().map_or(now, |tries| tries.since);
        let count = before.map_or(0, |tries| tries.count).saturating_add(1);
        let value = format!("{count}-{}", since.as_millis() / 1_000);
        visit.site.cookies().set(&visit.site.cookie(TRIES_COOKIE), &value, Duration::from_secs(LOOP_SECS))
    }
}

/// How often somebody signed in of late. Whoever makes it up deceives nobody else.
struct Tries {
    count: u64,
    since: UnixTime,
}

impl Tries {
    fn read(visit: &Visit, headers: &HeaderMap, now: UnixTime) -> Option<Self> {
        let name = visit.site.cookie(TRIES_COOKIE);
        let (count, since) = cookies::values(headers, &name).next()?.split_once('-')?;
        let (count, since) = (count.parse().ok()?, since.parse::<u64>().ok()?);
        let since = UnixTime::from_millis(since.saturating_mul(1_000));
        (now.since(since).as_secs() < LOOP_SECS).then_some(Self { count, since })
    }
}

fn new_attempt(visit: &Visit, wish: &Wish, now: UnixTime) -> Option<(Attempt, Ticket)> {
    let text = || random::bytes::<32>().ok().map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
    let id: AttemptId = random::bytes().ok()?;
    let attempt = Attempt { id, verifier: text()?, nonce: text()?, to: wish.to.as_str().to_owned(), began: now };
    let expires = now.after(Duration::from_secs(ATTEMPT_SECS));
    Some((attempt, Ticket { id, host: visit.place.host.clone(), expires }))
}

fn attempt_cookie(visit: &Visit, id: &AttemptId) -> String {
    visit.site.cookie(&format!("{ATTEMPT_COOKIE}{}", Attempt::cookie_suffix(id)))
}

/// The number of a browser, on our own host: as it says, or a new one.
fn browser(visit: &Visit, headers: &HeaderMap) -> Option<[u8; 16]> {
    let name = visit.site.cookie(BROWSER_COOKIE);
    let known = |text: &str| URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok();
    cookies::values(headers, &name).find_map(known).or_else(|| random::bytes().ok())
}

/// The line with which a browser keeps its number.
fn browser_line(visit: &Visit, browser: [u8; 16]) -> String {
    let value = URL_SAFE_NO_PAD.encode(browser);
    visit.site.cookies().set(&visit.site.cookie(BROWSER_COOKIE), &value, BROWSER_LIFETIME)
}
