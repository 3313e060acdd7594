//! Tokens that are listed in the configuration, as hashes.
//!
//! A token is 32 random bytes, so a plain SHA-256 is as good as a slow hash: there is nothing to
//! guess. The token itself is shown once, when it is made, and kept nowhere.

use std::collections::HashMap;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use taskgate_core::identity::WireIdentity;
use taskgate_core::time::UnixTime;

use crate::auth::actor::Actor;
use crate::auth::source::{Identification, Question, Source};
use crate::clock::SharedClock;
use crate::config::resolve::{Files, InvalidSetting};
use crate::config::sources::{TokenConfig, TokensConfig};
use crate::digest::Digest;
use crate::random::{self, NoRandomness};
use crate::secret::SecretText;
use crate::yaml;

/// How tokens that `taskgate token new` makes start.
pub const PREFIX: &str = "tgt_";
/// The most tokens of one source.
const MAX_TOKENS: usize = 100_000;
/// The largest file of tokens.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// One token as it is stored.
#[derive(Clone, Debug)]
pub struct StoredToken {
    digest: Digest,
    actor: Actor,
}

/// The source of listed tokens.
#[derive(Debug)]
pub struct Tokens {
    by_prefix: HashMap<u64, Vec<StoredToken>>,
    clock: SharedClock,
}

/// A new token.
///
/// # Errors
/// [`NoRandomness`].
pub fn generate() -> Result<SecretText, NoRandomness> {
    let bytes: [u8; 32] = random::bytes()?;
    Ok(SecretText::from(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
}

/// Reads a date that people write.
///
/// # Errors
/// What to write instead.
pub fn parse_date(text: &str) -> Result<UnixTime, String> {
    let timestamp: jiff::Timestamp =
        text.parse().map_err(|_| format!("`{text}` is no date; write it as in 2027-01-31T00:00:00Z"))?;
    Ok(UnixTime::from_millis(u64::try_from(timestamp.as_millisecond()).unwrap_or(0)))
}

/// Checks a list of tokens and reads the file that it points to.
///
/// # Errors
/// [`InvalidSetting`].
pub fn resolve_tokens(
    key: &str,
    config: TokensConfig,
    files: &mut Files<'_>,
) -> Result<Vec<StoredToken>, InvalidSetting> {
    let mut tokens = Vec::new();
    for (index, token) in config.tokens.into_iter().enumerate() {
        tokens.push(stored(&format!("{key}.tokens[{index}]"), token)?);
    }
    if let Some(path) = config.tokens_file {
        let key = format!("{key}.tokens_file");
        let text = files.text(&key, &path, MAX_FILE_BYTES)?;
        let more: Vec<TokenConfig> =
            yaml::parse(&text).map_err(|error| InvalidSetting::new(&key, format!("{}: {error}", path.display())))?;
        for (index, token) in more.into_iter().enumerate() {
            tokens.push(stored(&format!("{key}[{index}]"), token)?);
        }
    }
    if tokens.len() > MAX_TOKENS {
        return Err(InvalidSetting::new(key, format!("more than {MAX_TOKENS} tokens")));
    }
    Ok(tokens)
}

fn stored(key: &str, config: TokenConfig) -> Result<StoredToken, InvalidSetting> {
    let digest = Digest::parse(&config.sha256)
        .map_err(|error| InvalidSetting::new(format!("{key}.sha256"), error.to_string()))?;
    let expires_at = config
        .expires_at
        .as_deref()
        .map(parse_date)
        .transpose()
        .map_err(|error| InvalidSetting::new(format!("{key}.expires_at"), error))?;
    let identity =
        WireIdentity { actor: config.actor, email: config.email, groups: config.groups, ..WireIdentity::default() };
    let actor = Actor::new(identity, expires_at).map_err(|error| InvalidSetting::new(key, error.to_string()))?;
    Ok(StoredToken { digest, actor })
}

impl Tokens {
    /// A source of these tokens.
    #[must_use]
    pub fn new(tokens: Vec<StoredToken>, clock: SharedClock) -> Self {
        let mut by_prefix: HashMap<u64, Vec<StoredToken>> = HashMap::with_capacity(tokens.len());
        for token in tokens {
            by_prefix.entry(token.digest.prefix()).or_default().push(token);
        }
        Self { by_prefix, clock }
    }

    fn find(&self, token: &str) -> Option<&StoredToken> {
        let digest = Digest::of(token.as_bytes());
        self.by_prefix.get(&digest.prefix())?.iter().find(|stored| stored.digest.matches(&digest))
    }
}

#[async_trait]
impl Source for Tokens {
    fn name(&self) -> &'static str {
        "tokens"
    }

    async fn identify(&self, question: Question<'_>) -> Identification {
        let value = &question.credential.value;
        let Some(stored) = self.find(value) else {
            return if value.starts_with(PREFIX) {
                Identification::Rejected("token is not listed")
            } else {
                Identification::NotRequested
            };
        };
        if stored.actor.expires_at().is_some_and(|at| at <= self.clock.now()) {
            return Identification::Rejected("token has expired");
        }
        Identification::Identified(stored.actor.clone())
    }
}
