//! Who may use a task's services: the master says, to the visitor's own credential.
//!
//! Whoever can see the task may use its ports, as at the master itself; whoever can't is not told that there is one.
//! When it is asked again about an open stream there is no credential, so what let that visitor in is used once more: of
//! whom this cluster's own source found, for one name of two sources may be two people. Never for somebody who comes
//! another way. Whoever was refused since is so until they are let in again. Whatever is neither a yes nor a no of the
//! master's is "can't be said now".

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
use crate::determined::lent::{Known, Lent};
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

/// What the master says of a session and a task.
enum Word {
    /// The session is nobody's any more.
    Over,
    /// Its holder sees the task.
    Sees,
    /// Its holder does not.
    SeesNot,
    /// Nothing, for that reason.
    Silent(String),
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
        let (name, task) = (actor.name(), &service.key.operation);
        let word = self.ask(task, &shown).await;
        // What somebody else of that name shows is nothing to this one.
        if actor.source() == SOURCE {
            match &word {
                Word::Over => self.lent.end(name, task, &shown).await,
                Word::Sees => self.lent.remember(name, task, shown).await,
                Word::SeesNot => self.lent.refuse(name, task).await,
                Word::Silent(_) => {}
            }
        }
        decided(service, actor, word)
    }

    /// Whether an actor who was let in may go on with what is open.
    pub async fn authorise_again(&self, service: &Entry, actor: &Actor) -> Authorisation {
        if service.policy.access == AccessLevel::Public {
            return Authorisation::Allow;
        }
        if is_holder(actor.name()) {
            return self.of_holder(service, actor);
        }
        let (name, task) = (actor.name(), &service.key.operation);
        loop {
            let shown = match self.lent.of(name, task).await {
                Known::Nothing => return self.unknown(service, actor),
                Known::Refused => return Authorisation::AccessDenied,
                Known::Shown(shown) => shown,
            };
            // A yes is not remembered here: there may have been a no since it was asked for.
            match self.ask(task, &shown).await {
                // The stream may be another session's, so those are asked with too, one less each time.
                Word::Over => self.lent.end(name, task, &shown).await,
                word => {
                    if matches!(word, Word::SeesNot) {
                        self.lent.refuse(name, task).await;
                    }
                    return decided(service, actor, word);
                }
            }
        }
    }

    /// What the master says to whoever shows that.
    async fn ask(&self, task: &str, shown: &Shown) -> Word {
        let answer: Result<IgnoredAny, _> = self.client.ask(shown, &format!("/api/v1/tasks/{task}"), TIME).await;
        match answer {
            Ok(_) => Word::Sees,
            Err(MasterError::NotFound | MasterError::Forbidden) => Word::SeesNot,
            Err(MasterError::Credential) => Word::Over,
            Err(error) => Word::Silent(error.to_string()),
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

    /// Somebody who has something open, and of whom nothing is known.
    fn unknown(&self, service: &Entry, actor: &Actor) -> Authorisation {
        match self.people {
            DeterminedPeople::Username => self.without(service, actor),
            DeterminedPeople::Nothing => {
                Authorisation::Unavailable("what the visitor was let in with is not known any more".into())
            }
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

/// What a word of the master's is worth to an actor, at the level that the entry's policy says.
fn decided(service: &Entry, actor: &Actor, word: Word) -> Authorisation {
    match word {
        Word::Over => Authorisation::AccessDenied,
        Word::Sees => {
            let is_owner = service.policy.owner.as_deref() == Some(actor.name());
            let level = if is_owner { Level::Owner } else { Level::CanRead };
            Authorisation::of_level(service.policy.access, Some(level))
        }
        Word::SeesNot => Authorisation::UnknownService,
        Word::Silent(reason) => Authorisation::Unavailable(format!("the master can't say who may use it: {reason}")),
    }
}
