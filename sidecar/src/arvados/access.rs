//! Who may use a container's services: the cluster says.
//!
//! What counts are the requests that the container's owner made, and not those of others that it runs for as
//! well: a second request of somebody else gives nobody a level on the first one's work. Where the visitor shows a
//! token, that token is asked with, so that a token for less than everything gives no more than it is for. Where
//! there is none, as with a session, the operator's token asks about the user.
//!
//! Nothing is tried out by changing it: whoever changes a request becomes the one who changed it last. Whatever is
//! neither a yes nor a no of the cluster's is "can't be said now".

mod levels;
mod people;

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use taskgate_core::service::AccessLevel;
use taskgate_core::verdict::Credential;
use tokio::time::Instant;

use crate::arvados::client::error::CallError;
use crate::arvados::client::{Call, Client};
use crate::arvados::discovery::Workloads;
use crate::arvados::lent::{Lent, Shown};
use crate::arvados::token::Token;
use crate::arvados::uuid::Uuid;
use crate::auth::actor::Actor;
use crate::config::arvados::PeopleBy;
use crate::discovery::inventory::Entry;
use crate::discovery::policy::Authorisation;

/// How long the cluster may take to say yes or no, with all questions.
const TIME: Duration = Duration::from_secs(3);

/// What asks the cluster who may use a container's services.
#[derive(Debug)]
pub struct Access {
    client: Client,
    known: Arc<Workloads>,
    admins: bool,
    people: PeopleBy,
    lent: Option<Lent>,
}

/// Who a token or a name is.
#[derive(Clone, Debug, Deserialize)]
pub struct User {
    /// The name.
    pub uuid: String,
    /// Where they get mail.
    pub email: Option<String>,
    /// Whether they may do everything.
    #[serde(default)]
    pub is_admin: bool,
    /// Whether they may do anything.
    #[serde(default)]
    pub is_active: bool,
}

/// About whom the cluster was asked, with which token of theirs, and what came of it.
struct Asked {
    user: Uuid,
    token: Option<Token>,
    decided: Authorisation,
}

/// What a token is for.
#[derive(Deserialize)]
struct Scopes {
    #[serde(default)]
    scopes: Vec<String>,
}

impl Access {
    /// What asks through that client about these workloads. `admins` may use everything.
    #[must_use]
    pub fn new(client: Client, known: Arc<Workloads>, admins: bool) -> Self {
        Self { client, known, admins, people: PeopleBy::Nothing, lent: None }
    }

    /// The same, finding those who came another way by that.
    #[must_use]
    pub fn finding(self, people: PeopleBy) -> Self {
        Self { people, ..self }
    }

    /// The same, remembering what people were let in with.
    #[must_use]
    pub fn lending(self, lent: Option<Lent>) -> Self {
        Self { lent, ..self }
    }

    /// Whether an actor may use a service, at the level that the entry's policy says.
    pub async fn authorise(&self, service: &Entry, actor: &Actor, credential: Option<&Credential>) -> Authorisation {
        let access = service.policy.access;
        if access == AccessLevel::Public {
            return Authorisation::Allow;
        }
        let deadline = Instant::now() + TIME;
        let Asked { user, token, decided } = match self.ask(service, actor, credential, access, deadline).await {
            Ok(asked) => asked,
            Err(decided) => return decided,
        };
        if let Some(lent) = &self.lent {
            let container = &service.key.operation;
            match (&decided, token) {
                (Authorisation::Allow, Some(token)) if !lent.has(&user, container, &token).await => {
                    let is_for_all = self.is_for_all(&token, deadline).await;
                    lent.remember(&user, container, Shown { token, is_for_all, ends_at: actor.expires_at() }).await;
                }
                (Authorisation::AccessDenied | Authorisation::UnknownService, _) => lent.forget(&user, container).await,
                _ => {}
            }
        }
        decided
    }

    /// Whether an actor may let others use a service. A no takes nothing from who uses it.
    pub async fn may_share(&self, service: &Entry, actor: &Actor, credential: Option<&Credential>) -> Authorisation {
        let asked = self.ask(service, actor, credential, AccessLevel::CanManage, Instant::now() + TIME).await;
        asked.map_or_else(|decided| decided, |asked| asked.decided)
    }

    /// Whether an actor has a level on a container, as the cluster says; or what is to be said without it.
    async fn ask(
        &self,
        service: &Entry,
        actor: &Actor,
        credential: Option<&Credential>,
        access: AccessLevel,
        deadline: Instant,
    ) -> Result<Asked, Authorisation> {
        let unavailable =
            |error: CallError| Authorisation::Unavailable(format!("the cluster can't say who may use it: {error}"));
        // Where there is nobody, it is somebody of another platform, whatever the name is.
        let user = self.user(actor, deadline).await.map_err(unavailable)?.ok_or(Authorisation::UnknownService)?;
        let Some(workload) = self.known.of(&service.key.operation) else {
            return Err(Authorisation::Unavailable("the container has not been looked at yet".into()));
        };
        // Whoever was not found by a token has shown something that is not for the cluster.
        let token = credential.filter(|_| actor.arvados_user_uuid().is_some()).and_then(token);
        let held = match &token {
            Some(token) => self.held_by_token(&workload, &user, token, access, deadline).await,
            None => self.held_by_name(&workload, &user, deadline).await,
        };
        let decided = match held {
            Ok(held) => Authorisation::of_level(access, held),
            Err(CallError::Forbidden) => Authorisation::AccessDenied,
            Err(error) => unavailable(error),
        };
        Ok(Asked { user, token, decided })
    }

    /// Whether a token is for everything that its holder may do. It is for less where that can't be said.
    async fn is_for_all(&self, token: &Token, deadline: Instant) -> bool {
        let call = Call::new("api_client_authorizations/current");
        let scopes = self.client.ask::<Scopes>(token, &call, deadline).await;
        scopes.is_ok_and(|scopes| scopes.scopes == ["all"])
    }
}

/// The token that was shown, in a cookie of whatever name: the source has looked at the name.
fn token(shown: &Credential) -> Option<Token> {
    Token::of(shown, shown.name.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::policy::Level;

    #[test]
    fn who_has_nothing_is_not_told_that_there_is_something() {
        for access in [AccessLevel::CanRead, AccessLevel::Owner, AccessLevel::Nobody] {
            assert_eq!(Authorisation::of_level(access, None), Authorisation::UnknownService, "{access:?}");
        }
        assert_eq!(Authorisation::of_level(AccessLevel::Owner, Some(Level::CanManage)), Authorisation::AccessDenied);
        assert_eq!(Authorisation::of_level(AccessLevel::Nobody, Some(Level::Owner)), Authorisation::AccessDenied);
        assert_eq!(Authorisation::of_level(AccessLevel::CanWrite, Some(Level::CanManage)), Authorisation::Allow);
    }
}
