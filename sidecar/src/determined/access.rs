//! Who may use a task's services: the master says, to the visitor's own credential.
//!
//! Whoever can see the task may use its ports, as at the master itself; whoever can't is not told that there is one.
//! When it is asked again about an open stream there is no credential, so the one that let that visitor in is used once
//! more: of whom this cluster's own source found, for one name of two sources may be two people. Never for somebody who
//! comes another way. Whatever is neither a yes nor a no of the master's is "can't be said now".

use std::sync::Arc;
use std::time::Duration;

use serde::de::IgnoredAny;
use taskgate_core::service::AccessLevel;
use taskgate_core::verdict::Credential;

use crate::auth::actor::{Actor, TASK_TOKEN_PREFIX};
use crate::auth::determined::SOURCE;
use crate::config::determined::DeterminedPeople;
use crate::determined::client::Client;
use crate::determined::client::error::MasterError;
use crate::determined::discovery::Ports;
use crate::determined::lent::Lent;
use crate::determined::shown::Shown;
use crate::discovery::inventory::Entry;
use crate::discovery::policy::{Authorisation, Level};

/// How long the master may take to say yes or no.
const TIME: Duration = Duration::from_secs(3);

/// What asks the master who may use a task's services.
#[derive(Debug)]
pub struct Access {
    client: Client,
    known: Arc<Ports>,
    people: DeterminedPeople,
    lent: Lent,
}

/// What the holder of a token for one task is called: nobody knows who it is. No user is called so.
#[must_use]
pub fn holder(task: &str) -> String {
    format!("{TASK_TOKEN_PREFIX}{task}")
}

fn is_holder(name: &str) -> bool {
    name.starts_with(TASK_TOKEN_PREFIX)
}

impl Access {
    /// What asks through that client about these ports.
    #[must_use]
    pub fn new(client: Client, known: Arc<Ports>, people: DeterminedPeople) -> Self {
        Self { client, known, people, lent: Lent::default() }
    }

    /// Forgets what is for tasks that are not there any more.
    pub async fn keep_house(&self) {
        let tasks = self.known.tasks();
        self.lent.keep(|task| tasks.contains(task)).await;
    }

    /// Whether an actor may use a service, at the level that the entry's policy says.
    pub async fn authorise(&self, service: &Entry, actor: &Actor, credential: Option<&Credential>) -> Authorisation {
        if service.policy.access == AccessLevel::Public {
            return Authorisation::Allow;
        }
        if is_holder(actor.name()) {
            return self.of_holder(service, actor);
        }
        let shown = credential.and_then(Shown::of).filter(|shown| !shown.is_of_task());
        let Some(shown) = shown else { return self.without(service, actor) };
        let decided = self.ask(service, actor, &shown).await;
        // What somebody else of that name shows is nothing to this one.
        if actor.source() == SOURCE {
            self.note(service, actor, &decided, shown).await;
        }
        decided
    }

    /// Whether an actor who was let in may go on with what is open.
    pub async fn authorise_again(&self, service: &Entry, actor: &Actor) -> Authorisation {
        if service.policy.access == AccessLevel::Public {
            return Authorisation::Allow;
        }
        if is_holder(actor.name()) {
            return self.of_holder(service, actor);
        }
        let Some(shown) = self.lent.of(actor.name(), &service.key.operation).await else {
            return match self.people {
                DeterminedPeople::Username => self.without(service, actor),
                DeterminedPeople::Nothing => {
                    Authorisation::Unavailable("what the visitor was let in with is not known any more".into())
                }
            };
        };
        let decided = self.ask(service, actor, &shown).await;
        self.note(service, actor, &decided, shown).await;
        decided
    }

    /// Remembers what somebody was let in with, until they are not.
    async fn note(&self, service: &Entry, actor: &Actor, decided: &Authorisation, shown: Shown) {
        let task = &service.key.operation;
        match decided {
            Authorisation::UnknownService | Authorisation::AccessDenied => self.lent.forget(actor.name(), task).await,
            Authorisation::Allow => self.lent.remember(actor.name(), task, shown).await,
            Authorisation::Unavailable(_) => {}
        }
    }

    /// What the master says to whoever shows that.
    async fn ask(&self, service: &Entry, actor: &Actor, shown: &Shown) -> Authorisation {
        let task = &service.key.operation;
        let answer: Result<IgnoredAny, _> = self.client.ask(shown, &format!("/api/v1/tasks/{task}"), TIME).await;
        match answer {
            Ok(_) => {
                let is_owner = service.policy.owner.as_deref() == Some(actor.name());
                let level = if is_owner { Level::Owner } else { Level::CanRead };
                Authorisation::of_level(service.policy.access, Some(level))
            }
            Err(MasterError::NotFound | MasterError::Forbidden) => Authorisation::UnknownService,
            Err(MasterError::Credential) => Authorisation::AccessDenied,
            Err(error) => Authorisation::Unavailable(format!("the master can't say who may use it: {error}")),
        }
    }

    /// The holder of a token for one task, which the master has accepted for it: nobody else is called so. Where the
    /// master asks nobody, its yes says nothing.
    fn of_holder(&self, service: &Entry, actor: &Actor) -> Authorisation {
        match self.known.of(&service.key) {
            _ if actor.name() != holder(&service.key.operation) => Authorisation::UnknownService,
            Some(port) if port.unauthenticated => Authorisation::AccessDenied,
            Some(_) => Authorisation::of_level(service.policy.access, Some(Level::CanRead)),
            None => Authorisation::Unavailable("the task has not been looked at yet".into()),
        }
    }

    /// Somebody of whom the master can't be asked.
    fn without(&self, service: &Entry, actor: &Actor) -> Authorisation {
        match self.people {
            DeterminedPeople::Username => service.policy.authorise(actor),
            DeterminedPeople::Nothing => Authorisation::UnknownService,
        }
    }
}
