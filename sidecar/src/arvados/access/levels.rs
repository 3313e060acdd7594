//! What somebody has on a container, asked of the cluster.

use serde::Deserialize;
use serde_json::{Value, json};
use taskgate_core::service::AccessLevel;
use tokio::time::Instant;

use crate::arvados::access::{Access, User};
use crate::arvados::client::Call;
use crate::arvados::client::error::CallError;
use crate::arvados::discovery::Workload;
use crate::arvados::token::Token;
use crate::arvados::uuid::{Kind, Uuid};
use crate::discovery::policy::Level;

/// The most requests of one container that are asked about.
const MAX_REQUESTS: usize = 20;

/// What a listing has.
#[derive(Deserialize)]
pub(super) struct List<T> {
    pub(super) items: Vec<T>,
}

#[derive(Deserialize)]
struct Named {
    uuid: String,
    owner_uuid: Option<String>,
}

#[derive(Deserialize)]
struct Owner {
    #[serde(default)]
    can_write: bool,
    #[serde(default)]
    can_manage: bool,
}

#[derive(Deserialize)]
struct Scoped {
    #[serde(default)]
    scopes: Vec<String>,
}

#[derive(Deserialize)]
struct Right {
    target_uuid: String,
    perm_level: String,
    /// Whether it holds for what belongs to the target. Older clusters don't say; then it is a project's.
    traverse_owned: Option<bool>,
}

