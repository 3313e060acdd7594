//! An Arvados cluster, which says whose a token is.
//!
//! It is shown that token and nothing else. A visitor is called by their UUID: it never changes, and has the
//! cluster's name in it, so nobody of another cluster is ever called so. What they may do is the provider's to
//! find out, with the same token.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use taskgate_core::config::GateConfig;
use taskgate_core::identity::WireIdentity;
use taskgate_core::time::UnixTime;
use tokio::time::Instant;

use crate::arvados::access::User;
use crate::arvados::client::error::CallError;
use crate::arvados::client::{Call, Client};
use crate::arvados::settings::ClusterSettings;
use crate::arvados::token::Token;
use crate::arvados::uuid::{Kind, Uuid};
use crate::auth::actor::Actor;
use crate::auth::platform;
use crate::auth::source::{Identification, Question, Source};
use crate::config::arvados::ArvadosSourceConfig;
use crate::config::resolve::InvalidSetting;
use crate::discovery::settings::ProviderSettings;
use crate::http::HttpError;

/// The settings of a cluster that knows tokens.
#[derive(Clone, Debug)]
pub struct ArvadosSourceSettings {
    /// The provider for whose services it is.
    pub provider: String,
    /// The cluster. The operator's token is not used here.
    pub cluster: ClusterSettings,
    /// The cookies that have tokens.
    pub cookies: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

impl ArvadosSourceSettings {
    /// Checks the configuration of a cluster that knows tokens.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(
        key: &str,
        config: ArvadosSourceConfig,
        providers: &[ProviderSettings],
        gate: &GateConfig,
    ) -> Result<Self, InvalidSetting> {
        let provider = platform::named(key, "arvados", &config.provider, providers, |provider| match provider {
            ProviderSettings::Arvados(settings) => Some(settings),
            _ => None,
        })?;
        platform::are_taken_out(key, &config.cookies, gate)?;
        Ok(Self {
            provider: config.provider,
            cluster: provider.cluster.clone(),
            cookies: config.cookies,
            timeout: platform::timeout(key, config.timeout_ms)?,
        })
    }
}

/// The source that asks a cluster.
#[derive(Debug)]
pub struct ArvadosSource {
    settings: ArvadosSourceSettings,
    client: Client,
}

/// What a token says about itself.
#[derive(Deserialize)]
struct Authorization {
    owner_uuid: Option<String>,
    expires_at: Option<String>,
}

impl ArvadosSource {
    /// A source that asks a cluster.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(settings: ArvadosSourceSettings) -> Result<Self, HttpError> {
        let client = Client::new(settings.cluster.clone())?;
        Ok(Self { settings, client })
    }
}

#[async_trait]
impl Source for ArvadosSource {
    fn name(&self) -> &'static str {
        "arvados"
    }

    async fn identify(&self, question: Question<'_>) -> Identification {
        // A token is never shown to another platform's cluster.
        if *question.service.provider != *self.settings.provider {
            return Identification::NotRequested;
        }
        let Some(token) = Token::of(question.credential, &self.settings.cookies) else {
            return Identification::NotRequested;
        };
        let deadline = Instant::now() + self.settings.timeout;
        // The first may be asked with every token, whatever it is for.
        let (authorization, user) = (Call::new("api_client_authorizations/current"), Call::new("users/current"));
        let (authorization, user) = tokio::join!(
            self.client.ask::<Authorization>(&token, &authorization, deadline),
            self.client.ask::<User>(&token, &user, deadline),
        );
        let (owner, ends_at) = match authorization {
            Ok(authorization) => match moment(authorization.expires_at.as_deref()) {
                Ok(ends_at) => (authorization.owner_uuid, ends_at),
                Err(reason) => return Identification::Unavailable(reason.into()),
            },
            Err(CallError::Credential) => return Identification::Rejected("the cluster rejects it"),
            Err(error) => return Identification::Unavailable(error.to_string()),
        };
        match user {
            Ok(user) if !user.is_active => Identification::Rejected("its holder's account is not active"),
            Ok(user) => holder(&user.uuid, user.email, ends_at),
            // A token that is for less than that still has a holder.
            Err(CallError::Forbidden) => holder(&owner.unwrap_or_default(), None, ends_at),
            Err(CallError::Credential) => Identification::Rejected("the cluster rejects it"),
            Err(error) => Identification::Unavailable(error.to_string()),
        }
    }
}

/// When a token ends, where it does.
fn moment(text: Option<&str>) -> Result<Option<UnixTime>, &'static str> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let moment: jiff::Timestamp = text.parse().map_err(|_| "the cluster says an end of the token that is no time")?;
    Ok(Some(UnixTime::from_millis(u64::try_from(moment.as_millisecond()).unwrap_or(0))))
}

fn holder(uuid: &str, email: Option<String>, ends_at: Option<UnixTime>) -> Identification {
    let Some(uuid) = Uuid::parse(uuid).filter(|uuid| uuid.kind() == Kind::User) else {
        return Identification::Rejected("the cluster names nobody");
    };
    let identity = |email| WireIdentity {
        actor: uuid.to_string(),
        email,
        groups: Vec::new(),
        arvados_user_uuid: Some(uuid.to_string()),
    };
    // An address that can't stand in a header is left out; who it is does not hang on it.
    let email = email.filter(|email| !email.is_empty());
    match Actor::new(identity(email), ends_at).or_else(|_| Actor::new(identity(None), ends_at)) {
        Ok(actor) => Identification::Identified(actor),
        Err(_) => Identification::Rejected("the cluster names someone who can't be named in a header"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_are_called_by_their_uuid() {
        let named = |uuid: &str, email: &str| match holder(uuid, Some(email.into()), None) {
            Identification::Identified(actor) => Some(actor.into_identity()),
            _ => None,
        };
        let alice = "zzzzz-tpzed-00000000000alic";
        let known = named(alice, "alice@example.test").expect("known");
        assert_eq!((known.actor.as_str(), known.arvados_user_uuid.as_deref()), (alice, Some(alice)));
        assert_eq!(known.email.as_deref(), Some("alice@example.test"));
        assert_eq!(named(alice, "a\nb").and_then(|known| known.email), None);
        for uuid in ["", "alice", "zzzzz-j7d0g-00000000000alic", "ZZZZZ-tpzed-00000000000alic"] {
            assert!(named(uuid, "").is_none(), "{uuid}");
        }
    }

    #[test]
    fn ends_are_read_and_what_is_none_is_not_for_ever() {
        assert_eq!(moment(None), Ok(None));
        assert_eq!(moment(Some("1970-01-01T00:00:01.500000000Z")), Ok(Some(UnixTime::from_millis(1_500))));
        assert_eq!(moment(Some("1960-01-01T00:00:00Z")), Ok(Some(UnixTime::from_millis(0))));
        assert!(moment(Some("soon")).is_err());
    }
}
