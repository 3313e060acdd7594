//! How values are written in cases: bytes as latin-1, and a few things in braces that are worked out
//! when a case is loaded.
//!
//! - `{repeat:TEXT*COUNT}`: the text that often.
//! - `{session:ACTOR@SERVICE OPTION=VALUE …}` and `{share:…}`: a sealed token. Options: `expires`
//!   (seconds from the case's start, default `+3600`), `epoch` (1), `key` (the id it names, `k2`),
//!   `secret` (the secret it is sealed with, the key's own), `groups` (separated by commas), `email`,
//!   `tag` (the purpose's letter, changed after sealing), `flip` (which byte from the end is changed).

use taskgate_core::key::{KeyId, KeyRing, Purpose, Secret};
use taskgate_core::session::Claims;
use taskgate_core::time::UnixTime;
use taskgate_core::token::NONCE_BYTES;

use crate::fixture::Fixtures;

/// Each character is one byte: U+0000 to U+00FF.
///
/// # Errors
/// The first character that is none.
pub fn latin1(text: &str) -> Result<Vec<u8>, String> {
    text.chars().map(|letter| u8::try_from(letter).map_err(|_| format!("{letter:?} is no byte"))).collect()
}

/// The other way round, for messages.
#[must_use]
pub fn shown(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Works out what stands in braces.
///
/// # Errors
/// What can't be read.
pub fn expand(text: &str, fixtures: &Fixtures) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        expanded.push_str(before);
        let known = after.split_once('}').and_then(|(inner, after)| {
            let (kind, argument) = inner.split_once(':')?;
            Some((kind, argument, after))
        });
        rest = match known {
            Some(("repeat", argument, after)) => {
                expanded.push_str(&repeat(argument)?);
                after
            }
            Some(("session", argument, after)) => {
                expanded.push_str(&sealed(Purpose::Session, argument, fixtures)?);
                after
            }
            Some(("share", argument, after)) => {
                expanded.push_str(&sealed(Purpose::Share, argument, fixtures)?);
                after
            }
            _ => {
                expanded.push('{');
                after
            }
        };
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn repeat(argument: &str) -> Result<String, String> {
    let (text, count) = argument.rsplit_once('*').ok_or("repeat: TEXT*COUNT")?;
    Ok(text.repeat(number(count)?))
}

fn number<Number: core::str::FromStr>(text: &str) -> Result<Number, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn sealed(purpose: Purpose, argument: &str, fixtures: &Fixtures) -> Result<String, String> {
    let mut words = argument.split(' ');
    let (actor, service) = words.next().and_then(|who| who.split_once('@')).ok_or("a token is for ACTOR@SERVICE")?;
    let mut claims = Claims {
        service: service.into(),
        actor: actor.into(),
        email: None,
        groups: Vec::new(),
        issued_at: fixtures.start_ms,
        expires_at: UnixTime::default(),
        epoch: 1,
    };
    let (mut expires, mut key, mut secret, mut tag, mut flip) = (3600_i64, "k2", None, None, None::<usize>);
    for word in words {
        match word.split_once('=').ok_or_else(|| format!("{word:?} is no option"))? {
            ("email", value) => claims.email = Some(value.into()),
            ("epoch", value) => claims.epoch = number(value)?,
            ("expires", value) => expires = number(value)?,
            ("flip", value) => flip = Some(number(value)?),
            ("groups", value) => claims.groups = value.split(',').map(Into::into).collect(),
            ("key", value) => key = value,
            ("secret", value) => secret = Some(value),
            ("tag", value) => tag = Some(value),
            (option, _) => return Err(format!("{option:?} is no option of a token")),
        }
    }
    let expires_ms = fixtures.start_ms.as_millis().saturating_add_signed(expires.saturating_mul(1000));
    claims.expires_at = UnixTime::from_millis(expires_ms);
    let secret = secret.unwrap_or(key);
    let bytes = fixtures.secret(secret).ok_or_else(|| format!("no secret {secret:?}"))?;
    let id = KeyId::parse(key).map_err(|error| error.to_string())?;
    let ring = KeyRing::new([(id, Secret::new(bytes))]);
    let mut token = claims.seal(&ring, purpose, [7; NONCE_BYTES]).map_err(|error| error.to_string())?;
    if let Some(tag) = tag {
        token = token.replacen(&format!(".{}.", purpose.tag()), &format!(".{tag}."), 1);
    }
    if let Some(flip) = flip {
        let at = token.len().checked_sub(flip).ok_or("flip is beyond the token")?;
        let changed = if token.get(at..=at) == Some("A") { "B" } else { "A" };
        token.replace_range(at..=at, changed);
    }
    Ok(token)
}