impl Access {
    /// What a token gives. No more is asked than the level that is wanted needs.
    pub(super) async fn held_by_token(
        &self,
        workload: &Workload,
        user: &Uuid,
        token: &Token,
        wanted: AccessLevel,
        deadline: Instant,
    ) -> Result<Option<Level>, CallError> {
        let requests: Vec<&str> = workload.requests.iter().take(MAX_REQUESTS).map(|(uuid, _)| uuid.as_str()).collect();
        let call = Call::new("container_requests")
            .with("filters", &json!([["uuid", "in", requests]]))
            .with("select", &json!(["uuid", "owner_uuid"]))
            .with("limit", &json!(MAX_REQUESTS))
            .with_text("count", "none");
        // The token has to be good for this, whoever its holder is.
        let readable: List<Named> = self.client.ask(token, &call, deadline).await?;
        if workload.owner.as_ref() == Some(user) {
            return Ok(Some(Level::Owner));
        }
        if self.is_admin(token, deadline).await? {
            return Ok(Some(Level::Owner));
        }
        told(workload)?;
        let readable = readable.items.into_iter().filter(|one| requests.contains(&one.uuid.as_str()));
        let readable: Vec<Named> = readable.take(MAX_REQUESTS).collect();
        let mut held = (!readable.is_empty()).then_some(Level::CanRead);
        for one in &readable {
            if wanted == AccessLevel::CanRead {
                break;
            }
            if wanted == AccessLevel::CanWrite && self.can_write(token, one, user, deadline).await? {
                held = held.max(Some(Level::CanWrite));
                break;
            }
            if self.can_manage(token, &one.uuid, deadline).await? {
                held = Some(Level::CanManage);
                break;
            }
        }
        if wanted == AccessLevel::CanWrite && held == Some(Level::CanRead) && self.is_unscoped(token, deadline).await? {
            // The holder does not see what a role of theirs has on the request itself, and a session of theirs has it.
            match self.held_in_table(workload, user, deadline).await {
                Ok(found) => return Ok(held.max(found)),
                // The operator's token is for discovery alone.
                Err(CallError::Forbidden | CallError::Credential) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(held)
    }

    /// Whether a token may do all that its holder may.
    async fn is_unscoped(&self, token: &Token, deadline: Instant) -> Result<bool, CallError> {
        let call = Call::new("api_client_authorizations/current").with("select", &json!(["uuid", "scopes"]));
        match self.client.ask::<Scoped>(token, &call, deadline).await {
            Ok(scoped) => Ok(scoped.scopes.iter().any(|scope| scope == "all")),
            Err(CallError::Forbidden) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn is_admin(&self, token: &Token, deadline: Instant) -> Result<bool, CallError> {
        if !self.admins {
            return Ok(false);
        }
        match self.client.ask::<User>(token, &Call::new("users/current"), deadline).await {
            Ok(user) => Ok(user.is_admin && user.is_active),
            // A token that may not say who its holder is, is none of an administrator's.
            Err(CallError::Forbidden) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn can_manage(&self, token: &Token, request: &str, deadline: Instant) -> Result<bool, CallError> {
        match self.client.ask::<Value>(token, &Call::new(format!("permissions/{request}")), deadline).await {
            Ok(_) => Ok(true),
            Err(CallError::Forbidden | CallError::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a token's holder may change a request: by what it belongs to, or by a link of their own.
    async fn can_write(
        &self,
        token: &Token,
        request: &Named,
        user: &Uuid,
        deadline: Instant,
    ) -> Result<bool, CallError> {
        let owner = request.owner_uuid.as_deref().and_then(Uuid::parse);
        if owner.as_ref() == Some(user) {
            return Ok(true);
        }
        let collection = owner.as_ref().and_then(|owner| match owner.kind() {
            Kind::Group => Some("groups"),
            Kind::User => Some("users"),
            Kind::Container | Kind::ContainerRequest | Kind::Other => None,
        });
        if let (Some(owner), Some(collection)) = (&owner, collection) {
            let call =
                Call::new(format!("{collection}/{owner}")).with("select", &json!(["uuid", "can_write", "can_manage"]));
            match self.client.ask::<Owner>(token, &call, deadline).await {
                Ok(owner) if owner.can_write || owner.can_manage => return Ok(true),
                Ok(_) | Err(CallError::Forbidden | CallError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        let filters = json!([
            ["link_class", "=", "permission"],
            ["head_uuid", "=", request.uuid],
            ["tail_uuid", "=", user.as_str()],
            ["name", "in", ["can_write", "can_manage"]],
        ]);
        let call = Call::new("links")
            .with("filters", &filters)
            .with("select", &json!(["uuid"]))
            .with("limit", &json!(1))
            .with_text("count", "none");
        match self.client.ask::<List<Value>>(token, &call, deadline).await {
            Ok(links) => Ok(!links.items.is_empty()),
            Err(CallError::Forbidden) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What a user has, as the operator's token says.
    pub(super) async fn held_by_name(
        &self,
        workload: &Workload,
        user: &Uuid,
        deadline: Instant,
    ) -> Result<Option<Level>, CallError> {
        let own = self.client.own_token();
        let call = Call::new(format!("users/{user}")).with("select", &json!(["uuid", "is_admin", "is_active"]));
        let found: User = match self.client.ask(own, &call, deadline).await {
            Ok(found) => found,
            // Their account has gone.
            Err(CallError::NotFound) => return Ok(None),
            // That is the operator's trouble, and says nothing about the user.
            Err(CallError::Forbidden | CallError::Credential) => return Err(operators()),
            Err(error) => return Err(error),
        };
        if !found.is_active {
            return Ok(None);
        }
        if workload.owner.as_ref() == Some(user) || (self.admins && found.is_admin) {
            return Ok(Some(Level::Owner));
        }
        told(workload)?;
        let requests = workload.requests.iter().take(MAX_REQUESTS);
        if requests.clone().any(|(_, owner)| owner == user) {
            return Ok(Some(Level::CanManage));
        }
        match self.held_in_table(workload, user, deadline).await {
            Err(CallError::Forbidden | CallError::Credential) => Err(operators()),
            result => result,
        }
    }

    /// What the table of permissions says of a user.
    async fn held_in_table(
        &self,
        workload: &Workload,
        user: &Uuid,
        deadline: Instant,
    ) -> Result<Option<Level>, CallError> {
        let requests = workload.requests.iter().take(MAX_REQUESTS);
        let targets: Vec<&str> = requests.flat_map(|(request, owner)| [request.as_str(), owner.as_str()]).collect();
        let filters = json!([["user_uuid", "=", user.as_str()], ["target_uuid", "in", targets]]);
        let call = Call::new("computed_permissions")
            .with("filters", &filters)
            .with("limit", &json!(targets.len()))
            .with_text("count", "none");
        let rights: List<Right> = self.client.ask(self.client.own_token(), &call, deadline).await?;
        Ok(rights.items.iter().filter_map(right).max())
    }
}

/// That there is a request by which levels are told. Where nobody can say which is the owner's, that is not a no.
fn told(workload: &Workload) -> Result<(), CallError> {
    if workload.requests.is_empty() {
        return Err(CallError::Unreadable("others were the last to change its requests; its owner has to change one"));
    }
    Ok(())
}

pub(super) fn operators() -> CallError {
    CallError::Exchange("the provider's token is none of an administrator's".into())
}

/// What a row of the table of permissions says about a request.
fn right(right: &Right) -> Option<Level> {
    let target = Uuid::parse(&right.target_uuid)?;
    let holds = match target.kind() {
        Kind::ContainerRequest => true,
        Kind::Group => right.traverse_owned.unwrap_or(true),
        Kind::User => right.traverse_owned.unwrap_or(false),
        Kind::Container | Kind::Other => false,
    };
    let level = match right.perm_level.as_str() {
        "can_manage" => Level::CanManage,
        "can_read" => Level::CanRead,
        "can_write" => Level::CanWrite,
        _ => return None,
    };
    holds.then_some(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_permissions_is_read_as_the_cluster_means_it() {
        let of = |target: &str, level: &str, traverse: Option<bool>| {
            right(&Right { target_uuid: target.into(), perm_level: level.into(), traverse_owned: traverse })
        };
        let (request, project, person) =
            ("zzzzz-xvhdp-000000000000001", "zzzzz-j7d0g-000000000000001", "zzzzz-tpzed-000000000000001");
        assert_eq!(of(request, "can_write", Some(false)), Some(Level::CanWrite));
        assert_eq!(of(project, "can_manage", Some(true)), Some(Level::CanManage));
        assert_eq!(of(project, "can_manage", Some(false)), None);
        assert_eq!(of(person, "can_manage", None), None, "to manage somebody is not to have their things");
        assert_eq!(of(request, "can_everything", None), None);
    }
}
