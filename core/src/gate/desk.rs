//! Where a decision is finished: by a permit, a verdict, or the lack of one.

use core::time::Duration;
use std::sync::Arc;

use crate::assertion::Assertions;
use crate::audit::Audit;
use crate::cache::{Cached, VerdictCache};
use crate::denial::Denial;
use crate::key::Purpose;
use crate::notes::{Listener, Note};
use crate::permit::Permit;
use crate::plan::Plan;
use crate::reply;
use crate::session::Session;
use crate::time::UnixTime;
use crate::token::TokenId;
use crate::verdict::{Credential, Verdict, VerdictQuery};

use super::rules::Rules;
use super::{Decision, Pending, Question, Step, Visit, arrival};

/// What stands before all that the id of a session is made of: no other use of the key begins so.
const ID_CONTEXT: &[u8] = b"taskgate-session-id-1";

/// With what a decision is finished.
pub(super) struct Desk<'a> {
    pub(super) rules: &'a Rules,
    pub(super) assertions: &'a mut Assertions,
    /// Different in each worker and for each request.
    pub(super) ticket: [u64; 2],
}

impl Desk<'_> {
    /// Goes by a verdict that is known, or asks for one. Where there is none at all, `otherwise` counts as one that is
    /// past its lifetime.
    pub(super) fn inquire(
        &mut self,
        verdicts: &mut VerdictCache,
        credential: Credential,
        plan: Plan,
        otherwise: Option<Arc<Verdict>>,
        visit: &Visit,
        listener: &mut impl Listener,
    ) -> Step {
        let now = plan.arrived.steady;
        let service = plan.audit.service.as_deref().unwrap_or_default();
        let key = self.rules.keyer.key(service, plan.epoch, &credential);
        let stale = match (verdicts.find(&key, now), otherwise) {
            (Cached::Fresh(verdict), _) => {
                listener.note(|| Note::KnownVerdict);
                return Step::Done(self.decision(plan, &verdict, false, visit));
            }
            (Cached::Postponed(verdict), _) => {
                listener.note(|| Note::StaleVerdict);
                return Step::Done(self.decision(plan, &verdict, true, visit));
            }
            (Cached::Stale(verdict), _) => {
                listener.note(|| Note::StaleVerdict);
                Some(verdict)
            }
            (Cached::Nothing, Some(verdict)) => {
                // So that a sidecar that is away is not asked for each request.
                verdicts.keep(key, Arc::clone(&verdict), Duration::ZERO, now);
                Some(verdict)
            }
            (Cached::Nothing, None) => None,
        };
        listener.note(|| Note::Asks);
        let query = VerdictQuery { service: service.to_owned(), epoch: plan.epoch, credential };
        let verdict_epoch = self.rules.control.verdict_epoch;
        let pending = Pending { plan, visit: visit.clone(), stale, verdict_epoch };
        Step::Ask(Box::new(Question { key, query, pending }))
    }

    pub(super) fn finish(&mut self, plan: Plan, permit: Result<Permit, Denial>, visit: &Visit) -> Step {
        Step::Done(self.close(plan, permit, visit))
    }

    /// The decision that a verdict makes.
    pub(super) fn decision(
        &mut self,
        mut plan: Plan,
        verdict: &Arc<Verdict>,
        is_stale: bool,
        visit: &Visit,
    ) -> Decision {
        if let Verdict::Deny { actor, .. } = &**verdict {
            plan.audit.actor.clone_from(actor);
        }
        let permit = match plan.session.take() {
            Some(mut session) => {
                if !is_stale {
                    confirm(&mut session, &plan);
                }
                if plan.renews && !is_stale {
                    plan.cookies.extend(arrival::cookie(self.rules, &session.claims, plan.arrived.wall));
                }
                Permit::rechecked(session, verdict)
            }
            None => Permit::verdict(verdict, is_stale),
        };
        self.close(plan, permit, visit)
    }

    fn close(&mut self, mut plan: Plan, permit: Result<Permit, Denial>, visit: &Visit) -> Decision {
        let permit = match permit {
            Ok(permit) => permit,
            Err(denial) => return visit.refuse(denial, plan.audit),
        };
        let audit = plan.audit.clone();
        if let Some(location) = plan.redirect.take() {
            let now = plan.arrived.wall;
            let service = audit.service.as_deref().unwrap_or_default();
            let claims = arrival::session(self.rules, service, plan.epoch, self.token_id(now), &permit, now);
            plan.cookies.extend(claims.and_then(|claims| arrival::cookie(self.rules, &claims, now)));
            let actor = permit.identity().map(|identity| identity.actor().into());
            let audit = Audit { rule: Some(permit.rule()), actor, ..audit };
            return Decision::Redirect(Box::new(arrival::redirect(location, plan.cookies).audited(audit)));
        }
        let (vouch, arrived) = (plan.vouch || plan.is_tunnel, plan.arrived.wall);
        match plan.carry_out(permit, &self.rules.keys) {
            Ok(mut edits) => {
                let identity = edits.standing.who().identity().filter(|_| !vouch);
                let service = edits.standing.service();
                edits.assertion = identity.and_then(|identity| self.assertions.make(service, identity, arrived));
                Decision::Permit(Box::new(edits))
            }
            Err(denial) => visit.refuse(denial, audit),
        }
    }

    /// What a new session is called. It need not be secret, only its own.
    fn token_id(&self, now: UnixTime) -> TokenId {
        let [seed, turn] = self.ticket.map(u64::to_be_bytes);
        let parts = [ID_CONTEXT, &seed, &turn, &now.as_millis().to_be_bytes()];
        let mac = self.rules.keys.current(Purpose::Session).map(|(_, secret)| secret.mac(&parts));
        let bytes = mac.as_ref().and_then(|mac| mac.first_chunk::<8>()).copied().unwrap_or_default();
        TokenId::new(u64::from_be_bytes(bytes))
    }
}

impl Visit {
    /// The decision to refuse this visit.
    pub(super) fn refuse(&self, denial: Denial, audit: Audit) -> Decision {
        let reply = match &self.sign_in {
            Some(sign_in) => reply::to_person(denial, sign_in),
            None => reply::reply(denial, self.client),
        };
        Decision::Refuse(denial, Box::new(reply.audited(Audit { denial: Some(denial), ..audit })))
    }
}

/// A session that the sidecar has just said to hold.
fn confirm(session: &mut Session, plan: &Plan) {
    let now = plan.arrived.wall;
    (session.claims.seen_at, session.claims.checked_at, session.claims.epoch) = (now, now, plan.epoch);
}
