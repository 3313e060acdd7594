//! The keys of a token issuer (JWKS).
//!
//! They are fetched in the background. A token that names a key which is not among them is a reason
//! to look at once, but not often: visitors choose what their tokens name.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::Client;
use serde::Deserialize;
use taskgate_core::time::UnixTime;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::clock::SharedClock;
use crate::http::{self, HttpError};

/// The most keys of one set.
const MAX_KEYS: usize = 100;
/// How long a fetch may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// The least time between two fetches that tokens cause.
const FETCH_PAUSE: Duration = Duration::from_secs(5);
/// How long after a failed fetch tokens cause no other.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);
/// How long a key that was not found is not looked for again.
const MISS_PAUSE: Duration = Duration::from_secs(60);
/// The most keys that are remembered as not found.
const MAX_MISSES: usize = 1_000;
/// How soon a failed fetch is tried again in the background.
const RETRY: Duration = Duration::from_secs(5);

/// One key that can verify signatures.
#[derive(Clone)]
pub struct VerifyingKey {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// Keys, as they were read.
pub type KeySet = Arc<Vec<VerifyingKey>>;

/// What came of looking for a key.
pub enum Lookup {
    /// This one.
    Found(Box<DecodingKey>),
    /// The issuer has no such key.
    NotFound,
    /// The issuer can't be asked.
    Unavailable(String),
}

/// Keys that are fetched.
pub struct FetchedKeys {
    url: Url,
    refresh: Duration,
    client: Client,
    clock: SharedClock,
    current: RwLock<Option<KeySet>>,
    fetching: Mutex<Fetching>,
}

#[derive(Default)]
struct Fetching {
    last_success: Option<UnixTime>,
    last_failure: Option<(UnixTime, String)>,
    misses: HashMap<String, UnixTime>,
}

#[derive(Deserialize)]
struct WireKeys {
    keys: Vec<serde_json::Value>,
}

/// Reads a key set. Keys that can't verify a signature are left out, one by one.
///
/// # Errors
/// What is wrong with the set as a whole.
pub fn read(bytes: &[u8]) -> Result<KeySet, String> {
    let wire: WireKeys = serde_json::from_slice(bytes).map_err(|_| "is no JSON object with `keys`".to_owned())?;
    let keys = wire.keys.into_iter().take(MAX_KEYS).filter_map(|value| verifying_key(&value));
    Ok(Arc::new(keys.collect()))
}

/// The key with that id for that algorithm. A token without an id finds a key only where there is
/// no other that it could mean.
#[must_use]
pub fn find(keys: &KeySet, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
    let mut fitting = keys.iter().filter(|key| key.algorithms.contains(&algorithm));
    match id {
        Some(id) => fitting.find(|key| key.id.as_deref() == Some(id)).map(|key| key.key.clone()),
        None => fitting.next().filter(|_| fitting.next().is_none()).map(|key| key.key.clone()),
    }
}

fn verifying_key(value: &serde_json::Value) -> Option<VerifyingKey> {
    let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
    if jwk.common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature) {
        return None;
    }
    let operations = jwk.common.key_operations.as_ref();
    if operations.is_some_and(|operations| !operations.contains(&KeyOperations::Verify)) {
        return None;
    }
    let possible: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[Algorithm::ES256],
            EllipticCurve::P384 => &[Algorithm::ES384],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[Algorithm::EdDSA],
        AlgorithmParameters::RSA(_) => &[
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ],
        // A shared secret never verifies a visitor's token.
        _ => &[],
    };
    let named = value.get("alg").and_then(serde_json::Value::as_str);
    let algorithms: Vec<Algorithm> =
        possible.iter().copied().filter(|one| named.is_none_or(|named| format!("{one:?}") == named)).collect();
    if algorithms.is_empty() {
        return None;
    }
    Some(VerifyingKey { id: jwk.common.key_id.clone(), algorithms, key: DecodingKey::from_jwk(&jwk).ok()? })
}

impl FetchedKeys {
    /// Keys from an address; none until they are fetched.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(url: Url, refresh: Duration, clock: SharedClock) -> Result<Self, HttpError> {
        let client = http::client(FETCH_TIMEOUT)?;
        Ok(Self { url, refresh, client, clock, current: RwLock::default(), fetching: Mutex::default() })
    }

    /// Fetches keys now and then until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            let fetched = async {
                let mut fetching = self.fetching.lock().await;
                self.fetch(&mut fetching).await
            };
            let pause = match fetched.await {
                Ok(_) => self.refresh,
                Err(error) => {
                    tracing::warn!(error, "keys of the token issuer can't be fetched; known ones stay");
                    RETRY
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Looks for a key, among those that are known and then, seldom, at the issuer.
    pub async fn look(&self, id: Option<&str>, algorithm: Algorithm) -> Lookup {
        let known = self.current();
        if let Some(key) = known.as_ref().and_then(|keys| find(keys, id, algorithm)) {
            return Lookup::Found(Box::new(key));
        }
        let mut fetching = self.fetching.lock().await;
        // Whoever held the lock may have fetched it.
        if let Some(key) = self.current().and_then(|keys| find(&keys, id, algorithm)) {
            return Lookup::Found(Box::new(key));
        }
        let now = self.clock.now();
        let looked = |since: Option<&UnixTime>, pause| since.is_some_and(|since| now.since(*since) < pause);
        let name = id.unwrap_or_default();
        if looked(fetching.last_success.as_ref(), FETCH_PAUSE) || looked(fetching.misses.get(name), MISS_PAUSE) {
            return Lookup::NotFound;
        }
        if let Some((since, error)) = &fetching.last_failure
            && now.since(*since) < FAILURE_PAUSE
        {
            return Lookup::Unavailable(error.clone());
        }
        match self.fetch(&mut fetching).await {
            Ok(keys) => match find(&keys, id, algorithm) {
                Some(key) => Lookup::Found(Box::new(key)),
                None => {
                    fetching.misses.retain(|_, since| now.since(*since) < MISS_PAUSE);
                    if fetching.misses.len() < MAX_MISSES {
                        fetching.misses.insert(name.to_owned(), now);
                    }
                    Lookup::NotFound
                }
            },
            Err(error) => Lookup::Unavailable(error),
        }
    }

    fn current(&self) -> Option<KeySet> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn fetch(&self, fetching: &mut Fetching) -> Result<KeySet, String> {
        let fetched = self.fetch_once().await;
        let now = self.clock.now();
        match &fetched {
            Ok(keys) => {
                fetching.last_success = Some(now);
                fetching.last_failure = None;
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(keys));
            }
            Err(error) => fetching.last_failure = Some((now, error.clone())),
        }
        fetched
    }

    async fn fetch_once(&self) -> Result<KeySet, String> {
        let answer = http::exchange(self.client.get(self.url.clone())).await.map_err(|error| error.to_string())?;
        if !answer.status.is_success() {
            return Err(format!("the issuer's key set answered {}", answer.status.as_u16()));
        }
        let keys = read(&answer.body).map_err(|reason| format!("the issuer's key set {reason}"))?;
        if keys.is_empty() {
            return Err("the issuer's key set has no key that verifies signatures".to_owned());
        }
        Ok(keys)
    }
}

impl std::fmt::Debug for FetchedKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FetchedKeys").field("refresh", &self.refresh).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("VerifyingKey").field("id", &self.id).field("algorithms", &self.algorithms).finish()
    }
}
