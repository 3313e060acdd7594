//! Signed tokens (JWT) of an identity provider.
//!
//! Signatures with shared secrets and unsigned tokens are refused whatever the configuration says.
//! A token of another issuer is left to other sources.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Map, Value};
use taskgate_core::time::UnixTime;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::auth::actor::Actor;
use crate::auth::fields::{Fields, NoVisitor};
use crate::auth::jwks::{self, FetchedKeys, KeySet, Lookup};
use crate::auth::source::{Identification, Question, Source};
use crate::clock::SharedClock;
use crate::config::resolve::{Files, InvalidSetting, within};
use crate::config::sources::{JwtAlgorithm, JwtConfig};
use crate::digest::Digest;
use crate::http::{self, HttpError};

/// The largest file of keys.
const MAX_JWKS_BYTES: u64 = 1 << 20;

/// The settings of a token issuer.
#[derive(Clone, Debug)]
pub struct JwtSettings {
    issuer: String,
    audiences: Vec<String>,
    algorithms: Vec<Algorithm>,
    keys: KeySource,
    leeway: Duration,
    fields: Fields,
}

/// Where an issuer's keys are.
#[derive(Clone, Debug)]
enum KeySource {
    Fetched { url: Url, refresh: Duration },
    Read { digest: Digest, keys: KeySet },
}

/// The source of one issuer's tokens.
#[derive(Debug)]
pub struct Jwt {
    settings: JwtSettings,
    keys: Keys,
    clock: SharedClock,
}

#[derive(Debug)]
enum Keys {
    Fetched(Box<FetchedKeys>),
    Read(KeySet),
}

/// What is read of a token before its signature is checked: only whether it is for this source.
#[derive(Deserialize)]
struct Unverified {
    #[serde(rename = "iss")]
    issuer: Option<String>,
}

impl JwtSettings {
    /// Checks an issuer's configuration and reads the file that it points to.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn resolve(key: &str, config: JwtConfig, files: &mut Files<'_>) -> Result<Self, InvalidSetting> {
        let invalid = |field: &str, reason: &str| Err(InvalidSetting::new(format!("{key}.{field}"), reason));
        if config.issuer.is_empty() {
            return invalid("issuer", "is empty; write the `iss` of the tokens");
        }
        if config.audiences.is_empty() || config.audiences.iter().any(String::is_empty) {
            return invalid("audiences", "name at least one: without it, tokens for other services would be accepted");
        }
        if config.algorithms.is_empty() {
            return invalid("algorithms", "name at least one, as in [RS256]");
        }
        let keys = match (config.jwks_url, config.jwks_file) {
            (Some(url), None) => {
                let url = http::parse_url(&url)
                    .map_err(|error| InvalidSetting::new(format!("{key}.jwks_url"), error.to_string()))?;
                let refresh = within(&format!("{key}.refresh_secs"), config.refresh_secs, 10, 86_400)?;
                KeySource::Fetched { url, refresh }
            }
            (None, Some(path)) => {
                let name = format!("{key}.jwks_file");
                let text = files.text(&name, &path, MAX_JWKS_BYTES)?;
                let keys = jwks::read(text.as_bytes()).map_err(|reason| InvalidSetting::new(&name, reason))?;
                if keys.is_empty() {
                    return Err(InvalidSetting::new(name, "has no key that verifies signatures"));
                }
                KeySource::Read { digest: Digest::of(text.as_bytes()), keys }
            }
            _ => return invalid("jwks_url", "set either this or `jwks_file`"),
        };
        Ok(Self {
            issuer: config.issuer,
            audiences: config.audiences,
            algorithms: config.algorithms.into_iter().map(Algorithm::from).collect(),
            keys,
            leeway: within(&format!("{key}.leeway_secs"), config.leeway_secs, 0, 600)?,
            fields: Fields {
                actor: config.actor_claim,
                email: config.email_claim,
                groups: config.groups_claim,
                is_address_verified: true,
            },
        })
    }

    /// The digest of keys that were read from a file: others may accept other tokens.
    #[must_use]
    pub fn keys_digest(&self) -> Option<Digest> {
        match &self.keys {
            KeySource::Fetched { .. } => None,
            KeySource::Read { digest, .. } => Some(*digest),
        }
    }

    fn validation(&self) -> Option<Validation> {
        let mut validation = Validation::new(*self.algorithms.first()?);
        validation.algorithms.clone_from(&self.algorithms);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&self.audiences);
        validation.set_required_spec_claims(&["iss", "aud"]);
        // Times are compared here, with our own clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Some(validation)
    }
}

