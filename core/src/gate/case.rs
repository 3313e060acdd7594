//! One request to one service: what is known of it, and the plans that can be made for it.

use crate::address::{self, Resolved};
use crate::audit::Audit;
use crate::candidate::{self, Demotions};
use crate::credential::{self, CredentialNames, Source};
use crate::denial::Denial;
use crate::edit::Upstream;
use crate::permit::{Permit, Worth};
use crate::plan::Plan;
use crate::reply::Client;
use crate::request::Request;
use crate::service::{AccessLevel, Protocol, Service};
use crate::session::Session;
use crate::signed_url::OBJECTS;
use crate::table::Table;
use crate::time::Moment;
use crate::verdict::Credential;
use crate::visitor::OWN_PROVIDER;

use super::rules::Rules;
use super::{Decision, Step, Visit, arrival, tunnel};

/// A request to a service.
pub(super) struct Case<'a> {
    pub(super) rules: &'a Rules,
    pub(super) request: &'a Request<'a>,
    pub(super) visit: &'a Visit,
    pub(super) now: Moment,
    pub(super) service: Service<'a>,
    /// What of a visitor's is a credential there.
    pub(super) names: &'a CredentialNames,
    /// Whether its host is shared with other services: nothing of ours is kept there.
    pub(super) is_shared: bool,
    /// Lines that the answer gives to the visitor, whatever comes of it.
    pub(super) cookies: Vec<String>,
    tunnel: Option<Service<'a>>,
    surroundings: Surroundings<'a>,
}

/// What else there is to choose by.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) table: &'a Table,
    pub(super) demotions: &'a Demotions,
    /// Whose turn it is among jobs.
    pub(super) turn: u64,
    /// Whether the ingress can change a request's path.
    pub(super) rewrites_path: bool,
}

impl<'a> Case<'a> {
    /// # Errors
    /// The service is for nobody, or not for requests like this.
    pub(super) fn new(
        rules: &'a Rules,
        (request, visit): (&'a Request<'a>, &'a Visit),
        now: Moment,
        resolved: Resolved<'a>,
        surroundings: Surroundings<'a>,
    ) -> Result<Self, Denial> {
        let Resolved { service, by_path, .. } = resolved;
        let tunnel = match (service.access, service.protocol) {
            (AccessLevel::Nobody, _) => return Err(Denial::AccessDenied),
            (_, Protocol::Tcp) => Some(tunnel::way(request, surroundings.table)?),
            _ => None,
        };
        // The credentials of the host's platform count where it is the platform's as well.
        let is_shared = by_path || service.path.is_some();
        let names = if is_shared { &rules.path_names } else { &rules.names };
        Ok(Self { rules, request, visit, now, service, names, is_shared, cookies: Vec::new(), tunnel, surroundings })
    }

    /// Its path and query, as they came.
    pub(super) fn path(&self) -> &'a [u8] {
        self.request.path.one().unwrap_or_default()
    }

