//! How values are written in cases: bytes as latin-1, and a few things in braces that are worked out
//! when a case is loaded.
//!
//! - `{repeat:TEXT*COUNT}`: the text that often.
//! - `{session:ACTOR@SERVICE OPTION=VALUE …}` and `{share:ID@SERVICE …}`: a sealed token;
//! - `{assertion:ACTOR@SERVICE …}`: what a job is given to verify.
//!
//! The options are in `tests/cases/README.md`.

use core::time::Duration;
use std::collections::BTreeMap;

use taskgate_core::assertion::Assertions;
use taskgate_core::identity::{Identity, WireIdentity};
use taskgate_core::key::{KeyId, KeyRing, Purpose, Secret};
use taskgate_core::session::{Claims, SharedAccess};
use taskgate_core::share::{PathScope, ShareClaims};
use taskgate_core::time::UnixTime;
use taskgate_core::token::{self, TokenId};

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
            Some(("assertion", argument, after)) => {
                expanded.push_str(&assertion(argument, fixtures)?);
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

/// A token as it is written: what it says, and what is wrong with it.
struct Token<'a> {
    who: &'a str,
    service: &'a str,
    options: BTreeMap<&'a str, &'a str>,
}

impl<'a> Token<'a> {
    fn read(argument: &'a str) -> Result<Self, String> {
        let mut words = argument.split(' ');
        let (who, service) = words.next().and_then(|who| who.split_once('@')).ok_or("a token is for ACTOR@SERVICE")?;
        let option = |word: &'a str| word.split_once('=').ok_or_else(|| format!("{word:?} is no option"));
        Ok(Self { who, service, options: words.map(option).collect::<Result<_, _>>()? })
    }

    fn text(&mut self, name: &str) -> Option<&'a str> {
        self.options.remove(name)
    }

    fn number<Number: core::str::FromStr>(&mut self, name: &str) -> Result<Option<Number>, String> {
        self.text(name).map(number).transpose()
    }

    /// A time, in seconds from the start of the case.
    fn time(&mut self, name: &str, start: UnixTime, default: i64) -> Result<UnixTime, String> {
        let seconds = self.number(name)?.unwrap_or(default);
        Ok(UnixTime::from_millis(start.as_millis().saturating_add_signed(seconds.saturating_mul(1000))))
    }
}

fn id(text: Option<&str>) -> Result<TokenId, String> {
    text.map_or(Ok(TokenId::new(0x5e55)), |text| TokenId::parse(text).map_err(|error| format!("{text:?} {error}")))
}

fn scope(text: Option<&str>) -> Result<PathScope, String> {
    PathScope::parse(text.unwrap_or("/")).map_err(|error| error.to_string())
}

fn sealed(purpose: Purpose, argument: &str, fixtures: &Fixtures) -> Result<String, String> {
    let mut token = Token::read(argument)?;
    let (key, tag, flip) = (token.text("key").unwrap_or("k2"), token.text("tag"), token.number::<usize>("flip")?);
    let secret = token.text("secret").unwrap_or(key);
    let bytes = fixtures.secret(secret).ok_or_else(|| format!("no secret {secret:?}"))?;
    let ring = KeyRing::new([(KeyId::parse(key).map_err(|error| error.to_string())?, Secret::new(bytes))]);
    let mut text = match purpose {
        Purpose::Share => share(&mut token, fixtures)?.seal(&ring),
        _ => session(&mut token, fixtures)?.seal(&ring),
    }
    .map_err(|error| error.to_string())?;
    if let Some(option) = token.options.keys().next() {
        return Err(format!("{option:?} is no option of a token"));
    }
    if let Some(tag) = tag {
        text = text.replacen(&format!(".{}.", purpose.tag()), &format!(".{tag}."), 1);
    }
    if let Some(flip) = flip {
        let at = text.len().checked_sub(flip).ok_or("flip is beyond the token")?;
        let changed = if text.get(at..=at) == Some("A") { "B" } else { "A" };
        text.replace_range(at..=at, changed);
    }
    Ok(text)
}

