//! One question, from the sources to the service's provider.

use std::sync::Arc;

use taskgate_core::service::Protocol;
use taskgate_core::verdict::{Credential, Refusal, Scheme};

use crate::auth::actor::Actor;
use crate::auth::judge::docket::Answer;
use crate::auth::judge::{Decision, Lifetimes, Outcome, Shared, Sources, Undecided};
use crate::auth::peers;
use crate::auth::source::{Identification, Question};
use crate::digest::Digest;
use crate::discovery::policy::Authorisation;
use crate::discovery::provider::Provider;
use crate::registry::published::Published;

/// One question, with all that it takes to answer it.
pub(super) struct Inquiry {
    pub(super) sources: Arc<Sources>,
    pub(super) lifetimes: Lifetimes,
    pub(super) shared: Arc<Shared>,
    pub(super) service: Arc<Published>,
    pub(super) provider: Option<Arc<dyn Provider>>,
    pub(super) credential: Credential,
}

/// What the sources came to.
enum Identified {
    Actor(Actor, &'static str),
    Refusal(Refusal, &'static str),
}

impl Inquiry {
    /// Asks, and keeps what is decided.
    pub(super) async fn run(self, key: Digest) -> Answer {
        // An equal question may have ended after this one found nothing kept.
        if let Some(kept) = self.shared.kept(&key).await {
            return Ok(kept);
        }
        let decision = self.ask().await?;
        self.shared.decisions.insert(key, decision.clone()).await;
        Ok(decision)
    }

    async fn ask(&self) -> Answer {
        if self.credential.scheme == Scheme::Session {
            return self.ask_about_session().await;
        }
        let is_peer = self.credential.scheme == Scheme::Peer;
        // Whoever asks like this sees no request, so nothing that speaks HTTP is meant.
        if is_peer && self.service.entry.protocol != Protocol::Tcp {
            return Ok(self.deny(Refusal::CredentialRejected, String::new(), peers::SOURCE));
        }
        let (actor, source) = match self.identify().await? {
            Identified::Actor(actor, source) => (actor, source),
            Identified::Refusal(code, source) => return Ok(self.deny(code, String::new(), source)),
        };
        self.authorise(actor, source, Some(&self.credential).filter(|_| !is_peer)).await
    }

    /// Whether an actor may use the service, as its provider says.
    pub(super) async fn authorise(
        &self,
        actor: Actor,
        source: &'static str,
        credential: Option<&Credential>,
    ) -> Answer {
        let authorisation = match &self.provider {
            Some(provider) => provider.authorise(&self.service.entry, &actor, credential).await,
            None => no_provider(),
        };
        self.decision(actor, source, authorisation)
    }

    /// Whether an actor who was let in by a credential may go on with what is open, as the service's provider says.
    pub(super) async fn authorise_again(&self, actor: Actor, source: &'static str) -> Answer {
        let authorisation = match &self.provider {
            Some(provider) => provider.authorise_again(&self.service.entry, &actor).await,
            None => no_provider(),
        };
        self.decision(actor, source, authorisation)
    }

    fn decision(&self, actor: Actor, source: &'static str, authorisation: Authorisation) -> Answer {
        match authorisation {
            Authorisation::AccessDenied => Ok(self.deny(Refusal::AccessDenied, actor.name().to_owned(), source)),
            Authorisation::Allow => Ok(self.allow(actor, source)),
            Authorisation::Unavailable(reason) => Err(Undecided { source, reason }),
            Authorisation::UnknownService => Ok(self.deny(Refusal::UnknownService, actor.name().to_owned(), source)),
        }
    }

    async fn identify(&self) -> Result<Identified, Undecided> {
        let question = Question { service: &self.service, credential: &self.credential };
        let id = self.service.id.as_str();
        let mut undecided = None;
        for source in &self.sources.list {
            let name = source.name();
            // A certificate's names are no secret: nobody else makes a user of them.
            if self.credential.scheme == Scheme::Peer && name != peers::SOURCE {
                continue;
            }
            let identification = source.identify(question).await;
            match identification {
                Identification::Identified(actor) => return Ok(Identified::Actor(actor.found_by(name), name)),
                Identification::NotRequested => {
                    tracing::debug!(source = name, service.id = id, "credential is for another source");
                }
                // With a source out of reach, another's no is not the last word.
                Identification::Refused(reason) | Identification::Rejected(reason) if undecided.is_some() => {
                    tracing::debug!(source = name, reason, "credential refused while another source is unavailable");
                }
                Identification::Refused(reason) => {
                    tracing::debug!(source = name, reason, service.id = id, "holder refused");
                    return Ok(Identified::Refusal(Refusal::AccessDenied, name));
                }
                Identification::Rejected(reason) => {
                    tracing::debug!(source = name, reason, service.id = id, "credential rejected");
                    return Ok(Identified::Refusal(Refusal::CredentialRejected, name));
                }
                Identification::Unavailable(reason) => {
                    undecided.get_or_insert(Undecided { source: name, reason });
                }
            }
        }
        match undecided {
            Some(undecided) => Err(undecided),
            None => Ok(Identified::Refusal(Refusal::CredentialRejected, "none")),
        }
    }

    fn allow(&self, actor: Actor, source: &'static str) -> Decision {
        let until = self.shared.clock.now().after(self.lifetimes.allow);
        let until = actor.expires_at().map_or(until, |end| end.min(until));
        let (name, ends_at) = (actor.name().to_owned(), actor.expires_at());
        Decision { outcome: Outcome::Allow(actor.into_identity(), ends_at), actor: name, source, until }
    }

    pub(super) fn deny(&self, code: Refusal, actor: String, source: &'static str) -> Decision {
        let until = self.shared.clock.now().after(self.lifetimes.deny);
        Decision { outcome: Outcome::Deny(code), actor, source, until }
    }
}

fn no_provider() -> Authorisation {
    Authorisation::Unavailable("its provider is not configured any more".into())
}