    /// Its method.
    pub(super) fn method(&self) -> &'a [u8] {
        self.request.method.one().unwrap_or_default()
    }

    /// Whether the service's upstream serves others as well and goes by the path, and this path is not the service's.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.service.path.is_some_and(|start| !address::path::is_below(self.path(), start))
    }

    /// The path of an object in the sidecar's own store, with its query: a signature in it takes the place of a
    /// credential.
    pub(super) fn object(&self) -> Option<&'a [u8]> {
        let is_ours = self.service.provider == OWN_PROVIDER && self.path().starts_with(OBJECTS.as_bytes());
        is_ours.then(|| self.path())
    }

    /// What a session is worth here.
    ///
    /// # Errors
    /// Why it is worth nothing.
    pub(super) fn judge(&self, session: Box<Session>) -> Result<Worth, Denial> {
        Permit::session(session, &self.service, self.path(), self.rules.sessions(), self.now.wall)
    }

    /// Whether what is in the query can be turned into a session: by a redirect that takes it out.
    pub(super) fn can_be_redirected(&self) -> bool {
        !self.is_shared && arrival::can_be_redirected(self.request, self.visit.client)
    }

    /// The credential in the query that begins a session.
    ///
    /// # Errors
    /// It can't be one.
    pub(super) fn arriving(&self) -> Result<Option<Credential>, Denial> {
        // A program that shows its credential in a header needs no session, and a job that wants the credential would
        // not get it by one; only a person has no other way to go on.
        let wants_session = self.visit.client == Client::Page || !self.service.forward_credential;
        let arrives = self.can_be_redirected() && wants_session && !credential::has_bearer(self.request);
        if arrives { credential::in_query(self.request, self.names) } else { Ok(None) }
    }

    /// On to the sidecar's own service that has the paths below `/.taskgate/`.
    ///
    /// # Errors
    /// It has none.
    pub(super) fn to_own(&self) -> Result<Plan, Denial> {
        let table = self.surroundings.table;
        let own = table.service(&self.rules.control.gate.access_label).filter(|row| row.provider == OWN_PROVIDER);
        own.map(|own| Plan { vouch: false, ..self.draft(&own) }).ok_or(Denial::UnknownService)
    }

    /// On to the job, without the credentials that it must not see; `used` is the one that let the visitor in.
    ///
    /// # Errors
    /// A credential in the path can't be taken out, or not by this ingress.
    pub(super) fn to_job(&self, used: Option<(&Credential, Source)>) -> Result<Plan, Denial> {
        let plan = self.stripped(used)?;
        if plan.changes_path() && !self.surroundings.rewrites_path {
            return Err(Denial::UnsupportedCredential);
        }
        Ok(plan)
    }

    /// Back to the same URL, without what is in its query.
    ///
    /// # Errors
    /// A credential in the path can't be taken out.
    pub(super) fn to_itself(&self) -> Result<Plan, Denial> {
        let plan = self.stripped(None)?;
        let location = arrival::location(plan.credentials.path.as_deref().unwrap_or(self.path()));
        Ok(Plan { redirect: Some(location), ..plan })
    }

    /// The same, for a visitor who stays who they are.
    ///
    /// # Errors
    /// As [`Case::to_itself`].
    pub(super) fn stays(&self) -> Result<Step, Denial> {
        let plan = self.to_itself()?;
        let reply = arrival::redirect(plan.redirect.unwrap_or_default(), plan.cookies);
        Ok(Step::Done(Decision::Redirect(Box::new(reply.audited(plan.audit)))))
    }

    fn stripped(&self, used: Option<(&Credential, Source)>) -> Result<Plan, Denial> {
        let credentials = credential::strip(self.request, self.names, used, self.service.forward_credential)?;
        Ok(Plan { credentials, cookies: self.cookies.clone(), ..self.draft(&self.service) })
    }

    fn draft(&self, upstream: &Service<'_>) -> Plan {
        Plan {
            upstream: match &self.tunnel {
                // Whoever may not use the service is not told whether it runs.
                Some(_) if self.service.endpoints.is_empty() => None,
                Some(own) => self.choose(own).map(tunnel::upgradable),
                None => self.choose(upstream),
            },
            is_tunnel: self.tunnel.is_some(),
            credentials: credential::CredentialEdits::default(),
            remove: self.request.reserved.iter().map(|name| name.to_vec()).collect(),
            vouch: self.service.vouched,
            audit: Audit::of(&self.service),
            epoch: self.service.epoch,
            arrived: self.now,
            cookies: Vec::new(),
            redirect: None,
            session: None,
            renews: false,
        }
    }

    fn choose(&self, service: &Service<'_>) -> Option<Upstream> {
        let Surroundings { demotions, turn, .. } = self.surroundings;
        let is_demoted = |address: &core::net::SocketAddr| demotions.has(address, self.now.steady);
        let candidates = candidate::choose(&service.endpoints, turn, is_demoted)?;
        Some(Upstream { protocol: service.protocol, candidates })
    }
}
