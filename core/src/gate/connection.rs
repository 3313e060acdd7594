//! A connection without headers: who is at its other end, and whether that may use the service behind the port.
//!
//! There is one question to each connection, before any byte of it passes. It is the sidecar's to answer, also for a
//! service that is public: from where such a one may be reached is the operator's to say. What was permitted has a
//! [`Standing`] as a request has, and is asked about again by what came with it.

use std::sync::Arc;

use crate::audit::Audit;
use crate::cache::{Cached, VerdictKey};
use crate::denial::Denial;
use crate::peer::Peer;
use crate::permit::Permit;
use crate::service::{AccessLevel, Protocol};
use crate::standing::{Line, Standing};
use crate::time::{Moment, UnixTime};
use crate::verdict::{Credential, Verdict, VerdictQuery};

use super::{Gate, Learned};

/// What happens next to a connection.
#[derive(Debug)]
pub enum ConnectionStep {
    /// The sidecar has to be asked; the connection waits.
    Ask(Box<ConnectionQuestion>),
    /// It is decided.
    Done(ConnectionDecision),
}

/// What was decided about a connection.
#[derive(Debug)]
pub enum ConnectionDecision {
    /// It goes to the job.
    Permit(Box<Standing>, Audit),
    /// It is closed.
    Refuse(Denial, Audit),
}

/// A question to the sidecar, and the connection that waits for the answer.
#[derive(Debug)]
pub struct ConnectionQuestion {
    /// Questions with the same key have the same answer: one call is enough.
    pub key: VerdictKey,
    /// What to ask.
    pub query: VerdictQuery,
    /// The connection.
    pub pending: PendingConnection,
}

/// A connection that waits for a verdict.
#[derive(Debug)]
pub struct PendingConnection {
    audit: Audit,
    epoch: u32,
    credential: Credential,
    ends_at: Option<UnixTime>,
    arrived: Moment,
    /// A verdict past its lifetime, for the case that there is no other.
    stale: Option<Arc<Verdict>>,
    /// The epoch that it is of.
    verdict_epoch: u64,
}

impl Gate {
    /// Somebody connected at `now` to the port of the service with that id.
    pub fn on_connection(&mut self, service: &str, peer: &Peer, now: impl Into<Moment>) -> ConnectionStep {
        let mut audit = Audit::default();
        let denial = match self.knock(service, peer, now.into(), &mut audit) {
            Ok(step) => return step,
            Err(denial) => denial,
        };
        ConnectionStep::Done(refuse(denial, audit))
    }

    /// What was learned reaches a connection that waited for it. Without a verdict, one that is past its lifetime but
    /// within the configured grace still counts.
    #[must_use]
    pub fn on_connection_verdict(&mut self, pending: PendingConnection, learned: &Learned) -> ConnectionDecision {
        match &learned.0 {
            Some(verdict) => self.admit(pending, verdict, false),
            None => self.admit_stale(pending, Denial::VerdictUnavailable),
        }
    }

    /// A connection that had to wait can't, for lack of room.
    #[must_use]
    pub fn on_connection_overload(&mut self, pending: PendingConnection) -> ConnectionDecision {
        self.admit_stale(pending, Denial::Overloaded)
    }

    fn knock(&mut self, id: &str, peer: &Peer, now: Moment, audit: &mut Audit) -> Result<ConnectionStep, Denial> {
        let Self { table, rules, verdicts, .. } = self;
        let Some(rules) = &*rules else { return Err(Denial::TableLoading) };
        if table.confirmed().is_some_and(|confirmed| now.steady.since(confirmed) > rules.table_max_age) {
            return Err(Denial::TableExpired);
        }
        // A port is one service's; another name of it would do, but an id is what listeners are called.
        let service = table.service(id).filter(|service| service.id == id);
        let unknown = if table.is_complete() { Denial::UnknownService } else { Denial::TableLoading };
        let service = service.ok_or(unknown)?;
        *audit = Audit::of(&service);
        match (service.access, service.protocol, peer) {
            (AccessLevel::Nobody, ..) => return Err(Denial::AccessDenied),
            (_, protocol, _) if protocol != Protocol::Tcp => return Err(Denial::ProtocolMismatch),
            (AccessLevel::Public, ..) | (_, _, Peer::Certificate(_)) => {}
            // An address is good for what is open, and for nothing else.
            (_, _, Peer::Address(_)) => return Err(Denial::CredentialMissing),
        }
        let credential = peer.credential();
        let key = rules.keyer.key(service.id, service.epoch, &credential);
        let verdict_epoch = rules.control.verdict_epoch;
        let mut pending = PendingConnection {
            audit: audit.clone(),
            epoch: service.epoch,
            credential,
            ends_at: peer.ends_at(),
            arrived: now,
            stale: None,
            verdict_epoch,
        };
        let decided = match verdicts.find(&key, now.steady) {
            Cached::Fresh(verdict) => Some((verdict, false)),
            Cached::Postponed(verdict) => Some((verdict, true)),
            Cached::Stale(verdict) => {
                pending.stale = Some(verdict);
                None
            }
            Cached::Nothing => None,
        };
        if let Some((verdict, is_stale)) = decided {
            return Ok(ConnectionStep::Done(self.admit(pending, &verdict, is_stale)));
        }
        let query =
            VerdictQuery { service: id.to_owned(), epoch: pending.epoch, credential: pending.credential.clone() };
        Ok(ConnectionStep::Ask(Box::new(ConnectionQuestion { key, query, pending })))
    }

    /// Decides with the verdict that a connection falls back on, unless access was taken away while it waited.
    fn admit_stale(&self, mut pending: PendingConnection, denial: Denial) -> ConnectionDecision {
        let epoch = self.control().map(|control| control.verdict_epoch);
        match pending.stale.take().filter(|_| epoch == Some(pending.verdict_epoch)) {
            Some(verdict) => self.admit(pending, &verdict, true),
            None => refuse(denial, pending.audit),
        }
    }

    fn admit(&self, pending: PendingConnection, verdict: &Arc<Verdict>, is_stale: bool) -> ConnectionDecision {
        let PendingConnection { mut audit, epoch, credential, ends_at, arrived, verdict_epoch, .. } = pending;
        let permit = match Permit::verdict(verdict, is_stale) {
            Ok(permit) => permit,
            Err(denial) => {
                if let Verdict::Deny { actor, .. } = &**verdict {
                    audit.actor.clone_from(actor);
                }
                return refuse(denial, audit);
            }
        };
        audit.actor = permit.identity().map(|identity| identity.actor().into());
        // A session of TLS that is taken up again brings a certificate that nobody looks at anew.
        if ends_at.is_some_and(|end| arrived.wall >= end) {
            return refuse(Denial::CredentialRejected, audit);
        }
        audit.rule = Some(permit.rule());
        let service = audit.service.clone().unwrap_or_default();
        let line = Line::new(credential, ends_at, verdict_epoch);
        let standing = Standing::of_connection(service, epoch, permit.into_who(), arrived, line);
        ConnectionDecision::Permit(Box::new(standing), audit)
    }
}

fn refuse(denial: Denial, audit: Audit) -> ConnectionDecision {
    ConnectionDecision::Refuse(denial, Audit { denial: Some(denial), ..audit })
}
