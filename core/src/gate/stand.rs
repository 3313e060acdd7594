//! Whether what was permitted may go on.

use core::time::Duration;

use crate::cache::{Cached, VerdictKey};
use crate::denial::Denial;
use crate::peer::Peer;
use crate::permit::{Permit, Who};
use crate::service::{AccessLevel, Protocol, Service};
use crate::session::Claims;
use crate::standing::{DOUBT, Standing};
use crate::time::{Moment, UnixTime};
use crate::token::TokenId;
use crate::verdict::{Credential, Scheme, Verdict, VerdictQuery};
use crate::visitor::OWN_PROVIDER;

use super::Gate;
use super::rules::Rules;

/// How long after a question about a stream it is not asked again: while only time has passed, and while its right is
/// in doubt.
const PAUSE: Duration = Duration::from_secs(10);
const PAUSE_IN_DOUBT: Duration = Duration::from_secs(2);
/// How long the sidecar may use a session that is made to ask about a stream.
const QUESTION_LIFETIME: Duration = Duration::from_secs(300);

/// Whether what was permitted may go on.
#[derive(Debug)]
pub enum Stand {
    /// It may; but the sidecar should be asked, and what it says be [learned](Gate::learn).
    Ask(VerdictKey, VerdictQuery),
    /// It ends.
    Ends(Denial),
    /// It may.
    Holds,
}

impl Gate {
    /// Whether a request that was permitted may go on at `now`. To be asked every second or so; `may_ask` says whether
    /// the sidecar can be asked another question.
    pub fn stand(&mut self, standing: &mut Standing, now: Moment, may_ask: bool) -> Stand {
        let Some(rules) = &self.rules else { return Stand::Holds };
        let Some(epoch) = standing.epoch() else { return Stand::Holds };
        let Some(service) = self.table.service(standing.service()) else {
            let is_over = self.table.is_complete() && is_gone(rules, standing, now.steady);
            return if is_over { Stand::Ends(Denial::UnknownService) } else { Stand::Holds };
        };
        if let Some(line) = standing.line_mut() {
            line.gone = None;
        }
        if let Some(denial) = ended(rules, &service, standing, now.wall) {
            return Stand::Ends(denial);
        }
        let verdict_epoch = rules.control.verdict_epoch;
        // A session says itself whose it is; the other end of a connection is somebody by the sources alone.
        let is_current =
            epoch == service.epoch && standing.line().is_none_or(|line| line.verdict_epoch == verdict_epoch);
        let recheck = Duration::from_secs(rules.control.gate.session_recheck_secs);
        if service.provider == OWN_PROVIDER || is_current && now.steady.since(standing.confirmed) < recheck {
            return Stand::Holds;
        }
        if let Some(key) = standing.asked
            && let Cached::Fresh(verdict) = self.verdicts.find(&key, now.steady)
        {
            return match Permit::verdict(&verdict, false) {
                Ok(_) => {
                    standing.confirm(service.epoch, verdict_epoch, now.steady);
                    Stand::Holds
                }
                Err(denial) => Stand::Ends(denial),
            };
        }
        // Where nothing but time has passed, a sidecar that is away ends nothing.
        let since = *standing.doubtful.get_or_insert(now.steady);
        if !is_current && now.steady.since(since) >= DOUBT {
            return Stand::Ends(Denial::VerdictUnavailable);
        }
        // Sealing a question takes a while, so it is done where it is asked alone.
        if !may_ask || now.steady < standing.ask_after {
            return Stand::Holds;
        }
        let credential = match (standing.line(), claims(standing, now.wall)) {
            (Some(line), _) => line.credential.clone(),
            (None, Some(claims)) => {
                let Ok(value) = claims.seal(&rules.keys) else { return Stand::Holds };
                Credential { scheme: Scheme::Session, name: None, value }
            }
            (None, None) => {
                standing.confirm(service.epoch, verdict_epoch, now.steady);
                return Stand::Holds;
            }
        };
        let key = rules.keyer.key(service.id, service.epoch, &credential);
        standing.ask_after = now.steady.after(if is_current { PAUSE } else { PAUSE_IN_DOUBT });
        standing.asked = Some(key);
        Stand::Ask(key, VerdictQuery { service: service.id.into(), epoch: service.epoch, credential })
    }
}

/// Whether what is left of a service that is gone ends now: a request at once, a connection when its time is over.
fn is_gone(rules: &Rules, standing: &mut Standing, now: UnixTime) -> bool {
    let after = Duration::from_secs(rules.control.gate.tcp_close_after_secs);
    standing.line_mut().is_none_or(|line| now.since(*line.gone.get_or_insert(now)) >= after)
}

/// Why it is over, where nobody has to be asked.
fn ended(rules: &Rules, service: &Service<'_>, standing: &Standing, now: UnixTime) -> Option<Denial> {
    if service.access == AccessLevel::Nobody {
        return Some(Denial::AccessDenied);
    }
    if let Some(line) = standing.line() {
        if service.protocol != Protocol::Tcp {
            return Some(Denial::ProtocolMismatch);
        }
        if line.ends_at.is_some_and(|end| now >= end) {
            return Some(Denial::SessionEnded);
        }
        if service.access != AccessLevel::Public && matches!(Peer::of(&line.credential), Some(Peer::Address(_))) {
            return Some(Denial::CredentialMissing);
        }
    }
    match standing.who() {
        Who::Holder(verdict) => match &**verdict {
            Verdict::Allow { identity, ends_at } => {
                let began = standing.began().wall;
                let over =
                    ends_at.is_some_and(|end| now >= end) || rules.revocations().end_actor(identity.actor(), began);
                over.then_some(Denial::SessionEnded)
            }
            Verdict::Deny { .. } => Some(Denial::AccessDenied),
        },
        // A signed URL or a question of a browser, which only the sidecar's own services take.
        Who::Nobody if service.provider == OWN_PROVIDER => None,
        Who::Nobody => (service.access != AccessLevel::Public).then_some(Denial::CredentialMissing),
        Who::Session(session) => {
            let over = rules.revocations().end_session(&session.claims) || now >= session.claims.expires_at;
            let denial = if session.claims.share.is_some() { Denial::ShareEnded } else { Denial::SessionEnded };
            over.then_some(denial)
        }
    }
}

/// Whom to ask about, as the sidecar takes it: a session. It is made the same each time, so streams of one visitor ask
/// once.
fn claims(standing: &Standing, now: UnixTime) -> Option<Claims> {
    match standing.who() {
        Who::Holder(verdict) => match &**verdict {
            Verdict::Allow { identity, .. } => {
                // Minutes, so that a question is the same for a while; the next one, so that nothing that was ended
                // before it is meant.
                let minute = now.as_millis().checked_div(60_000).unwrap_or_default().saturating_add(1);
                let now = UnixTime::from_millis(minute.saturating_mul(60_000));
                let id = TokenId::new(0);
                Some(Claims::new(id, standing.service(), 0, identity.to_wire(), now, now.after(QUESTION_LIFETIME)))
            }
            Verdict::Deny { .. } => None,
        },
        Who::Nobody => None,
        Who::Session(session) => Some(session.claims.clone()),
    }
}
