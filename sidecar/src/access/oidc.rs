//! The sign-in provider (`OpenID` Connect Core 1.0): where it is asked who somebody is.
//!
//! Where its endpoints and keys are is found when somebody first signs in, and again now and then: the sidecar runs
//! while the provider does not. What it says is verified by the `openidconnect` crate; nothing here reads a token that
//! was not.

mod carrier;
mod claims;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreResponseType, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AuthType, AuthenticationFlow, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenFields, IdTokenVerifier, IssuerUrl, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadataWithLogout, RedirectUrl,
    RequestTokenError, Scope, SignatureVerificationError, StandardErrorResponse, StandardTokenResponse,
    TokenResponse as _,
};
use openidconnect::{ClaimsVerificationError, DiscoveryError};
use serde_json::{Map, Value};
use taskgate_core::identity::WireIdentity;
use taskgate_core::time::UnixTime;
use taskgate_core::token::TokenId;
use thiserror::Error;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use url::Url;

use crate::access::attempt::Attempt;
use crate::access::entrance::settings::SignInSettings;
use crate::access::oidc::carrier::Carrier;
use crate::access::oidc::claims::Claims;
use crate::auth::fields::NoVisitor;
use crate::clock::SharedClock;
use crate::digest::Digest;
use crate::http::{self, HttpError};

/// How long what is known of the provider counts.
const KEPT: Duration = Duration::from_secs(3_600);
/// The least time between two looks that tokens cause, or that failed.
const PAUSE: Duration = Duration::from_secs(2);
/// How far its clock may be behind ours.
const LEEWAY: Duration = Duration::from_secs(30);
/// The most exchanges at one time: strangers cause them.
const MAX_EXCHANGES: usize = 64;
/// The most who have a place or wait for one.
const MAX_WAITING: usize = 1_024;
/// The longest code that is looked at.
pub const MAX_CODE: usize = 2_048;

type Tokens = StandardTokenResponse<
    IdTokenFields<
        Claims,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;
type ProviderClient = Client<
    Claims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The sign-in provider.
pub struct Oidc {
    settings: SignInSettings,
    carrier: Carrier,
    clock: SharedClock,
    known: ArcSwapOption<Known>,
    /// When a look last failed, and why. Held while it is looked.
    looking: Mutex<Option<(UnixTime, String)>>,
    slots: Semaphore,
    queue: Semaphore,
}

/// What the provider says about itself.
struct Known {
    metadata: ProviderMetadataWithLogout,
    at: UnixTime,
}

/// Who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// Who it is.
    pub identity: WireIdentity,
    /// What all sessions of this stay at the provider have in common, where it says.
    pub stay: Option<TokenId>,
}

/// Why nobody signed in. The reasons are for the log.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OidcError {
    /// It takes the code, or us, for no good.
    #[error("the sign-in provider refused the code: {0}")]
    Refused(String),
    /// What it says can't be verified, or names nobody.
    #[error("what the sign-in provider said does not hold: {0}")]
    Rejected(String),
    /// It can't be asked now.
    #[error("the sign-in provider can't be asked: {0}")]
    Unavailable(String),
}

