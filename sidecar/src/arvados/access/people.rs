//! Who somebody is to the cluster who came another way: signed in with a provider of identities, as a rule.
//!
//! Off unless the operator says by what people are the same ones: then whoever can name themselves there can be
//! that user here.

use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use crate::arvados::access::Access;
use crate::arvados::access::levels::{List, operators};
use crate::arvados::client::Call;
use crate::arvados::client::error::CallError;
use crate::arvados::uuid::{Kind, Uuid};
use crate::auth::actor::Actor;
use crate::config::arvados::PeopleBy;

#[derive(Deserialize)]
struct Found {
    uuid: String,
}

impl Access {
    /// The cluster's user that an actor is; none where there is none, or more than one.
    pub(super) async fn user(&self, actor: &Actor, deadline: Instant) -> Result<Option<Uuid>, CallError> {
        if let Some(uuid) = actor.arvados_user_uuid() {
            return Ok(user(uuid));
        }
        let (field, value) = match self.people {
            PeopleBy::Email => ("email", actor.clone().into_identity().email.unwrap_or_default()),
            PeopleBy::Nothing => return Ok(None),
            PeopleBy::Username => ("username", actor.name().to_owned()),
        };
        if value.is_empty() {
            return Ok(None);
        }
        let call = Call::new("users")
            .with("filters", &json!([[field, "=", value], ["is_active", "=", true]]))
            .with("select", &json!(["uuid"]))
            .with("limit", &json!(2))
            .with_text("count", "none");
        let found: List<Found> = match self.client.ask(self.client.own_token(), &call, deadline).await {
            Err(CallError::Forbidden | CallError::Credential) => return Err(operators()),
            result => result?,
        };
        Ok(match found.items.as_slice() {
            [one] => user(&one.uuid),
            _ => None,
        })
    }
}

fn user(uuid: &str) -> Option<Uuid> {
    Uuid::parse(uuid).filter(|uuid| uuid.kind() == Kind::User)
}
