//! A Determined master, which says whose a session is.
//!
//! It is shown that session and nothing else. A token for one task says nobody's name: the
//! master's proxy is asked whether it lets its holder through to that task, and the holder is called after the task. What
//! a user may see is the provider's to find out, with the same credential.

use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use taskgate_core::identity::WireIdentity;

use crate::auth::actor::{Actor, InvalidActor};
use crate::auth::platform;
use crate::auth::source::{Identification, Question, Source};
use crate::config::determined::DeterminedSourceConfig;
use crate::config::resolve::InvalidSetting;
use crate::determined::access::holder;
use crate::determined::client::error::MasterError;
use crate::determined::client::{Admission, Client};
use crate::determined::settings::MasterSettings;
use crate::determined::shown::Shown;
use crate::discovery::inventory::Entry;
use crate::discovery::settings::ProviderSettings;
use crate::http::HttpError;

/// What it is called in logs and metrics.
pub const SOURCE: &str = "determined";

/// The settings of a master that knows sessions.
#[derive(Clone, Debug)]
pub struct DeterminedSourceSettings {
    /// The provider for whose services it is.
    pub provider: String,
    /// The master. The provider's own session is not used here.
    pub master: MasterSettings,
    /// How long it may take.
    pub timeout: Duration,
}

impl DeterminedSourceSettings {
    /// Checks the configuration of a master that knows sessions.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(
        key: &str,
        config: DeterminedSourceConfig,
        providers: &[ProviderSettings],
    ) -> Result<Self, InvalidSetting> {
        let provider = platform::named(key, "determined", &config.provider, providers, |provider| match provider {
            ProviderSettings::Determined(settings) => Some(settings),
            _ => None,
        })?;
        Ok(Self {
            provider: config.provider,
            master: provider.master.clone(),
            timeout: platform::timeout(key, config.timeout_ms)?,
        })
    }
}

/// The source that asks a master.
#[derive(Debug)]
pub struct DeterminedSource {
    settings: DeterminedSourceSettings,
    client: Client,
}

#[derive(Deserialize)]
struct Me {
    user: User,
}

/// What the master says of a user.
#[derive(Deserialize)]
struct User {
    username: String,
    #[serde(default)]
    active: bool,
}

impl DeterminedSource {
    /// A source that asks a master.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(settings: DeterminedSourceSettings) -> Result<Self, HttpError> {
        let client = Client::new(settings.master.clone())?;
        Ok(Self { settings, client })
    }

    async fn user(&self, shown: &Shown) -> Identification {
        match self.client.ask::<Me>(shown, "/api/v1/me", self.settings.timeout).await {
            Ok(Me { user }) if !user.active => Identification::Rejected("its holder's account is not active"),
            Ok(Me { user }) => of(Actor::new(named(user.username), None)),
            Err(MasterError::Credential) => Identification::Rejected("the master rejects it"),
            Err(error) => Identification::Unavailable(error.to_string()),
        }
    }

    async fn holder(&self, shown: &Shown, service: &Entry) -> Identification {
        let Some(path) = &service.path else {
            return Identification::Rejected("a token for one task is for what the master leads to");
        };
        match self.client.admits(shown, path, self.settings.timeout).await {
            Ok(Admission::Admitted) => of(Actor::named_here(named(holder(&service.key.operation)), None)),
            Ok(Admission::Refused) => Identification::Rejected("the master does not let its holder through"),
            Err(error) => Identification::Unavailable(error.to_string()),
        }
    }
}

#[async_trait]
impl Source for DeterminedSource {
    fn name(&self) -> &'static str {
        SOURCE
    }

    async fn identify(&self, question: Question<'_>) -> Identification {
        // A session is never shown to another platform's master.
        if *question.service.provider != *self.settings.provider {
            return Identification::NotRequested;
        }
        match Shown::of(question.credential) {
            None => Identification::NotRequested,
            Some(shown) if shown.is_of_task() => self.holder(&shown, &question.service.entry).await,
            Some(shown) => self.user(&shown).await,
        }
    }
}

fn named(actor: String) -> WireIdentity {
    WireIdentity { actor, ..WireIdentity::default() }
}

fn of(actor: Result<Actor, InvalidActor>) -> Identification {
    match actor {
        Ok(actor) => Identification::Identified(actor),
        Err(_) => Identification::Rejected("the master names someone who can't be named in a header"),
    }
}
