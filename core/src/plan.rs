//! The plan: what would happen to a request if it were permitted.
//!
//! It is made before anybody is asked and owns all that it needs, so it can wait for a verdict.

use crate::audit::{Audit, Rule};
use crate::credential::CredentialEdits;
use crate::denial::Denial;
use crate::edit::{RequestEdits, Upstream};
use crate::key::KeyRing;
use crate::permit::Permit;
use crate::session::Session;
use crate::standing::Standing;
use crate::time::Moment;
use crate::visitor;

/// What would happen to a request if it were permitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where it would go; none where no job runs (told only to those who may know).
    pub upstream: Option<Upstream>,
    /// What is taken out of it.
    pub credentials: CredentialEdits,
    /// Names, as they came, of headers that no client may set.
    pub remove: Vec<Vec<u8>>,
    /// Whether its upstream wants to be told who asks ([`visitor`]).
    pub vouch: bool,
    /// Whether it becomes a tunnel, so that its upstream is the sidecar and not a job.
    pub is_tunnel: bool,
    /// The service's id, its level, and who asks as far as that is known before.
    pub audit: Audit,
    /// The service's epoch.
    pub epoch: u32,
    /// When it came.
    pub arrived: Moment,
    /// `Set-Cookie` lines for the answer.
    pub cookies: Vec<String>,
    /// Where the visitor is sent in place of the job, with a session: the same URL without what let them in.
    pub redirect: Option<String>,
    /// The session that is being asked about.
    pub session: Option<Box<Session>>,
    /// Whether a browser gets that session anew once it was confirmed.
    pub renews: bool,
}

impl Plan {
    /// Carries the plan out. The ring vouches for the visitor, where somebody has to.
    ///
    /// # Errors
    /// [`Denial::NoEndpoint`].
    pub fn carry_out(self, permit: Permit, ring: &KeyRing) -> Result<RequestEdits, Denial> {
        let CredentialEdits { authorization, cookie, path } = self.credentials;
        let upstream = self.upstream.ok_or(Denial::NoEndpoint)?;
        let service = self.audit.service.clone().unwrap_or_default();
        let vouch = if self.is_tunnel {
            let term = visitor::Term::of(permit.who());
            let vouch = visitor::vouch_tunnel(ring, &service, permit.identity(), term, self.arrived.wall);
            Some(vouch.ok_or(Denial::ProxyFailure)?)
        } else {
            let identity = permit.identity().filter(|_| self.vouch);
            identity.and_then(|identity| visitor::vouch(ring, &service, identity, self.arrived.wall))
        };
        let rule = permit.rule();
        let actor = permit.identity().map(|identity| identity.actor().into());
        let audit = Audit { rule: Some(rule), actor, ..self.audit };
        // What the sidecar serves below a service's name is not the service.
        let epoch = if rule == Rule::OwnPath { None } else { Some(self.epoch) };
        let standing = Standing::new(service, epoch, permit.into_who(), self.arrived, self.cookies);
        Ok(RequestEdits {
            upstream,
            authorization,
            cookie,
            path,
            remove: self.remove,
            vouch,
            is_tunnel: self.is_tunnel,
            assertion: None,
            audit,
            standing,
        })
    }

    /// Whether the plan can be carried out only by an ingress that can change a path.
    #[must_use]
    pub fn changes_path(&self) -> bool {
        self.credentials.path.is_some() && self.redirect.is_none()
    }
}