impl Oidc {
    /// A provider by these settings. It is not asked anything yet.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(settings: SignInSettings, clock: SharedClock) -> Result<Self, HttpError> {
        let carrier = Carrier { client: http::client(settings.timeout)? };
        let (slots, queue) = (Semaphore::new(MAX_EXCHANGES), Semaphore::new(MAX_WAITING));
        Ok(Self { settings, carrier, clock, known: ArcSwapOption::empty(), looking: Mutex::default(), slots, queue })
    }

    /// Where a browser is sent to sign in.
    ///
    /// # Errors
    /// [`OidcError::Unavailable`].
    pub async fn sign_in_url(
        &self,
        attempt: &Attempt,
        state: String,
        callback: &str,
        as_another: bool,
    ) -> Result<Url, OidcError> {
        let known = self.known(UnixTime::default()).await?;
        let nonce = attempt.nonce.clone();
        let client = self.provider_client(&known, callback)?;
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let verifier = PkceCodeVerifier::new(attempt.verifier.clone());
        let mut request = client
            .authorize_url(flow, move || CsrfToken::new(state), move || Nonce::new(nonce))
            // The crate adds `openid` itself.
            .add_scopes(self.settings.scopes.iter().filter(|scope| *scope != "openid").cloned().map(Scope::new))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        if as_another && !self.settings.switch_prompt.is_empty() {
            request = request.add_prompt(CoreAuthPrompt::Extension(self.settings.switch_prompt.clone()));
        }
        let (url, _, _) = request.url();
        Ok(url)
    }

    /// Who has signed in, for a code that the provider gave.
    ///
    /// # Errors
    /// [`OidcError`].
    pub async fn redeem(&self, code: String, attempt: &Attempt, callback: &str) -> Result<SignedIn, OidcError> {
        let _slot = self.slot().await?;
        let known = self.known(UnixTime::default()).await?;
        let client = self.provider_client(&known, callback)?;
        let request = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|_| OidcError::Unavailable("it names no token endpoint".into()))?
            .set_pkce_verifier(PkceCodeVerifier::new(attempt.verifier.clone()));
        let tokens = request.request_async(&self.carrier).await.map_err(|error| match error {
            RequestTokenError::Request(error) => OidcError::Unavailable(error.to_string()),
            // The description is whatever the provider likes to write: shown to operators alone, and not all of it.
            RequestTokenError::ServerResponse(answer) => OidcError::Refused(short(&format!("{answer:?}"))),
            RequestTokenError::Parse(error, _) => OidcError::Rejected(short(&error.to_string())),
            RequestTokenError::Other(reason) => OidcError::Unavailable(short(&reason)),
        })?;
        let claims = match self.verified(&client, &tokens, attempt) {
            Err(Unverified::NoSuchKey) => {
                // It may have changed its keys.
                let known = self.known(known.at.after(PAUSE)).await?;
                let client = self.provider_client(&known, callback)?;
                self.verified(&client, &tokens, attempt).map_err(Unverified::into_error)?
            }
            other => other.map_err(Unverified::into_error)?,
        };
        self.visitor(claims, &known, &tokens).await
    }

    /// A place among those who exchange codes. Whoever finds none waits for one, in turn: codes that are none hold a
    /// place as long as the provider looks at them, and must not turn everybody else away.
    async fn slot(&self) -> Result<(SemaphorePermit<'_>, SemaphorePermit<'_>), OidcError> {
        let crowded = || OidcError::Unavailable("too many people sign in at once".into());
        let waiting = self.queue.try_acquire().map_err(|_| crowded())?;
        match tokio::time::timeout(self.settings.timeout, self.slots.acquire()).await {
            Ok(Ok(slot)) => Ok((waiting, slot)),
            _ => Err(crowded()),
        }
    }

    /// Where somebody signs out at the provider, as far as that is known.
    #[must_use]
    pub fn sign_out_url(&self) -> Option<String> {
        let known = self.known.load_full()?;
        let mut url = known.metadata.additional_metadata().end_session_endpoint.as_ref()?.url().clone();
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        url.query_pairs_mut().append_pair("client_id", &self.settings.client_id);
        Some(url.into())
    }

    /// What the provider says about itself, as it was seen after `since` at least.
    async fn known(&self, since: UnixTime) -> Result<Arc<Known>, OidcError> {
        let is_good = |known: &Arc<Known>, now: UnixTime| known.at >= since && now.since(known.at) < KEPT;
        let good = |now| self.known.load_full().filter(|known| is_good(known, now));
        if let Some(known) = good(self.clock.now()) {
            return Ok(known);
        }
        let mut failed = self.looking.lock().await;
        let now = self.clock.now();
        // Whoever held the lock may have looked.
        if let Some(known) = good(now) {
            return Ok(known);
        }
        if since > now {
            return Err(OidcError::Rejected("it signs with a key that it does not have".into()));
        }
        if let Some((_, reason)) = failed.as_ref().filter(|(at, _)| now.since(*at) < PAUSE) {
            return self.before(since).ok_or_else(|| OidcError::Unavailable(reason.clone()));
        }
        match self.look().await {
            Ok(metadata) => {
                let known = Arc::new(Known { metadata, at: self.clock.now() });
                *failed = None;
                self.known.store(Some(Arc::clone(&known)));
                Ok(known)
            }
            Err(reason) => {
                tracing::warn!(reason, "what the sign-in provider says about itself can't be read");
                *failed = Some((self.clock.now(), reason.clone()));
                self.before(since).ok_or(OidcError::Unavailable(reason))
            }
        }
    }

    /// What was known before, which is better than nothing.
    fn before(&self, since: UnixTime) -> Option<Arc<Known>> {
        self.known.load_full().filter(|known| known.at >= since)
    }

    async fn look(&self) -> Result<ProviderMetadataWithLogout, String> {
        let issuer = IssuerUrl::new(self.settings.issuer_text.clone()).map_err(|error| error.to_string())?;
        ProviderMetadataWithLogout::discover_async(issuer, &self.carrier).await.map_err(|error| match error {
            DiscoveryError::Request(error) => error.to_string(),
            other => short(&other.to_string()),
        })
    }

    fn provider_client(&self, known: &Known, callback: &str) -> Result<ProviderClient, OidcError> {
        let callback = RedirectUrl::new(callback.to_owned())
            .map_err(|_| OidcError::Unavailable("our own redirect URI is none".into()))?;
        let secret = self.settings.client_secret.as_ref().map(|secret| ClientSecret::new(secret.expose().to_owned()));
        let methods = known.metadata.token_endpoint_auth_methods_supported();
        let has = |method| methods.is_none_or(|all| all.contains(&method));
        let by_header = has(CoreClientAuthMethod::ClientSecretBasic);
        let auth = if by_header { AuthType::BasicAuth } else { AuthType::RequestBody };
        let client = Client::from_provider_metadata(
            known.metadata.clone(),
            ClientId::new(self.settings.client_id.clone()),
            secret,
        );
        Ok(client.set_redirect_uri(callback).set_auth_type(auth))
    }

    /// The claims of the ID token, verified: issuer, audience, signature, nonce and end.
    fn verified(
        &self,
        client: &ProviderClient,
        tokens: &Tokens,
        attempt: &Attempt,
    ) -> Result<Map<String, Value>, Unverified> {
        use CoreJwsSigningAlgorithm as Algorithm;

        let token = tokens.id_token().ok_or_else(|| Unverified::Other("there is no ID token".into()))?;
        let now = self.clock.now().before(LEEWAY);
        let now = i64::try_from(now.as_millis()).ok().and_then(DateTime::<Utc>::from_timestamp_millis);
        let now = now.ok_or_else(|| Unverified::Other("the clock is wrong".into()))?;
        // With public keys alone: who knows the client's secret, or signs with nothing, is not the provider.
        let verifier: IdTokenVerifier<'_, CoreJsonWebKey> = client
            .id_token_verifier()
            .set_allowed_algs([
                Algorithm::RsaSsaPkcs1V15Sha256,
                Algorithm::RsaSsaPkcs1V15Sha384,
                Algorithm::RsaSsaPkcs1V15Sha512,
                Algorithm::RsaSsaPssSha256,
                Algorithm::RsaSsaPssSha384,
                Algorithm::RsaSsaPssSha512,
                Algorithm::EcdsaP256Sha256,
                Algorithm::EcdsaP384Sha384,
                Algorithm::EdDsa,
            ])
            .set_time_fn(move || now);
        let claims = token.claims(&verifier, &Nonce::new(attempt.nonce.clone())).map_err(|error| match error {
            ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
                Unverified::NoSuchKey
            }
            ClaimsVerificationError::SignatureVerification(cause) => Unverified::Other(short(&cause.to_string())),
            // The nonce is in its text.
            ClaimsVerificationError::InvalidNonce(_) => Unverified::Other("its nonce is of another sign-in".into()),
            other => Unverified::Other(short(&other.to_string())),
        })?;
        match serde_json::to_value(claims) {
            Ok(Value::Object(claims)) => Ok(claims),
            _ => Err(Unverified::Other("its claims are no object".into())),
        }
    }

    async fn visitor(
        &self,
        mut claims: Map<String, Value>,
        known: &Known,
        tokens: &Tokens,
    ) -> Result<SignedIn, OidcError> {
        // Some providers keep the ID token small, and tell the rest apart from it.
        if self.settings.fields.read(&claims).is_err()
            && let Some(endpoint) = known.metadata.userinfo_endpoint()
        {
            let request = self.carrier.client.get(endpoint.url().clone()).bearer_auth(tokens.access_token().secret());
            let answer = http::exchange(request).await.map_err(|error| OidcError::Unavailable(error.to_string()))?;
            let more = serde_json::from_slice::<Map<String, Value>>(&answer.body).unwrap_or_default();
            // It must be about the same person (OpenID Connect Core 1.0, section 5.3.2).
            if answer.status.is_success() && more.get("sub").is_some_and(|sub| claims.get("sub") == Some(sub)) {
                // What is verified there is the address there.
                let is_its =
                    more.get("email").is_some_and(|email| claims.get("email").is_none_or(|known| known == email));
                for (name, value) in more.into_iter().filter(|(name, _)| is_its || name != "email_verified") {
                    claims.entry(name).or_insert(value);
                }
            }
        }
        let identity = self.settings.fields.read(&claims).map_err(|error| {
            let name = &self.settings.fields.actor;
            OidcError::Rejected(match error {
                NoVisitor::Anonymous | NoVisitor::Missing => {
                    format!("there is no login name in `{name}`; see `access.sign_in.actor_claim`")
                }
                NoVisitor::Unverified => {
                    format!("the login name in `{name}` is a mail address that is not verified (`email_verified`)")
                }
            })
        })?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let stay = text("sid").map(|sid| {
            let parts = ["sid", &self.settings.issuer_text, text("sub").unwrap_or_default(), sid];
            TokenId::new(Digest::of_parts(&parts.map(str::as_bytes)).prefix())
        });
        Ok(SignedIn { identity, stay })
    }
}

/// Why claims were not taken.
enum Unverified {
    NoSuchKey,
    Other(String),
}

impl Unverified {
    fn into_error(self) -> OidcError {
        match self {
            Self::NoSuchKey => OidcError::Rejected("it signs with a key that it does not have".into()),
            Self::Other(reason) => OidcError::Rejected(reason),
        }
    }
}

/// The beginning of somebody else's words, without what could break a line of a log.
fn short(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(200).collect()
}

impl fmt::Debug for Oidc {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Oidc").field("settings", &self.settings).finish_non_exhaustive()
    }
}