impl Jwt {
    /// A source of one issuer's tokens.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(settings: JwtSettings, clock: SharedClock) -> Result<Self, HttpError> {
        let keys = match &settings.keys {
            KeySource::Fetched { url, refresh } => {
                Keys::Fetched(Box::new(FetchedKeys::new(url.clone(), *refresh, Arc::clone(&clock))?))
            }
            KeySource::Read { keys, .. } => Keys::Read(Arc::clone(keys)),
        };
        Ok(Self { settings, keys, clock })
    }

    async fn key(&self, id: Option<&str>, algorithm: Algorithm) -> Lookup {
        match &self.keys {
            Keys::Fetched(keys) => keys.look(id, algorithm).await,
            Keys::Read(keys) => {
                jwks::find(keys, id, algorithm).map_or(Lookup::NotFound, |key| Lookup::Found(Box::new(key)))
            }
        }
    }

    fn verify(&self, token: &str, key: &DecodingKey) -> Identification {
        let Some(validation) = self.settings.validation() else { return Identification::NotRequested };
        let Ok(data) = jsonwebtoken::decode::<Map<String, Value>>(token, key, &validation) else {
            return Identification::Rejected("signature, issuer or audience is wrong");
        };
        let now = self.clock.now();
        let Some(expires_at) = time(&data.claims, "exp").map(|end| end.after(self.settings.leeway)) else {
            return Identification::Rejected("token has no end");
        };
        if expires_at <= now {
            return Identification::Rejected("token has expired");
        }
        if data.claims.contains_key("nbf")
            && time(&data.claims, "nbf").is_none_or(|start| start > now.after(self.settings.leeway))
        {
            return Identification::Rejected("token is not valid yet");
        }
        match self.settings.fields.read(&data.claims) {
            Ok(identity) => match Actor::new(identity, Some(expires_at)) {
                Ok(actor) => Identification::Identified(actor),
                Err(_) => Identification::Rejected("token names someone who can't be named in a header"),
            },
            Err(NoVisitor::Anonymous | NoVisitor::Missing) => {
                Identification::Rejected("token has no login name; see `actor_claim`")
            }
            Err(NoVisitor::Unverified) => {
                Identification::Rejected("token names a mail address that is not verified (`email_verified`)")
            }
        }
    }
}

#[async_trait]
impl Source for Jwt {
    fn name(&self) -> &'static str {
        "jwt"
    }

    async fn identify(&self, question: Question<'_>) -> Identification {
        let token = question.credential.value.as_str();
        // Not trusted: it only tells whether the token is for this source.
        match jsonwebtoken::dangerous::insecure_decode_claims::<Unverified>(token) {
            Ok(claims) if claims.issuer.as_deref() == Some(&self.settings.issuer) => {}
            _ => return Identification::NotRequested,
        }
        let Ok(header) = jsonwebtoken::decode_header(token) else {
            return Identification::Rejected("token's header is none, or its signature is of an unknown kind");
        };
        if !self.settings.algorithms.contains(&header.alg) {
            return Identification::Rejected("token's signature is of a kind that is not accepted");
        }
        if header.crit.is_some_and(|names| !names.is_empty()) {
            return Identification::Rejected("token demands something that is not understood");
        }
        match self.key(header.kid.as_deref(), header.alg).await {
            Lookup::Found(key) => self.verify(token, &key),
            Lookup::NotFound => Identification::Rejected("token is signed with a key that its issuer does not have"),
            Lookup::Unavailable(reason) => Identification::Unavailable(reason),
        }
    }

    async fn run(&self, stop: CancellationToken) {
        if let Keys::Fetched(keys) = &self.keys {
            keys.run(stop).await;
        }
    }
}

impl From<JwtAlgorithm> for Algorithm {
    fn from(config: JwtAlgorithm) -> Self {
        match config {
            JwtAlgorithm::ES256 => Self::ES256,
            JwtAlgorithm::ES384 => Self::ES384,
            JwtAlgorithm::EdDsa => Self::EdDSA,
            JwtAlgorithm::PS256 => Self::PS256,
            JwtAlgorithm::PS384 => Self::PS384,
            JwtAlgorithm::PS512 => Self::PS512,
            JwtAlgorithm::RS256 => Self::RS256,
            JwtAlgorithm::RS384 => Self::RS384,
            JwtAlgorithm::RS512 => Self::RS512,
        }
    }
}

/// A time of a token: seconds since 1970, whole or not.
fn time(claims: &Map<String, Value>, name: &str) -> Option<UnixTime> {
    let seconds = claims.get(name)?.as_f64().filter(|seconds| *seconds >= 0.0 && *seconds < 1e12)?;
    Duration::try_from_secs_f64(seconds).ok().map(|since| UnixTime::default().after(since))
}