fn session(token: &mut Token<'_>, fixtures: &Fixtures) -> Result<Claims, String> {
    let start = fixtures.start_ms;
    let issued = token.time("issued", start, 0)?;
    let expires = token.time("expires", start, 3600)?;
    let identity = identity(token);
    let epoch = token.number("epoch")?.unwrap_or(1);
    let mut claims = Claims::new(id(token.text("id"))?, token.service, epoch, identity, issued, expires);
    claims.seen_at = token.time("seen", start, 0)?;
    claims.checked_at = token.time("checked", start, 0)?;
    let scope = scope(token.text("scope"))?;
    if let Some(share) = token.text("share") {
        claims.share = Some(SharedAccess { id: id(Some(share))?, scope });
    }
    Ok(claims)
}

fn identity(token: &mut Token<'_>) -> WireIdentity {
    WireIdentity {
        actor: token.who.into(),
        email: token.text("email").map(Into::into),
        groups: token.text("groups").map(|groups| groups.split(',').map(Into::into).collect()).unwrap_or_default(),
        arvados_user_uuid: token.text("uuid").map(Into::into),
    }
}

fn share(token: &mut Token<'_>, fixtures: &Fixtures) -> Result<ShareClaims, String> {
    let start = fixtures.start_ms;
    Ok(ShareClaims {
        id: id(Some(token.who))?,
        service: token.service.into(),
        origin: token.number("origin")?.unwrap_or(1),
        scope: scope(token.text("scope"))?,
        issued_at: token.time("issued", start, 0)?,
        expires_at: token.time("expires", start, 3600)?,
    })
}

fn assertion(argument: &str, fixtures: &Fixtures) -> Result<String, String> {
    let mut token = Token::read(argument)?;
    let bytes = fixtures.secret("k2").ok_or("no secret \"k2\"")?;
    let ring = KeyRing::new([(KeyId::parse("k2").map_err(|error| error.to_string())?, Secret::new(bytes))]);
    let now = token.time("at", fixtures.start_ms, 0)?;
    let (issuer, lifetime) = ("https://access.tasks.example.test", Duration::from_secs(300));
    let identity = Identity::try_from(identity(&mut token)).map_err(|error| error.to_string())?;
    let text = Assertions::new(&ring, issuer, lifetime, 1).make(token.service, &identity, now);
    text.map(|text| text.to_string()).ok_or_else(|| "no assertion".into())
}

/// A `Set-Cookie` line with the session in it opened, so that it can be compared: no two runners give a session the
/// same name.
#[must_use]
pub fn opened(line: &str, fixtures: &Fixtures) -> String {
    let Some((name, rest)) = line.split_once('=') else { return line.into() };
    let (value, attributes) = rest.split_once(';').unwrap_or((rest, ""));
    let token::Opened::Payload(payload) = token::open(&fixtures.ring(), Purpose::Session, value.as_bytes()) else {
        return line.into();
    };
    let Ok(claims) = postcard::from_bytes::<Claims>(&payload) else { return line.into() };
    let seconds = |time: UnixTime| {
        let millis = i128::from(time.as_millis()).saturating_sub(i128::from(fixtures.start_ms.as_millis()));
        format!("{:+}", millis.div_euclid(1000))
    };
    let mut said = format!("{}@{} epoch={}", claims.identity.actor, claims.service, claims.epoch);
    if !claims.identity.groups.is_empty() {
        said.push_str(&format!(" groups={}", claims.identity.groups.join(",")));
    }
    for (name, time) in [
        ("issued", claims.issued_at),
        ("seen", claims.seen_at),
        ("checked", claims.checked_at),
        ("expires", claims.expires_at),
    ] {
        said.push_str(&format!(" {name}={}", seconds(time)));
    }
    if let Some(share) = claims.share {
        said.push_str(&format!(" share={} scope={}", share.id, share.scope.as_str()));
    }
    format!("{name}=<{said}>;{attributes}")
}
